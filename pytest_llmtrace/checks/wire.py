"""Does the span say what the bytes say? One comparison for each fact; a value that the wire lacks is invented."""

from __future__ import annotations

from pytest_llmtrace.checks._check import Check
from pytest_llmtrace.checks._compare import Comparison
from pytest_llmtrace.checks._copied import COPIED
from pytest_llmtrace.checks._output_role import OUTPUT_ROLE
from pytest_llmtrace.checks._provider_name import PROVIDER_NAME
from pytest_llmtrace.checks._unreadable import UNREAD_RESPONSE, unreadable
from pytest_llmtrace.checks._usage_missing import USAGE_MISSING
from pytest_llmtrace.checks._wire_answer import ANSWER
from pytest_llmtrace.checks._wire_models import MODELS
from pytest_llmtrace.checks._wire_request import REQUEST
from pytest_llmtrace.checks._wire_usage import USAGE

__all__ = [
    "CHECKS",
    "COMPARISONS",
    "COPIED",
    "OUTPUT_ROLE",
    "PROVIDER_NAME",
    "UNREADABLE",
    "UNREAD_RESPONSE",
    "USAGE_MISSING",
]

COMPARISONS: tuple[Comparison, ...] = (*MODELS, *REQUEST, *USAGE, *ANSWER)

UNREADABLE = unreadable(COMPARISONS)

CHECKS: tuple[Check, ...] = (
    *COMPARISONS,
    OUTPUT_ROLE,
    COPIED,
    PROVIDER_NAME,
    UNREADABLE,
    USAGE_MISSING,
    UNREAD_RESPONSE,
)
