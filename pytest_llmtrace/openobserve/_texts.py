"""The input and the output of an LLM span, as text: the first source that has an input supplies both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from pytest_llmtrace.openobserve._operation import MODEL_SCOPE
from pytest_llmtrace.telemetry import SpanEvent

__all__ = ["BY_THE_SERVER", "Source", "removed", "text_sources", "texts"]

_Attributes = Mapping[str, Any]
_Pair = tuple[Any, Any]
Source = Callable[[_Attributes, set[str], str], _Pair | None]

BY_THE_SERVER = object()
"""Stands for a text that the server lays out in its own way, from events."""

_MESSAGE_EVENTS = frozenset(
    {"gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"}
)
_CONTENT_EVENTS = ("gen_ai.content.prompt", "gen_ai.content.completion")
_CHOICE = "gen_ai.choice"
_MAX_INDEX = 100
_DIGITS = 100  # A longer index is higher than any that counts; Python reads at most 4,300 digits.

_OF_SCOPE = (
    ("ai.prompt.messages", "ai.prompt", "ai.toolCall.args"),
    (
        "ai.response.text",
        "ai.result.text",
        "ai.toolCall.result",
        "ai.response.object",
        "ai.result.object",
        "ai.response.toolCalls",
        "ai.result.toolCalls",
    ),
)
_OUTPUTS_OF_LIVEKIT = ("lk.function_tool.output", "lk.response.text")
_EVENTS_OF_LOGFIRE = "events"
"""An array of messages; releases from 0.91 on rename the attribute before they look for it."""
_VERTEX = ("gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response")
_VERTEX_TOOL = ("gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.tool_response")

_REMOVED = frozenset(
    {
        "all_messages_events",
        "events",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "input",
        "input.value",
        "langfuse.observation.input",
        "langfuse.observation.output",
        "lk.function_tool.output",
        "lk.input_text",
        "lk.response.text",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "output",
        "output.value",
        "prompt",
        "tool_arguments",
        "tool_response",
        "traceloop.entity.input",
        "traceloop.entity.output",
        *_OF_SCOPE[0],
        *_OF_SCOPE[1],
        *_VERTEX,
        *_VERTEX_TOOL,
    }
)
_REMOVED_PREFIXES = ("gen_ai.prompt", "gen_ai.completion", "llm.input_messages", "llm.output_messages")


@lru_cache(maxsize=65536)
def removed(key: str) -> bool:
    """Tell whether the server removes the attribute from an LLM span once it has read the texts."""
    return key in _REMOVED or key.startswith(_REMOVED_PREFIXES)


def texts(attributes: _Attributes, events: Iterable[SpanEvent], scope: str, known: tuple[Source, ...]) -> _Pair:
    """Return the input and the output, each `None` if it is missing, `BY_THE_SERVER` if the server lays it out itself.

    Args:
        attributes: The attributes of the span, as they arrive at the server.
        events: The events of the span.
        scope: The name of its scope.
        known: What `text_sources` returns for the names of these attributes.
    """
    names = {event.name for event in events}
    for source in _SOURCES if names else known:
        found = source(attributes, names, scope)
        if found is not None:
            return found
    return None, None


def text_sources(keys: Iterable[str], scope: str) -> tuple[Source, ...]:
    """Return the sources that a span without events may have, by the names of its attributes alone."""
    attributes = dict.fromkeys(keys)
    return tuple(source for source in _SOURCES if source(attributes, set(), scope) is not None)


def _pair(attributes: _Attributes, asked: str, answered: str) -> _Pair | None:
    return (attributes[asked], attributes.get(answered)) if asked in attributes else None


def _first_of(attributes: _Attributes, asked: Iterable[str], answered: Iterable[str]) -> _Pair | None:
    key = next((key for key in asked if key in attributes), None)
    if key is None:
        return None
    return attributes[key], next((attributes[key] for key in answered if key in attributes), None)


def _vertex(attributes: _Attributes) -> _Pair | None:
    if attributes.get(_VERTEX[0]) == "{}":
        return _pair(attributes, *_VERTEX_TOOL)
    return _pair(attributes, *_VERTEX)


def _of_events(names: set[str], asked: frozenset[str], answered: str) -> _Pair | None:
    if not names & (asked | {answered}):
        return None
    return BY_THE_SERVER if names & asked else None, BY_THE_SERVER if answered in names else None


def _nested(attributes: _Attributes, asked: str, answered: str) -> _Pair | None:
    if not any(key.startswith(asked) for key in attributes):
        return None
    return _rebuilt(attributes, asked), _rebuilt(attributes, answered)


def _rebuilt(attributes: _Attributes, prefix: str) -> Any:
    """Return the lists and maps that were flattened into `prefix.0.role` and the like."""
    if prefix in attributes:
        return attributes[prefix]
    root: dict[str, Any] = {}
    for key, value in attributes.items():
        if not key.startswith(f"{prefix}."):
            continue
        *path, last = key.removeprefix(f"{prefix}.").split(".")
        place = root
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                break  # A plain value is in the way of nested ones: the one that came first is kept.
            place = inner
        else:
            place.setdefault(last, value)
    return _with_lists(root) or None


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(each) for key, each in value.items()}
    if inner and all(key.isascii() and key.isdecimal() for key in inner):
        places = sorted((int(key), key) for key in inner if len(key) <= _DIGITS)
        return [inner[key] for place, key in places if place <= _MAX_INDEX]
    return inner


def _of(asked: str, answered: str) -> Source:
    return lambda attributes, _events, _scope: _pair(attributes, asked, answered)


_SOURCES: tuple[Source, ...] = (
    lambda _, events, _scope: _of_events(events, _MESSAGE_EVENTS, _CHOICE),
    _of("langfuse.observation.input", "langfuse.observation.output"),
    _of("traceloop.entity.input", "traceloop.entity.output"),
    lambda attributes, _, _scope: _nested(attributes, "gen_ai.prompt", "gen_ai.completion"),
    _of("gen_ai.input.messages", "gen_ai.output.messages"),
    _of("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
    lambda _, events, _scope: _of_events(events, frozenset(_CONTENT_EVENTS[:1]), _CONTENT_EVENTS[1]),
    lambda attributes, _, scope: _first_of(attributes, *_OF_SCOPE) if scope == MODEL_SCOPE else None,
    lambda attributes, _, _scope: _vertex(attributes),
    _of("prompt", "all_messages_events"),
    lambda attributes, _, _scope: _first_of(attributes, ("lk.input_text",), _OUTPUTS_OF_LIVEKIT),
    lambda attributes, _, _scope: (BY_THE_SERVER, BY_THE_SERVER) if _EVENTS_OF_LOGFIRE in attributes else None,
    _of("mlflow.spanInputs", "mlflow.spanOutputs"),
    _of("input.value", "output.value"),
    _of("input", "output"),
    _of("tool_arguments", "tool_response"),
    lambda attributes, _, _scope: _nested(attributes, "llm.input_messages", "llm.output_messages"),
)
"""The sources, in the order in which the server tries them."""
