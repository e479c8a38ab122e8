"""What has changed from one contract to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pytest_llmtrace._lines import counted
from pytest_llmtrace.contract._renames import Renames, moved_by, pairs

__all__ = ["Change", "Impact", "changes"]


class Impact(StrEnum):
    """What a change means to whoever reads the telemetry."""

    BREAKING = "breaking"  # something is gone, or has become something else
    OTHER = "other"  # something occurs less often, or in other numbers
    ADDITION = "addition"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference.

    Attributes:
        impact: What it means to whoever reads the telemetry.
        kind: `added`, `removed`, `renamed`, `type`, `changed` (a set of words, such as span kinds), `fewer`, `more`,
            `count` or `version`.
        scope: The name of the scope, in the new contract if the scope is there.
        place: Where in the scope: `span LLM`, `span LLM, event exception`; empty for the scope itself.
        subject: What has changed: `attribute gen_ai.system`, `kind`.
        old: What was there; empty if nothing was.
        new: What is there; empty if nothing is.
        hint: For a name that is gone: where its convention has the same information now.
    """

    impact: Impact
    kind: str
    scope: str
    place: str = ""
    subject: str
    old: str = ""
    new: str = ""
    hint: str = ""


Table = Mapping[str, Any]

_ONE_OF_SEVERAL: Final = {
    "kinds": "kind",
    "statuses": "status",
    "names": "name",
    "units": "unit",
    "severities": "severity",
}
_EMPTY: Final = "empty[]"
"""The type of an array without elements, which may be one of any type."""
_TYPES: Final = {"types": "type", "bodies": "body"}
_TABLES: Final = {"spans": "span", "logs": "log", "metrics": "metric"}


def changes(old: Table, new: Table, renames: Renames) -> tuple[Change, ...]:
    """Compare the scopes of two contracts.

    Args:
        old: The scopes of the old contract.
        new: The scopes of the new contract.
        renames: What conventions have renamed.

    Returns:
        The changes by scope and place, each once: for something that is gone or new as a whole, its parts are not
        listed.
    """
    return tuple(_Comparison(renames).scopes(old, new))


class _Comparison:
    def __init__(self, renames: Renames) -> None:
        self._renames = renames

    def scopes(self, old: Table, new: Table) -> Iterator[Change]:
        for before, after in pairs(old, new, moved_by(old, new, lambda scope: scope["spans"])):
            if before is not None and after is not None:
                if before != after:
                    yield _change("renamed", after, subject="scope", old=before, new=after)
                yield from self._scope(after, old[before], new[after])
            elif before is not None:
                yield _change("removed", before, subject="scope", old=_size(old[before]))
            elif after is not None:
                yield _change("added", after, subject="scope", new=_size(new[after]))

    def _scope(self, scope: str, old: Table, new: Table) -> Iterator[Change]:
        if old["versions"] != new["versions"]:
            yield _change("version", scope, subject="version", old=_words(old["versions"]), new=_words(new["versions"]))
        for table, noun in _TABLES.items():
            yield from self._items(_Place(scope), noun, old[table], new[table])

    def _items(self, place: _Place, noun: str, old: Table, new: Table) -> Iterator[Change]:
        """Compare items that have a name, a count, and attributes: spans, events, log records, metrics."""
        is_span = noun == "span"
        moved = moved_by(old, new, lambda span: span["names"]) if is_span else self._renames.moved(old, new)
        found = tuple(pairs(old, new, moved))
        for before, after in found:
            if before is None and after is not None:
                yield place.change("added", f"{noun} {after}", new=_count(noun, new[after]))
            elif before is not None and after is None:
                yield place.change("removed", f"{noun} {before}", old=_count(noun, old[before]))
            elif before != after:
                yield place.change("renamed", f"{noun} {before}", old=before or "", new=after or "")
        for before, after in found:
            if before is not None and after is not None:
                yield from self._item(place.inner(f"{noun} {after}"), noun, old[before], new[after])

    def _item(self, place: _Place, noun: str, old: Table, new: Table) -> Iterator[Change]:
        # How many points a metric has depends on how the tests are spread over processes.
        if noun != "metric" and old["seen"] != new["seen"]:
            yield place.change("count", "count", old=str(old["seen"]), new=str(new["seen"]))
        for field in sorted(set(old) & set(new)):
            if field in _ONE_OF_SEVERAL:
                yield from _words_changed(place, _ONE_OF_SEVERAL[field], old[field], new[field])
            elif field in _TYPES:
                yield from _types_changed(place, _TYPES[field], old[field], new[field])
        yield from self._attributes(place, old, new)
        if "events" in old:
            yield from self._items(place, "event", old["events"], new["events"])

    def _attributes(self, place: _Place, old: Table, new: Table) -> Iterator[Change]:
        mine, theirs = old["attributes"], new["attributes"]
        for before, after in pairs(mine, theirs, self._renames.moved(mine, theirs)):
            if before is not None and after is not None:
                if before != after:
                    yield place.change("renamed", f"attribute {before}", old=before, new=after)
                yield from _types_changed(place, f"attribute {after}", mine[before]["types"], theirs[after]["types"])
                yield from _share_changed(place, f"attribute {after}", (mine[before], old), (theirs[after], new))
            elif before is not None:
                hint = self._renames.hint(before)
                yield place.change("removed", f"attribute {before}", old=_said(mine[before], old), hint=hint)
            elif after is not None:
                yield place.change("added", f"attribute {after}", new=_said(theirs[after], new))


@dataclass(frozen=True)
class _Place:
    scope: str
    within: tuple[str, ...] = ()

    def inner(self, name: str) -> _Place:
        return _Place(self.scope, (*self.within, name))

    def change(self, kind: str, subject: str, **said: Any) -> Change:
        return _change(kind, self.scope, place=", ".join(self.within), subject=subject, **said)


_IMPACTS: Final = {
    **dict.fromkeys(("removed", "renamed", "type"), Impact.BREAKING),
    **dict.fromkeys(("added", "more"), Impact.ADDITION),
}


def _change(kind: str, scope: str, *, impact: Impact | None = None, **said: str) -> Change:
    return Change(impact=impact or _IMPACTS.get(kind, Impact.OTHER), kind=kind, scope=scope, **said)


def _words_changed(place: _Place, subject: str, old: list[str], new: list[str]) -> Iterator[Change]:
    if set(old) != set(new):
        impact = Impact.ADDITION if set(old) <= set(new) else Impact.BREAKING
        yield place.change("changed", subject, impact=impact, old=_words(old), new=_words(new))


def _types_changed(place: _Place, subject: str, old: list[str], new: list[str]) -> Iterator[Change]:
    mine, theirs = _telling(old, new), _telling(new, old)
    if mine != theirs:
        impact = Impact.BREAKING if theirs - mine else Impact.OTHER
        yield place.change("type", subject, impact=impact, old=_words(mine), new=_words(theirs))


def _telling(types: Iterable[str], others: Iterable[str]) -> set[str]:
    """Leave out the type of empty arrays if either side has other arrays: an empty one may be of their type."""
    if any(known.endswith("[]") and known != _EMPTY for known in (*types, *others)):
        return set(types) - {_EMPTY} or {known for known in others if known.endswith("[]")} - {_EMPTY}
    return set(types)


def _share_changed(place: _Place, subject: str, old: tuple[Table, Table], new: tuple[Table, Table]) -> Iterator[Change]:
    """Compare on what share of the items an attribute was seen; its count alone may have grown with the tests."""
    before, after = old[0]["seen"] * new[1]["seen"], new[0]["seen"] * old[1]["seen"]
    if before != after:
        kind = "fewer" if after < before else "more"
        yield place.change(kind, subject, old=_share(*old), new=_share(*new))


def _share(attribute: Table, whole: Table) -> str:
    return f"{attribute['seen']} of {whole['seen']}"


def _said(attribute: Table, whole: Table) -> str:
    return f"{_words(attribute['types'])}, {_share(attribute, whole)}"


def _size(scope: Table) -> str:
    return ", ".join(counted(len(scope[table]), noun) for table, noun in _TABLES.items() if scope[table]) or "nothing"


def _count(noun: str, item: Table) -> str:
    unit = "point" if noun == "metric" else noun
    return f"{counted(item['seen'], unit)}, {counted(len(item['attributes']), 'attribute')}"


def _words(words: Iterable[str]) -> str:
    return ", ".join(word or "(none)" for word in sorted(words)) or "(none)"
