"""Which calls a scope has measured, and which of them a series of a metric can be about.

Only calls of a model add to a series that names that model. So the calls of a scope fall into parts, each with the
series that can be about no other calls, and each part must add up by itself. If a series may be about any call (it
names no model, or a name that no call has, as of a group of models or an alias), there is one part: the whole scope.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Evidence
from pytest_llmtrace.model import Call, MetricPoint, Reading, SpanKey

__all__ = ["EMBEDDINGS", "Part", "Scope", "parts_of", "scope_of"]

_MODELS = ("gen_ai.request.model", "gen_ai.response.model")
_OPERATION = "gen_ai.operation.name"
EMBEDDINGS = frozenset({"embeddings", "embedding"})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The calls of a trace as one scope sees them.

    Attributes:
        name: The scope of the points.
        tracer: The scope of the spans: the same name, or the only one of the same package.
        accounts: The accounts of the spans of that scope.
        others: The calls that have no span of the scope, which may have measured them nevertheless, as where spans are
            sampled out.
        batches: How many calls each of the spans describes.
    """

    name: str
    tracer: str
    accounts: tuple[Account, ...]
    others: tuple[Call, ...]
    batches: dict[SpanKey, int]

    @property
    def keys(self) -> tuple[SpanKey, ...]:
        """The keys of its spans."""
        return tuple(account.span.key for account in self.accounts)

    def requests(self, account: Account) -> int:
        """Return how many requests a span describes."""
        return max(self.batches.get(account.span.key, 1), len(account.call.exchanges))


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some calls of a scope, and the series of a metric that can be about no other calls.

    Attributes:
        calls: The scope, with only these calls in it.
        points: The points of these series.
        model: The name of the model of these calls; empty if the part is the whole scope.
    """

    calls: Scope
    points: tuple[MetricPoint, ...]
    model: str = ""


@dataclass(frozen=True)
class _Kind:
    """What a series says about its calls, or what is known about a call.

    Attributes:
        models: The names of models that a series gives, or all that may be given for a call.
        embeds: Whether the calls are for embeddings; None if that is not said.
    """

    models: frozenset[str]
    embeds: bool | None

    def is_of(self, call: _Kind) -> bool:
        """Tell whether a series of this kind can be about a call."""
        if None not in (self.embeds, call.embeds) and self.embeds is not call.embeds:
            return False
        if not call.models:
            return True
        return all(any(_is_same(name, other) for other in call.models) for name in self.models)


def scope_of(evidence: Evidence, name: str, points: Iterable[MetricPoint]) -> Scope:
    """Return the scope that has made these points, with the calls of the trace as it sees them."""
    tracer = _tracer_of(evidence, name, {point.name for point in points})
    told: dict[SpanKey, int] = {}
    for call in evidence.calls:
        for span in call.spans:
            if span.scope == tracer:
                told[span.key] = told.get(span.key, 0) + 1
    series = _series(points)
    apart = [call for call in evidence.calls if all(span.scope != tracer for span in call.spans)]
    return Scope(
        name=name,
        tracer=tracer,
        accounts=tuple(account for account in evidence.accounts if account.span.scope == tracer),
        others=tuple(call for call in apart if any(kind.is_of(_kind_of(call.truths)) for kind in series)),
        batches=told,
    )


def _tracer_of(evidence: Evidence, meter: str, metrics: Collection[str]) -> str:
    """Name the tracer that a meter belongs to: the one of its name, else the only one of its package that has calls.

    LiteLLM has a tracer `litellm` and a meter `litellm.integrations.opentelemetry`. If several meters of a package have
    the same metric, it is unknown which calls each of them measures, and the meter's own name is returned.
    """
    if any(span.scope == meter for span in evidence.spans) or any(one.span.scope == meter for one in evidence.accounts):
        return meter
    tracers = {account.span.scope for account in evidence.accounts}
    near = [tracer for tracer in tracers if _is_near(meter, tracer)]
    if len(near) != 1:
        return meter
    [tracer] = near
    meters = {point.scope for point in evidence.metrics if point.name in metrics}
    return meter if any(_is_near(other, tracer) for other in meters - {meter}) else tracer


def _is_near(one: str, other: str) -> bool:
    """Tell whether one of two scopes has the name of a package, and the other that name or that of a module in it."""
    package, module = sorted((one, other), key=len)
    return bool(package) and f"{module}.".startswith(f"{package}.")


def parts_of(scope: Scope, points: Iterable[MetricPoint]) -> list[Part]:
    """Divide the calls of a scope into parts by the series of a metric; one part if calls cannot be told apart."""
    points = tuple(points)
    series = _series(points)
    accounts = [(account, _kind_of_account(account)) for account in scope.accounts]
    others = [(call, _kind_of(call.truths)) for call in scope.others]
    group_of = _grouped(series, dict.fromkeys(kind for _, kind in (*accounts, *others)))
    groups: dict[int, _Group] = {at: _Group([], [], []) for at in group_of.values()}
    if len(groups) == 1:
        return [Part(calls=scope, points=points)]
    for account, kind in accounts:
        groups[group_of[False, kind]].accounts.append(account)
    for call, kind in others:
        groups[group_of[False, kind]].others.append(call)
    for kind, some in series.items():
        groups[group_of[True, kind]].points.extend(some)
    parts = [
        Part(
            calls=replace(scope, accounts=tuple(group.accounts), others=tuple(group.others)), points=tuple(group.points)
        )
        for group in groups.values()
    ]
    return [replace(part, model=_name_of(part)) for part in parts]


class _Group(NamedTuple):
    """The calls and points of one part, while they are collected."""

    accounts: list[Account]
    others: list[Call]
    points: list[MetricPoint]


def _grouped(series: Iterable[_Kind], calls: Collection[_Kind]) -> dict[tuple[bool, _Kind], int]:
    """Return the group of each kind of series (True) and of call (False); kinds that may belong together share one."""
    found = {(True, kind): at for at, kind in enumerate(series)}
    found |= {(False, kind): len(found) + at for at, kind in enumerate(calls)}
    above = list(range(len(found)))

    def root(at: int) -> int:
        while above[at] != at:
            above[at] = at = above[above[at]]
        return at

    for kind in series:
        own = found[True, kind]
        for call in [call for call in calls if kind.is_of(call)] or calls:
            above[root(found[False, call])] = root(own)
    return {member: root(at) for member, at in found.items()}


def _series(points: Iterable[MetricPoint]) -> dict[_Kind, list[MetricPoint]]:
    """Group points by what they say about their calls."""
    series: dict[_Kind, list[MetricPoint]] = {}
    for point in points:
        series.setdefault(_kind_of_point(point), []).append(point)
    if any(kind.embeds for kind in series):
        return series
    # LiteLLM says `chat` for every call. Only a scope that says `embeddings` for some tells these from the others.
    untold: dict[_Kind, list[MetricPoint]] = {}
    for kind, some in series.items():
        untold.setdefault(replace(kind, embeds=None), []).extend(some)
    return untold


def _kind_of_point(point: MetricPoint) -> _Kind:
    given = [point.attributes.get(key) for key in _MODELS]
    operation = point.attributes.get(_OPERATION)
    return _Kind(
        models=frozenset(name for name in given if isinstance(name, str) and name),
        embeds=operation in EMBEDDINGS if isinstance(operation, str) else None,
    )


def _kind_of_account(account: Account) -> _Kind:
    """Return the kind of a call, with the models of calls inside of its span and those that the span states."""
    kind = _kind_of([*account.call.truths, *account.beside])
    stated = [fact.value for name in _FACTS for fact in account.stated.get(name, ())]
    return replace(kind, models=kind.models.union(name for name in stated if isinstance(name, str)))


def _kind_of(truths: Sequence[Reading]) -> _Kind:
    stated = [truth.fact(name).value for truth in truths for name in _FACTS]
    apis = {truth.api for truth in truths if truth.api}
    embeds = apis == {"embeddings"} if apis else None
    return _Kind(models=frozenset(name for name in stated if isinstance(name, str) and name), embeds=embeds)


_FACTS = ("request_model", "response_model", "model", "served_model")


def _is_same(one: str, other: str) -> bool:
    """Tell whether two names may mean one model: a provider in front, or a version or date behind, makes no difference.

    `gpt-4o` may stand for `openai/gpt-4o` and for `gpt-4o-2024-08-06`, but not for `gpt-4o-mini`.
    """
    short, long = _plain(one), _plain(other)
    if len(short) > len(long):
        short, long = long, short
    before, found, after = long.partition(short) if short else ("", "", "")
    return bool(found) and (not before or before.endswith("-")) and _VERSION.fullmatch(after) is not None


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    bare = re.split("[:@]", name.lower().removeprefix("ft:"), maxsplit=1)[0].rpartition("/")[2]
    return re.sub("[^a-z0-9]+", "-", bare)


_VERSION = re.compile(r"(-(\d{3,}|\d{2}-\d{2}|v\d+|latest|preview|beta|exp))*")  # Each name matches in one way only.


def _name_of(part: Part) -> str:
    """Return the first model that the series of a part name, else the first of its calls; empty if none is named."""
    return next(_names(part), "")


def _names(part: Part) -> Iterator[str]:
    for point in part.points:
        yield from (str(name) for key in _MODELS if (name := point.attributes.get(key)))
    calls: list[Call] = [*(account.call for account in part.calls.accounts), *part.calls.others]
    for call in calls:
        yield from (str(name) for truth in call.truths for name in (truth.request_model, truth.response_model) if name)
