"""Judge a trace: the spans against the bytes of their calls, and all telemetry against its conventions.

A check is data. It looks at the evidence of a trace (exchanges, spans, and the calls that `pairing` has made of them),
and yields a finding or None for each thing that it looks at. `harness` runs the checks when a trace ends.
"""

from pytest_llmtrace.checks._check import Check, Evidence, maker_of
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._compare import Comparison, is_empty
from pytest_llmtrace.checks._metric_claims import MetricClaim
from pytest_llmtrace.checks._played import Leftover, Untimed
from pytest_llmtrace.checks._privacy_known import secrets_of
from pytest_llmtrace.checks._privacy_texts import Carrier
from pytest_llmtrace.checks._registry import CHECKS, Verdict, known_ids, refuse_unknown, verify, waiver_of
from pytest_llmtrace.checks.agents import refuse_limits
from pytest_llmtrace.checks.backend import refuse_backend
from pytest_llmtrace.checks.conventions import advice, advice_on_point
from pytest_llmtrace.checks.privacy import refuse_content
from pytest_llmtrace.checks.wire import COMPARISONS
from pytest_llmtrace.conventions import type_of

__all__ = [
    "CHECKS",
    "COMPARISONS",
    "Carrier",
    "Check",
    "Claim",
    "Comparison",
    "Evidence",
    "Leftover",
    "MetricClaim",
    "Untimed",
    "Verdict",
    "advice",
    "advice_on_point",
    "is_empty",
    "known_ids",
    "maker_of",
    "refuse_backend",
    "refuse_content",
    "refuse_limits",
    "refuse_unknown",
    "secrets_of",
    "type_of",
    "verify",
    "waiver_of",
]
