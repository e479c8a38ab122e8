"""What a test has queued: checked when it is queued, so that a mistake shows where it was made."""

from __future__ import annotations

import itertools
import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pytest_llmtrace.errors import UsageError

__all__ = [
    "DEFAULT_TEXT",
    "Failing",
    "Script",
    "ToolCall",
    "check_timing",
    "cut",
    "fragments",
    "read_pieces",
    "read_texts",
    "read_tool_calls",
]

DEFAULT_TEXT = "Hello! How can I help you today?"
_TEXTS = ("model", "finish", "reasoning", "refusal", "provider")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call of a function that the model asks for. `arguments` is JSON text; no id means: one in the API's form."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failing:
    """An error. `after` counts the pieces that a stream delivers before it; None means that no reply begins."""

    status: int
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    retry_after: float | None = None
    after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """One queued reply. `api` is None where it fits any API; `texts` has one text a choice, None for no text."""

    api: str | None
    texts: tuple[str | None, ...] = (DEFAULT_TEXT,)
    pieces: int | tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    model: str | None = None
    finish: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    cost: float | None = None
    provider: str | None = None
    vectors: tuple[tuple[float, ...], ...] = ()
    failing: Failing | None = None
    older: bool = False
    first_token: float | None = None
    tokens_per_second: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no text where a text is sent.

        Raises:
            UsageError: It names the argument.
        """
        pieces = self.pieces if isinstance(self.pieces, tuple) else ()
        named = [("text", text) for text in (*self.texts, *pieces)]
        for name, value in (*named, *((name, getattr(self, name)) for name in _TEXTS)):
            if value is not None and not isinstance(value, str):
                raise UsageError(f"{name} takes a text, got {value!r}")

    def summary(self) -> str:
        """Say in a few words what it would have answered."""
        if self.failing is not None:
            return f"error {self.failing.status}"
        if self.tool_calls:
            return "calls " + ", ".join(call.name for call in self.tool_calls)
        if self.api == "embeddings":
            return f"{len(self.vectors) or 'made'} vectors"
        text = self.refusal or self.texts[0] or ""
        return repr(textwrap.shorten(text, 60, placeholder="..."))


def read_tool_calls(calls: Sequence[Mapping[str, Any]], *, objects: bool) -> tuple[ToolCall, ...]:
    """Read tool calls as a test writes them: `{"name": ..., "arguments": {...} or JSON text, "id": optional}`.

    Args:
        calls: The tool calls.
        objects: Whether the API has no place for arguments that are no JSON object.

    Raises:
        UsageError: A key is not known, there is no name, or the arguments are no object.
    """
    if isinstance(calls, Mapping) or not all(isinstance(call, Mapping) for call in calls):
        raise UsageError(f'tool_calls takes a list of {{"name": ..., "arguments": {{...}}}}, got {calls!r}')
    read = tuple(map(_read_tool_call, calls))
    for call in read if objects else ():
        _check_object(call)
    return read


def _read_tool_call(call: Mapping[str, Any]) -> ToolCall:
    for key in call:
        if key not in ("arguments", "id", "name"):
            raise UsageError.unknown("key of a tool call", key, ("arguments", "id", "name"))
    if not isinstance(call.get("name"), str):
        raise UsageError(f'a tool call needs a name: {{"name": "get_weather", "arguments": {{...}}}}, got {call!r}')
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    return ToolCall(name=call["name"], arguments=text, id=call.get("id"))


def _check_object(call: ToolCall) -> None:
    try:
        value = json.loads(call.arguments)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UsageError(f"the arguments of {call.name!r} must be a JSON object, got {call.arguments}")


def read_pieces(stream_chunks: int | Sequence[str] | None, text: str | None) -> int | tuple[str, ...] | None:
    """Read `stream_chunks`, and see that the pieces are those of the text.

    Raises:
        UsageError: There are fewer than one, or the pieces do not make the text.
    """
    if stream_chunks is None:
        return None
    if isinstance(stream_chunks, int):
        if stream_chunks < 1:
            raise UsageError(f"stream_chunks must be 1 or more, got {stream_chunks}")
        return stream_chunks
    if isinstance(stream_chunks, str):
        raise UsageError(f"stream_chunks is a number of pieces or a list of them, got the text {stream_chunks!r}")
    pieces = tuple(stream_chunks)
    if text is not None and "".join(pieces) != text:
        raise UsageError(f"stream_chunks join to {''.join(pieces)!r}, but text is {text!r}")
    return pieces


def check_timing(first_token: float | None, tokens_per_second: float | None) -> None:
    """Refuse times that nothing can come at.

    Raises:
        UsageError: One is no number, or too small.
    """
    if first_token is not None and not (isinstance(first_token, int | float) and 0 <= first_token < math.inf):
        raise UsageError(f"first_token is in seconds, 0 or more, got {first_token!r}")
    rate = tokens_per_second
    if rate is not None and not (isinstance(rate, int | float) and 0 < rate < math.inf):
        raise UsageError(f"tokens_per_second is a number above 0, got {rate!r}")


def cut(text: str, pieces: int | tuple[str, ...] | None) -> tuple[str, ...]:
    """Cut a text for a stream: into so many pieces, at the given places, or by words."""
    if isinstance(pieces, tuple):
        return pieces
    if pieces is None:
        return tuple(re.findall(r"\s*\S+|\s+", text))
    marks = [round(len(text) * index / pieces) for index in range(pieces + 1)]
    return tuple(text[start:end] for start, end in itertools.pairwise(marks))


def fragments(arguments: str) -> tuple[str, ...]:
    """Cut a tool's arguments as models do: about a token a piece, never at the borders of JSON."""
    return tuple(re.findall(r"\w+|\W+", arguments))


def read_texts(
    text: str | None,
    choices: Sequence[str] | None,
    pieces: int | tuple[str, ...] | None,
    *,
    sent_otherwise: bool,
    refusal: str | None,
) -> tuple[str | None, ...]:
    """Read the texts to send, one a choice: the default where nothing else is said, None for no text.

    Raises:
        UsageError: Two arguments want the same place.
    """
    if refusal is not None and (text is not None or sent_otherwise):
        raise UsageError("a refusal takes the place of text and tool_calls")
    if choices is not None:
        return _read_choices(text, choices, pieces)
    if text is not None:
        return (text,)
    if isinstance(pieces, tuple):
        return ("".join(pieces),)
    return (None if sent_otherwise or refusal is not None else DEFAULT_TEXT,)


def _read_choices(
    text: str | None, choices: Sequence[str], pieces: int | tuple[str, ...] | None
) -> tuple[str | None, ...]:
    if text is not None or not choices:
        raise UsageError("choices holds the texts of the choices, one at least, and takes the place of text")
    if isinstance(pieces, tuple):
        raise UsageError("stream_chunks as a list cuts one text; with several choices give a number")
    return tuple(choices)
