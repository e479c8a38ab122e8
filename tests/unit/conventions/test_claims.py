"""Which convention a span claims to keep, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmtrace.conventions import claimed, profile, span_type
from pytest_llmtrace.model import SpanKey, SpanRecord

CHAT = {"gen_ai.operation.name": "chat"}


def make(scope: str = "app", kind: str = "CLIENT", **attributes: Any) -> SpanRecord:
    return SpanRecord(key=SpanKey(1, 1), name="s", scope=scope, kind=kind, attributes=attributes)


@pytest.mark.parametrize(
    ("scope", "attributes", "name"),
    [
        ("openinference.instrumentation.openai", {}, "openinference"),
        ("app", {"openinference.span.kind": "LLM", **CHAT}, "openinference"),
        ("opentelemetry.instrumentation.openai.v1", CHAT, "openllmetry"),
        ("app", {"traceloop.span.kind": "tool"}, "openllmetry"),
        ("app", {"gen_ai.is_streaming": True, **CHAT}, "openllmetry"),
        ("app", CHAT, "genai-2026-10"),
        ("app", {**CHAT, "gen_ai.usage.cache_write.input_tokens": 1}, "genai-2026-10"),
        ("app", {**CHAT, "gen_ai.usage.cache_creation.input_tokens": 1}, "genai-2026-08"),
        ("app", {**CHAT, "gen_ai.system": "openai"}, "core-1.36"),
        ("app", {**CHAT, "gen_ai.nobody": 1}, "genai-2026-10"),
        ("app", {"mcp.method.name": "tools/call"}, "genai-2026-10"),
    ],
)
def test_claims(scope: str, attributes: dict[str, Any], name: str) -> None:
    """By scope and attributes; of OpenTelemetry's versions the newest that has all names."""
    found = claimed(make(scope, **attributes))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("attributes", [{}, {"gen_ai.system": "anthropic", "gen_ai.request.model": "m"}, {"llm.x": 1}])
def test_who_borrows_names_claims_nothing(attributes: dict[str, Any]) -> None:
    """Nor does a span that has nothing to do with it."""
    assert claimed(make(**attributes)) is None


@pytest.mark.parametrize(
    ("name", "kind", "attributes", "expected"),
    [
        ("genai-2026-10", "CLIENT", CHAT, "gen_ai.client.inference"),
        ("genai-2026-10", "CLIENT", {**CHAT, "gen_ai.provider.name": "openrouter"}, "gen_ai.client.inference"),
        ("genai-2026-10", "CLIENT", {**CHAT, "gen_ai.provider.name": "openai"}, "openai.gen_ai.inference.client"),
        ("genai-2026-10", "CLIENT", {"gen_ai.operation.name": "invoke_agent"}, "gen_ai.invoke_agent.client"),
        ("genai-2026-10", "INTERNAL", {"gen_ai.operation.name": "invoke_agent"}, "gen_ai.invoke_agent.internal"),
        ("genai-2026-10", "PRODUCER", {"gen_ai.operation.name": "invoke_agent"}, "gen_ai.invoke_agent.client"),
        ("genai-2026-10", "SERVER", {"mcp.method.name": "tools/list"}, "mcp.server"),
        ("genai-2026-10", "CLIENT", {"gen_ai.operation.name": "of_our_own"}, None),
        ("openinference", "INTERNAL", {"openinference.span.kind": "LLM"}, "LLM"),
        ("openllmetry", "INTERNAL", {"traceloop.span.kind": "tool"}, "tool"),
    ],
)
def test_types(name: str, kind: str, attributes: dict[str, Any], expected: str | None) -> None:
    """By what the span says it is; a provider's own type before the general one, the kind where both are one."""
    found = span_type(profile(name), make(kind=kind, **attributes))
    assert (found.id if found else None) == expected
