"""A reading of one call: named facts, each with the place that it was read from. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["Fact", "Reading", "State"]


class State(StrEnum):
    """Whether a fact was there to be read."""

    PRESENT = "present"
    ABSENT = "absent"
    NULL = "null"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One value of a reading, with the place that it was read from (for people)."""

    name: str
    value: Any = None
    place: str = ""
    state: State = State.ABSENT


T = TypeVar("T")


class _Value(Generic[T]):
    """The plain value of the fact of the same name, None where it is not present."""

    def __set_name__(self, owner: type[Reading], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, reading: None, owner: type[Reading]) -> Self: ...
    @overload
    def __get__(self, reading: Reading, owner: type[Reading]) -> T | None: ...
    def __get__(self, reading: Reading | None, owner: type[Reading]) -> Self | T | None:
        if reading is None:
            return self
        fact = reading.facts.get(self._name)
        return None if fact is None else fact.value


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reading of one call: from the bytes (`wire`) or from the span (`dialects`), in one vocabulary.

    `reading.request_model` is the plain value or None; `reading.fact("request_model")` says where it was read.
    Token counts are integers, `cost` is in USD. `input_tokens` is everything that the model read, cached tokens
    included.
    """

    source: str
    """Who read it: an API as `openai chat`, a dialect as `openinference`."""
    api: str | None = None
    gateway: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    request_model = _Value[str]()
    response_model = _Value[str]()
    streaming = _Value[bool]()
    error = _Value[Mapping[str, Any]]()

    def fact(self, name: str) -> Fact:
        """Return the fact of that name; one that the reader did not look for is absent."""
        return self.facts.get(name) or Fact(name=name)
