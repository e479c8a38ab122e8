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
A recorded stream of {seconds:g} seconds and {chunks:,} chunks, its first text after {first:g} s, replayed with \
`timing="recorded"` through the newest SDKs under five instrumentations, each in a process of its own: OpenInference, \
Traceloop and OTel GenAI with OpenAI's chat completions; the Anthropic SDK's own spans, and a wrapper by hand, with \
its messages. The ratio is, first, the CPU time of the whole `with LLMTrace(...)` block (nothing waits in it) less \
that in which the same SDK under the same instrumentation reads the same chunks from a `MockTransport`, as a share of \
the {allowed:g} s that it may take; then the span's duration and the time to first token (an attribute, an event or a \
metric) against the recording's, too long or too short alike. Medians of {rounds} interleaved rounds.
"""
WHY = """\
What an SDK takes to build and to send a request is in the time to the first token, as it is in production: some \
milliseconds, which on a busy machine are more than one per cent of {first:g} s. From the first chunk on, what the \
machine takes for each is within the recorded time.
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
    what = WHAT.format(seconds=SECONDS, chunks=CHUNKS, first=FIRST, allowed=ALLOWED, rounds=plan.rounds)
    return Result(name="timing", title="A recorded minute", what=what, rows=tuple(rows), why=WHY.format(first=FIRST))


def _round(ask: Callable[..., Any], mode: str) -> tuple[float, float, float]:
    parsed = ask("parsed", mode)
    taken, duration, first = ask("replayed", mode)
    return (taken - parsed) / ALLOWED, _off(duration / SECONDS), _off(first / FIRST)


def _off(ratio: float) -> float:
    """Return the ratio or its inverse, whichever is at least 1."""
    return max(ratio, 1 / ratio)
