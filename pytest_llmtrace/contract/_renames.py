"""What conventions have renamed, and which name of an old contract corresponds to which name of a new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pytest_llmtrace.conventions import Profile

__all__ = ["Renames", "moved_by", "pairs"]

Table = Mapping[str, Any]


def pairs(old: Table, new: Table, moved: Mapping[str, str]) -> Iterator[tuple[str | None, str | None]]:
    """Yield a pair of old and new name for each item of either side, once; `None` where a side does not have it.

    Args:
        old: The old items, by name.
        new: The new items, by name.
        moved: Old names that are called otherwise now, each with its new name.
    """
    before = {after: name for name, after in moved.items()}
    for name in sorted({*old, *new} - set(moved)):
        yield (name if name in old else before.get(name)), (name if name in new else None)


def moved_by(old: Table, new: Table, marks: Callable[[Any], Iterable[str]]) -> dict[str, str]:
    """Pair each name that is gone with the only new one that shares a mark with it, if that fits no other gone name."""
    come: dict[str, set[str]] = {}
    for name in set(new) - set(old):
        for mark in marks(new[name]):
            of_mark = come.setdefault(mark, set())
            if len(of_mark) <= 1:  # Two are enough to be several, and thousands would be looked at thousands of times.
                of_mark.add(name)
    found = {}
    for name in set(old) - set(new):
        alike = set[str]().union(*(come.get(mark, ()) for mark in marks(old[name])))
        if len(alike) == 1:
            found[name] = alike.pop()
    claims = Counter(found.values())
    return {name: after for name, after in found.items() if claims[after] == 1}


class Renames:
    """The rename tables of several conventions.

    Args:
        profiles: The conventions.
    """

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._new: dict[str, set[str]] = {}
        self._hints: dict[str, str] = {}
        for profile in profiles:
            for name, rename in profile.renames.items():
                if rename.new:
                    self._new.setdefault(name, set()).add(rename.new)
                elif rename.hint:
                    self._hints.setdefault(name, rename.hint)

    def hint(self, name: str) -> str:
        """Return where a convention now has the information of a name without a new name; empty if it does not say."""
        return self._hints.get(name, "")

    def moved(self, old: Table, new: Table) -> dict[str, str]:
        """Return the names that are gone, each with the name that has come and to which a convention renamed it."""
        come = set(new) - set(old)
        found: dict[str, str] = {}
        for name in sorted(set(old) - set(new)):
            after = self._found(name, come)
            if after:
                found[name] = after
                come.discard(after)
        return found

    def _found(self, name: str, come: AbstractSet[str]) -> str | None:
        """Return the name that has come and to which a name was renamed, in one step or several; `None` if none has."""
        seen: set[str] = set()
        pending = [name]
        while pending:
            for new in sorted(self._new.get(pending.pop(0), set()) - seen):
                if new in come:
                    return new
                seen.add(new)
                pending.append(new)
        return None
