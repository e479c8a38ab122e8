"""Spans of 40 attributes in two conventions, and measurements over many of them."""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks._measure import Plan, Row, compared, interleaved

LINEAR = 1.50
SIZES = (1_000, 10_000)
ATTRIBUTES = 40


def both(plan: Plan, seconds_of: Callable[[Mapping[str, Any], int], float], *, allowed: float) -> list[Row]:
    """Measure both conventions: seconds for the largest number against what is allowed, and growth per span."""
    rows: list[Row] = []
    for name, attributes in (("OTel GenAI", genai()), ("OpenInference", openinference())):
        sizes = [size for size in SIZES if size <= plan.items]
        cells = {f"n = {size:,}": functools.partial(seconds_of, attributes, size) for size in sizes}
        measured = interleaved(cells, plan.rounds)
        if len(sizes) == len(SIZES):
            rows.append(_whole(name, measured[f"n = {SIZES[-1]:,}"], allowed))
        per_span = {cell: [one / size for one in measured[cell]] for cell, size in zip(cells, sizes, strict=True)}
        first, *others = cells
        rows += compared(f"{name}, a span", per_span, first, dict.fromkeys(others, LINEAR), _microseconds)
    return rows


def of_its_own(attributes: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the attributes of one of many spans; texts differ in each of them, so that caches of texts do not help."""
    asked, own = "What is a span?", f"What is span {number}?"
    return {key: value.replace(asked, own) if isinstance(value, str) else value for key, value in attributes.items()}


def _whole(name: str, seconds: list[float], allowed: float) -> Row:
    ratios = [one / allowed for one in seconds]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
    return Row(
        case=f"{name}, {SIZES[-1]:,} spans", subject="pytest-llmtrace", value=f"{statistics.median(seconds):.2f} s",
        ratio=statistics.median(ratios), spread=(quartiles[0], quartiles[-1]), target=1.0, below=True,
    )  # fmt: skip


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"


# --- spans -----------------------------------------------------------------------------------------------------------


def _filled(attributes: dict[str, Any]) -> dict[str, Any]:
    """Add attributes of the application itself until there are 40."""
    missing = ATTRIBUTES - len(attributes)
    assert missing >= 0
    return {**attributes, **{f"app.detail.{number}": number for number in range(missing)}}


def genai() -> dict[str, Any]:
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


def openinference() -> dict[str, Any]:
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
