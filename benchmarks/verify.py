"""Verifying a call, compared with the SDK's own time for it; and whether it grows linearly with the items."""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import _calls as calls
from benchmarks._calls import Calls
from benchmarks._measure import Plan, Result, Row, compared, interleaved

SDK, GENAI, OPENINFERENCE = "the SDK", "verified, OTel GenAI span", "verified, OpenInference span"
AT_MOST, LINEAR = 0.50, 1.50
SMALLEST = 100

WHAT = """\
Verifying is reading the bytes of an exchange, reading its span, pairing the two, and all checks, in CPU time. The SDK \
is the real one over a `MockTransport` that returns the same bytes in the same chunks, in the same process; nothing is \
captured or replayed meanwhile. A plain reply has {plain} bytes; a stream has {events} events, one a chunk ({stream} \
kB in chat completions), of which the SDK makes an object each. The spans tell the truth, with request and answer as \
their content, so that every comparison has something to compare, and nothing is found. It is one call \
that is judged again and again, so that what is kept for names and texts is at hand; first calls take longer. Medians \
of {bouts} interleaved bouts, each round of them in another order.

Below that, time per item as the number of items grows, against the smallest number: a chunk of one stream; a call \
with a span of its own that was current, or that was not current and is found by the id of its response, or by worker \
and model alone; a span that is no LLM span, beside one call; an attribute of a span that tells of a conversation, \
whose texts and tool calls are compared with the request. Where there is one call, what \
it takes anyway is in the smallest number too. Linear is at most {linear:.2f} times the smallest. Medians of {rounds} \
interleaved rounds.
"""
WHY = """\
A plain call costs us a fixed amount, whatever the SDK takes: a sixth of it is reading the body (some thirty facts, \
each with its place), an eighth reading the span, three fifths the checks (a quarter of these looks for secrets), the \
rest pairing. Python's collector stands \
still meanwhile, and looks at what was kept once, afterwards.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure single calls against the SDK, and growth."""
    rows: list[Row] = []
    for api in calls.APIS:
        for events in (0, calls.EVENTS):
            rows += _against_the_sdk(plan, api, events)
    for case, sizes, make in _GROWING:
        rows += _growing(plan, case, [size for size in sizes if size <= plan.items], make)
    what = WHAT.format(
        plain=len(calls.reply("chat", 0)[0]),
        events=calls.EVENTS,
        stream=sum(map(len, calls.reply("chat", calls.EVENTS))) // 1000,
        bouts=plan.bouts,
        linear=LINEAR,
        rounds=plan.rounds,
    )
    return Result(name="verify", title="Verifying", what=what, rows=tuple(rows), why=WHY)


def _against_the_sdk(plan: Plan, api: str, events: int) -> list[Row]:
    ask = calls.asking(api, events)
    cells = {SDK: functools.partial(_timed, ask, plan.calls)}
    for name, dialect in ((GENAI, calls.genai), (OPENINFERENCE, calls.openinference)):
        seen = Calls.one(api, events, dialect)
        assert seen.verdict().findings == ()
        cells[name] = functools.partial(_timed, seen.verdict, plan.calls)
    for cell in cells.values():
        cell()
    gc.collect()
    measured = interleaved(cells, plan.bouts, mixed=True)
    case = f"{api}, {f'stream of {events} events' if events else 'plain'}"
    return compared(case, measured, SDK, dict.fromkeys((GENAI, OPENINFERENCE), AT_MOST), _microseconds)


def _timed(work: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


# --- growth ----------------------------------------------------------------------------------------------------------

_SIZES = (SMALLEST, 1_000, 10_000)
_GROWING: tuple[tuple[str, tuple[int, ...], Callable[[int], Calls]], ...] = (
    ("chunks", (500, 5_000, 50_000), lambda size: Calls.one("chat", size, calls.genai)),
    ("calls, spans current", _SIZES, lambda size: Calls.many(size, "current")),
    ("calls, spans found by id", _SIZES, lambda size: Calls.many(size, "id")),
    ("calls, spans found by worker and model", _SIZES, lambda size: Calls.many(size, "worker")),
    ("other spans", _SIZES, Calls.among_others),
    ("attributes of a conversation", _SIZES, Calls.with_attributes),
)


def _growing(plan: Plan, case: str, sizes: list[int], make: Callable[[int], Calls]) -> list[Row]:
    """Measure the time per item for growing numbers of items."""
    seen = {size: make(size) for size in sizes}
    assert seen[sizes[0]].verdict().findings == ()
    cells = {f"n = {size:,}": functools.partial(_per_item, made, size, sizes[-1]) for size, made in seen.items()}
    measured = interleaved(cells, plan.rounds)
    names = list(cells)
    return compared(case, measured, names[0], dict.fromkeys(names[1:], LINEAR), _microseconds)


def _per_item(seen: Calls, size: int, largest: int) -> float:
    # Each size verifies about as many items in all, so that garbage collections affect all sizes alike.
    gc.collect()
    return _timed(seen.verdict, max(1, min(10, largest // size))) / size


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"
