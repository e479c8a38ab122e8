"""How values and places are written in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from pytest_llmtrace._lines import counted
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Exchange, Fact, SpanRecord
from pytest_llmtrace.secrets.shapes import masked

__all__ = [
    "attribute_of",
    "dropped",
    "error_in_words",
    "first_of",
    "is_on",
    "more_spans",
    "place_of",
    "place_of_exchange",
    "said",
    "shown",
]

_LONGEST = 80
_MOST = 6
_SECRET = 400  # characters behind the cut that are searched for secrets too, since half of one is not recognised
_WIDEST = 256  # bits; above, a number is hostile, and Python may refuse to write it


def shown(value: Any, deepest: int = 4) -> str:
    """Write a value: texts in quotes, long ones cut, with their length; what is nested too deep is left out.

    What looks like a secret is masked: reports are kept and sent around.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and value.bit_length() > _WIDEST:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, Mapping | list | tuple) and deepest == 0:
        return "..."
    if isinstance(value, Mapping):
        pairs = [f"{shown(key, 0)}: {shown(item, deepest - 1)}" for key, item in islice(value.items(), _MOST)]
        return f"{{{', '.join(pairs)}{_more(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(item, deepest - 1) for item in value[:_MOST])}{_more(value)}]"
    return _cut(repr(value))


def said(fact: Fact, noun: str) -> str:
    """Write a fact as `key = value`; a sum with its parts: `a 1 + b 2 = 3`."""
    numbers = [(key, value) for key, value in fact.parts if is_number(value)]
    if len(numbers) == len(fact.parts) > 1 and is_number(fact.value):
        return f"{' + '.join(f'{key} {shown(value)}' for key, value in numbers)} = {shown(fact.value)}"
    return f"{_keys(fact) or noun} = {shown(fact.value)}"


def place_of(fact: Fact, exchange: Exchange) -> str:
    """Name where a fact of the wire was looked for."""
    return fact.where or place_of_exchange(exchange)


def place_of_exchange(exchange: Exchange) -> str:
    """Name an exchange by what answered it."""
    return f"{exchange.origin}, exchange {exchange.index}"


def dropped(span: SpanRecord) -> str:
    """Say what to do if a span may lack attributes because its provider dropped some; empty if it dropped none."""
    count = span.dropped.attributes
    if not count:
        return ""
    return (
        f"raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: the provider dropped {counted(count, 'attribute')}, the oldest first"
    )


def first_of(lines: Sequence[str], most: int) -> Sequence[str]:
    """Return the lines; if there are more than `most`, only the first, and a line that counts the others."""
    return [*lines[:most], f"and {len(lines) - most} more"] if len(lines) > most else lines


def more_spans(number: int) -> Sequence[str]:
    """Say, in no line or one, how many spans have the same fault beside the one that a finding is about."""
    return (f"and {number:,} more {'span' if number == 1 else 'spans'} of this name and scope",) if number else ()


def attribute_of(fact: Fact) -> str:
    """Name the attribute, or the flattened list, that holds a fact: what is before the first index of its key."""
    return fact.keys.partition("*")[0].partition("[")[0]


def is_on(fact: Fact, span: SpanRecord) -> bool:
    """Tell whether a fact was read from the span itself, and not from a note beside it."""
    return fact.where == f"span {span.name!r}"


def error_in_words(error: Mapping[str, Any]) -> str:
    """Write an error of the wire: `429 rate_limit_error 'Slow down'`."""
    named = [str(error[key]) for key in ("status", "type", "code") if error.get(key) not in (None, "")]
    unique = list(dict.fromkeys(named))
    message = error.get("message")
    return " ".join([*map(_cut, unique), *([shown(message)] if message else [])]) or "an error without a message"


def _keys(fact: Fact) -> str:
    keys = [key for key, _ in fact.parts]
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")  # noqa: PLR2004


def _text(value: str) -> str:
    if len(value) <= _LONGEST:
        return repr(masked(value))
    return f"{masked(value[: _LONGEST + _SECRET])[:_LONGEST]!r}... ({len(value):,} characters)"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _more(value: Any) -> str:
    return f", and {len(value) - _MOST} more" if len(value) > _MOST else ""
