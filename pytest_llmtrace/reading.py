"""A reading of one call: named facts, each with the place that it was read from. Standard library only.

Both sides read into this one vocabulary: `wire` from the bytes, `dialects` from the span. What a fact means is written
once, in `VOCABULARY`; a reader whose source defines it otherwise converts the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Generic, NamedTuple, Self, TypeVar, overload

from pytest_llmtrace._quick import quick

__all__ = [
    "ABSENT",
    "NULL",
    "PRESENT",
    "UNREADABLE",
    "VOCABULARY",
    "Chosen",
    "Fact",
    "Joined",
    "Reading",
    "State",
    "made",
]

VOCABULARY: Mapping[str, str] = {
    # What was asked.
    "request_model": "The model that the request names.",
    "model": "The model, requested or served: whichever the source has.",
    "streaming": "Whether the request asks for a stream.",
    "max_tokens": "The limit on output tokens that the request sets, under any of its names.",
    "temperature": "The sampling temperature that the request sets.",
    "top_p": "The probability mass for nucleus sampling that the request sets.",
    "top_k": "The limit for top-k sampling that the request sets.",
    "frequency_penalty": "The frequency penalty that the request sets.",
    "presence_penalty": "The presence penalty that the request sets.",
    "seed": "The seed that the request sets.",
    "stop": "A list of the stop sequences that the request names.",
    "dimensions": "How many numbers the request asks each embedding to have.",
    "choice_count": "How many choices the request asks for, where it says so.",
    "tools": "The tools that the model may call: a list of mappings with `name` and `type`, which for a function is "
    "`function`.",
    "tool_definitions": "How the tools that have a name are defined: a list of mappings with `name` and, where "
    "they are stated, `description` and `parameters` (a JSON schema).",
    "tool_choice": "Whether the model is to call a tool, and which one, in the form of the API.",
    "input_messages": "The texts that the model is given, in order: a list of mappings with `role` and `text`. "
    "The result of a tool also has `answers`, the id of the tool call that it answers.",
    "input_tool_calls": "The tool calls in the messages that the model is given, in order: a list of mappings as in "
    "`tool_calls`.",
    # What was answered.
    "response_id": "The id that the response gives itself.",
    "response_model": "The model that the response's body names.",
    "served_model": "The upstream model, where a gateway names it in addition to the model of the response.",
    "provider": "The provider that served the call behind a gateway, where the gateway names it.",
    "finish_reasons": "A list with the finish reason of each choice, as on the wire; None for a choice without one.",
    "finish_reason": "A single finish reason, where the source has room for only one; it may be that of any choice.",
    "output_texts": "A list with the text of each choice, without reasoning and refusals; None for one without text.",
    "refusals": "A list of the refusals, in the order of the choices that have one.",
    "reasoning_texts": "A list with the reasoning of each choice, or its summary; None for a choice that shows none.",
    "tool_calls": "The tool calls of all choices, in the order of the choices: a list of mappings with `id`, `name` "
    "and `arguments` (a JSON value, or a text if it is not JSON).",
    "tool_call_count": "How many tool calls there are, where the source only counts them.",
    "tool_call_names": "A list of the names of the tool calls, in order, where the source has nothing but their names.",
    "embedding_count": "How many embeddings came back.",
    "embedding_dimensions": "How many numbers each embedding has.",
    "time_to_first_token": "Seconds from the request to the first event of its stream, as the source defines both.",
    "latency": "Seconds that the call took, where the source states them beside the times of its span.",
    # What it cost. Tokens are counted as billed.
    "input_tokens": "Everything that the model read, cached tokens included.",
    "output_tokens": "Everything that the model wrote, reasoning included.",
    "total_tokens": "The total that the source itself states.",
    "cache_read_tokens": "The part of the input that was read from a cache.",
    "cache_write_tokens": "The part of the input that was written to a cache.",
    "reasoning_tokens": "The part of the output that was reasoning.",
    "input_audio_tokens": "The part of the input that was audio.",
    "output_audio_tokens": "The part of the output that was audio.",
    "cost": "What the call cost, in USD, where it is stated.",
    # What the span of a tool's execution says; see `Dialect.of`.
    "tool_call_id": "The id of the tool call that a tool was executed for.",
    "tool_name": "The name of the tool that was executed.",
    "tool_arguments": "What the tool was executed with: a JSON value, or its text.",
    "tool_result": "What the tool returned: a JSON value, or a text.",
    # What went wrong.
    "error": "A mapping with `status`, `type`, `code` and `message`, for an error that came as an HTTP status, inside "
    "a 200, or in the middle of a stream.",
    "error_type": "What kind of error ended the call, in the words of whoever wrote the span.",
    "truncated": "Whether a response ended before it said that it was complete.",
    "retry_after": "Seconds that the server asks to wait.",
    "rate_limit": "A mapping of the rate limit headers, with their names in lower case.",
    "request_id": "The id that the server gave the request, in a header.",
}
"""Every fact, with its meaning."""


@quick
class State(StrEnum):
    """Whether a fact was there to be read."""

    PRESENT = "present"
    ABSENT = "absent"
    NULL = "null"
    UNREADABLE = "unreadable"


PRESENT, ABSENT, NULL, UNREADABLE = State.PRESENT, State.ABSENT, State.NULL, State.UNREADABLE


class Fact(NamedTuple):
    """One value of a reading, with the place that it was read from (for people).

    It is a tuple since a call has dozens of facts, and a frozen dataclass takes three times as long to make.

    Attributes:
        name: One of `VOCABULARY`, or a name that a registered dialect adds.
        value: The value, in the vocabulary's terms; None unless the fact is present.
        state: Whether it was there to be read: `present`, `absent`, `null` or `unreadable`.
        parts: What was read, in order: each key as its source spells it (`usage.prompt_tokens`,
            `llm.token_count.prompt`), with the value that stood there. Several if `value` was put together from them.
        where: What the keys belong to: `exchange 0, cassettes/chat.yaml, interaction 0, response body`, or
            `span 'ChatCompletion'`.
        note: Why it could not be read, as a clause: `'ten' is not a number`.
    """

    name: str
    value: Any = None
    state: State = ABSENT
    parts: tuple[tuple[str, Any], ...] = ()
    where: str = ""
    note: str = ""

    @property
    def keys(self) -> str:
        """The keys that it was read from, in the source's spelling."""
        return " + ".join(key for key, _ in self.parts)

    @property
    def place(self) -> str:
        """Where it was read: `usage.prompt_tokens, exchange 0, ...` or `llm.token_count.prompt on span 'chat'`."""
        if not self.keys or not self.where:
            return self.keys or self.where
        return f"{self.keys} on {self.where}" if self.where.startswith("span ") else f"{self.keys}, {self.where}"


made: Callable[[tuple[str, Any, State, tuple[tuple[str, Any], ...], str, str]], Fact] = partial(tuple.__new__, Fact)
"""Make a fact from the tuple of its fields, in half the time: a named tuple's own constructor is a Python function."""


class Joined(str):
    """A text that the wire has in several pieces: nothing says what stands between them.

    Attributes:
        pieces: The pieces, in order.
    """

    __slots__ = ("pieces",)
    pieces: tuple[str, ...]

    @classmethod
    def of(cls, pieces: Sequence[str]) -> str:
        """Join pieces; one alone is a plain text."""
        if len(pieces) == 1:
            return pieces[0]
        text = cls("".join(pieces))
        text.pieces = tuple(pieces)
        return text


class Chosen(list[Mapping[str, Any]]):
    """The tool calls of an answer with several choices, or several messages, which on a span stand for choices.

    Attributes:
        choices: The number of the choice that each call is in.
        total: How many choices there are, with and without calls.
    """

    choices: tuple[int, ...]
    total: int

    @classmethod
    def of(cls, by_choice: Sequence[Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
        """List the calls of all choices; those of one alone are a plain list."""
        if len(by_choice) == 1:
            return list(by_choice[0])
        calls = cls(call for calls in by_choice for call in calls)
        calls.choices = tuple(number for number, calls in enumerate(by_choice) for _ in calls)
        calls.total = len(by_choice)
        return calls


T = TypeVar("T")


class _Value(Generic[T]):
    """The plain value of the fact of the same name, None where it is not present."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name
        self.__doc__ = VOCABULARY[name]  # For `help(Reading)`.

    @overload
    def __get__(self, reading: None, owner: type[Reading]) -> Self: ...
    @overload
    def __get__(self, reading: Reading, owner: type[Reading]) -> T | None: ...
    def __get__(self, reading: Reading | None, owner: type[Reading]) -> Self | T | None:
        if reading is None:
            return self
        fact = reading.facts.get(self._name)
        # Stored where the next look-up finds it first, since facts do not change.
        value: T | None = None if fact is None else fact.value
        reading.__dict__[self._name] = value
        return value


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reading of one call: from the bytes (`wire`) or from the span (`dialects`), in one vocabulary.

    `reading.request_model` is the plain value or None; `reading.fact("request_model")` says where it was read.

    Attributes:
        source: What it was read as: an API such as `chat`, or a dialect such as `openinference`.
        api: `chat`, `completions`, `responses`, `embeddings` or `messages`, where it is known.
        gateway: The gateway whose flavour of the API it is, where it is known.
        facts: The facts that the source states, by name: present, null or unreadable.
        places: By name, where each fact would stand that the source has a place for but does not state; facts that it
            states may be in here too. A fact that is in neither mapping was not looked for. Each place is a text, not a
            `Fact`, since half of what is looked for is absent, and readings are kept.
        others: Further places that state a fact, in order: a span may say one thing in several ways, and one of them
            wrongly; a response may repeat the parameters of the request, and state its own where the request gave none.
        problems: What could not be read at all, and why: a sentence each, which begins with the place.
    """

    source: str
    api: str | None = None
    gateway: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Fact, ...] = ()
    problems: tuple[str, ...] = ()

    request_model = _Value[str]()
    model = _Value[str]()
    streaming = _Value[bool]()
    max_tokens = _Value[int]()
    temperature = _Value[float]()
    top_p = _Value[float]()
    top_k = _Value[int]()
    frequency_penalty = _Value[float]()
    presence_penalty = _Value[float]()
    seed = _Value[int]()
    stop = _Value[Sequence[str]]()
    dimensions = _Value[int]()
    choice_count = _Value[int]()
    tools = _Value[Sequence[Mapping[str, Any]]]()
    tool_definitions = _Value[Sequence[Mapping[str, Any]]]()
    tool_choice = _Value[str | Mapping[str, Any]]()
    input_messages = _Value[Sequence[Mapping[str, Any]]]()
    input_tool_calls = _Value[Sequence[Mapping[str, Any]]]()
    response_id = _Value[str]()
    response_model = _Value[str]()
    served_model = _Value[str]()
    provider = _Value[str]()
    finish_reasons = _Value[Sequence[str | None]]()
    finish_reason = _Value[str]()
    output_texts = _Value[Sequence[str | None]]()
    refusals = _Value[Sequence[str]]()
    reasoning_texts = _Value[Sequence[str | None]]()
    tool_calls = _Value[Sequence[Mapping[str, Any]]]()
    tool_call_count = _Value[int]()
    tool_call_names = _Value[Sequence[str]]()
    embedding_count = _Value[int]()
    embedding_dimensions = _Value[int]()
    time_to_first_token = _Value[float]()
    latency = _Value[float]()
    input_tokens = _Value[int]()
    output_tokens = _Value[int]()
    total_tokens = _Value[int]()
    cache_read_tokens = _Value[int]()
    cache_write_tokens = _Value[int]()
    reasoning_tokens = _Value[int]()
    input_audio_tokens = _Value[int]()
    output_audio_tokens = _Value[int]()
    cost = _Value[float]()
    tool_call_id = _Value[str]()
    tool_name = _Value[str]()
    tool_arguments = _Value[Any]()
    tool_result = _Value[Any]()
    error = _Value[Mapping[str, Any]]()
    error_type = _Value[str]()
    truncated = _Value[bool]()
    retry_after = _Value[float]()
    rate_limit = _Value[Mapping[str, str]]()
    request_id = _Value[str]()

    def fact(self, name: str) -> Fact:
        """Return the fact of that name; one that the reader did not look for is absent."""
        return self.facts.get(name) or Fact(name=name, where=self.places.get(name, ""))

    def stated(self, name: str) -> tuple[Fact, ...]:
        """Return every place that states the fact of that name, the first one first; none if it is absent."""
        first = self.facts.get(name)
        if first is None:
            return ()
        return (first, *(fact for fact in self.others if fact.name == name)) if self.others else (first,)

    def has_place_for(self, name: str) -> bool:
        """Tell whether the reader looked for that fact: whether its source has a place for it."""
        return name in self.facts or name in self.places
