"""Lines that a person reads."""

from __future__ import annotations

from pytest_llmtrace.secrets.shapes import masked

__all__ = ["counted", "legible"]

_WIDEST = 500


def legible(line: str) -> str:
    """Return a line that anybody may print: cut, secrets masked, control characters as Python writes them.

    What a span or a body states is foreign text, which must neither move a terminal's cursor nor fill a log.
    """
    if len(line) > _WIDEST:
        # The secret that stands where the line is cut must be seen whole to be known.
        line = f"{masked(line[: 2 * _WIDEST])[:_WIDEST]}... ({len(line):,} characters)"
    else:
        line = masked(line)
    return line if line.isprintable() else "".join(map(_printable, line))


def _printable(letter: str) -> str:
    return letter if letter.isprintable() else repr(letter)[1:-1]


def counted(number: int, noun: str) -> str:
    """Put a number before a noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
