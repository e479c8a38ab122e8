"""What says of a text that it is not all that there was: a mask in its place, or the length of a limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmtrace.model import SpanRecord

__all__ = ["is_limit", "is_masked", "limit_of"]

_MASK = re.compile(r"[\W_]*(redacted|masked|filtered|hidden|removed)[\W_]*|[*x•]{3,}", re.IGNORECASE)
_SHORTEST_LIMIT = 32


def is_masked(text: str) -> bool:
    """Tell whether a text only says that there was one: `__REDACTED__`, `[redacted]`, `***`."""
    return _MASK.fullmatch(text) is not None


def is_limit(length: int) -> bool:
    """Tell whether somebody may have set a limit of that length: a round one."""
    if length < _SHORTEST_LIMIT:
        return False
    return length % 100 == 0 or length % 1024 == 0 or length & (length - 1) == 0 or length & (length + 1) == 0


def limit_of(span: SpanRecord) -> int | None:
    """Return the length to which texts on a span were cut, None if none was.

    It is that of the longest, since a limit cuts all texts alike, and either its provider's limit or a round one.
    """
    longest = max((len(value) for value in span.attributes.values() if isinstance(value, str)), default=0)
    return longest if longest == span.text_limit or is_limit(longest) else None
