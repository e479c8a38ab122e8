"""The dialects that are built in, in the order in which they are tried."""

from __future__ import annotations

import json
from typing import Any

from pytest_llmtrace.dialects._reader import Dialect, attribute
from pytest_llmtrace.model import SpanRecord

__all__ = ["BUILT_IN"]

# OpenInference, spec/semantic_conventions.md: the kinds of span that stand for one call to a model.
_OPENINFERENCE_CALLS = frozenset({"LLM", "EMBEDDING"})

# OTel GenAI, gen_ai.operation.name: the well-known operations that are one call to a model. The others
# (create_agent, invoke_agent, execute_tool, ...) are the application's own steps around such calls.
_GENAI_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})

# OpenLLMetry, llm.request.type, and the older spelling of its GenAI operations.
_OPENLLMETRY_CALLS = frozenset({"chat", "completion", "embedding", "embeddings"})


def _is_openinference(span: SpanRecord) -> bool:
    return span.attributes.get("openinference.span.kind") in _OPENINFERENCE_CALLS


def _is_openllmetry(span: SpanRecord) -> bool:
    return span.attributes.get("llm.request.type") in _OPENLLMETRY_CALLS


def _is_genai(span: SpanRecord) -> bool:
    operation = span.attributes.get("gen_ai.operation.name")
    if operation is not None:
        return operation in _GENAI_CALLS
    # Written by hand, or before gen_ai.operation.name existed (semconv 1.27): a model and who serves it.
    return "gen_ai.request.model" in span.attributes and not _is_framework_step(span)


def _is_framework_step(span: SpanRecord) -> bool:
    return "traceloop.span.kind" in span.attributes or "gen_ai.tool.name" in span.attributes


def _model_of_parameters(text: Any) -> str | None:
    model = json.loads(text).get("model")
    return model if isinstance(model, str) else None


OPENINFERENCE = Dialect(
    name="openinference",
    recognises=_is_openinference,
    facts={
        # llm.model_name is the requested model until the reply names another one; the request's own is kept in the
        # invocation parameters.
        "request_model": (
            attribute("llm.invocation_parameters", _model_of_parameters),
            attribute("embedding.invocation_parameters", _model_of_parameters),
            attribute("llm.model_name"),
            attribute("embedding.model_name"),
        ),
        "response_model": (attribute("llm.model_name"), attribute("embedding.model_name")),
    },
)

_GENAI_FACTS = {
    "request_model": (attribute("gen_ai.request.model"),),
    "response_model": (attribute("gen_ai.response.model"),),
}

OPENLLMETRY = Dialect(
    name="openllmetry",
    recognises=_is_openllmetry,
    facts=_GENAI_FACTS,
)

GENAI = Dialect(
    name="otel-genai",
    recognises=_is_genai,
    facts=_GENAI_FACTS,
)

BUILT_IN: tuple[Dialect, ...] = (OPENINFERENCE, OPENLLMETRY, GENAI)
