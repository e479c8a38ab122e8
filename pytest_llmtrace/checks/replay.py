"""Was every request answered, and every recording played?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._check import Check, Evidence, title_of_exchange
from pytest_llmtrace.checks._elsewhere import elsewhere
from pytest_llmtrace.checks._words import first_of
from pytest_llmtrace.model import Finding, Outcome, Severity

__all__ = ["CHECKS", "TIMING", "UNMATCHED", "UNPLAYED"]


def _unmatched(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for exchange in evidence.exchanges:
        if exchange.outcome is Outcome.REFUSED:
            found, _, advice = (exchange.failure or "nothing answered it").partition("\nnext: ")
            yield check.finding(title_of_exchange(exchange), ("found", found), next=advice)
        else:
            yield None
    for connection in evidence.blocked:
        yield check.finding("connection outside httpx", ("found", f"refused {connection}"), next=_NOT_HTTPX)


def _unplayed(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for leftover in evidence.leftovers:
        if not leftover.unplayed:
            yield None
            continue
        count = f"{len(leftover.unplayed)} of {leftover.total} never requested"
        other = elsewhere(evidence)
        seen = ("wire", "\n".join((count, *leftover.unplayed)))
        yield check.finding(leftover.origin, seen, why=leftover.why, next=other and f"{other}; or {_MAY_STAY}")


def _timing(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for untimed in evidence.untimed:
        yield check.finding(untimed.origin, ("found", "\n".join(first_of(untimed.reasons, 3))), next=untimed.next)


_NOT_HTTPX = (
    "cassettes and scripts can only answer clients built on httpx: use such a client, mock this one, "
    "or let the host through with allow_hosts="
)

_MAY_STAY = 'say why it may stay: @pytest.mark.llmtrace(allow_unused="reason")'

UNMATCHED = Check(
    id="replay/unmatched",
    title="Every request is answered",
    why="nothing answered this request, so the test did not run what production runs; it never left the machine",
    next="record or script an answer, or let the host through with allow_hosts=",
    look=_unmatched,
)

UNPLAYED = Check(
    id="replay/unplayed",
    title="Every recording, scripted reply and planned fault is used",
    why="the application no longer makes a call that was recorded, or makes it elsewhere",
    next=f"remove it, or {_MAY_STAY}",
    look=_unplayed,
    about=("leftovers",),
    whole_runs_only=True,
)

TIMING = Check(
    id="replay/timing",
    title="Every reply that should take its recorded time can do so",
    why="it was replayed at once, so durations and times to first token are not those of the recording",
    next='record it again (`--llmtrace-record=all` keeps the times of chunks), or say timing="instant"',
    look=_timing,
    about=("untimed",),
    severity=Severity.WARNING,
    compares='With `timing="recorded"` or `"real"`: whether each recording that was played says when its chunks came. '
    "It needs one offset for each chunk, in seconds after the request, and none may be earlier than the one before "
    "it. A scripted reply takes the time that it was given. A test in which the clock cannot be moved is reported as "
    "well.",
)

CHECKS: tuple[Check, ...] = (UNMATCHED, UNPLAYED, TIMING)
