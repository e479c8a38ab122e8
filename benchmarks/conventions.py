"""Checking spans against their conventions: how long that takes, and whether it grows with their number."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import Plan, Result
from benchmarks._spans import ATTRIBUTES, SIZES, both, of_its_own
from pytest_llmtrace.checks import Evidence
from pytest_llmtrace.checks.conventions import CHECKS
from pytest_llmtrace.model import SpanKey, SpanRecord

SECONDS = 3.0

WHAT = """\
All checks of the family `convention/` over the spans of one trace, {attributes} attributes each, in CPU time, in one \
process: OTel GenAI spans with messages and tools as content, and OpenInference spans with flattened messages. Nothing \
is found, so that every rule is looked at to its end. The ratio of the time for {most:,} spans is to {seconds:g} s; \
that of the time per span, to that of {fewest:,}. Medians of {rounds} interleaved rounds.
"""
WHY = """\
What depends on the names and types of a span's attributes is worked out once; what is left is mostly its content, \
which differs from span to span and is parsed for each.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both conventions."""
    rows = both(plan, _seconds, allowed=SECONDS)
    what = WHAT.format(
        attributes=ATTRIBUTES, most=SIZES[-1], fewest=SIZES[0], seconds=SECONDS, rounds=plan.rounds
    )  # fmt: skip
    return Result(name="conventions", title="Conventions", what=what, rows=tuple(rows), why=WHY)


def _seconds(attributes: Mapping[str, Any], size: int) -> float:
    name, kind = ("chat gpt-4o", "CLIENT") if "gen_ai.operation.name" in attributes else ("ChatCompletion", "INTERNAL")
    spans = tuple(
        SpanRecord(
            key=SpanKey(1, number),
            name=name,
            kind=kind,
            scope="app",
            ended=1,
            attributes=of_its_own(attributes, number),
        )
        for number in range(1, size + 1)
    )
    gc.collect()
    start = time.process_time()
    evidence = Evidence(spans=spans)
    found = [one for check in CHECKS for one in check.look(check, evidence)]
    taken = time.process_time() - start
    assert len(found) >= size
    assert not any(found)
    return taken
