"""The texts of a request, among which the texts that a span shows are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

from pytest_llmtrace import dialects, wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import json
from pytest_llmtrace.checks._marks import has_mask, is_masked, is_masked_from, without_stand_ins
from pytest_llmtrace.checks._spaces import bare, is_respaced
from pytest_llmtrace.checks._texts import is_cut, is_cut_from
from pytest_llmtrace.model import Fact, Request

__all__ = ["Found", "Said", "Sent", "speaker"]

Said = Mapping[str, Any]
"""One text: its `role` (None if none is named), its `text`, and for a tool's result the call that it `answers`."""

Found = tuple[Said, range | None]
"""A text of the span, and the numbers of the texts of the request that it is made of; None if it was not sent."""

# The types of parts that are not texts, in all APIs.
_TEXTLESS = frozenset(
    {"audio", "document", "file", "image", "image_url", "input_audio", "input_file", "input_image", "video_url"}
)

_SPEAKERS = {
    **dict.fromkeys(("developer", "system"), "system"),
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("ai", "assistant", "model"), "assistant"),
    **dict.fromkeys(("function", "tool"), "tool"),
}


def speaker(said: Said) -> str | None:
    """Name the speaker of a text alike for all APIs and conventions; None if its role is missing or unknown."""
    role = said.get("role")
    return _SPEAKERS.get(role) if isinstance(role, str) else None


class Sent:
    """The texts of a request.

    Attributes:
        pieces: The texts, in order.
        seen: The numbers of the texts that the span shows.
        has_cut: Whether a limit has cut JSON on the span that was looked for, so that the rest of it is unknown.
        last: The highest number that was found, where several texts that were found together count as the first of
            them; -1 before any.
    """

    def __init__(self, true: Fact, request: Request, limit: int | None) -> None:
        """Take the texts that the wire states.

        Args:
            true: The fact with these texts.
            request: The request that has sent them.
            limit: The length to which the texts of the span were cut, if they were.
        """
        self.pieces: Sequence[Said] = true.value
        self.seen: set[int] = set()
        self.has_cut = False
        self.last = -1
        self._request = request
        self._limit = limit
        self._turns = [key.partition("]")[0] for key, _ in true.parts]
        self._bare = [bare(piece["text"]) for piece in self.pieces]
        self._at: dict[str, dict[str | None, list[int]]] = {}
        for number in reversed(range(len(self.pieces))):
            of_speakers = self._at.setdefault(self._bare[number], {})
            of_speakers.setdefault(speaker(self.pieces[number]), []).append(number)

    @property
    def unseen(self) -> list[int]:
        """The numbers of the texts that the span does not show, except texts of white space alone."""
        return [number for number, text in enumerate(self._bare) if text and number not in self.seen]

    def take(self, found: range, *, whole: bool = False) -> None:
        """Note that the span shows the texts that were found or, with `whole`, all texts of their message."""
        self.last = max(self.last, found[0])
        turn = self._turns[found[0]]
        self.seen.update([number for number, other in enumerate(self._turns) if other == turn] if whole else found)

    def is_before(self, found: range) -> bool:
        """Tell whether texts were sent before the last one that was found, and in another message."""
        return found[0] < self.last and self._turns[found[0]] != self._turns[self.last]

    def find(self, said: Said, after: int = -1) -> Iterator[Found]:
        """Look for the texts that a text of the span is made of.

        Args:
            said: The text.
            after: The last text that was found, behind which the next one is most likely to stand.

        Yields:
            The text with their numbers, or with None if it was not sent; if it is the JSON of parts, these parts in the
            same way. Nothing if nothing can be concluded from it: it was sent, but not as a text of a message (a
            refusal, a document), or it is masked, stands for an image, or is JSON that a limit has cut.
        """
        text = said["text"]
        if not bare(text):
            return
        found = self._whole(said, after)
        shown = text if found is not None else self._without_stand_ins(text)
        if shown != text and not bare(shown):
            return
        if shown != text:
            found = self._whole({**said, "text": shown}, after)
        if found is not None:
            yield said, found
        elif not self._tells_nothing(text):
            yield from self._encoded(said, after)

    def _whole(self, said: Said, after: int) -> range | None:
        """Look for a text as it stands: as a sent text, as what a limit or a mask left of one, or as several joined."""
        text = said["text"]
        found = self._as_it_is(said) or self._partial(text, range(after + 1, after + 2))
        return found or self._of_several(bare(text), after + 1) or self._partial(text, self._from(after + 1))

    def _without_stand_ins(self, text: str) -> str:
        """Return a text without its stand-ins for images, files and the like, if the request has such parts."""
        shown = without_stand_ins(text)
        return shown if shown != text and not _TEXTLESS.isdisjoint(self._others) else text

    def _as_it_is(self, said: Said) -> range | None:
        """Look for the text itself; if it was sent several times, take the next one of its speaker."""
        of_speakers = self._at.get(bare(said["text"]))
        if of_speakers is None:
            return None
        own = of_speakers.get(speaker(said))
        there = own or min(of_speakers.values(), key=lambda numbers: (numbers[-1] in self.seen, numbers[-1]))
        number = there.pop() if len(there) > 1 else there[0]
        return range(number, number + 1)

    def is_respaced(self, said: Said, numbers: range) -> bool:
        """Tell whether a text has the words of the sent texts of these numbers, but not their white space."""
        text, pieces = said["text"], [self.pieces[number]["text"] for number in numbers]
        return [text] != pieces and is_respaced(text, pieces)

    def give_back(self, numbers: range) -> None:
        """Undo that a text was found: another text of the span may be the one that was sent there."""
        for number in numbers:
            there = self._at[self._bare[number]][speaker(self.pieces[number])]
            if number not in there:
                there.append(number)

    def is_of(self, said: Said, number: int) -> bool:
        """Tell whether a text of the span is the sent text of that number, or what a limit or a mask has left of it."""
        text, piece = said["text"], self.pieces[number]["text"]
        value = _parsed(text)
        is_same = bare(text) == self._bare[number] or (value is not None and value == _parsed(piece))
        return is_same or self._partial(text, (number,)) is not None

    @lazy
    def results(self) -> Mapping[str, Sequence[int]]:
        """The results of tools, by the ids of the calls that they answer."""
        found: dict[str, list[int]] = {}
        for number, piece in enumerate(self.pieces):
            if "answers" in piece:
                found.setdefault(piece["answers"], []).append(number)
        return found

    def has_textless(self, identity: str) -> bool:
        """Tell whether the result of a call was sent without any text, as an image or as the tools that were found."""
        return identity not in self.results and identity in self._answered

    @lazy
    def _answered(self) -> frozenset[str]:
        """The ids of all calls whose results the request has."""
        values = [value for value in wire.sent_values(self._request) if isinstance(value, Mapping)]
        named = chain.from_iterable((value.get("tool_use_id"), value.get("tool_call_id")) for value in values)
        items = (value.get("call_id") for value in values if str(value.get("type")).endswith("_output"))
        return frozenset(identity for identity in chain(named, items) if isinstance(identity, str))

    def has(self, value: str) -> bool:
        """Tell whether a text stands anywhere in the request."""
        return bare(value) in self._others

    def _of_several(self, mine: str, first: int) -> range | None:
        """Look for the sent texts that were joined into one text."""
        whole, starts, numbers = self._joined
        for behind in (starts[first], 0):
            start = whole.find(mine, behind)
            while start != -1:
                one, end = numbers.get(start), numbers.get(start + len(mine))
                if one is not None and end is not None:
                    return range(one, end)
                start = whole.find(mine, start + 1)
        return None

    @lazy
    def _joined(self) -> tuple[str, Sequence[int], Mapping[int, int]]:
        """All texts joined into one, where each begins in that, and the number of each by where it begins."""
        starts = list(accumulate(map(len, self._bare), initial=0))
        return "".join(self._bare), starts, {start: number for number, start in enumerate(starts)}

    def _from(self, first: int) -> Iterable[int]:
        return chain(range(first, len(self.pieces)), range(first))

    def _partial(self, text: str, numbers: Iterable[int]) -> range | None:
        """Look, among some numbers, for the sent text that a limit or a mask has reduced to this one."""
        if not is_cut(text, self._limit) and not has_mask(text):
            return None
        for number in numbers:
            piece = self.pieces[number]["text"] if number < len(self.pieces) else ""
            if is_cut_from(text, piece, self._limit) or is_masked_from(text, piece):
                return range(number, number + 1)
        return None

    def _tells_nothing(self, text: str) -> bool:
        is_cut_json = text[:1] in "[{" and is_cut(text, self._limit) and _parsed(text) is None
        self.has_cut |= is_cut_json
        return is_cut_json or is_masked(text) or bare(text) in self._others

    @lazy
    def _others(self) -> frozenset[str]:
        """All texts that stand anywhere in the request."""
        return frozenset(bare(value) for value in wire.sent_values(self._request) if isinstance(value, str))

    def _encoded(self, said: Said, after: int) -> Iterator[Found]:
        """Look for the source of a JSON text: a sent text that is itself JSON, such as a tool's result, or parts."""
        value = _parsed(said["text"])
        same = [number for number, other in self._json if value and other == value]
        parts = dialects.encoded_parts(said)
        if same:
            number = min(same, key=lambda one: one in self.seen)
            yield said, range(number, number + 1)
        elif parts:
            for part in parts:
                yield from self.find(part, after)
        elif value is None or not self._is_textless(value, parts):
            yield said, None

    @lazy
    def _json(self) -> Sequence[tuple[int, Any]]:
        """The numbers of the texts that are JSON themselves, each with the value."""
        values = ((number, _parsed(piece["text"])) for number, piece in enumerate(self.pieces))
        return [(number, value) for number, value in values if value]

    def _is_textless(self, value: Any, parts: Sequence[Said] | None) -> bool:
        """Tell whether JSON stands for no text: it is empty, only parts of other kinds, or a value sent elsewhere."""
        return not value or parts is not None or any(value == other for other in wire.sent_values(self._request))


def _parsed(text: str) -> Any:
    """Parse an object or a list; None if a text is neither."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
