"""Recognise a span's dialect and read its facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.model import Fact, Reading, SpanRecord, State

__all__ = ["Dialect", "attribute", "is_llm", "read", "register"]

Source = Callable[[SpanRecord], Fact | None]
"""Looks for one fact on a span; None if this place has nothing to say."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A way to write LLM calls on spans.

    Attributes:
        name: How readings name it.
        recognises: Whether a span is an LLM call written in this dialect.
        facts: For each fact the places to look at, the first that is present wins.
    """

    name: str
    recognises: Callable[[SpanRecord], bool]
    facts: Mapping[str, tuple[Source, ...]]

    def read(self, span: SpanRecord) -> Reading:
        """Read all facts of a span that this dialect has recognised."""
        found = {name: _first(name, sources, span) for name, sources in self.facts.items()}
        return Reading(source=self.name, facts=found)


def attribute(key: str, convert: Callable[[Any], Any] | None = None) -> Source:
    """Make a source that takes a fact from one attribute.

    Args:
        key: The attribute.
        convert: Turns the attribute's value into the fact's; what it cannot convert is unreadable.
    """

    def look(span: SpanRecord) -> Fact | None:
        if key not in span.attributes:
            return None
        place = f"{key} on span {span.name!r}"
        value = span.attributes[key]
        if convert is None:
            return Fact(name=key, value=value, place=place, state=State.PRESENT)
        try:
            converted = convert(value)
        except (ValueError, TypeError, LookupError, RecursionError):
            return Fact(name=key, place=place, state=State.UNREADABLE)
        return None if converted is None else Fact(name=key, value=converted, place=place, state=State.PRESENT)

    return look


def _first(name: str, sources: tuple[Source, ...], span: SpanRecord) -> Fact:
    unreadable = None
    for source in sources:
        fact = source(span)
        if fact is None:
            continue
        fact = Fact(name=name, value=fact.value, place=fact.place, state=fact.state)
        if fact.state is State.PRESENT:
            return fact
        unreadable = unreadable or fact
    return unreadable or Fact(name=name)


_house_styles: list[Dialect] = []


def register(dialect: Dialect) -> None:
    """Let a dialect of your own read spans, before the built-in ones; registering the same again changes nothing."""
    if dialect not in _house_styles:
        _house_styles.insert(0, dialect)


def read(span: SpanRecord) -> Reading | None:
    """Read a span as an LLM call, or return None if it is none in any dialect."""
    from pytest_llmtrace.dialects._builtin import BUILT_IN

    for dialect in (*_house_styles, *BUILT_IN):
        if dialect.recognises(span):
            return dialect.read(span)
    return None


def is_llm(span: SpanRecord) -> bool:
    """Tell whether any dialect reads the span as an LLM call."""
    return read(span) is not None
