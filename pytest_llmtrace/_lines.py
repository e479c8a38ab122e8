"""Format lines for reports and for the output of commands: safe to print, nouns in agreement with numbers."""

from __future__ import annotations

from pytest_llmtrace.secrets.shapes import masked

__all__ = ["counted", "legible", "printable"]

_WIDEST = 500


def legible(line: str) -> str:
    """Return a line that is safe to print: cut, secrets masked, control characters escaped as Python writes them.

    What a span or a body states is foreign text, which must neither move a terminal's cursor nor fill a log.
    """
    if len(line) > _WIDEST:
        # A secret at the place where the line is cut is recognised only if it is seen whole.
        line = f"{masked(line[: 2 * _WIDEST])[:_WIDEST]}... ({len(line):,} characters)"
    else:
        line = masked(line)
    return printable(line)


def printable(line: str) -> str:
    """Return a line in which control characters, line breaks too, are escaped as Python writes them."""
    return line if line.isprintable() else "".join(map(_escaped, line))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else repr(letter)[1:-1]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
