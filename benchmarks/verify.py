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
Verifying a call means reading the bytes of its exchange, reading its span, pairing the two, and running all checks. \
The upper rows compare the CPU time of this with the CPU time that the SDK takes for the call.

- **the SDK** is the real one over a `MockTransport` that returns the same bytes in the same chunks, in the same \
process. Nothing is captured or replayed meanwhile.
- **Replies**: a plain reply has {plain} bytes. A stream has {events} events, one per chunk ({stream} kB in chat \
completions), and the SDK makes an object of each.
- **Spans** are correct and have request and answer as their content, so every comparison has something to compare, \
and nothing is found.
- It is one call that is verified again and again, so what is kept for names and texts is at hand. First calls take \
longer.

Target: at most {at_most:.2f} times the time of the SDK. Medians of {bouts} interleaved bouts; each round of them has \
another order.

The lower rows show how the time per item grows with the number of items. The items are:

- **chunks**: chunks of one stream;
- **calls**: calls with a span of their own. The span was current, or it was not and is found by the id of its \
response, or by worker and model alone;
- **other spans**: spans that are no LLM spans, beside one call;
- **attributes of a conversation**: attributes of one span that reports a conversation, whose texts and tool calls are \
compared with the request.

Where there is only one call, the time that it takes anyway is included in the figure for the smallest number, too. \
Target: at most {linear:.2f} times the time per item of the smallest number; that counts as linear. Medians of \
{rounds} interleaved rounds.
"""
WHY = """\
Verifying a plain call takes a fixed amount of time, however long the SDK takes; so the ratio is highest where the SDK \
is quickest. Of this time,

- a sixth is reading the body (some thirty facts, each with its place);
- an eighth is reading the span;
- three fifths are the checks, and a quarter of these is looking for secrets;
- the rest is pairing.

An OpenInference span takes an eighth longer: it also has the request and its reply as JSON, which are compared with \
those of the wire, and searched for secrets.

Python's garbage collector is off meanwhile; afterwards it looks once at what was kept.
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
        at_most=AT_MOST,
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
