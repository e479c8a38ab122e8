"""The names of a convention, ready to be looked up: whole names, families, indexed names, old names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace.conventions import Attribute, Profile, Rename

__all__ = ["Lexicon", "Sheet", "lexicon"]

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_AFTER_LAST_NUMBER = re.compile(r".*\.\d+\.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """The attributes of a span, sorted by what a convention says of their names.

    Attributes:
        known: Those that it has, with what it says of them, by name; None for an indexed one of no known type.
        old: Those that it had.
        unknown: Those that are in one of its namespaces, and in none of its tables.
        indices: Of indexed ones: each list, as `llm.input_messages`, and the indices that are there.
    """

    known: Mapping[str, Attribute | None] = field(default_factory=dict)
    old: Mapping[str, Rename] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    indices: Mapping[str, set[int]] = field(default_factory=dict)


class Lexicon:
    """Looks names up, each in constant time.

    Args:
        profile: The convention.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        named = profile.attributes.items()
        self._plain = {name: attribute for name, attribute in named if not attribute.is_family}
        self._families = {f"{name.rstrip('.')}.": attribute for name, attribute in named if attribute.is_family}
        self._family = tuple(self._families)
        self._namespaces = tuple(profile.namespaces)
        self._pattern = re.compile("|".join(f"(?:{pattern})" for pattern in profile.patterns) or r"(?!)")
        self._indexed: dict[str, Attribute | None] = {}

    def sort(self, attributes: Mapping[str, Any]) -> Sheet:
        """Sort the attributes of a span."""
        known: dict[str, Attribute | None] = {}
        old: dict[str, Rename] = {}
        unknown: list[str] = []
        indices: dict[str, set[int]] = {}
        plain, renames = self._plain, self.profile.renames
        for name in attributes:
            if type(name) is not str:
                continue
            if name in plain:
                known[name] = plain[name]
            elif name in renames:
                old[name] = renames[name]
            elif self._is_indexed(name):
                known[name] = self._indexed[_NUMBER.sub("0", name)]
                _note(name, indices)
            elif name.startswith(self._family):
                known[name] = self._families[next(family for family in self._family if name.startswith(family))]
            elif name.startswith(self._namespaces):
                unknown.append(name)
        return Sheet(known=known, old=old, unknown=tuple(unknown), indices=indices)

    def knows(self, name: str) -> bool:
        """Tell whether the convention has or had a name."""
        return (
            name in self._plain
            or name in self.profile.renames
            or self._is_indexed(name)
            or name.startswith(self._family)
        )

    def _is_indexed(self, name: str) -> bool:
        """Tell whether a name is an indexed one. Their forms are kept; there are as many as the convention has."""
        if not self.profile.patterns:
            return False
        form = _NUMBER.sub("0", name)
        if form in self._indexed:
            return True
        if form == name and not _NUMBER.search(name):
            return False
        if self._pattern.fullmatch(form) is None:
            return False
        self._indexed[form] = self._plain.get(_AFTER_LAST_NUMBER.sub("", form))
        return True


def _note(name: str, indices: dict[str, set[int]]) -> None:
    for found in _NUMBER.finditer(name):
        indices.setdefault(name[: found.start() - 1], set()).add(int(found[0][:9]))


_lexicons: dict[int, Lexicon] = {}


def lexicon(profile: Profile) -> Lexicon:
    """Return the lexicon of a profile, made once. It holds the profile, so that no other one gets its identity."""
    found = _lexicons.get(id(profile))
    if found is None:
        found = _lexicons[id(profile)] = Lexicon(profile)
    return found
