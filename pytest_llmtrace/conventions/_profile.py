"""What a convention says, as data: its attributes, its types of spans, and what was renamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from pytest_llmtrace._quick import lazy

__all__ = ["Attribute", "EventType", "Level", "MetricType", "Profile", "Rename", "SpanType", "Wanted"]


class Level(IntEnum):
    """How much an attribute is wanted on a span; the higher the more."""

    OPT_IN = 1
    RECOMMENDED = 2
    CONDITIONALLY_REQUIRED = 3
    REQUIRED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """An attribute of a convention.

    Attributes:
        name: The name; for a family of names (`gen_ai.prompt.variable.<key>`), what they all begin with.
        types: The types that it may have: `string`, `int`, `double`, `boolean`, these with `[]`, `any`, or `json` for a
            string that holds JSON. An int is accepted where a double is meant.
        values: The values that the convention names; empty if it names none.
        is_open: Whether other values may be used when none of these applies.
        is_family: Whether the name is that of a family.
    """

    name: str
    types: tuple[str, ...]
    values: frozenset[str] = frozenset()
    is_open: bool = True
    is_family: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """How much a type of spans, a metric or an event wants an attribute, and under which condition."""

    level: Level
    condition: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanType:
    """A type of spans; two types are equal only if they are the same object.

    Attributes:
        id: The convention's name for the type; `LLM` and the like for OpenInference.
        kinds: The span kinds that it may have; empty if the convention does not say.
        names: The forms of its name, in the order of preference: `{gen_ai.operation.name} {gen_ai.request.model}`.
        attributes: The attributes that are wanted on it, by name.
        unused: Attributes that must not be on it.
        when: What makes a span one of this type: an attribute and its values; no values if its presence is enough.
        provider: Which provider the type is for; empty if it is for any.
    """

    id: str
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    attributes: Mapping[str, Wanted] = field(default_factory=dict)
    unused: frozenset[str] = frozenset()
    when: tuple[str, frozenset[str]] = ("", frozenset())
    provider: str = ""

    @lazy
    def required(self) -> tuple[str, ...]:
        """The attributes that have to be on every span of this type."""
        return tuple(name for name, how in self.attributes.items() if how.level is Level.REQUIRED)

    @lazy
    def conditional(self) -> frozenset[str]:
        """The attributes that have to be on some spans of this type."""
        return frozenset(name for name, how in self.attributes.items() if how.level is Level.CONDITIONALLY_REQUIRED)


@dataclass(frozen=True, kw_only=True)
class MetricType:
    """A metric of a convention.

    Attributes:
        name: Its name.
        instrument: `counter`, `updowncounter`, `gauge` or `histogram`; empty if the convention does not say.
        unit: The unit, in UCUM; `None` if the convention does not say.
        buckets: The boundaries of a histogram's buckets, in its unit; empty if the convention does not say.
        attributes: The attributes that are wanted on its points, by name.
        moved: Values of `gen_ai.operation.name` that belong to another metric, each with the name of that metric.
    """

    name: str
    instrument: str = ""
    unit: str | None = None
    buckets: tuple[float, ...] = ()
    attributes: Mapping[str, Wanted] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)

    @lazy
    def required(self) -> tuple[str, ...]:
        """The attributes that have to be on every point."""
        return tuple(name for name, how in self.attributes.items() if how.level is Level.REQUIRED)


@dataclass(frozen=True, kw_only=True)
class EventType:
    """An event of a convention, on a span or as a log record.

    Attributes:
        name: Its name.
        attributes: The attributes that are wanted on it, by name.
    """

    name: str
    attributes: Mapping[str, Wanted] = field(default_factory=dict)

    @lazy
    def required(self) -> tuple[str, ...]:
        """The attributes that have to be on every such event."""
        return tuple(name for name, how in self.attributes.items() if how.level is Level.REQUIRED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rename:
    """What became of a name that is no longer used.

    Attributes:
        new: The name that is used instead; `None` if there is none.
        since: The version since which it is no longer used; empty if that is not known.
        hint: Where the same information is now, if there is no new name for it.
        values: Old values and their new ones.
    """

    new: str | None
    since: str = ""
    hint: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """A convention at a named commit; two conventions are equal only if they are the same object.

    Attributes:
        name: Its name in `conventions=`; for a registry of the user's own, its file's name without the suffix.
        convention: `otel-genai`, `openinference`, `openllmetry`, `otel-core`; a user's own is `registry` and its file.
        source: Its repository and commit; for a registry of the user's own, its file and a hash.
        namespaces: The beginnings of attribute names that belong to it, each with its dot: an unknown name in one is a
            finding.
        attributes: The attributes, by name.
        span_types: The types of spans, by id.
        metrics: The metrics, by name.
        events: The events, by name.
        renames: Old names of attributes, and what became of them.
        metric_renames: The same for metrics.
        event_renames: The same for events.
        patterns: Regular expressions that match whole indexed names.
    """

    name: str
    convention: str
    source: str
    namespaces: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    span_types: Mapping[str, SpanType] = field(default_factory=dict)
    metrics: Mapping[str, MetricType] = field(default_factory=dict)
    events: Mapping[str, EventType] = field(default_factory=dict)
    renames: Mapping[str, Rename] = field(default_factory=dict)
    metric_renames: Mapping[str, Rename] = field(default_factory=dict)
    event_renames: Mapping[str, Rename] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()

    @lazy
    def families(self) -> frozenset[str]:
        """The names of its families, without the keys of their members."""
        return frozenset(name for name, attribute in self.attributes.items() if attribute.is_family)
