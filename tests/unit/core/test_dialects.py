"""Spans in, reading out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmtrace import Dialect, dialects, register_dialect
from pytest_llmtrace.dialects import _reader
from pytest_llmtrace.model import SpanRecord

SpanMaker = Callable[..., SpanRecord]


@pytest.mark.parametrize(
    ("attributes", "dialect", "models"),
    [
        (
            {
                "openinference.span.kind": "LLM",
                "llm.model_name": "gpt-4o-2024-08-06",
                "llm.invocation_parameters": json.dumps({"model": "gpt-4o"}),
            },
            "openinference",
            ("gpt-4o", "gpt-4o-2024-08-06"),
        ),
        ({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e"}, "openinference", ("e", "e")),
        ({"openinference.span.kind": "LLM", "llm.invocation_parameters": "not JSON"}, "openinference", (None, None)),
        ({"openinference.span.kind": "TOOL"}, None, None),
        ({"llm.request.type": "chat", "gen_ai.request.model": "a"}, "openllmetry", ("a", None)),
        (
            {"gen_ai.operation.name": "chat", "gen_ai.request.model": "a", "gen_ai.response.model": "b"},
            "otel-genai",
            ("a", "b"),
        ),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "a"}, None, None),
        ({"gen_ai.system": "anthropic", "gen_ai.request.model": "a"}, "otel-genai", ("a", None)),
        ({"traceloop.span.kind": "workflow", "gen_ai.request.model": "a"}, None, None),
        ({"http.request.method": "POST"}, None, None),
        ({}, None, None),
    ],
)
def test_built_in(
    make_span: SpanMaker, attributes: dict[str, Any], dialect: str | None, models: tuple[str | None, str | None] | None
) -> None:
    """Each dialect is told by its attributes; steps around a call to a model are no LLM spans."""
    reading = dialects.read(make_span(attributes=attributes))
    assert (reading.source if reading else None) == dialect
    assert dialects.is_llm(make_span(attributes=attributes)) is (dialect is not None)
    if reading is not None:
        assert (reading.request_model, reading.response_model) == models


def test_each_fact_has_its_place(make_span: SpanMaker) -> None:
    """A fact says which attribute of which span it came from; what could not be read says so."""
    reading = dialects.read(make_span(attributes={"openinference.span.kind": "LLM", "llm.invocation_parameters": "{"}))
    assert reading is not None
    fact = reading.fact("request_model")
    assert (fact.state, fact.place) == ("unreadable", "llm.invocation_parameters on span 'chat'")


@pytest.fixture
def _restored() -> Iterator[None]:
    before = list(_reader._house_styles)
    yield
    _reader._house_styles[:] = before


@pytest.mark.usefixtures("_restored")
def test_a_house_style(make_span: SpanMaker) -> None:
    """A dialect of the user's own is asked first, and registering it again changes nothing."""
    style = Dialect(
        name="ours",
        recognises=lambda span: "acme.model" in span.attributes,
        facts={"request_model": (_reader.attribute("acme.model", str.lower),)},
    )
    register_dialect(style)
    register_dialect(style)
    reading = dialects.read(make_span(attributes={"acme.model": "GPT", "gen_ai.request.model": "other"}))
    assert reading is not None
    assert (reading.source, reading.request_model) == ("ours", "gpt")
    assert len(_reader._house_styles) == 1
