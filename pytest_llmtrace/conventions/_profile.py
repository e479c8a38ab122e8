"""What a convention says, as data: its attributes, its types of spans, and what was renamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from pytest_llmtrace._quick import lazy

__all__ = ["Attribute", "Level", "MetricType", "Profile", "Rename", "SpanType", "Wanted"]


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
        name: Its name; of a family of names (`gen_ai.prompt.variable.<key>`) what they begin with.
        types: Which it may have: `string`, `int`, `double`, `boolean`, these with `[]`, `any`, or `json` for a string
            that holds JSON. An int is accepted where a double is meant.
        values: The values that are named; empty if none are.
        is_open: Whether others may be used when none of them applies.
        is_family: Whether the name is that of a family.
    """

    name: str
    types: tuple[str, ...]
    values: frozenset[str] = frozenset()
    is_open: bool = True
    is_family: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """That a type of spans wants an attribute, and when."""

    level: Level
    condition: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanType:
    """A type of spans; one is another one's equal only if it is the same object.

    Attributes:
        id: As the convention names it; `LLM` and the like for OpenInference.
        kinds: Which kinds a span may have; empty if the convention does not say.
        names: What its name is made of, in the order of preference: `{gen_ai.operation.name} {gen_ai.request.model}`.
        attributes: What is wanted on it, by name.
        unused: Attributes that must not be on it.
        when: What makes a span one of this type: an attribute and its values; no values, if it is enough to be there.
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
        """The attributes that have to be on some."""
        return frozenset(name for name, how in self.attributes.items() if how.level is Level.CONDITIONALLY_REQUIRED)


@dataclass(frozen=True, kw_only=True)
class MetricType:
    """A metric.

    Attributes:
        name: Its name.
        instrument: `counter`, `updowncounter`, `gauge` or `histogram`; empty if the convention does not say.
        unit: In UCUM; None if the convention does not say.
        buckets: The boundaries of a histogram's buckets, in its unit; empty if the convention does not say.
        attributes: What is wanted on its points, by name.
        moved: Values of `gen_ai.operation.name` that belong to another metric, and its name.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Rename:
    """That a name is no longer used.

    Attributes:
        new: What is used instead; None if nothing is.
        since: From which version on; empty if it is not known.
        hint: Where the same is told now, if there is no new name for it.
        values: Old values and their new ones.
    """

    new: str | None
    since: str = ""
    hint: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """A convention at a named commit; one is another one's equal only if it is the same object.

    Attributes:
        name: How it is named in `conventions=`.
        convention: `otel-genai`, `openinference`, `openllmetry`, `otel-core`; of a user's own, `registry` and its file.
        source: Repository and commit.
        namespaces: What the names of its attributes begin with, each with its dot: an unknown name in one is a finding.
        attributes: By name.
        span_types: By id.
        metrics: By name.
        renames: Old names and their new ones.
        metric_renames: Those of metrics.
        patterns: Regular expressions of indexed names, whole.
    """

    name: str
    convention: str
    source: str
    namespaces: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    span_types: Mapping[str, SpanType] = field(default_factory=dict)
    metrics: Mapping[str, MetricType] = field(default_factory=dict)
    renames: Mapping[str, Rename] = field(default_factory=dict)
    metric_renames: Mapping[str, Rename] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()

    @lazy
    def families(self) -> frozenset[str]:
        """The names of its families, without what tells their members apart."""
        return frozenset(name for name, attribute in self.attributes.items() if attribute.is_family)
