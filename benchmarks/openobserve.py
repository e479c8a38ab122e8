"""SQL on spans as OpenObserve stores them: how long a group-by over many spans takes, the table included."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import Plan, Result
from benchmarks._spans import ATTRIBUTES, SIZES, both, of_its_own
from pytest_llmtrace.model import SpanKey, SpanRecord
from pytest_llmtrace.openobserve import Stream, records

SECONDS = 0.5
QUERY = 'SELECT gen_ai_response_model, SUM(gen_ai_usage_input_tokens) AS n FROM "default" GROUP BY 1'

WHAT = """\
The records of the spans of one trace, {attributes} attributes each, the table and a group-by over it by DataFusion, \
in CPU time, in one process. The ratio of the time for {most:,} spans is to {seconds:g} s; that of the time per span, \
to that of {fewest:,}. Medians of {rounds} interleaved rounds.
"""
WHY = """\
Nearly all of it is making the records; the query takes 20 to 30 ms.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both conventions."""
    rows = both(plan, _seconds, allowed=SECONDS)
    what = WHAT.format(
        attributes=ATTRIBUTES, most=SIZES[-1], fewest=SIZES[0], seconds=SECONDS, rounds=plan.rounds
    )  # fmt: skip
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
