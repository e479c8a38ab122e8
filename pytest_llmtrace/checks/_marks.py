"""What says of a text that it is not all that there was: a mask in its place, or the length of a limit."""

from __future__ import annotations

import re

__all__ = ["is_limit", "is_masked"]

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
