"""Recognise the dialects of a span and read its facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from pytest_llmtrace.dialects._builtin import BUILT_IN, COUNTS, NOTES
from pytest_llmtrace.dialects._convert import CONVERSIONS, Convert
from pytest_llmtrace.dialects._dialect import Dialect, Kind
from pytest_llmtrace.dialects._events import ATTRIBUTES, EVENTS, as_attributes, on_span
from pytest_llmtrace.dialects._openinference import WHOLE
from pytest_llmtrace.dialects._place import Place, Sheet, moments
from pytest_llmtrace.dialects._steps import AGENTS, TOOLS
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Fact, LogRecord, Reading, SpanRecord, State
from pytest_llmtrace.reading import VOCABULARY

__all__ = [
    "counted",
    "is_llm",
    "read",
    "read_agent",
    "read_events",
    "read_note",
    "read_own_events",
    "read_tool",
    "read_whole",
    "register",
]


_Entry = tuple[str, Place, Convert | None]
"""The name of a fact, a place that may state it, and the conversion that the vocabulary has for it."""

_Lists = tuple[tuple[str, list[tuple[str, str]]], ...]
"""Flattened lists: the prefix, and for each attribute of the list the rest of its key and the whole key."""

_MOST = 128
"""The most attributes of a span for which the look-up is kept for spans with the same; OpenTelemetry's own limit."""


class _Plan:
    """The places to read on spans that are written in certain dialects; made once for each set of dialects.

    An attribute belongs to the first of the dialects that names it, so that a house style overrules the meaning that
    the built-in ones give to it.
    """

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self.source = dialects[0].name
        self.entries: list[_Entry] = []
        self.by_key: dict[str, list[int]] = {}
        self.by_prefix: dict[str, list[int]] = {}
        taken: set[str] = set()
        for dialect in dialects:
            taken |= set(self._add(dialect, frozenset(taken)))
        self.places = dict.fromkeys((name for name, _, _ in self.entries), "")
        self.prefixes = tuple(self.by_prefix)
        self.mixed = len(dialects) > 1
        self._form = lru_cache(maxsize=256)(self._looked_up)

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
        look_up = self._form if len(attributes) <= _MOST else self._looked_up
        entries, lists = look_up(tuple(attributes))
        flat = {prefix: {rest: attributes[key] for rest, key in keys} for prefix, keys in lists}
        sheet = Sheet(attributes=attributes, where=f"span {span.name!r}", flat=flat, start_ns=span.start_ns)
        facts: dict[str, Fact] = {}
        others: list[Fact] = []
        for name, place, convert in entries:
            fact = place.find(name, sheet, convert)
            if fact is None:
                continue
            if name in facts:
                _settle(fact, facts, others)
            else:
                facts[name] = fact
        if self.mixed:  # A fact that two dialects have takes the position of the first one, whichever could be read.
            facts = {name: facts[name] for name in self.places if name in facts}
        return Reading(
            source=self.source, facts=facts, places=self.places, others=tuple(others), problems=sheet.problems()
        )

    def _looked_up(self, keys: tuple[str, ...]) -> tuple[tuple[_Entry, ...], _Lists]:
        """Return the places worth reading on a span with these attributes, and the flattened lists among these."""
        flat: dict[str, list[tuple[str, str]]] = {}
        for key in keys if self.prefixes else ():
            if type(key) is str and key.startswith(self.prefixes):
                prefix = next(prefix for prefix in self.prefixes if key.startswith(prefix))
                flat.setdefault(prefix, []).append((key[len(prefix) :], key))
        numbers = {number for key in self.by_key.keys() & set(keys) for number in self.by_key[key]}
        numbers |= {number for prefix in flat for number in self.by_prefix[prefix]}
        return tuple(self.entries[number] for number in sorted(numbers)), tuple(flat.items())


def _settle(fact: Fact, facts: dict[str, Fact], others: list[Fact]) -> None:
    """Keep a further fact of a name in `others`; if it is more readable than the first one, they change places.

    Of the two, a null one is not kept.
    """
    first = facts[fact.name]
    if _RANK[fact.state] > _RANK[first.state]:
        facts[fact.name], fact = fact, first
    if fact.state is not State.NULL:
        others.append(fact)


_RANK = {State.NULL: 0, State.UNREADABLE: 1, State.PRESENT: 2}

_NEARLY = 0.9
"""How like a name of the vocabulary a misspelt one is, at least: `max_output_tokens`, a name of one's own, is 0.87."""

_house_styles: list[Dialect] = []
_house_steps: dict[Kind, tuple[Dialect, ...]] = {}


def register(dialect: Dialect) -> None:
    """Let a dialect of your own read spans, before the built-in ones.

    It replaces one that is registered under the same name for the same kind of spans.

    Args:
        dialect: Says which spans it reads, and where they state which facts; it stays registered for the process.

    Raises:
        UsageError: If it is not a `Dialect`, or the name of a fact is nearly one of the vocabulary: no check would look
            at that fact, and nothing would say so.
    """
    if not isinstance(dialect, Dialect):
        raise UsageError(f"register_dialect() takes a Dialect(name=..., facts={{...}}), not {dialect!r}")
    _refuse_misspelt(dialect)
    if dialect.of == "call":
        _house_styles[:] = [dialect, *(known for known in _house_styles if known.name != dialect.name)]
    else:
        known = _house_steps.get(dialect.of, ())
        _house_steps[dialect.of] = (dialect, *(other for other in known if other.name != dialect.name))


def _refuse_misspelt(dialect: Dialect) -> None:
    for name in dialect.facts.keys() - VOCABULARY.keys():
        import difflib  # Imported here: few suites have a dialect, and fewer a name that no check knows.

        near = difflib.get_close_matches(name, VOCABULARY, 1, _NEARLY)
        if near:
            raise UsageError(
                f"dialect {dialect.name!r}: unknown fact {name!r}: did you mean {near[0]!r}? The facts that checks "
                "know are in pytest_llmtrace.reading.VOCABULARY; a name of your own must be less like them"
            )


def read(span: SpanRecord) -> Reading | None:
    """Return the reading of a span as an LLM call, or `None` if it is not one in any dialect.

    A span may be written in several dialects at once. The first one names the reading; the facts of all are read.
    """
    return _read(span, _of_scope(span.scope, (*_house_styles, *BUILT_IN)))


def names_of(span: SpanRecord, fact: str) -> frozenset[str]:
    """Return the attributes in which a span, by the dialects that it is written in, may state a fact."""
    spoken = [dialect for dialect in _of_scope(span.scope, (*_house_styles, *BUILT_IN)) if dialect.speaks(span)]
    return frozenset(key for dialect in spoken for name, place in dialect.places if name == fact for key in place.keys)


def read_note(span: SpanRecord) -> Reading | None:
    """Return the reading of a note: a span that states what a call's own span ended too early to state; else `None`."""
    return _read(span, _of_scope(span.scope, NOTES))


def read_whole(span: SpanRecord) -> Reading | None:
    """Return the reading of a request and a reply that stand whole on the span of a call, else `None`."""
    return _read(span, (WHOLE,))


def read_own_events(span: SpanRecord) -> Reading | None:
    """Return the reading of a span's own events, as `read_events` does for log events; `None` if they say nothing."""
    events = on_span(span) if span.events else ()
    return read_events(span, events) if events else None


def read_events(span: SpanRecord, events: Sequence[LogRecord]) -> Reading | None:
    """Return the reading of a call from the log events emitted in its span, or `None` if they say nothing of it."""
    record = as_attributes(span, events)
    if record is None:
        return None
    said = _read(record, (EVENTS,)) or Reading(source=EVENTS.name)
    stated = _read(record, (ATTRIBUTES,)) or Reading(source=EVENTS.name)
    where = f"events of span {span.name!r}"
    # What an event says besides content is on no span: it is compared, but does not stand for an attribute that is
    # missing there.
    others = (*said.others, *stated.facts.values(), *stated.others)
    return replace(
        said,
        facts={name: fact._replace(where=where) for name, fact in said.facts.items()},
        others=tuple(fact._replace(where=where) for fact in others if fact.state is not State.NULL),
        problems=(*said.problems, *stated.problems),
    )


def counted(span: SpanRecord) -> Reading | None:
    """Return the reading of a span's token counts, whether the span is a call or not; `None` if it has none."""
    return _read(span, (COUNTS,))


def read_tool(span: SpanRecord) -> Reading | None:
    """Return the reading of a span as the execution of a tool, or `None` if it is not one in any dialect."""
    return _read(span, _of_scope(span.scope, (*_house_steps.get("tool", ()), *TOOLS)))


def read_agent(span: SpanRecord) -> Reading | None:
    """Return the reading of the token counts on a span as an agent's run, or `None` if it is not one in any dialect."""
    return _read(span, _of_scope(span.scope, (*_house_steps.get("agent", ()), *AGENTS)))


@lru_cache(maxsize=256)
def _of_scope(scope: str, dialects: tuple[Dialect, ...]) -> tuple[Dialect, ...]:
    """Return the dialects in which spans of a scope may be written."""
    return tuple(dialect for dialect in dialects if not dialect.scopes or scope in dialect.scopes)


def _read(span: SpanRecord, dialects: tuple[Dialect, ...]) -> Reading | None:
    spoken = tuple(dialect for dialect in dialects if dialect.speaks(span)) if dialects else ()
    return _plan(spoken).read(span) if spoken else None


@lru_cache(maxsize=256)
def _plan(dialects: tuple[Dialect, ...]) -> _Plan:
    return _Plan(dialects)


def is_llm(span: SpanRecord) -> bool:
    """Tell whether any dialect reads the span as an LLM call."""
    return any(dialect.speaks(span) for dialect in _of_scope(span.scope, (*_house_styles, *BUILT_IN)))
