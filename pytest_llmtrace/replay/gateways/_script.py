"""Queued replies and errors, which are checked when a test queues them, so that a mistake shows where it was made."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pytest_llmtrace._argtypes import is_count, is_finite_number
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.replay.gateways._layout import compact
from pytest_llmtrace.replay.gateways._paths import COUNTED

__all__ = [
    "DEFAULT_TEXT",
    "Failing",
    "Script",
    "ToolCall",
    "check_timing",
    "cut",
    "fragments",
    "read_failing",
    "read_pieces",
    "read_texts",
    "read_tool_calls",
    "read_vectors",
]

DEFAULT_TEXT = "Hello! How can I help you today?"
_TEXTS = ("model", "reasoning", "refusal", "provider")
_FINISH = {"messages": "stop_reason", "responses": "incomplete"}
"""For APIs where it is not `finish_reason`: the name of the argument that says why a reply ended."""
_ERRORS = range(400, 600)
_LARGEST_SINGLE = (2 - 2**-23) * 2.0**127
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool call that the model asks for. `arguments` is JSON text; without an `id`, one in the API's form is made."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failing:
    """A queued error. `after` is the number of pieces that a stream sends before it; None if no reply begins at all."""

    status: int
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    retry_after: float | None = None
    after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """One queued reply. `api` is None if it fits any API; `texts` has one item for each choice, None for no text."""

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
        """Refuse values of a wrong type.

        Raises:
            UsageError: If an argument has a wrong type; the message names it.
        """
        named = [("text", text) for text in self.texts]
        named.append((_FINISH.get(self.api or "", "finish_reason"), self.finish))
        _check_texts(*named, *((name, getattr(self, name)) for name in _TEXTS))
        _check_flags(older=self.older)
        if self.cost is not None and not is_finite_number(self.cost):
            raise UsageError(f"cost must be a number of US dollars, got {self.cost!r}")

    def summary(self) -> str:
        """Say in a few words what this reply would have answered."""
        if self.failing is not None:
            return f"error {self.failing.status}"
        if self.tool_calls:
            return "calls " + ", ".join(call.name for call in self.tool_calls)
        if self.api in COUNTED:
            return f"{self.usage['input_tokens']} tokens"
        if self.api == "embeddings":
            return f"{len(self.vectors) or 'made'} vectors"
        text = self.refusal or self.texts[0] or ""
        return repr(textwrap.shorten(text, 60, placeholder="..."))


def read_tool_calls(calls: Sequence[Mapping[str, Any]], *, objects: bool) -> tuple[ToolCall, ...]:
    """Read tool calls as a test writes them: `{"name": ..., "arguments": {...} or JSON text, "id": optional}`.

    Args:
        calls: The tool calls.
        objects: Whether arguments must be a JSON object, since the API has no form for anything else.

    Raises:
        UsageError: If this is not a list, a key is unknown, a name is missing, or arguments are not a JSON object.
    """
    if not _is_list(calls) or not all(isinstance(call, Mapping) for call in calls):
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
    _check_texts(("the id of a tool call", call.get("id")))
    arguments = call.get("arguments", {})
    try:
        text = arguments if isinstance(arguments, str) else compact(arguments)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the arguments of {call['name']!r} cannot be written as JSON: {error}") from None
    return ToolCall(name=call["name"], arguments=text, id=call.get("id"))


def _check_object(call: ToolCall) -> None:
    try:
        value = json.loads(call.arguments)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UsageError(f"the arguments of {call.name!r} must be a JSON object, got {call.arguments}")


def read_pieces(stream_chunks: int | Sequence[str] | None, text: str | None) -> int | tuple[str, ...] | None:
    """Read `stream_chunks`, and check that the pieces join to the text.

    Raises:
        UsageError: If it is neither a number nor a list, the number is below 1, or the pieces do not join to the text.
    """
    if stream_chunks is None:
        return None
    if isinstance(stream_chunks, int) and is_count(stream_chunks):
        if stream_chunks < 1:
            raise UsageError(f"stream_chunks must be 1 or more, got {stream_chunks}")
        return stream_chunks
    if isinstance(stream_chunks, int) or not _is_list(stream_chunks):
        said = f"the string {stream_chunks!r}" if isinstance(stream_chunks, str) else repr(stream_chunks)
        raise UsageError(f"stream_chunks must be a number of pieces or a list of them, got {said}")
    _check_texts(*(("a piece in stream_chunks", piece) for piece in stream_chunks), required=True)
    pieces = tuple(stream_chunks)
    if text is not None and "".join(pieces) != text:
        raise UsageError(f"stream_chunks join to {''.join(pieces)!r}, but text is {text!r}")
    return pieces


def check_timing(first_token: float | None, tokens_per_second: float | None) -> None:
    """Refuse a `first_token` or a `tokens_per_second` that is not possible.

    Raises:
        UsageError: If one of them is not a number, or too small.
    """
    if first_token is not None and not (is_finite_number(first_token) and first_token >= 0):
        raise UsageError(f"first_token must be a number of seconds, 0 or more, got {first_token!r}")
    rate = tokens_per_second
    if rate is not None and not (is_finite_number(rate) and rate > 0):
        raise UsageError(f"tokens_per_second must be a number above 0, got {rate!r}")


def cut(text: str, pieces: int | tuple[str, ...] | None) -> tuple[str, ...]:
    """Cut a text for a stream: into a number of pieces, into the given pieces, or (None) word by word."""
    if isinstance(pieces, tuple):
        return pieces
    if pieces is None:
        return tuple(re.findall(r"\s*\S+|\s+", text))
    marks = [round(len(text) * index / pieces) for index in range(pieces + 1)]
    return tuple(text[start:end] for start, end in itertools.pairwise(marks))


def fragments(arguments: str) -> tuple[str, ...]:
    """Cut the arguments of a tool call as models do: about one token for each piece, regardless of JSON syntax."""
    return tuple(re.findall(r"\w+|\W+", arguments))


def read_texts(
    text: str | None,
    choices: Sequence[str] | None,
    pieces: int | tuple[str, ...] | None,
    *,
    sent_otherwise: bool,
    refusal: str | None,
) -> tuple[str | None, ...]:
    """Return the text of each choice: the default text if no argument gives content, None for no text.

    Raises:
        UsageError: If two arguments exclude each other, or `choices` is not a list of texts.
    """
    if refusal is not None and (sent_otherwise or not (text is choices is None) or isinstance(pieces, tuple)):
        raise UsageError("a refusal replaces text, choices, tool_calls and a list of stream_chunks: leave these out")
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
    if not _is_list(choices):
        raise UsageError(f"choices must be a list of strings, got {choices!r}")
    if text is not None or not choices:
        raise UsageError("choices must hold at least one text, and cannot be given together with text")
    if isinstance(pieces, tuple):
        raise UsageError("a list of stream_chunks cuts a single text; with choices, give a number of pieces")
    return tuple(choices)


def read_vectors(vectors: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Read the vectors of embeddings, one for each input.

    Raises:
        UsageError: If this is not a list of lists of numbers, or a number exceeds the 32-bit floats that are sent.
    """
    if not _is_list(vectors) or not all(_is_list(vector) and all(map(is_finite_number, vector)) for vector in vectors):
        raise UsageError(f"vectors must be a list of numbers for each input, such as [[0.5, -1.0]], got {vectors!r}")
    largest = max((abs(number) for vector in vectors for number in vector), default=0)
    if largest > _LARGEST_SINGLE:
        raise UsageError(f"vectors must hold numbers of at most {_LARGEST_SINGLE:.3g}, got {largest!r}")
    return tuple(map(tuple, vectors))


def read_failing(failing: Failing, *, mid_stream: bool) -> Failing:
    """Check a queued error and return it; an error in mid-stream comes after one piece unless `after` is given.

    Raises:
        UsageError: If the status is not an error, or a field has a wrong type.
    """
    if not is_count(failing.status) or failing.status not in _ERRORS:
        raise UsageError(f"the status of an error must be from 400 to 599, got {failing.status!r}")
    if failing.after is not None and not (is_count(failing.after) and failing.after >= 0):
        raise UsageError(f"after must be a number of pieces of text, 0 or more, got {failing.after!r}")
    if failing.retry_after is not None and not (is_finite_number(failing.retry_after) and failing.retry_after >= 0):
        raise UsageError(f"retry_after must be a number of seconds, 0 or more, got {failing.retry_after!r}")
    _check_texts(("message", failing.message), ("type", failing.type))
    if not isinstance(failing.code, str | None) and not is_count(failing.code):
        raise UsageError(f"code must be a string or a whole number, got {failing.code!r}")
    _check_flags(mid_stream=mid_stream)
    return replace(failing, after=1) if mid_stream and failing.after is None else failing


def _check_texts(*named: tuple[str, object], required: bool = False) -> None:
    for name, value in named:
        if not isinstance(value, str) and (required or value is not None):
            raise UsageError(f"{name} must be a string, got {value!r}")


def _check_flags(**flags: object) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be True or False, got {value!r}")


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
