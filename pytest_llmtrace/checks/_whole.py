"""A request and a reply that stand whole on a span: what they state, unless they are just those of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace import dialects, wire
from pytest_llmtrace.model import Call, Fact, SpanRecord
from pytest_llmtrace.reading import PRESENT
from pytest_llmtrace.secrets.json_text import parsed

__all__ = ["GIVEN", "RETURNED", "stated_whole"]

GIVEN, RETURNED = "input.value", "output.value"  # OpenInference's.

_NOTHING: Mapping[str, list[Fact]] = {}


def stated_whole(span: SpanRecord, call: Call) -> Mapping[str, list[Fact]]:
    """Return the facts that a whole request and a whole reply on a span state, by name.

    Returns:
        Nothing if there is neither, or both are those of the wire: in nearly all calls that are not streamed that is
        so, and comparing two objects takes a fraction of the time of reading their facts.
    """
    given, returned = span.attributes.get(GIVEN), span.attributes.get(RETURNED)
    if _is_of_wire(given, returned, call):
        return _NOTHING
    reading = dialects.read_whole(span)
    facts = reading.facts.values() if reading is not None else ()
    return {fact.name: [fact] for fact in facts if fact.state is PRESENT}


def _is_of_wire(given: Any, returned: Any, call: Call) -> bool:
    """Tell whether input and output are the bodies of a call; one that is not JSON states nothing and is allowed."""
    first, last = call.exchanges[0], call.exchanges[-1]
    try:
        if _is_json(given) and not _are_same(parsed(given), wire.request_body(first.request)):
            return False
        return not _is_json(returned) or _are_same(parsed(returned), wire.reply_body(last.response))
    except RecursionError:  # Nested deeper than can be compared.
        return False


def _is_json(raw: Any) -> bool:
    return isinstance(raw, str) and raw[:1] in ("{", "[")


def _are_same(mine: Any, true: Any) -> bool:
    """Tell whether two JSON values are equal apart from null and empty fields, which SDKs add or leave out."""
    if mine == true:
        return True
    if type(mine) is dict and type(true) is dict:
        return all(_are_same(mine.get(key), true.get(key)) for key in mine.keys() | true.keys())
    if type(mine) is list and type(true) is list and len(mine) == len(true):
        return all(map(_are_same, mine, true))
    return mine in _EMPTY and true in _EMPTY


_EMPTY: tuple[Any, ...] = (None, [], {}, "")
