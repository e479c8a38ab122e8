"""The facts of one reading while they are collected: each value, the type that it must have, and where it stood."""

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
    """The type of `MISSING`, which stands for a field that is not there: neither a value nor null."""


MISSING = _Missing()


class Misfit(ValueError):
    """A value does not have the type that its field must have; the message becomes the note of the unreadable fact.

    Attributes:
        value: The value in the field.
    """

    def __init__(self, note: str, value: Any = None) -> None:
        super().__init__(note)
        self.value = value


class Spot(NamedTuple):
    """One place on the wire, and the value that stood there.

    Attributes:
        value: The parsed value; `MISSING` if there is no such field, a `Misfit` if something on the path to it has the
            wrong type.
        key: The field, as the wire spells it.
        where: What the field belongs to, such as `response body`.
    """

    value: Any
    key: str
    where: str


placed: Callable[[tuple[Any, str, str]], Spot] = partial(tuple.__new__, Spot)
"""Make a `Spot` from a tuple in half the time of its constructor, as `reading.made` does for a `Fact`."""


class _Places(dict[str, str]):
    """The places of one exchange, as reports name them. The facts of a place share one text, since many are kept."""

    def __init__(self, stem: str) -> None:
        super().__init__()
        self.stem = stem

    def __missing__(self, what: str) -> str:
        place = self[what] = f"{self.stem}, {what}"
        return place


class Facts:
    """The facts of one reading, by name, while the reading is made.

    Attributes:
        at: Place within the exchange, such as `response body` -> its full name in reports.
        found: The facts that have been stated: present, null or unreadable.
        missing: Where each absent fact would stand; facts that are in `found` may be in here too.
        again: The facts of the request that the response repeats.
    """

    def __init__(self, stem: str) -> None:
        self.found: dict[str, Fact] = {}
        self.missing: dict[str, str] = {}
        self.again: list[Fact] = []
        self.at = _Places(stem)

    def go_on_in(self, stem: str) -> None:
        """Name another exchange as the place of all facts that are stated from here on."""
        self.at = _Places(stem)

    def column(self, name: str, values: list[Any], key: str, where: str) -> None:
        """State a fact whose value is a list with one item for each choice.

        Args:
            name: The name of the fact.
            values: The value in each choice; `None`, `MISSING` and a `Misfit` mean the same as in a `Spot`.
            key: The field, with `[]` in the place of the choice's number.
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
        """State a fact from the first spot that holds a value; if none does, state it as unreadable, null or absent."""
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
        """State a fact for which no spot holds a value: as unreadable, else null, else absent."""
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
        """State a fact that is derived from the value of a spot, such as a text from a list of content blocks.

        Args:
            name: The name of the fact.
            kind: Derives the fact's value; returns `MISSING` if the spot's value does not hold it, or raises `Misfit`.
            spot: The spot whose value is used.
            key: The fields that hold the fact, as the wire spells them.
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
        """State a fact that is present."""
        self.found[name] = made((name, value, PRESENT, parts, self.at[where], ""))

    def repeat(self, name: str, kind: Callable[[Any], Any], spot: Spot) -> None:
        """State that a response repeats a fact of its request; ignore a missing value or one of the wrong type."""
        with suppress(Misfit):
            value = kind(spot.value)
            self.again.append(made((name, value, PRESENT, ((spot.key, spot.value),), self.at[spot.where], "")))

    def null(self, name: str, parts: tuple[tuple[str, Any], ...], where: str) -> None:
        """State that null stood where the fact would be."""
        self.found[name] = Fact(name, None, NULL, parts, self.at[where])

    def absent(self, name: str, where: str) -> None:
        """State that the fact is absent, and where it would stand."""
        self.missing[name] = self.at[where]

    def expect(self, names: Iterable[str], where: str) -> None:
        """State that several facts are absent unless they are stated otherwise."""
        self.missing.update(dict.fromkeys(names, self.at[where]))

    def unreadable(self, name: str, note: str, where: str, parts: tuple[tuple[str, Any], ...] = ()) -> None:
        """State that the fact cannot be read, and why."""
        self.found[name] = Fact(name, None, UNREADABLE, parts, self.at[where], note)


def shown(value: Any) -> str:
    """Return a short text that names a value in a note, however long or deep the value is."""
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


# --- The types that a field can have: each function returns the fact's value, or raises Misfit -----------------------


def anything(value: Any) -> Any:
    """Return the value, whatever its type."""
    return value


def text(value: Any) -> str:
    """Return the value, which must be a text."""
    if isinstance(value, str):
        return value
    raise Misfit(f"{shown(value)} is not a string", value)


def flag(value: Any) -> bool:
    """Return the value, which must be true or false."""
    if isinstance(value, bool):
        return value
    raise Misfit(f"{shown(value)} is neither true nor false", value)


def number(value: Any) -> float | int:
    """Return the value, which must be a finite number, unchanged."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misfit(f"{shown(value)} is not a number", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit(f"{shown(value)} is not a finite number", value)
    return value


def count(value: Any) -> int:
    """Return the value as a whole number from 0 to below 2**63: 12.0 is accepted, 12.5 and "12" are not."""
    if type(value) is int and 0 <= value < _LARGEST_COUNT:
        return value
    whole = number(value)
    if isinstance(whole, float):
        if not whole.is_integer():
            raise Misfit(f"{shown(value)} is not a whole number", value)
        whole = int(whole)
    if not 0 <= whole < _LARGEST_COUNT:
        raise Misfit(f"{shown(value)} is out of range for a count", value)
    return whole


def integer(value: Any) -> int:
    """Return the value as a whole number of either sign."""
    whole = number(value)
    if isinstance(whole, float):
        if not whole.is_integer():
            raise Misfit(f"{shown(value)} is not a whole number", value)
        whole = int(whole)
    return whole


def texts(value: Any) -> list[str]:
    """Return the value, a text or a list of texts, as a list."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text(item) for item in value]
    raise Misfit(f"{shown(value)} is neither a string nor a list of strings", value)
