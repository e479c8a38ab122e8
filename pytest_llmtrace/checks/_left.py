"""What was prepared for a test and not used: replies, faults, and times."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Leftover", "Untimed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """Replies of one cassette, gateway or router that no request asked for; or faults that never happened.

    `why` replaces the reason that `replay/unplayed` gives, which is about recordings. `of_cleanup` says that none of
    the requests left over goes to a model, so that fixtures may still make them when they clean up.
    """

    origin: str
    unplayed: tuple[str, ...]
    total: int
    why: str = ""
    of_cleanup: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Untimed:
    """Replies that were replayed at once although their own timing was asked for.

    `next` replaces the advice of `replay/timing`.
    """

    origin: str
    reasons: tuple[str, ...]
    next: str = ""
