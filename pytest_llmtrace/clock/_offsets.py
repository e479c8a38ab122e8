"""Offsets: the recorded moments at which the chunks of a reply came."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

__all__ = ["flaw"]


def flaw(offsets: Sequence[float] | None, chunks: int) -> str | None:
    """Return, as a clause, why offsets do not tell when each of `chunks` chunks came; None if they do."""
    if offsets is None:
        return "the times of its chunks were not recorded, or its body was edited since" if chunks else None
    if len(offsets) != chunks:
        return f"it has {len(offsets)} offsets for {chunks} chunks"
    if not all(math.isfinite(offset) and offset >= 0 for offset in offsets):
        return "one of its offsets is negative or not finite"
    if any(later < earlier for earlier, later in itertools.pairwise(offsets)):
        return "its offsets go backwards"
    return None
