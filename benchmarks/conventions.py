"""Holding spans against their conventions: how long that takes, and whether it grows with their number."""

from __future__ import annotations

import functools
import gc
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._measure import Plan, Result, Row, compared, interleaved
from pytest_llmtrace.checks import Evidence
from pytest_llmtrace.checks.conventions import CHECKS
from pytest_llmtrace.model import SpanKey, SpanRecord

SECONDS, LINEAR = 3.0, 1.50
SIZES = (1_000, 10_000)
ATTRIBUTES = 40

WHAT = """\
All checks of the family `convention/` over the spans of one trace, {attributes} attributes each, in CPU time, in one \
process: OTel GenAI spans with messages and tools as content, and OpenInference spans with flattened messages. Nothing \
is found, so that every rule is looked at to its end. The ratio of the time for {most:,} spans is to {seconds:g} s; \
that of the time per span, to that of {fewest:,}. Medians of {rounds} interleaved rounds.
"""
WHY = """\
Half of it is looking the names up, one by one; the rest is parsing the content.
"""


def measure(plan: Plan, folder: Path) -> Result:  # noqa: ARG001 - nothing is written
    """Measure both conventions."""
    rows: list[Row] = []
    for name, attributes in (("OTel GenAI", _genai()), ("OpenInference", _openinference())):
        sizes = [size for size in SIZES if size <= plan.items]
        cells = {f"n = {size:,}": functools.partial(_seconds, attributes, size) for size in sizes}
        measured = interleaved(cells, plan.rounds)
        if len(sizes) == len(SIZES):
            rows.append(_whole(name, measured[f"n = {SIZES[-1]:,}"]))
        per_span = {cell: [one / size for one in measured[cell]] for cell, size in zip(cells, sizes, strict=True)}
        first, *others = cells
        rows += compared(f"{name}, a span", per_span, first, dict.fromkeys(others, LINEAR), _microseconds)
    what = WHAT.format(
        attributes=ATTRIBUTES, most=SIZES[-1], fewest=SIZES[0], seconds=SECONDS, rounds=plan.rounds
    )  # fmt: skip
    return Result(name="conventions", title="Conventions", what=what, rows=tuple(rows), why=WHY)


def _whole(name: str, seconds: list[float]) -> Row:
    ratios = [one / SECONDS for one in seconds]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
    return Row(
        case=f"{name}, {SIZES[-1]:,} spans", subject="pytest-llmtrace", value=f"{statistics.median(seconds):.2f} s",
        ratio=statistics.median(ratios), spread=(quartiles[0], quartiles[-1]), target=1.0, below=True,
    )  # fmt: skip


def _seconds(attributes: Mapping[str, Any], size: int) -> float:
    name, kind = ("chat gpt-4o", "CLIENT") if "gen_ai.operation.name" in attributes else ("ChatCompletion", "INTERNAL")
    spans = tuple(
        SpanRecord(key=SpanKey(1, number), name=name, kind=kind, scope="app", ended=1, attributes=dict(attributes))
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


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"


# --- spans -----------------------------------------------------------------------------------------------------------


def _filled(attributes: dict[str, Any]) -> dict[str, Any]:
    """Add attributes of the application's own up to the number that is wanted."""
    missing = ATTRIBUTES - len(attributes)
    assert missing >= 0
    return {**attributes, **{f"app.detail.{number}": number for number in range(missing)}}


def _genai() -> dict[str, Any]:
    said = [{"role": "user", "parts": [{"type": "text", "content": "What is a span?"}]}]
    answered = [{"role": "assistant", "parts": said[0]["parts"], "finish_reason": "stop"}]
    tools = [{"type": "function", "name": "find_order", "parameters": {"type": "object", "properties": {}}}]
    return _filled(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.max_tokens": 100,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.frequency_penalty": 0.5,
            "gen_ai.request.presence_penalty": 0.5,
            "gen_ai.request.seed": 3,
            "gen_ai.request.stop_sequences": ("END",),
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": 5,
            "gen_ai.usage.reasoning.output_tokens": 5,
            "gen_ai.input.messages": json.dumps(said),
            "gen_ai.output.messages": json.dumps(answered),
            "gen_ai.tool.definitions": json.dumps(tools),
            "server.address": "api.openai.com",
            "server.port": 443,
        }
    )


def _openinference() -> dict[str, Any]:
    messages = {
        f"llm.{side}_messages.{number}.message.{key}": "user"
        for side, count in (("input", 8), ("output", 2))
        for number in range(count)
        for key in ("role", "content")
    }
    return _filled(
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": json.dumps({"temperature": 0.5}),
            "llm.token_count.prompt": 20,
            "llm.token_count.completion": 10,
            "llm.token_count.total": 30,
            "llm.token_count.prompt_details.cache_read": 5,
            "input.value": "What is a span?",
            "input.mime_type": "text/plain",
            **messages,
        }
    )
