"""Specimens that both tools check: spans that are right, and spans that break one rule each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_genai_semconv import golden, spec

__all__ = ["Specimen", "specimens"]


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A span, and whether its convention says that it is wrong.

    Attributes:
        group: The property that makes it right or wrong, in the words of the page.
        source: The place in the convention that says so.
        profile: The convention to check against, if it is not the one that pytest-genai-semconv was made for.
    """

    group: str
    source: str
    is_wrong: bool
    name: str
    kind: str = "client"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False
    profile: str = "genai-2026-08"


_SPANS, _REGISTRY = "model/gen-ai/spans.yaml", "model/gen-ai/registry.yaml"
_OPEN = f"{_REGISTRY}: if none of the well-known values applies, a custom value MAY be used"

_CHAT: Mapping[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
}
_LLM: Mapping[str, Any] = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "gpt-4o"}


def specimens() -> Iterator[Specimen]:
    """Yield all specimens: those of one group together, right ones first."""
    yield from _golden()
    yield from _right()
    yield from _types()
    yield from _required()
    yield from _kinds()
    yield from _conditional()
    yield from _names()
    yield from _numbers_and_content()
    yield from _other_conventions()


def _golden() -> Iterator[Specimen]:
    """Yield the neighbour's own right examples; its wrong ones are in the groups of the rules that they break."""
    for one in (*golden.VALID_SPANS.values(), *golden.AGENT_TRAJECTORY):
        yield Specimen(
            group="pytest-genai-semconv's own examples of correct spans", source=_SPANS, is_wrong=False, **one
        )


def _chat(
    group: str,
    source: str,
    said: Mapping[str, Any],
    *,
    is_wrong: bool = True,
    failed: bool = False,
) -> Specimen:
    """Make a chat span with added or replaced attributes; an attribute that is None is left out."""
    attributes = {name: value for name, value in {**_CHAT, **said}.items() if value is not None}
    return Specimen(
        group=group, source=source, is_wrong=is_wrong, name="chat gpt-4o", attributes=attributes, failed=failed
    )


def _right() -> Iterator[Specimen]:
    for provider in ("openrouter", "litellm", "huggingface", "together_ai"):
        yield _chat("a provider name that is not well-known", _OPEN, {"gen_ai.provider.name": provider}, is_wrong=False)
    for operation in ("rerank", "translate"):
        yield Specimen(
            group="an operation name that is not well-known",
            source=_OPEN,
            is_wrong=False,
            name=f"{operation} gpt-4o",
            attributes={**_CHAT, "gen_ai.operation.name": operation},
        )
    yield _chat("an output type that is not well-known", _OPEN, {"gen_ai.output.type": "video"}, is_wrong=False)
    yield Specimen(
        group="fetch_response, a well-known operation",
        source=f"{_SPANS}: gen_ai.fetch_response.client",
        is_wrong=False,
        name="fetch_response",
        attributes={
            "gen_ai.operation.name": "fetch_response",
            "gen_ai.provider.name": "openai",
            "gen_ai.response.id": "resp_1",
        },
    )
    for operation in ("search_memory", "upsert_memory"):
        yield Specimen(
            group="a memory operation in the same process",
            source=f"{_SPANS}: gen_ai.memory.client; MAY be INTERNAL in the same process",
            is_wrong=False,
            name=operation,
            kind="internal",
            attributes={"gen_ai.operation.name": operation},
        )
    yield _chat("a whole number where the type is double", _REGISTRY, {"gen_ai.request.temperature": 1}, is_wrong=False)
    error = {"error.type": "RateLimitError"}
    yield _chat("a failed call with its error.type", _SPANS, error, is_wrong=False, failed=True)


_OF_ANOTHER_TYPE: Mapping[str, Any] = {
    "string": 7,
    "int": "seven",
    "double": "seven",
    "boolean": "true",
    "string[]": "seven",
}


def _types() -> Iterator[Specimen]:
    for name, kind in spec.ATTRIBUTE_TYPES.items():
        if kind in _OF_ANOTHER_TYPE and name not in _CHAT:
            yield _chat(f"a value that is not of the type {kind}", _REGISTRY, {name: _OF_ANOTHER_TYPE[kind]})
    for name, kind in spec.ATTRIBUTE_TYPES.items():
        if kind in ("int", "double"):
            yield _chat(f"a boolean where the type is {kind}", _REGISTRY, {name: True})
        if kind == "string[]":
            yield _chat("an array of numbers where the type is string[]", _REGISTRY, {name: [1, 2]})


def _required() -> Iterator[Specimen]:
    yield _chat("no gen_ai.operation.name", _SPANS, {"gen_ai.operation.name": None})
    for operation in ("chat", "text_completion", "generate_content", "embeddings", "create_agent", "invoke_agent"):
        target = "helper" if "agent" in operation else "gpt-4o"
        named = {"gen_ai.agent.name": target} if "agent" in operation else {"gen_ai.request.model": target}
        yield Specimen(
            group="no gen_ai.provider.name where it is required",
            source=_SPANS,
            is_wrong=True,
            name=f"{operation} {target}",
            attributes={"gen_ai.operation.name": operation, **named},
        )
    yield Specimen(
        group="execute_tool without gen_ai.tool.name",
        source=_SPANS,
        is_wrong=True,
        name="execute_tool",
        kind="internal",
        attributes={"gen_ai.operation.name": "execute_tool"},
    )
    yield Specimen(
        group="fetch_response without gen_ai.response.id",
        source=f"{_SPANS}: gen_ai.fetch_response.client",
        is_wrong=True,
        name="fetch_response",
        attributes={"gen_ai.operation.name": "fetch_response", "gen_ai.provider.name": "openai"},
    )


_WRONG_KINDS = (
    ("execute_tool", "client", {"gen_ai.tool.name": "get_weather"}, "get_weather"),
    ("plan", "client", {"gen_ai.agent.name": "helper"}, "helper"),
    ("invoke_workflow", "client", {"gen_ai.workflow.name": "intake"}, "intake"),
    ("chat", "server", {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}, "gpt-4o"),
    ("embeddings", "internal", {"gen_ai.provider.name": "openai", "gen_ai.request.model": "small"}, "small"),
    ("create_agent", "internal", {"gen_ai.provider.name": "openai", "gen_ai.agent.name": "helper"}, "helper"),
    ("retrieval", "internal", {"gen_ai.data_source.id": "docs"}, "docs"),
)


def _kinds() -> Iterator[Specimen]:
    for operation, kind, attributes, target in _WRONG_KINDS:
        yield Specimen(
            group=f"{operation} with kind {kind.upper()}",
            source=_SPANS,
            is_wrong=True,
            name=f"{operation} {target}",
            kind=kind,
            attributes={"gen_ai.operation.name": operation, **attributes},
        )


def _conditional() -> Iterator[Specimen]:
    yield _chat("a failed call without error.type", f"{_SPANS}: if the operation ended in an error", {}, failed=True)
    for group, name, value, source in (
        (
            "server.address without server.port",
            "server.address",
            "api.openai.com",
            "if `server.address` is set, `server.port`",
        ),
        (
            "gen_ai.request.stream on a call that does not stream",
            "gen_ai.request.stream",
            False,
            "if and only if the request is streaming",
        ),
    ):
        yield _chat(group, f"{_SPANS}: {source}", {name: value})


def _names() -> Iterator[Specimen]:
    for name in ("chatcompletion", "gpt-4o", "chat"):
        yield Specimen(
            group="a span name that does not have the form of its type",
            source=f"{_SPANS}: `{{gen_ai.operation.name}} {{gen_ai.request.model}}`",
            is_wrong=True,
            name=name,
            attributes=_CHAT,
        )
    yield Specimen(
        group="a plan span whose name does not have the form of its type",
        source=f"{_SPANS}: `plan {{gen_ai.agent.name}}`",
        is_wrong=True,
        name="make a plan",
        kind="internal",
        attributes={"gen_ai.operation.name": "plan", "gen_ai.agent.name": "helper"},
    )
    for name, value in (
        ("gen_ai.system", "openai"),
        ("gen_ai.usage.prompt_tokens", 3),
        ("gen_ai.usage.completion_tokens", 3),
        ("gen_ai.prompt", "x"),
        ("gen_ai.openai.request.seed", 3),
    ):
        yield _chat("an attribute that was renamed or removed", "core: model/gen-ai/deprecated", {name: value})
    for name in ("gen_ai.request.temprature", "gen_ai.latency_ms"):
        yield _chat("an attribute in the convention's namespace that it does not define", _REGISTRY, {name: 1.5})


def _numbers_and_content() -> Iterator[Specimen]:
    docs = "docs/gen-ai: cached and reasoning tokens are included"
    input_tokens, output_tokens = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
    for group, part in (
        ("more cached than input tokens", {"gen_ai.usage.cache_read.input_tokens": 30}),
        ("more reasoning than output tokens", {"gen_ai.usage.reasoning.output_tokens": 30}),
    ):
        yield _chat(group, docs, {input_tokens: 3, output_tokens: 1, **part})
    schema = "model/gen-ai/gen-ai-input-messages.json"
    for messages in (
        "What is OpenTelemetry?",
        json.dumps([{"role": "user", "content": "What?"}]),
        json.dumps([{"role": "user", "parts": [{"type": "text"}]}]),
    ):
        yield _chat("messages whose structure does not follow the schema", schema, {"gen_ai.input.messages": messages})


def _other_conventions() -> Iterator[Specimen]:
    oi = "OpenInference, spec/semantic_conventions.md"
    for group, changed in (
        ("OpenInference: a correct span", {}),
        ("OpenInference: no llm.system on an LLM span", {"llm.system": None}),
        ("OpenInference: a span kind that it does not define", {"openinference.span.kind": "CHAT"}),
        ("OpenInference: a count that is not an int", {"llm.token_count.prompt": "3"}),
        ("OpenInference: an index is missing", {"llm.input_messages.1.message.role": "user"}),
        ("OpenInference: invocation parameters that are not JSON", {"llm.invocation_parameters": "{temperature: 1}"}),
        ("OpenInference: an attribute that it does not define", {"llm.token_count.promt": 3}),
    ):
        attributes = {name: value for name, value in {**_LLM, **changed}.items() if value is not None}
        yield Specimen(
            group=group,
            source=oi,
            is_wrong=bool(changed),
            name="ChatCompletion",
            kind="internal",
            attributes=attributes,
            profile="openinference",
        )
