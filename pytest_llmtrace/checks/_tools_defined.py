"""Does a span show the tools that a request offers as they are defined there: what each is for, and what it takes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_mask, is_masked, limit_of
from pytest_llmtrace.checks._replies import listed
from pytest_llmtrace.checks._texts import apart, is_cut, is_same
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Fact

__all__ = ["defined", "defined_later"]

_LONGEST = 40
"""Characters of a step that stands in a path as it is."""

_SHORT = 60
"""Characters of two texts that are told whole, and not from shortly before they part."""


class _Part(NamedTuple):
    """A part of a definition that both sides have, or one of its parts.

    Attributes:
        path: The steps from that part of the definition on.
        mine: What the span has there.
        true: What the request has there.
    """

    path: str
    mine: Any
    true: Any


_Known = Mapping[str, Mapping[str, tuple[str, Any]]]
"""What was sent: by the name of a tool, the field and the value of each part of its definition."""


def defined(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the definition of each tool, as far as both sides have it, with that of a tool of the same name."""
    try:
        if mine.value == true.value:
            return None
        known = _known(true)
        difference = _difference(mine, known, None)
        limit = None if difference is None else limit_of(account.span, account.of_scope)
        return difference if limit is None else _difference(mine, known, limit)
    except RecursionError:
        return None  # Nested deeper than can be compared: not known to differ.


def defined_later(mine: Fact, other: Fact, account: Account) -> Difference | None:
    """Compare with what was said later of the same call, as a judge that is not content with other tools."""
    known = _known(other)
    return defined(mine, other, account) if all(known.get(tool["name"]) for tool in _named(mine)) else Difference()


def _named(fact: Fact) -> list[Mapping[str, Any]]:
    return [tool for tool in listed(fact.value) if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)]


def _known(true: Fact) -> _Known:
    known: dict[str, Mapping[str, tuple[str, Any]]] = {}
    keys = (key for key, _ in true.parts)
    for tool in true.value:
        parts = {part: (next(keys, part), tool[part]) for part in tool if part != "name"}
        known[tool["name"]] = {} if tool["name"] in known else parts  # Of several nobody knows which one is meant.
    return known


def _difference(mine: Fact, known: _Known, limit: int | None) -> Difference | None:
    for tool in _named(mine):
        for part, (key, true) in known.get(tool["name"], {}).items():
            found = _apart(_Part("", tool.get(part), true), limit)
            if found is not None:
                return _told(f"{mine.keys}[{shown(tool['name'])}].{part}{found.path}", f"{key}{found.path}", found)
    return None


def _told(place: str, key: str, found: _Part) -> Difference:
    if isinstance(found.mine, str) and isinstance(found.true, str) and max(map(len, found[1:])) > _SHORT:
        difference = apart(Fact(name="", parts=((place, None),)), found.mine, found.true)
        return Difference(span=difference.span, wire=f"{key}: {difference.wire}")
    return Difference(span=f"{place}: {shown(found.mine)}", wire=f"{key}: {shown(found.true)}")


# --- what both sides have --------------------------------------------------------------------------------------------


def _apart(part: _Part, limit: int | None, *, named: bool = False) -> _Part | None:
    """Return where two parts differ first, None if nowhere: what only one of them has is no difference.

    Args:
        part: What is compared.
        limit: What `limit_of` says of the span.
        named: Whether these are the parameters by their names, of which the span has no others.
    """
    mine, true = part.mine, part.true
    if mine == true or mine in (None, ""):
        return None
    if isinstance(mine, Mapping) and isinstance(true, Mapping):
        return _apart_in(part, limit, named=named)
    if isinstance(mine, list | tuple) and isinstance(true, list | tuple):
        return _apart_among(part, limit)
    if isinstance(mine, str):
        same = is_same(mine, true, limit) if isinstance(true, str) else is_masked(mine)
        return None if same or is_mask(mine) else part
    return part


def _apart_in(part: _Part, limit: int | None, *, named: bool) -> _Part | None:
    path, mine, true = part
    for key, value in mine.items():
        if key in true:
            inner = _Part(f"{path}{_step(key)}", value, true[key])
            found = _apart(inner, limit, named=key == "properties" and not named)
        else:
            found = _Part(path, [key], [*true]) if named and not is_mask(key) else None
        if found is not None:
            return found
    return None


def _apart_among(part: _Part, limit: int | None) -> _Part | None:
    """Compare lists: of schemas one by one, of values whatever their order."""
    path, mine, true = part
    if all(isinstance(value, str | int | float | None) for value in (*mine, *true)):
        is_partial = any(isinstance(value, str) and (is_mask(value) or is_cut(value, limit)) for value in mine)
        if is_partial or set(mine) == set(true):
            return None
        # Long lists are told by their beginning.
        return _Part(path, sorted(mine, key=set(true).__contains__), sorted(true, key=set(mine).__contains__))
    if len(mine) != len(true):
        return part
    pairs = enumerate(zip(mine, true, strict=True))
    inner = (_apart(_Part(f"{path}[{number}]", *pair), limit) for number, pair in pairs)
    return next((found for found in inner if found is not None), None)


def _step(key: Any) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() and len(key) <= _LONGEST else f"[{shown(key)}]"
