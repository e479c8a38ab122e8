"""Facts while they are gathered: each look-up says what stood there, of which type it had to be, and where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from pytest_llmtrace.reading import NULL, PRESENT, UNREADABLE, Fact, made

__all__ = [
    "MISSING",
    "Facts",
    "Misfit",
    "Spot",
    "anything",
    "count",
    "flag",
    "integer",
    "number",
    "placed",
    "shown",
    "text",
    "texts",
]

_SHOWN = 40
_LARGEST_COUNT = 2**63


class _Missing:
    """Nothing stood there: neither a value nor a null."""


MISSING = _Missing()


class Misfit(ValueError):
    """A value is not of the type that its field must have; the text is the clause of a fact's note.

    Attributes:
        value: What stood in the field.
    """

    def __init__(self, note: str, value: Any = None) -> None:
        super().__init__(note)
        self.value = value


class Spot(NamedTuple):
    """What stood in one place.

    Attributes:
        value: As parsed; `MISSING` where there was no such field, a `Misfit` where something on the way to it had the
            wrong type.
        key: The field, as the wire spells it.
        where: What the field belongs to.
    """

    value: Any
    key: str
    where: str


placed: Callable[[tuple[Any, str, str]], Spot] = partial(tuple.__new__, Spot)
"""Make a spot in half the time, as `reading.made` does a fact."""


class _Places(dict[str, str]):
    """The places of one exchange, in a report's words. One text for all facts of a place: they are many, and kept."""

    def __init__(self, stem: str) -> None:
        super().__init__()
        self.stem = stem

    def __missing__(self, what: str) -> str:
        place = self[what] = f"{self.stem}, {what}"
        return place


class Facts:
    """The facts of one reading, by name, while it is made.

    Attributes:
        at: Names a place of the exchange that is read, for people.
        found: What is there.
        missing: Where each would be that is not there; those that are may be in here too.
        again: What a response repeats of its request.
    """

    def __init__(self, stem: str) -> None:
        self.found: dict[str, Fact] = {}
        self.missing: dict[str, str] = {}
        self.again: list[Fact] = []
        self.at = _Places(stem)

    def go_on_in(self, stem: str) -> None:
        """Take what is stated from here on from another exchange."""
        self.at = _Places(stem)

    def column(self, name: str, values: list[Any], key: str, where: str) -> None:
        """State a fact that is a list by choice, from what stood in each.

        Args:
            name: The fact.
            values: By choice; None, `MISSING` and a `Misfit` as in a `Spot`.
            key: The field, with `[]` for the number of the choice.
            where: As in a `Spot`.
        """
        found = [None if value is MISSING else value for value in values]
        key = key.replace("[]", "[0]") if len(values) == 1 else key
        parts = ((key, found[0] if len(found) == 1 else found),)
        misfit = next((value for value in values if isinstance(value, Misfit)), None)
        if misfit is not None:
            self.unreadable(name, str(misfit), where, ((key, misfit.value),))
        elif any(value is not None for value in found):
            self.put(name, found, parts, where)
        elif any(value is None for value in values):
            self.null(name, ((key, None),), where)
        else:
            self.absent(name, where)

    def take(self, name: str, kind: Callable[[Any], Any], spots: Sequence[Spot]) -> None:
        """State a fact from the first of several spots at which something stands."""
        for value, key, where in spots:
            if value is MISSING or value is None or isinstance(value, Misfit):
                continue
            try:
                self.found[name] = made((name, kind(value), PRESENT, ((key, value),), self.at[where], ""))
            except Misfit as misfit:
                self.unreadable(name, str(misfit), where, ((key, value),))
            return
        self._lack(name, spots)

    def _lack(self, name: str, spots: Sequence[Spot]) -> None:
        """State that at none of several spots something stands that could be the fact."""
        for value, key, where in spots:
            if isinstance(value, Misfit):
                self.unreadable(name, str(value), where, ((key, value.value),))
                return
        for value, key, where in spots:
            if value is None:
                self.null(name, ((key, None),), where)
                return
        self.absent(name, next((where for _, _, where in spots if where), ""))

    def derive(self, name: str, kind: Callable[[Any], Any], spot: Spot, key: str) -> None:
        """State a fact that is made of what a spot holds; `kind` returns `MISSING` where there is nothing of it.

        Args:
            name: The fact.
            kind: As for `take`.
            spot: What holds it.
            key: The fields that it is made of, as the wire spells them.
        """
        if spot.value is MISSING or spot.value is None or isinstance(spot.value, Misfit):
            self.take(name, kind, [spot])
            return
        try:
            value = kind(spot.value)
        except Misfit as misfit:
            self.unreadable(name, str(misfit), spot.where, ((key, misfit.value),))
            return
        if value is MISSING:
            self.absent(name, spot.where)
        else:
            self.put(name, value, ((key, value),), spot.where)

    def put(self, name: str, value: Any, parts: tuple[tuple[str, Any], ...], where: str) -> None:
        """State a fact that was there to be read."""
        self.found[name] = made((name, value, PRESENT, parts, self.at[where], ""))

    def repeat(self, name: str, kind: Callable[[Any], Any], spot: Spot) -> None:
        """State that a response repeats a fact of its request; what is no such value says nothing."""
        with suppress(Misfit):
            value = kind(spot.value)
            self.again.append(made((name, value, PRESENT, ((spot.key, spot.value),), self.at[spot.where], "")))

    def null(self, name: str, parts: tuple[tuple[str, Any], ...], where: str) -> None:
        """State that null stood where the fact would be."""
        self.found[name] = Fact(name, None, NULL, parts, self.at[where])

    def absent(self, name: str, where: str) -> None:
        """State that the fact is not there."""
        self.missing[name] = self.at[where]

    def expect(self, names: Iterable[str], where: str) -> None:
        """State of several facts that they are not there, unless they are stated."""
        self.missing.update(dict.fromkeys(names, self.at[where]))

    def unreadable(self, name: str, note: str, where: str, parts: tuple[tuple[str, Any], ...] = ()) -> None:
        """State that something stood there that is not what it must be."""
        self.found[name] = Fact(name, None, UNREADABLE, parts, self.at[where], note)


def shown(value: Any) -> str:
    """Name a value in a note, however long or deep it is."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"{value[:_SHOWN]!r}..."
    said = repr(value)
    return said if len(said) <= _SHOWN or isinstance(value, str) else f"{said[:_SHOWN]}..."


# --- The types that a field can have: each returns the fact's value, or raises Misfit. --------------------------------


def anything(value: Any) -> Any:
    """Take a value of whatever type."""
    return value


def text(value: Any) -> str:
    """Take a text."""
    if isinstance(value, str):
        return value
    raise Misfit(f"{shown(value)} is no text", value)


def flag(value: Any) -> bool:
    """Take true or false."""
    if isinstance(value, bool):
        return value
    raise Misfit(f"{shown(value)} is neither true nor false", value)


def number(value: Any) -> float | int:
    """Take a finite number, as it stands."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misfit(f"{shown(value)} is no number", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit(f"{shown(value)} is no finite number", value)
    return value


def count(value: Any) -> int:
    """Take a whole number from 0 on that a counter can hold; 12.0 is one, 12.5 and "12" are none."""
    if type(value) is int and 0 <= value < _LARGEST_COUNT:
        return value
    whole = number(value)
    if isinstance(whole, float):
        if not whole.is_integer():
            raise Misfit(f"{shown(value)} is no whole number", value)
        whole = int(whole)
    if not 0 <= whole < _LARGEST_COUNT:
        raise Misfit(f"{shown(value)} is no count", value)
    return whole


def integer(value: Any) -> int:
    """Take a whole number of either sign."""
    whole = number(value)
    if isinstance(whole, float):
        if not whole.is_integer():
            raise Misfit(f"{shown(value)} is no whole number", value)
        whole = int(whole)
    return whole


def texts(value: Any) -> list[str]:
    """Take a text or a list of texts, as a list."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text(item) for item in value]
    raise Misfit(f"{shown(value)} is neither a text nor a list of texts", value)
