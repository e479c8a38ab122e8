"""Can what a tool's span says be what the wire says, as a framework may have changed it on the way?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._marks import has_mask, is_masked
from pytest_llmtrace.checks._texts import is_cut
from pytest_llmtrace.conventions import is_number

__all__ = ["are_alike", "as_value", "is_broken_off", "is_hidden", "is_made_of", "is_other", "text_of"]

_LONGEST = 200
_ROUNDED = 0.01


def as_value(value: Any) -> Any:
    """Return the object or list that a text holds as JSON; any other value unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def is_broken_off(mine: Any, true: Any) -> bool:
    """Tell whether a text begins as the JSON of the true value, and is not JSON: its end is lost."""
    if not isinstance(mine, str) or as_value(mine) is not mine or mine.lstrip()[:1] not in ("{", "["):
        return False
    whole = true if isinstance(true, str) else json.dumps(true, ensure_ascii=False)
    forms = [_bare(whole), _bare(json.dumps(as_value(whole)))]
    return any(len(_bare(mine)) < len(form) and form.startswith(_bare(mine)) for form in forms)


def _bare(text: str) -> str:
    return "".join(text.split())


def is_hidden(value: Any, limit: int | None) -> bool:
    """Tell whether a text was masked, or cut by a limit, as far as can be seen: it is not compared."""
    return isinstance(value, str) and (is_masked(value) or has_mask(value) or is_cut(value, limit))


# --- arguments -------------------------------------------------------------------------------------------------------


def is_made_of(mine: Any, true: Any) -> bool:
    """Tell whether arguments may be those that the model gave, with defaults added, some left out, or types changed."""
    if not isinstance(mine, Mapping) or not isinstance(true, Mapping):
        return _is_same_value(mine, true)
    shared = mine.keys() & true.keys()
    if len(shared) < min(len(mine), len(true)):
        return False
    return all(_is_same_value(mine[key], true[key]) for key in shared)


def _is_same_value(mine: Any, true: Any) -> bool:
    """Tell whether a value may be another one in another type: `"3"` and 3, a text and its member of an enumeration."""
    if isinstance(mine, Mapping) and isinstance(true, Mapping):
        return is_made_of(mine, true)
    if isinstance(mine, list) and isinstance(true, list):
        return len(mine) == len(true) and all(map(_is_same_value, mine, true))
    return mine == true or _plain(mine) == _plain(true)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return re.sub(r"\W+", "", str(value)).casefold()


# --- results ---------------------------------------------------------------------------------------------------------


def text_of(value: Any) -> Any:
    """Return the text of a result that is a list of parts, each with a text; any other value unchanged.

    A list with anything else, such as an image, is None: it cannot be compared.
    """
    value = as_value(value)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return value
    texts = [part["text"] for part in value if isinstance(part, Mapping) and _is_text(part)]
    if not texts:
        return None if any(isinstance(part, Mapping) and "type" in part for part in value) else value
    return as_value("".join(texts)) if len(texts) == len(value) else None


def _is_text(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str) and part.keys() <= {"type", "text", "cache_control", "annotations"}


def are_alike(mine: Any, true: Any) -> bool:
    """Tell whether two results may be the same one: one has the other's words in it, in whatever form.

    Frameworks write a value as JSON or as Python does, put it into a sentence or a tag, or add what is to be done.
    """
    left, right = (_plain(json.dumps(value) if isinstance(value, Mapping | list) else value) for value in (mine, true))
    return left in right or right in left or set(_words(mine)) == set(_words(true))


def is_other(mine: Any, true: Any) -> bool:
    """Tell whether two results are surely not the same one.

    Both are objects with the same keys, and a number or a text differs; or both are short texts that share no word.
    """
    if isinstance(mine, Mapping) and isinstance(true, Mapping):
        return mine.keys() == true.keys() and any(_is_another(mine[key], true[key]) for key in mine)
    return isinstance(mine, str) and isinstance(true, str) and _is_another(mine, true)


def _is_another(mine: Any, true: Any) -> bool:
    """Tell whether a value is another one, whatever form each has: a time has many, and a number may be rounded."""
    if isinstance(mine, Mapping) and isinstance(true, Mapping):
        return is_other(mine, true)
    if is_number(mine) and is_number(true):
        return not math.isclose(mine, true, rel_tol=_ROUNDED)
    if not isinstance(mine, str) or not isinstance(true, str) or max(len(mine), len(true)) > _LONGEST:
        return False
    words, others = set(_words(mine)), set(_words(true))
    return bool(words and others) and words.isdisjoint(others) and not is_masked(true) and not has_mask(true)


def _words(value: Any) -> Iterator[str]:
    open_ = [value]
    while open_:
        item = open_.pop()
        if isinstance(item, Mapping):
            open_ += [*item, *item.values()]
        elif isinstance(item, list):
            open_ += item
        else:
            yield from re.findall(r"\w+", str(item).casefold())
