"""Could spans be captured at all?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._check import Check, Evidence, title_of_exchange
from pytest_llmtrace.checks._words import first_of
from pytest_llmtrace.model import Finding

__all__ = ["CHECKS", "NOTHING"]


_SHOWN = 10
"""How many calls a finding names at most."""


def _nothing(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if not evidence.calls:
        return
    if evidence.spans or evidence.absence is None:
        yield None
        return
    calls = [title_of_exchange(call.exchanges[0]) for call in evidence.calls]
    yield check.finding(
        f"{counted(len(calls), 'LLM call')}, no span: {evidence.absence.cause}",
        ("wire", "\n".join(first_of(calls, _SHOWN))),
        why=evidence.absence.why,
        next=evidence.absence.next,
    )


NOTHING = Check(
    id="capture/nothing",
    title="Something is captured",
    why="no span of this test can reach a back end",
    next="switch the instrumentation on",
    look=_nothing,
    whole_runs_only=True,
)

CHECKS: tuple[Check, ...] = (NOTHING,)
