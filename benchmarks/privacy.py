"""What it takes to look through all that spans carry: for secrets, for content, for sizes."""

from __future__ import annotations

import functools
import gc
import json
import time
from dataclasses import replace
from pathlib import Path

from benchmarks._calls import Calls
from benchmarks._measure import Plan, Result, Row, compared, interleaved
from pytest_llmtrace import checks
from pytest_llmtrace.checks import privacy
from pytest_llmtrace.model import SpanRecord
from pytest_llmtrace.pairing import match

SIZES = (100, 1_000, 10_000)
ATTRIBUTES = 40
SECONDS = 3.0
LINEAR = 1.50

WHAT = """\
The checks of privacy over calls with a span each, of {attributes} attributes, most of them different from span to \
span: ids, URLs, JSON, and a text of 200 characters; the keys of all requests differ, too. Once without an intention, \
where secrets are looked for alone, and once with `content="redacted"`, where all that was said in the calls is looked \
for in all spans; nothing is found. CPU time; of 10,000 spans against {seconds:g} s, and per span against the smallest \
number. Medians of {rounds} interleaved rounds.
"""
WHY = """\
Every text is looked through once, however many values are looked for: they are found by their longest word.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both intentions."""
    sizes = [size for size in SIZES if size <= plan.items]
    rows: list[Row] = []
    for name, content in (("secrets", None), ('content="redacted"', "redacted")):
        cells = {size: functools.partial(_look, size, content) for size in sizes}
        measured = interleaved(cells, plan.rounds)
        rows += compared(
            name,
            {f"n = {size:,}": [seconds / size for seconds in rounds] for size, rounds in measured.items()},
            f"n = {sizes[0]:,}",
            {f"n = {size:,}": LINEAR for size in sizes[1:]},
            lambda seconds: f"{seconds * 1e6:,.1f} us",
        )
        if SIZES[-1] in measured:
            rows += compared(
                f"{name}, all",
                {"allowed": [SECONDS] * plan.rounds, f"n = {SIZES[-1]:,}": measured[SIZES[-1]]},
                "allowed",
                {f"n = {SIZES[-1]:,}": 1.0},
                lambda seconds: f"{seconds:.2f} s",
            )
    what = WHAT.format(attributes=ATTRIBUTES, seconds=SECONDS, rounds=plan.rounds)
    return Result(name="privacy", title="Privacy", what=what, rows=tuple(rows), why=WHY)


@functools.cache
def _seen(size: int) -> checks.Evidence:
    many = Calls.many(size, "current")
    exchanges = tuple(
        replace(one, request=replace(one.request, headers=(("authorization", f"Bearer key-{index:012x}"),)))
        for index, one in enumerate(many.exchanges)
    )
    spans = tuple(replace(span, attributes=_attributes(span, index)) for index, span in enumerate(many.spans))
    return checks.Evidence(exchanges=exchanges, spans=spans, calls=match(exchanges, spans).calls)


def _attributes(span: SpanRecord, index: int) -> dict[str, object]:
    made = {
        **{key: value for key, value in span.attributes.items() if not key.endswith("messages")},
        "app.text": f"order {index} was taken " * 10,
        "app.payload": json.dumps({"order": index, "lines": [{"id": f"{index:016x}", "name": "a thing"}]}),
    }
    for number in range(ATTRIBUTES - len(made)):
        made[f"app.{number}"] = f"https://shop.test/orders/{index}?line={number}" if number % 2 else f"{index}-{number}"
    return made


def _look(size: int, content: str | None) -> float:
    evidence = replace(_seen(size), content=content)  # type: ignore[arg-type]
    gc.collect()
    start = time.process_time()
    found = [one for check in privacy.CHECKS for one in check.look(check, evidence) if one is not None]
    taken = time.process_time() - start
    assert found == []
    return taken
