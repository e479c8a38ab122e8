"""What became of spans that were to be sent; told by the process that sends them to the one that waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Outcome"]


@dataclass(slots=True)
class Outcome:
    """What became of the spans.

    Attributes:
        sent: How many were accepted, those without that the back end dropped.
        arrived: How many of those in doubt the back end had.
        rejected: How many it dropped, by its reason.
        problems: Why others were not accepted, each once.
        damaged: Files that nobody can read, where they were put aside.
    """

    sent: int = 0
    arrived: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    damaged: dict[str, None] = field(default_factory=dict)
