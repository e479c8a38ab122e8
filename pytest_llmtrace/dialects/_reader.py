"""Recognise the dialects of a span and read its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_llmtrace.dialects._convert import CONVERSIONS, Convert
from pytest_llmtrace.dialects._place import Place, Sheet, attribute, moments
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Fact, Reading, SpanRecord, State

__all__ = ["Dialect", "is_llm", "read", "read_note", "register"]

Places = str | Place | Sequence[str | Place]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dialect:
    """A way to write LLM calls on spans, as data.

    Attributes:
        name: How readings name it.
        facts: For each fact the places that may state it: an attribute by its name, or what `attribute`, `inside` and
            `added` make; several in the order of preference. All of them are looked at.
        scopes: The instrumentation scopes whose spans are written in it.
        recognises: Whether a span is an LLM call written in it; with scopes, of those scopes only. Default: every span
            of the scopes, or without scopes every span that has one of its attributes.
    """

    name: str
    facts: Mapping[str, Places]
    scopes: Sequence[str] = ()
    recognises: Callable[[SpanRecord], bool] | None = None

    def __post_init__(self) -> None:
        """Refuse what is no place, before a span comes."""
        for name, place in self.places:
            if not isinstance(place, Place):
                raise UsageError(
                    f"fact {name!r} of dialect {self.name!r}: a place is the name of an attribute, or what "
                    f"attribute(), inside() and added() make; got {place!r}"
                )

    def speaks(self, span: SpanRecord) -> bool:
        """Tell whether a span is an LLM call written in this dialect."""
        if self.scopes and span.scope not in self.scopes:
            return False
        if self.recognises is not None:
            return bool(self.recognises(span))
        return bool(self.scopes) or not self._keys.isdisjoint(span.attributes)

    @cached_property
    def places(self) -> tuple[tuple[str, Place], ...]:
        """Each fact with each of its places, in order."""
        return tuple(
            (name, attribute(place) if isinstance(place, str) else place)
            for name, places in self.facts.items()
            for place in ((places,) if isinstance(places, str) or not isinstance(places, Sequence) else places)
        )

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(key for _, place in self.places for key in place.keys)


class _Plan:
    """What to look at on a span that is written in certain dialects; made once for each set of them.

    An attribute belongs to the first of the dialects that names it, so that a house style overrules what the
    built-in ones take an attribute for.
    """

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self.source = dialects[0].name
        self.entries: list[tuple[str, Place, Convert | None]] = []
        self.by_key: dict[str, list[int]] = {}
        self.by_prefix: dict[str, list[int]] = {}
        taken: set[str] = set()
        for dialect in dialects:
            taken |= set(self._add(dialect, frozenset(taken)))
        self.absent = {name: Fact(name=name) for name, _, _ in self.entries}
        self.prefixes = tuple(self.by_prefix)

    def _add(self, dialect: Dialect, taken: frozenset[str]) -> Iterator[str]:
        for name, place in dialect.places:
            keys = place.keys if place.prefix is None else (place.prefix,)
            if taken.intersection(keys):
                continue
            index = self.by_key if place.prefix is None else self.by_prefix
            for key in keys:
                index.setdefault(key, []).append(len(self.entries))
            self.entries.append((name, place, CONVERSIONS.get(name)))
            yield from keys

    def read(self, span: SpanRecord) -> Reading:
        """Read all facts of a span."""
        attributes = {**span.attributes, **moments(span)} if span.events else span.attributes
        sheet = Sheet(attributes=attributes, where=f"span {span.name!r}", flat=self._flattened(span.attributes))
        numbers = {number for key in self.by_key.keys() & attributes.keys() for number in self.by_key[key]}
        numbers |= {number for prefix in sheet.flat for number in self.by_prefix[prefix]}
        facts = dict(self.absent)
        others: list[Fact] = []
        for number in sorted(numbers):
            name, place, convert = self.entries[number]
            fact = place.find(name, sheet, convert)
            if fact is None:
                continue
            if facts[name] is self.absent[name]:
                facts[name] = fact
            else:
                _settle(fact, facts, others)
        return Reading(source=self.source, facts=facts, others=tuple(others), problems=sheet.problems())

    def _flattened(self, attributes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        flat: dict[str, dict[str, Any]] = {}
        for key in attributes if self.prefixes else ():
            if type(key) is str and key.startswith(self.prefixes):
                prefix = next(prefix for prefix in self.prefixes if key.startswith(prefix))
                flat.setdefault(prefix, {})[key[len(prefix) :]] = attributes[key]
        return flat


def _settle(fact: Fact, facts: dict[str, Fact], others: list[Fact]) -> None:
    """Keep a further fact: beside the first of its name, or in its place, if only this one can be read."""
    first = facts[fact.name]
    if _RANK[fact.state] > _RANK[first.state]:
        facts[fact.name], fact = fact, first
    if fact.state is not State.NULL:
        others.append(fact)


_RANK = {State.NULL: 0, State.UNREADABLE: 1, State.PRESENT: 2}

_house_styles: list[Dialect] = []
_plans: dict[tuple[Dialect, ...], _Plan] = {}


def register(dialect: Dialect) -> None:
    """Let a dialect of your own read spans, before the built-in ones; one of the same name is replaced."""
    _house_styles[:] = [dialect, *(known for known in _house_styles if known.name != dialect.name)]


def read(span: SpanRecord) -> Reading | None:
    """Read a span as an LLM call, or return None if it is none in any dialect.

    A span may be written in several dialects at once. The first one names the reading; the facts are read from all.
    """
    return _read(span, _dialects())


def read_note(span: SpanRecord) -> Reading | None:
    """Read a span that is no call, but notes what a call's own span ended too early to say; None if it is none."""
    from pytest_llmtrace.dialects._builtin import NOTES

    return _read(span, NOTES)


def _read(span: SpanRecord, dialects: Iterable[Dialect]) -> Reading | None:
    spoken = tuple(dialect for dialect in dialects if dialect.speaks(span))
    if not spoken:
        return None
    plan = _plans.get(spoken)
    if plan is None:
        plan = _plans[spoken] = _Plan(spoken)
    return plan.read(span)


def is_llm(span: SpanRecord) -> bool:
    """Tell whether any dialect reads the span as an LLM call."""
    return any(dialect.speaks(span) for dialect in _dialects())


def _dialects() -> Iterable[Dialect]:
    from pytest_llmtrace.dialects._builtin import BUILT_IN

    return (*_house_styles, *BUILT_IN)
