"""Which attributes the groups of a registry want, including those of the groups that they extend or refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pytest_llmtrace.conventions._profile import Level, Wanted

__all__ = ["Groups", "name_of"]

DEEPEST = 50
"""How many groups may extend one another in a chain; OpenTelemetry's own registry has four."""

ROOM = 1_000_000
"""How many attributes all groups may want together: ten small groups can refer to one another a billion times."""


class Groups:
    """The groups of a registry, by name.

    Args:
        refused: Makes the error for a reason.
    """

    def __init__(self, refused: Callable[[str], Exception]) -> None:
        self._refused = refused
        self._groups: dict[str, Mapping[str, Any]] = {}
        self._known: dict[str, Mapping[str, Wanted]] = {}
        self._room = ROOM
        self.imports = False
        """Whether groups may be defined in other registries, which cannot be read here."""

    def add(self, name: str, group: Mapping[str, Any]) -> None:
        """Add a group; its attributes are a list of mappings."""
        self._groups[name] = group

    def wanted(self, name: str, within: tuple[str, ...] = ()) -> Mapping[str, Wanted]:
        """Return the attributes that a group wants: first those of the groups that it is based on, then its own."""
        if name in self._known:
            return self._known[name]
        if name in within:
            raise self._refused(f"{' -> '.join((*within[within.index(name) :], name))} is circular")
        if len(within) >= DEEPEST:
            raise self._refused(f"{within[0]} extends a chain of more than {DEEPEST} groups")
        found = self._found(name, within)
        self._room -= len(found)
        if self._room < 0:
            raise self._refused(f"its references expand to more than {ROOM:,} attributes")
        self._known[name] = found
        return found

    def refuse_circles(self) -> None:
        """Refuse groups that are based on themselves, also those that no span and no metric uses."""
        bases = {name: [base for base in _bases(group) if base in self._groups] for name, group in self._groups.items()}
        try:
            TopologicalSorter(bases).prepare()
        except CycleError as error:
            raise self._refused(f"{' -> '.join(reversed(error.args[1]))} is circular") from None

    def _found(self, name: str, within: tuple[str, ...]) -> dict[str, Wanted]:
        group = self._groups.get(name)
        if group is None:
            if self.imports:
                return {}
            raise self._refused(f"{within[-1]} refers to {name!r}, which is not defined")
        found: dict[str, Wanted] = {}
        for base in _bases(group):
            found.update(self.wanted(base, (*within, name)))
        for one in group.get("attributes") or ():
            stated = name_of(one, group.get("prefix")) or one.get("ref")
            if isinstance(stated, str):
                found[stated] = self._level(one.get("requirement_level"), found.get(stated), stated)
        return found

    def _level(self, stated: Any, inherited: Wanted | None, name: str) -> Wanted:
        """Read a requirement level: a name, or a mapping of one to a condition. Without any, the level is inherited."""
        if stated is None:
            return inherited or Wanted(level=Level.RECOMMENDED)
        level, condition = next(iter(stated.items())) if isinstance(stated, Mapping) and stated else (stated, "")
        known = Level.__members__.get(level.upper()) if isinstance(level, str) else None
        if known is None:
            levels = ", ".join(level.name.lower() for level in reversed(Level))
            raise self._refused(f"{name} has the unknown requirement level {level!r:.80}; known: {levels}")
        return Wanted(level=known, condition=" ".join(condition.split()) if isinstance(condition, str) else "")


def name_of(attribute: Mapping[str, Any], prefix: Any) -> str | None:
    """Return the full name of an attribute that is defined here; `None` if it is defined elsewhere."""
    name = attribute.get("id", attribute.get("key"))
    if not isinstance(name, str):
        return None
    return f"{prefix}.{name}" if isinstance(prefix, str) and prefix else name


def _bases(group: Mapping[str, Any]) -> Iterator[str]:
    """Yield what groups a group builds on: `extends` in version 1, `ref` of a refinement, `ref_group` of attributes."""
    stated = (group.get("extends"), group.get("ref"), *(one.get("ref_group") for one in group.get("attributes") or ()))
    yield from (name for name in stated if isinstance(name, str))
