"""The time to search all that spans carry for secrets, content and oversized values, also with conventions."""

from __future__ import annotations

import functools
import gc
import json
import time
from dataclasses import replace
from pathlib import Path

from benchmarks._calls import QUESTION, SENTENCE, Calls
from benchmarks._measure import Plan, Result, Row, compared, interleaved
from pytest_llmtrace import checks
from pytest_llmtrace.checks import Check, conventions, privacy
from pytest_llmtrace.model import Exchange, SpanRecord
from pytest_llmtrace.pairing import match

SIZES = (100, 1_000, 10_000)
ATTRIBUTES = 40
SECONDS = 3.0
LINEAR = 1.50

WHAT = """\
Measured: the CPU time of the checks of privacy over calls with a span each. A span has {attributes} attributes, most \
of them different from span to span: ids, URLs, JSON with escapes, and a text of about 200 characters. The keys, \
questions and answers of all calls differ, too. Nothing is found.

- **secrets**: `content=` is not set, so only secrets are looked for. The spans have the messages as content.
- **content="redacted"**: in addition, all that was said in the calls is looked for in all spans. The spans have no \
messages.
- **conventions, ...**: either of these together with the checks of conventions, over the same spans.

Targets: 10,000 spans take at most {seconds:g} s, which is a ratio of 1.00 (the rows with "all"), and the time per \
span is at most {linear:.2f} times that of the smallest number of spans. Medians of {rounds} interleaved rounds.
"""
WHY = """\
Each text is searched once, however many values are looked for: they are found by their longest word.
"""
CASES: tuple[tuple[str, str | None, tuple[Check, ...]], ...] = (
    ("secrets", None, privacy.CHECKS),
    ('content="redacted"', "redacted", privacy.CHECKS),
    ("conventions, secrets", None, (*conventions.CHECKS, *privacy.CHECKS)),
    ('conventions, content="redacted"', "redacted", (*conventions.CHECKS, *privacy.CHECKS)),
)
"""Each case's name, its intention for content, and its checks."""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both intentions, alone and with conventions."""
    sizes = [size for size in SIZES if size <= plan.items]
    rows: list[Row] = []
    for name, content, held in CASES:
        cells = {size: functools.partial(_look, size, content, held) for size in sizes}
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
    what = WHAT.format(attributes=ATTRIBUTES, seconds=SECONDS, linear=LINEAR, rounds=plan.rounds)
    return Result(name="privacy", title="Privacy", what=what, rows=tuple(rows), why=WHY)


@functools.cache
def _seen(size: int, content: str | None) -> checks.Evidence:
    many = Calls.many(size, "current")
    exchanges = tuple(_of_its_own(exchange, index) for index, exchange in enumerate(many.exchanges))
    spans = tuple(replace(span, attributes=_attributes(span, index, content)) for index, span in enumerate(many.spans))
    return checks.Evidence(exchanges=exchanges, spans=spans, calls=match(exchanges, spans).calls)


def _of_its_own(exchange: Exchange, index: int) -> Exchange:
    """Return a call whose key, question and answer no other call has."""
    assert exchange.response is not None
    body = _said(exchange.request.body.decode(), index).encode()
    request = replace(exchange.request, headers=(("authorization", f"Bearer key-{index:012x}"),), body=body)
    chunks = tuple(_said(chunk.decode(), index).encode() for chunk in exchange.response.chunks)
    return replace(exchange, request=request, response=replace(exchange.response, chunks=chunks))


def _said(text: str, index: int) -> str:
    question = f"Where is order {index:08} of ours, and who brings it to the customer?"
    return text.replace(QUESTION, question).replace(SENTENCE, f"Somebody brings order {index:08} tomorrow. ")


def _attributes(span: SpanRecord, index: int, content: str | None) -> dict[str, object]:
    told = {key: value for key, value in span.attributes.items() if content is None or not key.endswith("messages")}
    made = {
        **{key: _said(value, index) if isinstance(value, str) else value for key, value in told.items()},
        "app.text": f"parcel {index} was taken " * 9,
        "app.payload": json.dumps({"order": index, "lines": [{"id": f"{index:016x}", "name": 'a "thing"'}]}),
    }
    for number in range(ATTRIBUTES - len(made)):
        made[f"app.{number}"] = f"https://shop.test/orders/{index}?line={number}" if number % 2 else f"{index}-{number}"
    return made


def _look(size: int, content: str | None, held: tuple[Check, ...]) -> float:
    evidence = replace(_seen(size, content), content=content)  # type: ignore[arg-type]
    gc.collect()
    start = time.process_time()
    found = [one for check in held for one in check.look(check, evidence) if one is not None]
    taken = time.process_time() - start
    assert found == []
    return taken
