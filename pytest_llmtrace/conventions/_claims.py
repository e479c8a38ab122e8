"""Which conventions a span claims to keep, and of which type it is in each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.conventions._load import GENAI, SHIPPED, profile
from pytest_llmtrace.conventions._profile import Profile, SpanType
from pytest_llmtrace.conventions._types import has_type
from pytest_llmtrace.telemetry import MetricPoint, SpanRecord

__all__ = ["claims", "event_claims", "metric_claims", "own", "span_type", "versions_of_event"]

_OPENINFERENCE_SCOPE = "openinference."
_OPENINFERENCE_KIND = "openinference.span.kind"

_LOGFIRE = "logfire."

_TRACELOOP = "traceloop."
_TRACELOOP_KIND = "traceloop.span.kind"
_OPENLLMETRY_NAMES = frozenset(
    {"gen_ai.is_streaming", "gen_ai.headers", "llm.is_streaming", "llm.request.type", "llm.usage.total_tokens"}
    | {"llm.headers"}
)
# packages/ of traceloop/openllmetry: the modules whose names are the scopes of LLM, agent and MCP spans.
_OPENLLMETRY_SCOPES = frozenset(
    f"opentelemetry.instrumentation.{name}"
    for name in (
        *("agno", "alephalpha", "anthropic", "bedrock", "cohere", "crewai.instrumentation", "google_generativeai"),
        *("groq", "haystack", "langchain", "litellm", "llamaindex", "mcp.instrumentation", "mistralai", "ollama"),
        *("openai.v0", "openai.v1", "openai_agents", "replicate", "sagemaker", "together", "transformers"),
        *("vertexai", "voyageai", "watsonx", "writer"),
    )
)
# OpenTelemetry's own instrumentations have some of these scopes as well, and versions such as 2.3b0.
_OPENLLMETRY_VERSION = re.compile(r"0\.\d+\.\d+")

_OPERATION = "gen_ai.operation.name"
_METHOD = "mcp.method.name"
_ANY = ""
_SINGLE = frozenset({"openinference", "openllmetry"})
_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system")


def claims(span: SpanRecord, fixed: tuple[Profile, ...] = ()) -> tuple[Profile, ...]:
    """Return the conventions that a span is judged by.

    They are those that it claims to keep by its scope and attributes, each in its fixed version, if there is one.
    A hand-written wrapper that borrows single names of a convention has promised nothing: a span that claims no
    convention is judged only by those fixed conventions whose names it uses. A registry of the user's own applies to
    every span that uses its names.

    Args:
        span: The span.
        fixed: The conventions that the user has named, at most one version of each.
    """
    attributes = span.attributes
    look_up = _claims_kept if len(attributes) <= _MOST else _claims
    return look_up(span.scope, span.scope_version or "0.0.0", tuple(attributes), _mistyped(attributes), fixed)


_Mistyped = tuple[tuple[str, str], ...]
"""Attributes of a span, each with a version of the conventions in which it has another type than on the span."""


def _mistyped(attributes: Mapping[str, Any]) -> _Mistyped:
    return tuple(
        (name, version)
        for name, versions in _retyped().items()
        if name in attributes
        for version, types in versions.items()
        if not has_type(attributes[name], types)
    )


def _claims(
    scope: str, version: str, attributes: tuple[str, ...], mistyped: _Mistyped, fixed: tuple[Profile, ...]
) -> tuple[Profile, ...]:
    names = _Names(attributes)
    named = {each.convention: each for each in fixed}
    kept = _claimed(scope, version, names)
    claimed = [named.get(each) or profile(each if each in _SINGLE else _newest(names, mistyped)) for each in kept]
    more = own(fixed) if claimed else fixed
    return (*claimed, *(each for each in more if _uses(each, names)))


def _uses(kept: Profile, names: _Names) -> bool:
    """Tell whether a name is in a namespace of a convention, or is one that a user's own registry defines elsewhere.

    A name in no namespace, or in one of a shipped convention, may be others' too: it counts if the registry defines it.
    """
    if any(map(names.begin, kept.namespaces)):
        return True
    return kept.convention not in SHIPPED and not (
        kept.attributes.keys().isdisjoint(names)
        and kept.renames.keys().isdisjoint(names)
        and not any(names.begin(f"{family}.") for family in kept.families)
    )


def own(fixed: tuple[Profile, ...]) -> tuple[Profile, ...]:
    """Return the registries of the user's own among the conventions that the user has named."""
    return tuple(each for each in fixed if each.convention not in SHIPPED)


def metric_claims(points: tuple[MetricPoint, ...], fixed: tuple[Profile, ...] = ()) -> tuple[Profile, ...]:
    """Return the conventions that a metric is judged by: that of its scope or namespace, and the user's own registries.

    Args:
        points: The points of one metric of one scope, at least one.
        fixed: As for `claims`.
    """
    point, named = points[0], {each.convention: each for each in fixed}
    kept: list[Profile] = []
    if _is_openllmetry_scope(point.scope, point.scope_version):
        kept.append(named.get("openllmetry") or profile("openllmetry"))
    elif point.name.startswith(profile(GENAI[0]).namespaces):
        kept.append(named.get("otel-genai") or profile(_newest_of_metric(points)))
    more = own(fixed) if kept else fixed
    return (*kept, *(each for each in more if point.name in each.metrics or point.name.startswith(each.namespaces)))


def _newest_of_metric(points: Iterable[MetricPoint]) -> str:
    """Return the newest version of OpenTelemetry's conventions that has a metric and the most of its attributes."""
    names = {name for point in points for name in point.attributes}
    metrics = {point.name for point in points}
    versions = {version: profile(version) for version in GENAI}
    return min(
        GENAI,
        key=lambda version: (
            len(metrics - versions[version].metrics.keys()),
            len(names - versions[version].attributes.keys()),
        ),
    )


def event_claims(
    name: str,
    attributes: Mapping[str, Any],
    scope: tuple[str, str | None],
    around: Collection[str] = (),
    fixed: tuple[Profile, ...] = (),
) -> tuple[Profile, ...]:
    """Return the conventions that an event is judged by: that of its namespace, and those that the user has named.

    OpenLLMetry and logfire use OpenTelemetry's names in ways of their own, and define no events.

    Args:
        name: The name of the event.
        attributes: Its attributes.
        scope: The name and the version of the scope that made it.
        around: The names of the attributes of the span that it is an event of; empty if it is a log record.
        fixed: As for `claims`.
    """
    in_namespace = name.startswith(profile(GENAI[0]).namespaces)
    if not fixed and (not in_namespace or _is_openllmetry_scope(*scope)):
        return ()  # As most events: there may be one for each chunk of a stream.
    names, all_names = _Names(attributes), _Names((*attributes, *around))
    kept, more = tuple[Profile, ...](), fixed
    if _is_openllmetry(*scope, all_names) or all_names.begin(_LOGFIRE):
        more = own(fixed)
    elif in_namespace:
        named = next((each for each in fixed if each.convention == "otel-genai"), None)
        kept = (named or profile(_newest_of_event(name, names, _mistyped(attributes))),)
        more = own(fixed)
    return (*kept, *(each for each in more if name in each.events or _uses(each, names)))


def _newest_of_event(name: str, names: _Names, mistyped: _Mistyped) -> str:
    """Return the newest version of OpenTelemetry's conventions that has an event, and the most of its attributes."""
    told, odd = _telling() & names, [version for _, version in mistyped]
    return min(
        GENAI,
        key=lambda version: (
            name not in profile(version).events,
            len(told - profile(version).attributes.keys()) + odd.count(version),
        ),
    )


def versions_of_event(name: str) -> tuple[Profile, ...]:
    """Return the versions of OpenTelemetry's conventions that have an event, the newest first."""
    return tuple(kept for kept in map(profile, GENAI) if name in kept.events)


_MOST = 128
"""The most attributes of a span for which the result is cached; OpenTelemetry's own limit."""
_claims_kept = lru_cache(maxsize=256)(_claims)


class _Names(frozenset[str]):
    """The names of a span's attributes, to be searched for prefixes: there may be 10,000, and several prefixes."""

    @lazy
    def _joined(self) -> str:
        return "\n" + "\n".join(name for name in self if isinstance(name, str))

    def begin(self, prefix: str) -> bool:
        """Tell whether one of the names begins with a prefix."""
        return f"\n{prefix}" in self._joined


def _claimed(scope: str, version: str, names: _Names) -> Iterator[str]:
    if names.begin(_LOGFIRE):
        return  # Logfire borrows OpenTelemetry's names, and writes lists as JSON: a convention of its own.
    if _OPENINFERENCE_KIND in names or scope.startswith(_OPENINFERENCE_SCOPE):
        yield "openinference"
    if _is_openllmetry(scope, version, names):
        yield "openllmetry"  # OpenLLMetry uses OpenTelemetry's names among its own, and in its own way.
        return
    if names.begin(_TRACELOOP):
        yield "openllmetry"  # Traceloop's SDK writes a few names on everybody's spans.
    if _OPERATION in names or _METHOD in names:
        yield "otel-genai"


def _is_openllmetry(scope: str, version: str | None, names: _Names) -> bool:
    if _TRACELOOP_KIND in names or not _OPENLLMETRY_NAMES.isdisjoint(names):
        return True
    return _is_openllmetry_scope(scope, version)


def _is_openllmetry_scope(scope: str, version: str | None) -> bool:
    return scope in _OPENLLMETRY_SCOPES and _OPENLLMETRY_VERSION.fullmatch(version or "0.0.0") is not None


def _newest(names: _Names, mistyped: _Mistyped) -> str:
    """Return the newest version of OpenTelemetry's conventions that has all names with their types, else most of them.

    Schema URLs do not tell the version: instrumentations do not keep them in step (measured).
    """
    told = _telling() & names
    odd = [version for _, version in mistyped]
    return min(GENAI, key=lambda version: len(told - profile(version).attributes.keys()) + odd.count(version))


@cache
def _telling() -> frozenset[str]:
    """Return the names that some versions have, and others do not."""
    versions = [frozenset(profile(version).attributes) for version in GENAI]
    return frozenset[str]().union(*versions) - versions[0].intersection(*versions)


@cache
def _retyped() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the names whose types differ between versions, with the types in each version that has the name."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for version in GENAI:
        for name, attribute in profile(version).attributes.items():
            found.setdefault(name, {})[version] = attribute.types
    return {name: versions for name, versions in found.items() if len(set(versions.values())) > 1}


def span_type(kept: Profile, span: SpanRecord) -> SpanType | None:
    """Return the type that a span has in a convention, the first that fits; `None` if the convention has none."""
    attributes = span.attributes
    said = [(name, value) for name in _deciding(kept) if isinstance(value := attributes.get(name), str)]
    return _type_of(kept, span.kind, tuple(said))


@lru_cache(maxsize=1024)
def _type_of(kept: Profile, span_kind: str, said: tuple[tuple[str, str], ...]) -> SpanType | None:
    """Return the type of spans with this kind and these deciding values. Cached, since most spans share them."""
    types, providers = _types(kept), [value for name, value in said if name in _PROVIDERS]
    fitting = [
        kind
        for name, value in said
        for kind in (*types.get(name, {}).get(value, ()), *types.get(name, {}).get(_ANY, ()))
        if not kind.provider or kind.provider in providers
    ]
    special = [kind for kind in fitting if kind.provider] or fitting
    # An agent may be invoked within the process or elsewhere, under one operation: the kind of the span tells which.
    return next((kind for kind in special if span_kind in kind.kinds), special[0] if special else None)


@lru_cache(maxsize=64)
def _deciding(kept: Profile) -> tuple[str, ...]:
    """Return the attributes that decide which type a span has."""
    return tuple(dict.fromkeys((*_types(kept), *_PROVIDERS)))


@lru_cache(maxsize=64)
def _types(kept: Profile) -> Mapping[str, Mapping[str, list[SpanType]]]:
    """Return the types of a convention by the attribute that makes a span one of them, and by its value."""
    found: dict[str, dict[str, list[SpanType]]] = {}
    for kind in kept.span_types.values():
        name, values = kind.when
        for value in values or (_ANY,):
            found.setdefault(name, {}).setdefault(value, []).append(kind)
    return found
