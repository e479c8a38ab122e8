"""A change of a file as a unified diff in which no secret can be read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from pytest_llmtrace.secrets.shapes import masked, shown
from pytest_llmtrace.upkeep._rewrite import Patch

__all__ = ["diff_lines"]

_AROUND = 3
_BESIDE = 40
_LONGEST = 160


def diff_lines(label: str, text: str, patches: Sequence[Patch]) -> Iterator[str]:
    """Yield the lines of a unified diff; long lines are cut to what is near a change.

    Args:
        label: The name of the file.
        text: Its text before the changes.
        patches: The changes, in order.
    """
    yield f"--- {label}"
    yield f"+++ {label}"
    lines = _Lines(text)
    shift = 0
    for hunk in _hunks(lines, patches):
        first = max(0, hunk[0][0] - _AROUND)
        last = min(len(lines), hunk[-1][1] + 1 + _AROUND)
        body: list[str] = []
        at = first
        for start, end, group in hunk:
            body += [f" {lines.shown(number)}" for number in range(at, start)]
            body += [f"-{line}" for line in lines.before(start, end, group)]
            body += [f"+{line}" for line in lines.after(start, end, group)]
            at = end + 1
        body += [f" {lines.shown(number)}" for number in range(at, last)]
        added, removed = (sum(line[0] == sign for line in body) for sign in "+-")
        same = len(body) - added - removed
        yield f"@@ -{first + 1},{removed + same} +{first + 1 + shift},{added + same} @@"
        shift += added - removed
        yield from body


Change = tuple[int, int, list[Patch]]
"""The first and the last line that change, and the changes in them."""


def _hunks(lines: _Lines, patches: Sequence[Patch]) -> Iterator[list[Change]]:
    changes: list[Change] = []
    for patch in patches:
        start, end = lines.of(patch.start), lines.of(max(patch.start, patch.end - 1))
        if changes and start <= changes[-1][1] + 1:
            changes[-1] = changes[-1][0], max(end, changes[-1][1]), [*changes[-1][2], patch]
        else:
            changes.append((start, end, [patch]))
    hunk: list[Change] = []
    for change in changes:
        if hunk and change[0] - hunk[-1][1] > 2 * _AROUND:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


class _Lines:
    """A text by its lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n" and at + 1 < len(text))]

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, place: int) -> int:
        """Return the number of the line, from 0, that contains a position of the text."""
        return bisect_right(self.starts, place) - 1

    def bounds(self, number: int) -> tuple[int, int]:
        """Return the positions where a line starts and ends, without its line break."""
        start = self.starts[number]
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        return start, start + len(self.text[start:end].rstrip("\r\n"))

    def shown(self, number: int) -> str:
        """Return an unchanged line, masked, and cut if it is long."""
        start, end = self.bounds(number)
        return _cut(self.text[start:end])

    def before(self, first: int, last: int, patches: list[Patch]) -> Iterator[str]:
        """Yield changed lines as they were, with the kind and the length of each secret in its place."""
        old = self._pieces(first, last, patches, [_removed(patch, self.text) for patch in patches])
        yield from old.split("\n")

    def after(self, first: int, last: int, patches: list[Patch]) -> Iterator[str]:
        """Yield changed lines as they will be."""
        new = self._pieces(first, last, patches, [_cut(patch.new) for patch in patches])
        yield from new.split("\n")

    def _pieces(self, first: int, last: int, patches: list[Patch], texts: list[str]) -> str:
        start, stop = self.bounds(first)[0], self.bounds(last)[1]
        pieces, at = [], start
        for patch, text in zip(patches, texts, strict=True):
            pieces += [_beside(self.text[at : patch.start], follows=at > start, leads=True), text]
            at = patch.end
        tail = _beside(self.text[at:stop], follows=True, leads=False)
        return "".join([*pieces, tail]).replace("\r", "")


def _removed(patch: Patch, text: str) -> str:
    """Return what a patch removes, on as many lines as it has; of a secret only its kind and length."""
    old = text[patch.start : patch.end]
    if patch.secret is None:
        return old
    quote = old[:1] if old[:1] in {"'", '"'} and old[:1] == old[-1:] and len(old) > 1 else ""
    more = old.rstrip("\n").split("\n")[1:]
    lines = [f"{quote}{shown(patch.secret)}{quote}", *(line[: len(line) - len(line.lstrip())] + "…" for line in more)]
    return "\n".join(lines)


def _cut(new: str) -> str:
    """Return a text masked, with long lines cut: a new value also holds the parts of the old one that are not shown."""
    lines = map(masked, new.split("\n"))
    return "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in lines)


def _beside(text: str, *, follows: bool, leads: bool) -> str:
    """Return the text beside changes, cut to what helps to find the changes; lines stay lines.

    Args:
        text: The text.
        follows: Whether a change stands before it.
        leads: Whether a change stands behind it.
    """
    lines = masked(text).split("\n")
    last = len(lines) - 1
    return "\n".join(
        _shortened(line, left=follows or number > 0 or number < last or not leads, right=leads and number == last)
        for number, line in enumerate(lines)
    )


def _shortened(line: str, *, left: bool, right: bool) -> str:
    """Cut a line, and keep its left part, its right part (at least one of them), or both."""
    if len(line) <= 2 * _BESIDE:
        return line
    if not left:
        left = bool(line[:_BESIDE].strip())
    return (line[:_BESIDE] if left else "") + "…" + (line[-_BESIDE:] if right else "")
