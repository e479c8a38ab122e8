"""Does a span define each tool as the request does: what it is for (description), and what it takes (parameters)?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_mask, is_masked, limit_of
from pytest_llmtrace.checks._replies import listed
from pytest_llmtrace.checks._spaces import bare
from pytest_llmtrace.checks._texts import apart, is_cut, is_same
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Fact

__all__ = ["defined", "defined_later"]

_LONGEST = 40
"""The longest key, in characters, that a path has as `.key`; a longer one stands there in brackets and quotes."""

_SHORT = 60
"""The longest text, in characters, that a finding shows whole; of longer ones it shows the place where they diverge."""


class _Part(NamedTuple):
    """A part of a tool's definition that both sides have, or a value within that part.

    Attributes:
        path: The steps that lead from that part of the definition to the value.
        mine: What the span has there.
        true: What the request has there.
    """

    path: str
    mine: Any
    true: Any


_Known = Mapping[str, Mapping[str, tuple[str, Any]]]
"""The tools that were sent, by name: for each part of the definition, the request's field and its value."""


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
    """Compare with what was said later about the same call; a tool that is not defined there is a difference, too."""
    known = _known(other)
    return defined(mine, other, account) if all(known.get(tool["name"]) for tool in _named(mine)) else Difference()


def _named(fact: Fact) -> list[Mapping[str, Any]]:
    return [tool for tool in listed(fact.value) if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)]


def _known(true: Fact) -> _Known:
    known: dict[str, Mapping[str, tuple[str, Any]]] = {}
    keys = (key for key, _ in true.parts)
    for tool in true.value:
        parts = {part: (next(keys, part), tool[part]) for part in tool if part != "name"}
        known[tool["name"]] = {} if tool["name"] in known else parts  # Of several with one name, any may be meant.
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
    """Return the first place where two parts differ, None if they agree: what only one of them has is not a difference.

    Args:
        part: The two values, and where they stand.
        limit: The limit of the span, as `limit_of` returns it.
        named: Whether the keys are names of parameters: a parameter that only the span has is a difference.
    """
    mine, true = part.mine, part.true
    if mine == true or mine in (None, ""):
        return None
    if isinstance(mine, Mapping) and isinstance(true, Mapping):
        return _apart_in(part, limit, named=named)
    if isinstance(mine, list | tuple) and isinstance(true, list | tuple):
        return _apart_among(part, limit)
    if isinstance(mine, str):
        same = _is_same_text(mine, true, limit) if isinstance(true, str) else is_masked(mine)
        return None if same or is_mask(mine) else part
    return part


def _is_same_text(mine: str, true: str, limit: int | None) -> bool:
    """Tell whether two texts are the same apart from white space: descriptions come from docstrings, with indents."""
    return bare(mine) == bare(true) or is_same(mine, true, limit)


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
    """Compare two lists: schemas one by one, plain values in any order."""
    path, mine, true = part
    if all(isinstance(value, str | int | float | None) for value in (*mine, *true)):
        is_partial = any(isinstance(value, str) and (is_mask(value) or is_cut(value, limit)) for value in mine)
        if is_partial or set(mine) == set(true):
            return None
        # Findings show only the beginning of a long list, so what differs goes first.
        return _Part(path, sorted(mine, key=set(true).__contains__), sorted(true, key=set(mine).__contains__))
    if len(mine) != len(true):
        return part
    pairs = enumerate(zip(mine, true, strict=True))
    inner = (_apart(_Part(f"{path}[{number}]", *pair), limit) for number, pair in pairs)
    return next((found for found in inner if found is not None), None)


def _step(key: Any) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() and len(key) <= _LONGEST else f"[{shown(key)}]"
