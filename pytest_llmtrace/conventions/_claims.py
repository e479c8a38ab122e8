"""Which conventions a span claims to keep, and what it is in each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pytest_llmtrace.conventions._load import GENAI, profile
from pytest_llmtrace.conventions._profile import Profile, SpanType
from pytest_llmtrace.telemetry import SpanRecord

__all__ = ["claims", "span_type"]

_OPENINFERENCE_SCOPE = "openinference."
_OPENINFERENCE_KIND = "openinference.span.kind"

_TRACELOOP = "traceloop."
_TRACELOOP_KIND = "traceloop.span.kind"
_OPENLLMETRY_NAMES = frozenset(
    {"gen_ai.is_streaming", "gen_ai.headers", "llm.is_streaming", "llm.request.type", "llm.usage.total_tokens"}
    | {"llm.headers"}
)
# packages/ of traceloop/openllmetry: the modules whose names are the scopes of LLM, agent and MCP spans.
_OPENLLMETRY_SCOPES = frozenset(
    f"opentelemetry.instrumentation.{name}"
    for name in (
        *("agno", "alephalpha", "anthropic", "bedrock", "cohere", "crewai.instrumentation", "google_generativeai"),
        *("groq", "haystack", "langchain", "litellm", "llamaindex", "mcp.instrumentation", "mistralai", "ollama"),
        *("openai.v0", "openai.v1", "openai_agents", "replicate", "sagemaker", "together", "transformers"),
        *("vertexai", "voyageai", "watsonx", "writer"),
    )
)
# OpenTelemetry's own instrumentations have some of these scopes as well, and versions such as 2.3b0.
_OPENLLMETRY_VERSION = re.compile(r"0\.\d+\.\d+")

_OPERATION = "gen_ai.operation.name"
_METHOD = "mcp.method.name"
_OTEL_NAMES = ("gen_ai.", "mcp.", "openai.")
_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system")


def claims(span: SpanRecord, fixed: tuple[Profile, ...] = ()) -> tuple[Profile, ...]:
    """Return the conventions that a span is held against.

    They are those that it claims to keep by its scope and attributes, each in the version that is fixed, if one is; and
    of those that are fixed the ones whose namespaces it uses. A wrapper of somebody's own that borrows single names of
    a convention has promised nothing by itself.

    Args:
        span: The span.
        fixed: The conventions that somebody has named, at most one version of each.
    """
    named = {each.convention: each for each in fixed}
    claimed = [named.get(each.convention, each) for each in _claimed(span)]
    return (*claimed, *(each for each in fixed if each not in claimed and _uses(span, each)))


def _claimed(span: SpanRecord) -> Iterator[Profile]:
    attributes = span.attributes
    if _OPENINFERENCE_KIND in attributes or span.scope.startswith(_OPENINFERENCE_SCOPE):
        yield profile("openinference")
    if _is_openllmetry(span):
        yield profile("openllmetry")  # It uses OpenTelemetry's names among its own, and in its own way.
        return
    if any(str(name).startswith(_TRACELOOP) for name in attributes):
        yield profile("openllmetry")  # Traceloop's SDK writes a few names on everybody's spans.
    if _OPERATION in attributes or _METHOD in attributes:
        yield profile(_newest(frozenset(name for name in attributes if str(name).startswith(_OTEL_NAMES))))


def _is_openllmetry(span: SpanRecord) -> bool:
    if _TRACELOOP_KIND in span.attributes or not _OPENLLMETRY_NAMES.isdisjoint(span.attributes):
        return True
    version = span.scope_version or "0.0.0"
    return span.scope in _OPENLLMETRY_SCOPES and _OPENLLMETRY_VERSION.fullmatch(version) is not None


def _uses(span: SpanRecord, kept: Profile) -> bool:
    return any(str(name).startswith(kept.namespaces) for name in span.attributes)


@lru_cache(maxsize=1024)
def _newest(names: frozenset[str]) -> str:
    """Name the newest version that has all of these names; else the newest of those that have most of them.

    Versions cannot be told by schema URLs, which instrumentations do not keep in step (measured).
    """
    return min(GENAI, key=lambda version: sum(name not in profile(version).attributes for name in names))


def span_type(kept: Profile, span: SpanRecord) -> SpanType | None:
    """Return what a convention takes a span for: the first type that fits; None if it has none for it."""
    fitting = [kind for kind in kept.span_types.values() if _fits(kind, span)]
    special = [kind for kind in fitting if kind.provider] or fitting
    # An agent may be invoked within the process or elsewhere, under one operation: the kind of the span tells.
    return next((kind for kind in special if span.kind in kind.kinds), special[0] if special else None)


def _fits(kind: SpanType, span: SpanRecord) -> bool:
    name, values = kind.when
    stated = span.attributes.get(name)
    if not isinstance(stated, str) or (values and stated not in values):
        return False
    return not kind.provider or any(span.attributes.get(name) == kind.provider for name in _PROVIDERS)
