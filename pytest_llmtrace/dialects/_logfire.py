"""logfire's own instrumentations: GenAI's names, beside the request, the response and its usage as JSON texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace.dialects._convert import json_value
from pytest_llmtrace.dialects._dialect import Dialect, Places
from pytest_llmtrace.dialects._dumped import usage_places
from pytest_llmtrace.dialects._genai import is_genai, joined
from pytest_llmtrace.dialects._messages import Message, from_json, mapping, message_places
from pytest_llmtrace.dialects._place import parameters
from pytest_llmtrace.model import SpanRecord

__all__ = ["LOGFIRE", "LOGFIRE_ANTHROPIC", "NOTES"]

_ANSWERED = "response_data"

# Where a usage may stand, as the provider wrote it.
_USAGES = (usage_places("gen_ai.usage.raw"), usage_places(_ANSWERED, "usage"))

_FACTS: dict[str, Places] = {
    **parameters("request_data"),
    **{name: tuple(usage[name] for usage in _USAGES) for name in _USAGES[0]},
}


def _messages(raw: Any) -> list[Message]:
    """Read the one message of an answer; its tool calls wrap their arguments in `input`."""
    messages = from_json(mapping(json_value(raw), _ANSWERED).get("message", ()))
    for message in messages:
        message.calls = [{**asked, "arguments": _unwrapped(asked["arguments"])} for asked in message.calls]
    return messages


def _unwrapped(arguments: Any) -> Any:
    return arguments["input"] if isinstance(arguments, Mapping) and set(arguments) == {"input"} else arguments


_SAID = message_places(
    _ANSWERED,
    _messages,
    {
        "output_texts": f"{_ANSWERED}[message.content]",
        "tool_calls": f"{_ANSWERED}[message.tool_calls]",
    },
)


def _is_note(span: SpanRecord) -> bool:
    """Tell whether a span is a note that a stream has ended, which has no length and stands beside the call's span."""
    return span.attributes.get("logfire.span_type") == "log" and "gen_ai.response.id" in span.attributes


# response_data has a place for one choice only, so what it says of messages is read where there is never a second.
LOGFIRE = Dialect(name="logfire", scopes=("logfire.openai",), recognises=is_genai, facts=joined(_FACTS))
LOGFIRE_ANTHROPIC = Dialect(
    name="logfire", scopes=("logfire.anthropic",), recognises=is_genai, facts=joined({**_FACTS, **_SAID})
)
NOTES = tuple(replace(dialect, recognises=_is_note) for dialect in (LOGFIRE, LOGFIRE_ANTHROPIC))
