"""What is wrong with the attributes of a span that hold JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_llmtrace.checks._lexicon import Sheet
from pytest_llmtrace.checks._marks import is_limit, is_masked
from pytest_llmtrace.checks._structure import FORMS, Fault, faults

__all__ = ["Broken", "broken"]

# A model writes them, and may write no JSON; whoever repeats it tells the truth.
_BY_MODELS = ("arguments", "arguments_json", "function_call")
_OTEL = "otel-genai"
_JSON = ("json",)
_MOST = 20
"""Faults of one attribute that are looked for: a long history may repeat one for ever."""
_REPEATED = 4_000
"""Characters. Shorter texts are kept with what is known of them: instructions and tools are the same on many spans."""


class Broken(NamedTuple):
    """A fault of an attribute."""

    name: str
    where: str
    what: str
    is_fatal: bool


def broken(
    attributes: Mapping[str, Any], sheet: Sheet, convention: str, limit: int | None = None
) -> list[Broken] | None:
    """Look at all attributes that hold JSON; None if there are none.

    Args:
        attributes: Of a span.
        sheet: The same, sorted.
        convention: Their convention.
        limit: The length to which texts were cut, None if that is not known.
    """
    texts = [name for name in _held(sheet, convention) if name in FORMS or isinstance(attributes[name], str)]
    return [found for name in texts for found in _found(name, attributes[name], limit)] if texts else None


@lru_cache(maxsize=256)
def _held(sheet: Sheet, convention: str) -> tuple[str, ...]:
    """Return which of the attributes hold JSON."""
    # Others fill OTel's names in ways of their own.
    held = [name for name in FORMS if name in sheet.known] if convention == _OTEL else []
    json = [name for name, one in sheet.known.items() if one is not None and one.types == _JSON]
    return (*held, *(name for name in json if not name.endswith(_BY_MODELS)))


def _found(name: str, value: Any, limit: int | None) -> Iterable[Broken]:
    if type(value) is str and len(value) == limit:
        return ()  # What was cut is no JSON any more.
    return _found_in_text(name, value) if type(value) is str and len(value) <= _REPEATED else _faults(name, value)


@lru_cache(maxsize=512)
def _found_in_text(name: str, value: str) -> tuple[Broken, ...]:
    return tuple(_faults(name, value))


def _faults(name: str, value: Any) -> Iterator[Broken]:
    parsed = value
    if isinstance(value, str):
        if is_masked(value) or is_limit(len(value)):
            return  # Masked or cut on purpose.
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            yield Broken(name, name, f"is no JSON: {reason[0].lower()}{reason[1:]}", is_fatal=True)
            return
    found: Iterator[Fault] = faults(name, parsed) if name in FORMS else iter(())
    for number, (where, what, is_fatal) in enumerate(found):
        if number == _MOST:
            return
        yield Broken(name, where, what, is_fatal)
