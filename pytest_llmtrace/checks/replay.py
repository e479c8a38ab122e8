"""Was every request answered, and every recording played?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._check import Check, Evidence, title_of_exchange
from pytest_llmtrace.model import Finding, Outcome

__all__ = ["CHECKS", "UNMATCHED", "UNPLAYED"]


def _unmatched(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for exchange in evidence.exchanges:
        if exchange.outcome is Outcome.REFUSED:
            found, _, advice = (exchange.failure or "nothing answered it").partition("\nnext: ")
            yield check.finding(title_of_exchange(exchange), ("found", found), next=advice)
        else:
            yield None
    for connection in evidence.blocked:
        yield check.finding("connection outside httpx", ("found", f"refused {connection}"))


def _unplayed(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for leftover in evidence.leftovers:
        if not leftover.unplayed:
            yield None
            continue
        count = f"{len(leftover.unplayed)} of {leftover.total} not asked for"
        yield check.finding(leftover.origin, ("wire", "\n".join((count, *leftover.unplayed))), why=leftover.why)


UNMATCHED = Check(
    id="replay/unmatched",
    title="Every request is answered",
    why="nothing answered this request, so the test did not run what production runs; it never left the machine",
    next="record or script an answer, or let the host through with allow_hosts=",
    look=_unmatched,
)

UNPLAYED = Check(
    id="replay/unplayed",
    title="Every recording is played",
    why="the application no longer makes a call that was recorded, or makes it elsewhere",
    next='remove it, or say why it may stay: @pytest.mark.llmtrace(allow_unused="reason")',
    look=_unplayed,
    whole_runs_only=True,
)

CHECKS: tuple[Check, ...] = (UNMATCHED, UNPLAYED)
