"""Could the response of a call be read, so that there was anything to compare?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.model import Finding, Severity
from pytest_llmtrace.reading import PRESENT

__all__ = ["UNREAD_RESPONSE"]

# What a response says of itself: a body of which none is known was not read at all.
_FACTS = ("response_id", "response_model", "output_texts", "tool_calls", "input_tokens", "output_tokens", "error")


def _unread(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        if _is_unread(account) and account.span.status != "ERROR":
            yield check.finding(
                account.span,
                ("span", f"status {account.span.status}"),
                ("wire", "\n".join(account.answered.problems)),
            )


def _is_unread(account: Account) -> bool:
    answered = account.answered
    if not answered.problems or answered.truncated or account.extent is not Extent.WHOLE:
        return False
    return all(answered.fact(name).state is not PRESENT for name in _FACTS)


UNREAD_RESPONSE = Check(
    id="wire/unread-response",
    title="The response of a call that succeeded can be read",
    why="nothing that the span says of the answer was compared with it",
    next="where the SDK could read it, record it without its content encoding; where it could not, set the status to "
    "ERROR",
    compares="Calls whose span is not ERROR and whose response was read to its end: that its body is JSON or an event "
    "stream, as it is or in gzip or deflate. Of other encodings (br, zstd) nothing is known.",
    source="RFC 9110, 8.4 (content codings); the response bodies of the APIs' references",
    look=_unread,
    severity=Severity.WARNING,
)
