"""The conventions that a span claims to keep, and its span type in each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.conventions import Profile, claims, event_claims, from_registry, profile, span_type
from pytest_llmtrace.model import SpanKey, SpanRecord

CHAT = {"gen_ai.operation.name": "chat"}


def make(scope: str = "app", kind: str = "CLIENT", version: str | None = None, /, **attributes: Any) -> SpanRecord:
    return SpanRecord(key=SpanKey(1, 1), name="s", scope=scope, scope_version=version, kind=kind, attributes=attributes)


def names_of(found: tuple[Profile, ...]) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("scope", "version", "attributes", "names"),
    [
        ("openinference.instrumentation.openai", "0.1.66", {}, ["openinference"]),
        ("app", None, {"openinference.span.kind": "LLM"}, ["openinference"]),
        ("opentelemetry.instrumentation.openai.v1", "0.62.4", CHAT, ["openllmetry"]),
        ("opentelemetry.instrumentation.openai.v1", None, CHAT, ["openllmetry"]),
        ("opentelemetry.instrumentation.vertexai", "0.62.4", CHAT, ["openllmetry"]),
        ("opentelemetry.instrumentation.vertexai", "2.3b0", CHAT, ["genai-2026-10"]),
        ("opentelemetry.instrumentation.openai_v2", "2.4b0", CHAT, ["genai-2026-10"]),
        ("app", None, {"traceloop.span.kind": "tool"}, ["openllmetry"]),
        ("app", None, {"gen_ai.is_streaming": True, **CHAT}, ["openllmetry"]),
        ("app", None, CHAT, ["genai-2026-10"]),
        ("app", None, {**CHAT, "gen_ai.usage.cache_write.input_tokens": 1}, ["genai-2026-10"]),
        ("app", None, {**CHAT, "gen_ai.usage.cache_creation.input_tokens": 1}, ["genai-2026-08"]),
        ("app", None, {**CHAT, "gen_ai.system": "openai"}, ["core-1.36"]),
        ("app", None, {**CHAT, "gen_ai.system": "openai", "gen_ai.provider.name": "openai"}, ["genai-2026-10"]),
        ("app", None, {**CHAT, "gen_ai.nobody": 1}, ["genai-2026-10"]),
        ("app", None, {**CHAT, "gen_ai.request.top_k": 40}, ["genai-2026-10"]),
        ("app", None, {**CHAT, "gen_ai.request.top_k": 40.0}, ["core-1.41.1"]),
        ("app", None, {**CHAT, "gen_ai.request.top_k": 40.0, "gen_ai.system": "openai"}, ["core-1.36"]),
        ("app", None, {**CHAT, "gen_ai.request.top_k": "40"}, ["genai-2026-10"]),
        ("app", None, {"mcp.method.name": "tools/call"}, ["genai-2026-10"]),
    ],
)
def test_claims(scope: str, version: str | None, attributes: dict[str, Any], names: list[str]) -> None:
    """Scope and attributes decide; of OpenTelemetry's versions, the newest that has all names with these types."""
    assert names_of(claims(make(scope, "CLIENT", version, **attributes))) == names


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({"openinference.span.kind": "LLM", **CHAT}, ["openinference", "genai-2026-10"]),
        ({"traceloop.workflow.name": "w", **CHAT}, ["openllmetry", "genai-2026-10"]),
    ],
)
def test_several_claims(attributes: dict[str, Any], names: list[str]) -> None:
    """A span written in two conventions claims both; so does another instrumentation's span in a Traceloop workflow."""
    assert names_of(claims(make(**attributes))) == names


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"gen_ai.system": "anthropic", "gen_ai.request.model": "m"},
        {"llm.x": 1},
        {"logfire.span_type": "span", **CHAT},
    ],
)
def test_who_borrows_names_claims_nothing(attributes: dict[str, Any]) -> None:
    """A span that only borrows names of a convention claims nothing, nor does an unrelated span."""
    assert claims(make(**attributes)) == ()


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        (CHAT, ["genai-2026-08"]),
        ({"gen_ai.system": "anthropic"}, ["genai-2026-08"]),
        ({**CHAT, "acme.tenant": "t"}, ["genai-2026-08", "acme"]),
        ({"acme.tenant": "t"}, ["acme"]),
        ({"openinference.span.kind": "LLM", "gen_ai.request.model": "m"}, ["openinference"]),
        ({"http.route": "/"}, []),
    ],
)
def test_what_is_fixed(attributes: dict[str, Any], names: list[str]) -> None:
    """Named conventions replace the version that would be found, and hold for spans that only use their names too."""
    acme = Profile(name="acme", convention="registry acme.yaml", source="acme.yaml", namespaces=("acme.",))
    assert names_of(claims(make(**attributes), (profile("genai-2026-08"), acme))) == names


NOWHERE_ELSE = """
groups:
  - id: registry.acme
    type: attribute_group
    attributes:
      - {id: tenant, type: string}
      - {id: customer, type: string, deprecated: {reason: renamed, renamed_to: tenant}}
      - {id: gen_ai.house.mood, type: string}
      - {id: gen_ai.house.label, type: "template[string]"}
"""


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("tenant", ["acme"]),
        ("customer", ["acme"]),
        ("gen_ai.house.mood", ["acme"]),
        ("gen_ai.house.label.colour", ["acme"]),
        ("tenants", []),
        ("gen_ai.house.labels", []),
    ],
)
def test_a_registry_holds_for_names_in_no_namespace_of_its_own(name: str, names: list[str], tmp_path: Path) -> None:
    """A registry covers names that it defines without a dot or in a convention's namespace, but none beside them."""
    (tmp_path / "acme.yaml").write_text(NOWHERE_ELSE)
    assert names_of(claims(make(**{name: "x"}), (from_registry(tmp_path / "acme.yaml"),))) == names


@pytest.mark.parametrize(
    ("name", "kind", "attributes", "expected"),
    [
        ("genai-2026-10", "CLIENT", CHAT, "gen_ai.client.inference"),
        ("genai-2026-10", "CLIENT", {**CHAT, "gen_ai.provider.name": "openrouter"}, "gen_ai.client.inference"),
        ("genai-2026-10", "CLIENT", {**CHAT, "gen_ai.provider.name": "openai"}, "openai.gen_ai.client.inference"),
        ("genai-2026-10", "CLIENT", {"gen_ai.operation.name": "invoke_agent"}, "gen_ai.invoke_agent.client"),
        ("genai-2026-10", "INTERNAL", {"gen_ai.operation.name": "invoke_agent"}, "gen_ai.invoke_agent.internal"),
        ("genai-2026-10", "PRODUCER", {"gen_ai.operation.name": "invoke_agent"}, "gen_ai.invoke_agent.client"),
        ("genai-2026-10", "SERVER", {"mcp.method.name": "tools/list"}, "mcp.server"),
        ("genai-2026-10", "CLIENT", {"gen_ai.operation.name": "of_our_own"}, None),
        ("genai-2026-10", "INTERNAL", {**CHAT, "gen_ai.provider.name": "openai"}, "openai.gen_ai.client.inference"),
        ("genai-2026-10", "CLIENT", {"gen_ai.operation.name": ("chat",)}, None),
        ("core-1.36", "CLIENT", {**CHAT, "gen_ai.system": "openai"}, "gen_ai.openai.inference.client"),
        ("openinference", "INTERNAL", {"openinference.span.kind": "LLM"}, "LLM"),
        ("openllmetry", "INTERNAL", {"traceloop.span.kind": "tool"}, "tool"),
        ("openllmetry", "CLIENT", CHAT, "chat"),
        ("openllmetry", "CLIENT", {"llm.request.type": "completion"}, "legacy.completion"),
    ],
)
def test_types(name: str, kind: str, attributes: dict[str, Any], expected: str | None) -> None:
    """A span's statements decide its type; a provider's type precedes the general one, then the span kind decides."""
    found = span_type(profile(name), make("app", kind, **attributes))
    assert (found.id if found else None) == expected


def test_odd_names() -> None:
    """Attribute names that no SDK writes are skipped."""
    odd: dict[Any, Any] = {**CHAT, 10**5000: 1, None: 2, "\ud800": 3}
    assert names_of(claims(replace(make(), attributes=odd))) == ["genai-2026-10"]


RESULT, DETAILS = "gen_ai.evaluation.result", "gen_ai.client.inference.operation.details"
LOOP = ("opentelemetry.instrumentation.openai.v1", "0.62.4")


@pytest.mark.parametrize(
    ("name", "attributes", "scope", "fixed", "names"),
    [
        (RESULT, {}, ("app", None), (), ["genai-2026-10"]),
        (RESULT, {}, ("app", None), ("core-1.36",), ["core-1.36"]),
        (RESULT, {"gen_ai.usage.cache_creation.input_tokens": 1}, ("app", None), (), ["genai-2026-08"]),
        (DETAILS, {"gen_ai.request.top_k": 4.0}, ("app", None), (), ["core-1.41.1"]),
        ("gen_ai.choice", {"gen_ai.usage.cache_write.input_tokens": 1}, ("app", None), (), ["core-1.36"]),
        ("gen_ai.mood", {}, ("app", None), (), ["genai-2026-10"]),
        ("app.done", CHAT, ("app", None), (), []),
        ("app.done", CHAT, ("app", None), ("core-1.41.1", "openinference"), ["core-1.41.1"]),
        ("app.done", {"llm.system": "x"}, ("app", None), ("core-1.41.1", "openinference"), ["openinference"]),
        (RESULT, CHAT, LOOP, ("core-1.41.1",), []),
        (RESULT, {"logfire.msg": "x"}, ("app", None), ("core-1.41.1",), []),
    ],
)
def test_events(
    name: str, attributes: dict[str, Any], scope: tuple[str, str | None], fixed: tuple[str, ...], names: list[str]
) -> None:
    """An event's namespace decides, unless its scope keeps a convention of its own; then what the user has named."""
    assert names_of(event_claims(name, attributes, scope, (), tuple(map(profile, fixed)))) == names
    if scope == ("app", None):
        assert event_claims(name, {}, scope, ("traceloop.span.kind",)) == ()
