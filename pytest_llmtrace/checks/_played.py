"""What replay reports when a trace ends: answers that nothing asked for, and answers that came without their times."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Leftover", "Untimed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """Replies of one cassette, gateway or router that no request asked for; or faults that never happened.

    Attributes:
        origin: The cassette, gateway or router, in the words of a report; `faults` for faults.
        unplayed: What is left over, each in the words of a report.
        total: How many replies or faults there were.
        why: A text that replaces the reason that `replay/unplayed` gives, which is about recordings.
        of_cleanup: Whether none of the requests left over goes to a model, so that fixtures may still make them when
            they clean up.
    """

    origin: str
    unplayed: tuple[str, ...]
    total: int
    why: str = ""
    of_cleanup: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Untimed:
    """Replies that were replayed at once although their own timing was asked for.

    Attributes:
        origin: The cassette, in the words of a report; or `this test`, if nothing could take its time.
        reasons: Why they have no time, in sentences.
        next: A text that replaces the advice of `replay/timing`.
    """

    origin: str
    reasons: tuple[str, ...]
    next: str = ""
