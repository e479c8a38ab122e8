"""Is the latency that a span states as an attribute the time that its call took?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._pacing import slack, time_of
from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Fact, Finding

__all__ = ["LATENCY"]


def _latency(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        stated = account.stated.get("latency", ())
        took = time_of(account.exchange) if stated and account.extent is Extent.WHOLE else 0
        for fact in stated if took else ():
            too_little = is_number(fact.value) and 0 < fact.value < took - slack(took)
            yield _finding(check, account, fact, took) if too_little else None


def _finding(check: Check, account: Account, fact: Fact, took: float) -> Finding:
    return check.finding(
        account.span,
        ("span", "\n".join(f"{key} = {shown(value)}" for key, value in fact.parts)),
        ("wire", f"the response took {took:.3f} s\n{place_of_exchange(account.exchange)}"),
    )


LATENCY = Check(
    id="stream/latency",
    title="The latency that a span states is that of its call",
    why="a search for slow calls by this value finds none of them",
    next="take the time from the request until the response was read to its end, and mind the unit",
    look=_latency,
    about=("latency",),
    compares="`gen_ai.latency_ms` with the time that the response, a stream or not, took until it was read to its "
    "end. The stated latency must be no shorter, within one per cent and 5 ms. It may be longer, since it may include "
    "earlier attempts and the application's own work. 0 says nothing and is not judged. Judged only in recorded or "
    "real time (`timing=`), and for responses of 50 ms or more.",
)
