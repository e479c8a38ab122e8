"""What says of a text that it is not all that there was: a mask in its place, or the length of a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmtrace._stdlib import re

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmtrace.model import SpanRecord

__all__ = ["has_mask", "is_masked", "is_masked_from", "limit_of"]

_MASK = re.compile(r"[\W_]*(redacted|masked|filtered|hidden|removed)[\W_]*|[*x•]{3,}", re.IGNORECASE)
# In a text: `[REDACTED]`, `<EMAIL_ADDRESS>`, `{{NAME}}`, `***`.
_MASKS_INSIDE = re.compile(r"(?:[\[<({]+[A-Z][A-Za-z0-9_ :-]*[\]>)}]+|[*x•]{3,})")
_SHORTEST_LIMIT = 100
_SHORTEST_BELOW_POWER = 255


def is_masked(text: str) -> bool:
    """Tell whether a text only says that there was one: `__REDACTED__`, `[redacted]`, `***`."""
    return _MASK.fullmatch(text) is not None


def has_mask(text: str) -> bool:
    """Tell whether something in a text may have been masked."""
    return _MASKS_INSIDE.search(text) is not None


def is_masked_from(text: str, whole: str) -> bool:
    """Tell whether a text is another in which something was masked: all the rest of it is there, in order."""
    first, *others = _MASKS_INSIDE.split(text)
    if not others or not whole.startswith(first) or not whole.endswith(others[-1]) or not any((first, *others)):
        return False
    at, end = len(first), len(whole) - len(others[-1])
    for part in others[:-1]:
        found = whole.find(part, at, end)
        if found == -1:
            return False
        at = found + len(part)
    return at <= end


def _is_limit(length: int) -> bool:
    """Tell whether somebody may have set a limit of that length: a round one, long enough for an answer."""
    if length < _SHORTEST_LIMIT:
        return False
    is_below_power = length >= _SHORTEST_BELOW_POWER and length & (length + 1) == 0
    return length % 100 == 0 or length % 1024 == 0 or length & (length - 1) == 0 or is_below_power


def limit_of(span: SpanRecord, others: Iterable[SpanRecord] = ()) -> int | None:
    """Return the length to which texts on a span were cut, None if none was.

    It is that of the longest, since a limit cuts all texts alike, and either its provider's limit or a round one,
    which the instrumentation has set: so it holds for what stands under the same name on its other spans.

    Args:
        span: The span.
        others: Further spans of its scope.
    """
    longest = max(_lengths(span.attributes.values()), default=0)
    if longest == span.text_limit:
        return longest
    if not _is_limit(longest):
        return None
    names = [name for name, value in span.attributes.items() if longest in _lengths((value,))]
    there = (other.attributes[name] for other in others for name in names if name in other.attributes)
    return None if any(length > longest for length in _lengths(there)) else longest


def _lengths(values: Iterable[Any]) -> Iterator[int]:
    for value in values:
        if isinstance(value, str):
            yield len(value)
        elif isinstance(value, tuple | list):
            yield from (len(item) for item in value if isinstance(item, str))
