"""Checking spans against their conventions: how long that takes, and whether it grows with their number."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import Plan, Result
from benchmarks._spans import ATTRIBUTES, LINEAR, SIZES, both, of_its_own
from pytest_llmtrace.checks import Evidence
from pytest_llmtrace.checks.conventions import CHECKS
from pytest_llmtrace.model import SpanKey, SpanRecord

SECONDS = 3.0

WHAT = """\
Measured: the CPU time of all checks of the family `convention/` over the spans of one trace, each with {attributes} \
attributes, in one process. They are OTel GenAI spans with messages and tools as content, and OpenInference spans with \
flattened messages. Nothing is found, so every rule is followed to its end.

Targets: {most:,} spans take less than {seconds:g} s, which is a ratio of 1.00, and the time per span is at most \
{linear:.2f} times that of {fewest:,} spans. Medians of {rounds} interleaved rounds.
"""
WHY = """\
The work that depends only on the names and types of a span's attributes is done once. What is left is mostly the \
content, which differs from span to span and is parsed for each.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both conventions."""
    rows = both(plan, _seconds, allowed=SECONDS)
    what = WHAT.format(
        attributes=ATTRIBUTES, most=SIZES[-1], fewest=SIZES[0], seconds=SECONDS, linear=LINEAR, rounds=plan.rounds
    )
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
