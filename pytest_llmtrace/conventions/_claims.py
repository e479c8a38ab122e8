"""Which convention a span claims to keep, and what it is in that."""

from __future__ import annotations

from functools import lru_cache

from pytest_llmtrace.conventions._load import GENAI, profile
from pytest_llmtrace.conventions._profile import Profile, SpanType
from pytest_llmtrace.telemetry import SpanRecord

__all__ = ["claimed", "span_type"]

_OPENINFERENCE_SCOPE = "openinference."
_OPENINFERENCE_KIND = "openinference.span.kind"
_TRACELOOP = "traceloop."
_LOGFIRE = "logfire."
_OPENLLMETRY_SCOPES = tuple(f"opentelemetry.instrumentation.{name}" for name in ("openai.v", "anthropic"))
_OPENLLMETRY_NAMES = frozenset(
    {"gen_ai.is_streaming", "gen_ai.headers", "llm.is_streaming", "llm.usage.total_tokens", "llm.headers"}
)
_OPERATION = "gen_ai.operation.name"
_METHOD = "mcp.method.name"
_OTEL_NAMES = ("gen_ai.", "mcp.", "openai.")
_PROVIDER = "gen_ai.provider.name"


def claimed(span: SpanRecord) -> Profile | None:
    """Return the convention that a span claims to keep by its scope and attributes; None if it claims none.

    A wrapper of somebody's own that borrows single names of a convention has promised nothing. A span that states what
    it is in OpenTelemetry's terms (`gen_ai.operation.name`) has: it is held against the newest version that has all of
    its names. Versions cannot be told by schema URLs, which instrumentations do not keep in step (measured).
    """
    attributes = span.attributes
    if any(str(name).startswith(_LOGFIRE) for name in attributes):
        return None  # It borrows OpenTelemetry's names, and writes lists as JSON: a convention of its own.
    if _OPENINFERENCE_KIND in attributes or span.scope.startswith(_OPENINFERENCE_SCOPE):
        return profile("openinference")
    if _is_openllmetry(span):
        return profile("openllmetry")
    if _OPERATION in attributes or _METHOD in attributes:
        return profile(_newest(frozenset(name for name in attributes if str(name).startswith(_OTEL_NAMES))))
    return None


def _is_openllmetry(span: SpanRecord) -> bool:
    attributes = span.attributes
    return (
        span.scope.startswith(_OPENLLMETRY_SCOPES)
        or not _OPENLLMETRY_NAMES.isdisjoint(attributes)
        or "llm.request.type" in attributes
        or any(str(name).startswith(_TRACELOOP) for name in attributes)
    )


@lru_cache(maxsize=1024)
def _newest(names: frozenset[str]) -> str:
    """Name the newest version that has all of these names; else the one that has most of them."""
    return min(GENAI, key=lambda version: sum(name not in profile(version).attributes for name in names))


def span_type(kept: Profile, span: SpanRecord) -> SpanType | None:
    """Return what a convention takes a span for: the first type that fits; None if it has none for it."""
    fitting = [kind for kind in kept.span_types.values() if _fits(kind, span)]
    # An agent may be invoked within the process or elsewhere, under one operation: the kind of the span tells.
    return next((kind for kind in fitting if span.kind in kind.kinds), fitting[0] if fitting else None)


def _fits(kind: SpanType, span: SpanRecord) -> bool:
    name, values = kind.when
    stated = span.attributes.get(name)
    if stated is None or (values and not (isinstance(stated, str) and stated in values)):
        return False
    return not kind.provider or span.attributes.get(_PROVIDER) == kind.provider
