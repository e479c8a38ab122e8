"""The names of a convention, ready to be looked up: whole names, families, indexed names, old names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.conventions import Attribute, Profile, Rename, has_type

__all__ = ["Lexicon", "Sheet", "lexicon"]

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_AFTER_LAST_NUMBER = re.compile(r".*\.\d+\.")
_KEPT = 4_096
"""How many indexed names of one convention are cached."""
_SHAPES = 64
"""How many combinations of value types are cached for one list of names."""
_MOST = 128
"""Up to this many attributes are sorted once for all spans with the same names; it is OpenTelemetry's own limit."""
_DIGITS = 9
"""How many digits of an index are read; a longer index is hostile."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """The attributes of a span, sorted by what a convention says of their names; spans with the same names share one.

    Attributes:
        known: The attributes that the convention has, with what it says of them, by name; None for an indexed name
            whose type it does not give.
        old: The attributes that the convention no longer has, by name.
        unknown: The names that are in one of the convention's namespaces, and in none of its tables.
        indices: The lists that indexed names belong to, as `llm.input_messages`, each with the indices that are there.
        listed: The known attributes for which the convention lists values, in the order of their names.
        names: All names.
        chosen: A cache of the rules that were chosen for spans with these names; it grows.
    """

    known: Mapping[str, Attribute | None] = field(default_factory=dict)
    old: Mapping[str, Rename] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    indices: Mapping[str, set[int]] = field(default_factory=dict)
    listed: tuple[Attribute, ...] = ()
    names: frozenset[str] = frozenset()
    chosen: dict[Any, Any] = field(default_factory=dict)
    _doubtful: dict[tuple[type, ...], tuple[str, ...]] = field(default_factory=dict)

    def doubtful(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the known attributes that may not have the type that the convention gives them.

        Whether a list has the right type depends on its elements; for all other values it depends on their Python types
        alone, and most spans have the same types.
        """
        types = tuple(map(type, attributes.values()))
        found = self._doubtful.get(types)
        if found is None:
            found = tuple(name for name, one in self.known.items() if one and _is_doubtful(attributes[name], one))
            if len(self._doubtful) < _SHAPES:
                self._doubtful[types] = found
        return found

    @lazy
    def renamed(self) -> frozenset[str]:
        """The new names of the attributes that the convention no longer has."""
        return frozenset(rename.new for rename in self.old.values() if rename.new)


def _is_doubtful(value: Any, attribute: Attribute) -> bool:
    return isinstance(value, list | tuple) or not has_type(value, attribute.types)


class _Indexed(NamedTuple):
    """An indexed name: what its convention says of it, and the lists that it belongs to, each with its index there."""

    attribute: Attribute | None
    places: tuple[tuple[str, int], ...]


class Lexicon:
    """The names of a convention, each looked up in constant time.

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
        self._forms: dict[str, Attribute | None] = {}
        self._indexed: dict[str, _Indexed] = {}
        self.closed = frozenset(name for name, one in named if one.values and not one.is_open)
        self._listed = frozenset(name for name, one in named if one.values)
        self._sheet = lru_cache(maxsize=256)(self._sorted)

    def sort(self, attributes: Mapping[str, Any]) -> Sheet:
        """Sort the attributes of a span."""
        # A key that only equals a text, as a member of an enumeration may, is skipped, and must not hit the cache.
        is_plain = len(attributes) <= _MOST and {str}.issuperset(map(type, attributes))
        return (self._sheet if is_plain else self._sorted)(tuple(attributes))

    def _sorted(self, attributes: tuple[str, ...]) -> Sheet:
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
            elif (indexed := self._find_indexed(name)) is not None:
                known[name] = indexed.attribute
                for prefix, index in indexed.places:
                    indices.setdefault(prefix, set()).add(index)
            elif name.startswith(self._family):
                known[name] = self._families[next(family for family in self._family if name.startswith(family))]
            elif name.startswith(self._namespaces):
                unknown.append(name)
        listed = tuple(plain[name] for name in sorted(self._listed.intersection(known)))
        names, others = frozenset(attributes), tuple(unknown)
        return Sheet(known=known, old=old, unknown=others, indices=indices, listed=listed, names=names)

    def knows(self, name: str) -> bool:
        """Tell whether the convention has or had a name."""
        return (
            name in self._plain
            or name in self.profile.renames
            or self._find_indexed(name) is not None
            or name.startswith(self._family)
        )

    def _find_indexed(self, name: str) -> _Indexed | None:
        """Take an indexed name apart; None if a name is not indexed. Spans repeat names, so results are cached."""
        if not self.profile.patterns:
            return None
        known = self._indexed.get(name)
        if known is not None:
            return known
        form = _NUMBER.sub("0", name)
        if form not in self._forms:
            if self._pattern.fullmatch(form) is None:
                return None
            self._forms[form] = self._plain.get(_AFTER_LAST_NUMBER.sub("", form))
        places = tuple((name[: number.start() - 1], int(number[0][:_DIGITS])) for number in _NUMBER.finditer(name))
        found = _Indexed(self._forms[form], places)
        if len(self._indexed) < _KEPT:
            self._indexed[name] = found
        return found


@lru_cache(maxsize=64)
def lexicon(profile: Profile) -> Lexicon:
    """Return the lexicon of a convention, made once."""
    return Lexicon(profile)
