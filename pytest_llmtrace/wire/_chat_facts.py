"""Facts in the body of a chat completion or completion: OpenAI's, and other bodies of the same shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_llmtrace.reading import Chosen, Joined
from pytest_llmtrace.wire._document import Document
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, Spot, shown, text
from pytest_llmtrace.wire._json import parse_text
from pytest_llmtrace.wire._usage import openai_tokens

__all__ = ["executed", "state"]

_FINISH = "choices[].finish_reason"
# By preference: the name that DeepSeek, vLLM, z.ai and LiteLLM use; OpenRouter's and Groq's; OpenRouter's for details.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details")
# The empty function call that Snowflake sends beside each answer.
_NO_CALL = {"arguments": "", "name": ""}


def state(facts: Facts, document: Document) -> None:
    """State the facts in the body of a chat completion or completion."""
    openai_tokens(facts, document)
    choices, where = _choices(document), document.where
    if isinstance(choices, Spot):
        for name in ("finish_reasons", "output_texts", "reasoning_texts", "tool_calls", "refusals"):
            facts.take(name, text, [choices])
        return
    reply = f"choices[].{'delta' if document.streamed else 'message'}"
    facts.column("finish_reasons", [_get(choice, "finish_reason", text) for choice in choices], _FINISH, where)
    said, key = [_said(choice, reply) for choice in choices], f"{reply}.content"
    facts.column("output_texts", [value for value, _ in said], said[0][1] if said else key, where)
    thought = [_reasoning(choice) for choice in choices]
    key = next((name for value, name in thought if value is not MISSING), _REASONING[0])
    facts.column("reasoning_texts", [value for value, _ in thought], f"{reply}.{key}", where)
    _state_refusals(facts, choices, f"{reply}.refusal", where)
    _state_calls(facts, choices, reply, where)


def executed(document: Document) -> tuple[tuple[None, Any], ...]:
    """Return the calls that the server has made itself, in all choices: they have arguments, and no name."""
    choices = _choices(document)
    messages = [choice.get("message") for choice in choices] if isinstance(choices, list) else []
    listed = [message.get("executed_tools") for message in messages if isinstance(message, dict)]
    calls = [call for calls in listed if isinstance(calls, list) for call in calls if isinstance(call, dict)]
    return tuple((None, call.get("arguments")) for call in calls)


def _choices(document: Document) -> list[dict[str, Any]] | Spot:
    """Return the choices in the order of their indexes, or the spot where they should have been."""
    spot = document.spot("choices")
    if spot.value is MISSING or spot.value is None:
        return spot
    if not isinstance(spot.value, list):
        return spot._replace(value=Misfit(f"{shown(spot.value)} is not a list of choices", spot.value))
    odd = next((choice for choice in spot.value if not isinstance(choice, dict)), MISSING)
    if odd is not MISSING:
        return spot._replace(value=Misfit(f"{shown(odd)} is not a choice object", odd))
    if not spot.value:
        return spot._replace(value=MISSING)
    return sorted(spot.value, key=_index)


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _get(holder: Any, key: str, kind: Callable[[Any], Any]) -> Any:
    """Look up a field of an object: its value, None, `MISSING` or a `Misfit`."""
    if not isinstance(holder, dict):
        return MISSING if holder is MISSING or holder is None else Misfit(f"{shown(holder)} is not an object", holder)
    value = holder.get(key, MISSING)
    if value is MISSING or value is None:
        return value
    try:
        return kind(value)
    except Misfit as misfit:
        return misfit


def _said(choice: dict[str, Any], reply: str) -> tuple[Any, str]:
    if "text" in choice:  # completions
        return _get(choice, "text", text), "choices[].text"
    message = choice.get("message", MISSING)
    said = _get(message, "content", _text_of_content)
    if (said is MISSING or said is None) and isinstance(message, dict):
        heard = _get(message.get("audio"), "transcript", text)
        if isinstance(heard, str):
            return heard, f"{reply}.audio.transcript"
    return said, f"{reply}.content"


def _text_of_content(content: Any) -> Any:
    """Return the text of a content, which is a text, or a list of parts; only the text parts are used."""
    if not isinstance(content, list):
        return text(content)
    found = []
    for part in content:
        if not isinstance(part, dict):
            raise Misfit(f"{shown(part)} is not a content part", part)
        if part.get("type") == "text":
            found.append(text(part.get("text")))
    return Joined.of(found) if found else MISSING


def _reasoning(choice: dict[str, Any]) -> tuple[Any, str]:
    """Return the reasoning in a choice, from the first field that has some, and the name of that field."""
    message = choice.get("message", MISSING)
    null: Any = MISSING
    for key, kind in zip(_REASONING, (text, text, _text_of_details), strict=True):
        value = _get(message, key, kind)
        if value is not MISSING and value is not None:
            return value, key
        null = None if value is None else null
    if isinstance(message, dict) and isinstance(message.get("content"), list):
        value = _get(message, "content", _text_of_thinking)
        return (null if value is MISSING else value), "content"
    return null, _REASONING[0]


def _text_of_details(details: Any) -> Any:
    """Return the reasoning in OpenRouter's list of details: their texts or summaries; encrypted details have none."""
    if not isinstance(details, list):
        raise Misfit(f"{shown(details)} is not a list", details)
    found: list[str] = []
    for detail in details:
        if isinstance(detail, dict):
            found.extend(text(detail[key]) for key in ("text", "summary") if detail.get(key) is not None)
    return Joined.of(found) if found else MISSING


def _text_of_thinking(content: list[Any]) -> Any:
    """Return the reasoning in Mistral's content, which has `thinking` parts for it."""
    thoughts = [part.get("thinking") for part in content if isinstance(part, dict) and part.get("type") == "thinking"]
    found = [piece for piece in map(_text_of_content, thoughts) if piece is not MISSING]
    return Joined.of(found) if thoughts else MISSING


def _state_refusals(facts: Facts, choices: list[dict[str, Any]], key: str, where: str) -> None:
    # Snowflake sends an empty text as the refusal of each answer.
    values = [_get(choice.get("message", MISSING), "refusal", text) or None for choice in choices]
    facts.column(
        "refusals", [value for value in values if value is not None and value is not MISSING] or values, key, where
    )


def _state_calls(facts: Facts, choices: list[dict[str, Any]], reply: str, where: str) -> None:
    key = f"{reply}.tool_calls"
    null: Any = MISSING
    by_choice: list[list[dict[str, Any]]] = []
    try:
        for choice in choices:
            calls: list[dict[str, Any]] = []
            by_choice.append(calls)
            message = choice.get("message")
            if not isinstance(message, dict):
                continue
            for field, several in (("tool_calls", True), ("function_call", False)):
                said = message.get(field, MISSING)
                if said is MISSING or said is None or said == _NO_CALL:
                    null = null if said is MISSING else None
                    continue
                key = f"{reply}.{field}"
                calls.extend(_call(call) for call in (_list(said) if several else [{"function": said}]))
    except Misfit as misfit:
        facts.unreadable("tool_calls", str(misfit), where, ((key, None),))
        return
    if any(by_choice):
        found = Chosen.of(by_choice)
        facts.put("tool_calls", found, ((key, found),), where)
    else:
        facts.take("tool_calls", text, [Spot(null, key, where)])


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Misfit(f"{shown(value)} is not a list of tool calls", value)


def _call(call: Any) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise Misfit(f"{shown(call)} is not a tool call object", call)
    said = call.get("function")
    arguments = "arguments"
    if said is None:
        said, arguments = call.get("custom"), "input"
    if not isinstance(said, dict):
        raise Misfit("a tool call has neither a function object nor a custom one")
    identity, value = call.get("id"), said.get(arguments)
    return {
        "id": None if identity is None else text(identity),
        "name": _name(said.get("name")),
        "arguments": parse_text(value) if isinstance(value, str) else value,
    }


def _name(name: Any) -> str:
    if name is None:
        raise Misfit("a tool call has no name")
    return text(name)
