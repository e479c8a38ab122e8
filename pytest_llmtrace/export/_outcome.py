"""What became of spans that were to be sent; the sending process reports it to the process that waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Outcome"]


@dataclass(slots=True)
class Outcome:
    """What became of the spans.

    Attributes:
        sent: How many spans the back end accepted and did not drop.
        arrived: How many of the spans in doubt the back end turned out to have.
        rejected: How many spans the back end dropped, by its reason.
        problems: The reasons why spans were not accepted, each once.
        damaged: The paths of unreadable files, after they were put aside.
    """

    sent: int = 0
    arrived: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    damaged: dict[str, None] = field(default_factory=dict)
