"""Does a span show what the model was given to read, all of it, and as whose words?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_masked, limit_of
from pytest_llmtrace.checks._texts import apart, bare, is_cut_from
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Fact

__all__ = ["given"]

_Said = Mapping[str, Any]

_ROLES = {
    **dict.fromkeys(("developer", "system"), "system"),
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("ai", "assistant", "model"), "assistant"),
    **dict.fromkeys(("function", "tool"), "tool"),
}


class _Sent:
    """The texts of a request, to be found by what a span shows: one of them, or several that follow one another.

    Attributes:
        pieces: The texts, in order.
        seen: The numbers of those that the span shows.
    """

    def __init__(self, pieces: Sequence[_Said]) -> None:
        self.pieces = pieces
        self.seen: set[int] = set()
        self._bare = [bare(piece["text"]) for piece in pieces]
        self._at: dict[str, list[int]] = {}
        for number in reversed(range(len(pieces))):
            self._at.setdefault(self._bare[number], []).append(number)
        self._whole = ""
        self._starts: list[int] = []
        self._numbers: dict[int, int] = {}

    def find(self, text: str, limit: int | None, after: int = -1) -> range | None:
        """Return the numbers of the texts that a text of the span is made of, None if it was not sent.

        Args:
            text: The text, which may be only the beginning of one that was sent.
            limit: What may have cut it, as `is_cut_from` takes it.
            after: The last text that was found, behind which the next one is most likely to stand.
        """
        mine = bare(text)
        if mine in self._at:
            there = self._at[mine]
            number = there.pop() if len(there) > 1 else there[0]
            return range(number, number + 1)
        if self._is_cut(text, after + 1, limit):
            return range(after + 1, after + 2)
        joined = self._joined(mine, after + 1)
        return self._cut(text, limit, after) if joined is None else joined

    def _joined(self, mine: str, first: int) -> range | None:
        """Look for a text that several were joined to."""
        if not self._starts:
            self._whole = "".join(self._bare)
            self._starts = list(accumulate(map(len, self._bare), initial=0))
            self._numbers = {start: number for number, start in enumerate(self._starts)}
        for behind in (self._starts[first], 0):
            start = self._whole.find(mine, behind)
            while start != -1:
                one, end = self._numbers.get(start), self._numbers.get(start + len(mine))
                if one is not None and end is not None:
                    return range(one, end)
                start = self._whole.find(mine, start + 1)
        return None

    def _cut(self, text: str, limit: int | None, after: int) -> range | None:
        behind, before = range(after + 1, len(self.pieces)), range(after + 1)
        return next((range(one, one + 1) for one in chain(behind, before) if self._is_cut(text, one, limit)), None)

    def _is_cut(self, text: str, number: int, limit: int | None) -> bool:
        return number < len(self.pieces) and is_cut_from(text, self.pieces[number]["text"], limit)


def given(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare what a span shows of the prompt with what was sent: it may join texts, and leave out none of a list."""
    if mine.value == true.value or _is_of_several(account):
        return None
    difference = _difference(mine, true, account)
    # What the server has of the conversation was sent by other requests.
    return None if difference is None or wire.is_continued(account.call.exchanges[0].request) else difference


def _is_of_several(account: Account) -> bool:
    """Tell whether a span tells of several requests for embeddings together."""
    return account.answered is not account.call.truth


def _difference(mine: Fact, true: Fact, account: Account) -> Difference | None:
    sent, limit, last = _Sent(true.value), limit_of(account.span, account.of_scope), -1
    for said in mine.value:
        text = said["text"]
        if is_masked(text):
            return None
        found = sent.find(text, limit, last)
        if found is None:
            return _never_sent(mine, said, true, sent)
        if not found:
            continue  # White space alone.
        spoken = {_ROLES.get(true.value[number]["role"]) for number in found}
        if account.asked.api == "messages" and "tool" in spoken:
            spoken.add("user")  # Whose messages hold the results of tools in Anthropic's API.
        if _ROLES.get(said["role"]) not in (None, *spoken):
            return _as_another(mine, said, true, found)
        if sent.seen.intersection(found):
            return _twice(mine, true, found)
        if found[0] < last and "system" not in spoken:
            return _out_of_order(mine, true, found)
        last = max(last, found[0])
        sent.seen.update(found)
    return _lost(mine, true, sent, account)


def _never_sent(mine: Fact, said: _Said, true: Fact, sent: _Sent) -> Difference:
    unseen = [number for number in range(len(sent.pieces)) if number not in sent.seen]
    alike = [number for number in unseen if _ROLES.get(sent.pieces[number]["role"]) == _ROLES.get(said["role"])]
    nearest = next(iter(alike or unseen), None)
    if nearest is None:
        return Difference(span=f"{mine.keys}: {shown(said['text'])}", wire="no further text was sent")
    key, text = true.parts[nearest]
    difference = apart(mine, said["text"], text)
    return Difference(span=difference.span, wire=f"{key}: {difference.wire}")


def _as_another(mine: Fact, said: _Said, true: Fact, found: range) -> Difference:
    key, text = true.parts[found[0]]
    role = true.value[found[0]]["role"]
    return Difference(
        span=f"{mine.keys}: {shown(said['text'])} of role {said['role']!r}",
        wire=f"{key}: {shown(text)} of role {role!r}",
        why="who reads the prompt on the span takes it for the words of somebody else",
        next="take the role of each message from the request",
    )


def _twice(mine: Fact, true: Fact, found: range) -> Difference:
    key, text = true.parts[found[0]]
    return Difference(span=f"{mine.keys}: {shown(text)}, twice", wire=f"{key}: {shown(text)}, once")


def _out_of_order(mine: Fact, true: Fact, found: range) -> Difference:
    key, text = true.parts[found[0]]
    return Difference(span=f"{mine.keys}: {shown(text)}, behind what was sent after it", wire=f"{key}: {shown(text)}")


def _lost(mine: Fact, true: Fact, sent: _Sent, account: Account) -> Difference | None:
    """Judge what the span does not show, in whichever of its places."""
    places = account.stated[mine.name]
    for place in places:
        for said in place.value if place is not mine else ():
            if is_masked(said["text"]):
                return None
            sent.seen.update(sent.find(said["text"], None) or ())
    lost = [
        number for number in range(len(sent.pieces)) if number not in sent.seen and bare(sent.pieces[number]["text"])
    ]
    if not lost or mine is not places[0]:
        return None
    key, text = true.parts[lost[0]]
    return Difference(
        span=f"{mine.keys}: {len(sent.pieces) - len(lost)} of {len(sent.pieces)} texts",
        wire=f"{key}: {shown(text)}, which the span lacks",
    )
