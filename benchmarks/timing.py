"""A recorded minute on the virtual clock: what it costs, and how exact it is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks._measure import Plan, Result, Row, interleaved, multiples, remote
from benchmarks._streamed import CHUNKS, FIRST, SECONDS, Streamed

ALLOWED = 0.25
EXACT = 1.01
WHO = ("openinference", "traceloop", "otel-genai", "native-anthropic", "by-hand")
MODES = ("sync", "async")

WHAT = """\
A recorded stream of {seconds:g} seconds and {chunks:,} chunks, whose first text comes after {first:g} s, is replayed \
with `timing="recorded"` through the newest SDKs. This is done under five instrumentations, each in a process of its \
own: OpenInference, Traceloop and OTel GenAI with OpenAI's chat completions; the Anthropic SDK's own spans, and a \
wrapper written by hand, with Anthropic's messages.

- **cost**: the CPU time of the whole `with LLMTrace(...)` block (nothing waits in it), less the CPU time that the \
same SDK under the same instrumentation takes to read the same chunks from a `MockTransport`. Target: at most \
{allowed:g} s, which is a ratio of 1.00.
- **span's duration** and **time to first token** (an attribute, an event or a metric): the ratio is to the \
recording's; too long and too short count alike. Target: at most {exact:.2f}.

Medians of {rounds} interleaved rounds.
"""
WHY = """\
The time that an SDK takes to build and send a request is part of the time to first token, as it is in production. It \
is some milliseconds, which on a busy machine are more than one per cent of {first:g} s. From the first chunk on, the \
time that the machine takes for each chunk is within the recorded time.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure all of them."""
    rows: list[Row] = []
    with ExitStack() as stack:
        asked = {name: stack.enter_context(remote(Streamed, name)) for name in WHO}
        cells = {
            (name, mode): functools.partial(_round, ask, mode) for name, ask in asked.items() for mode in MODES
        }  # fmt: skip
        measured = interleaved(cells, plan.rounds)
    for number, (case, target) in enumerate(
        (("cost", 1.0), ("span's duration", EXACT), ("time to first token", EXACT))
    ):
        found = {f"{name}, {mode}": [one[number] for one in rounds] for (name, mode), rounds in measured.items()}
        rows += multiples(case, found, dict.fromkeys(found, target))
    what = WHAT.format(seconds=SECONDS, chunks=CHUNKS, first=FIRST, allowed=ALLOWED, exact=EXACT, rounds=plan.rounds)
    return Result(name="timing", title="A recorded minute", what=what, rows=tuple(rows), why=WHY.format(first=FIRST))


def _round(ask: Callable[..., Any], mode: str) -> tuple[float, float, float]:
    parsed = ask("parsed", mode)
    taken, duration, first = ask("replayed", mode)
    return (taken - parsed) / ALLOWED, _off(duration / SECONDS), _off(first / FIRST)


def _off(ratio: float) -> float:
    """Return the ratio or its inverse, whichever is at least 1."""
    return max(ratio, 1 / ratio)
