"""The order of events.

Chunks, spans and exchanges are put in order by ticks, not by timestamps: two events may share a timestamp, and an
application may name any time it likes in `span.end(end_time=...)`.
"""

from __future__ import annotations

import itertools

__all__ = ["tick"]

_ticks = itertools.count(1)


def tick() -> int:
    """Return a number greater than all those returned before, in this process."""
    return next(_ticks)
