"""The dialect of logfire: GenAI's names, beside the request, the response and its usage as JSON texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any

from pytest_llmtrace.dialects._convert import count, json_value
from pytest_llmtrace.dialects._dialect import Dialect, Places
from pytest_llmtrace.dialects._dumped import usage_places
from pytest_llmtrace.dialects._genai import is_genai, joined
from pytest_llmtrace.dialects._messages import Message, from_json, mapping, message_places, sequence
from pytest_llmtrace.dialects._place import inside, parameters
from pytest_llmtrace.dialects._prompts import Piece, from_messages, of_request, prompt_places, several
from pytest_llmtrace.dialects._tools import definitions_in, tools_in
from pytest_llmtrace.model import SpanRecord

__all__ = ["LOGFIRE", "LOGFIRE_AGENTS", "LOGFIRE_ANTHROPIC", "NOTES"]

_ANSWERED = "response_data"

# The places that may hold the usage in the provider's own form.
_USAGES = (usage_places("gen_ai.usage.raw"), usage_places(_ANSWERED, "usage"))

_FACTS: dict[str, Places] = {
    **parameters("request_data"),
    "dimensions": inside("request_data", "dimensions"),
    "tools": inside("request_data", "tools", convert=tools_in),
    "tool_definitions": inside("request_data", "tools", convert=definitions_in),
    **prompt_places("request_data", lambda raw: of_request(json_value(raw))),
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


# --- openai-agents (with its own usage), and the Responses API before version 2 of logfire's attributes: events ------


def _from_events(raw: Any) -> list[Message]:
    """Read the answer from events: the assistant's events at the end; all events before them are the prompt.

    For content without an event of its own (reasoning), logfire writes an event with a placeholder text.
    """
    listed = [mapping(event, "an event") for event in sequence(json_value(raw), _EVENTS)]
    answered = list(takewhile(lambda event: event.get("role") == "assistant", reversed(listed)))
    return from_json([event for event in reversed(answered) if event.get("event.name") != "gen_ai.unknown"])


def _asked(raw: Any) -> Iterator[Piece]:
    """Read the prompt from events: those before the answer."""
    listed = [mapping(event, "an event") for event in sequence(json_value(raw), _EVENTS)]
    answered = sum(1 for _ in takewhile(lambda event: event.get("role") == "assistant", reversed(listed)))
    said = listed[: len(listed) - answered]
    return of_request([event for event in said if event.get("event.name") != "gen_ai.unknown"])


def _stated(value: Any) -> int | None:
    """Return a count, or `None` if it is 0, which openai-agents writes if nothing was counted."""
    return count(value) or None


_EVENTS = "events"
_TOLD = message_places(
    _EVENTS,
    _from_events,
    {"output_texts": f"{_EVENTS}[assistant.content]", "tool_calls": f"{_EVENTS}[assistant.tool_calls]"},
)
_OUTPUT = message_places(
    "output",
    from_json,
    {
        "output_texts": "output[*].content",
        "refusals": "output[*].refusal",
        "tool_calls": "output[*].tool_calls",
    },
)
_AGENTS: dict[str, Places] = {
    **several(prompt_places(_EVENTS, _asked), prompt_places("input", from_messages)),
    "output_texts": (_TOLD["output_texts"], _OUTPUT["output_texts"]),
    "refusals": _OUTPUT["refusals"],
    "tool_calls": (_TOLD["tool_calls"], _OUTPUT["tool_calls"]),
    "cache_read_tokens": inside("usage", "input_tokens_details.cached_tokens", convert=_stated),
    "reasoning_tokens": inside("usage", "output_tokens_details.reasoning_tokens", convert=_stated),
}


def _is_note(span: SpanRecord) -> bool:
    """Tell whether a span is a note that a stream has ended; it has no duration, and stands beside the call's span."""
    return span.attributes.get("logfire.span_type") == "log" and "gen_ai.response.id" in span.attributes


LOGFIRE_AGENTS = Dialect(name="logfire", scopes=("logfire.openai_agents",), recognises=is_genai, facts=joined(_AGENTS))
# response_data has room for one choice only, so its messages are read only from Anthropic, which never has a second.
LOGFIRE = Dialect(name="logfire", scopes=("logfire.openai",), recognises=is_genai, facts=joined({**_FACTS, **_TOLD}))
LOGFIRE_ANTHROPIC = Dialect(
    name="logfire", scopes=("logfire.anthropic",), recognises=is_genai, facts=joined({**_FACTS, **_SAID})
)
NOTES = tuple(replace(dialect, recognises=_is_note) for dialect in (LOGFIRE, LOGFIRE_ANTHROPIC))
