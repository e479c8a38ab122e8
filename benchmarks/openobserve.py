"""SQL on spans as OpenObserve stores them: how long a group-by over many spans takes, the table included."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import Plan, Result
from benchmarks._spans import ATTRIBUTES, LINEAR, SIZES, both, of_its_own
from pytest_llmtrace.model import SpanKey, SpanRecord
from pytest_llmtrace.openobserve import Stream, records

SECONDS = 0.5
QUERY = 'SELECT gen_ai_response_model, SUM(gen_ai_usage_input_tokens) AS n FROM "default" GROUP BY 1'

WHAT = """\
Measured: the CPU time, in one process, of making the records of the spans of one trace, each with {attributes} \
attributes, making the table of them, and running a group-by over it with DataFusion.

Targets: {most:,} spans take less than {seconds:g} s, which is a ratio of 1.00, and the time per span is at most \
{linear:.2f} times that of {fewest:,} spans. Medians of {rounds} interleaved rounds.
"""
WHY = """\
Nearly all of the time is making the records; the query takes 20 to 30 ms.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both conventions."""
    rows = both(plan, _seconds, allowed=SECONDS)
    what = WHAT.format(
        attributes=ATTRIBUTES, most=SIZES[-1], fewest=SIZES[0], seconds=SECONDS, linear=LINEAR, rounds=plan.rounds
    )
    return Result(name="openobserve", title="SQL on spans", what=what, rows=tuple(rows), why=WHY)


def _seconds(attributes: Mapping[str, Any], size: int) -> float:
    spans = [
        SpanRecord(
            key=SpanKey(1, number),
            name="chat",
            scope="app",
            ended=1,
            end_ns=1,
            attributes=of_its_own(attributes, number),
        )
        for number in range(1, size + 1)
    ]
    gc.collect()
    start = time.process_time()
    [found] = Stream(records(spans)).sql(QUERY)
    taken = time.process_time() - start
    assert found == {"gen_ai_response_model": found["gen_ai_response_model"], "n": 20 * size}
    return taken
