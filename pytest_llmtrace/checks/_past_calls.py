"""Does a span show the earlier tool calls in a prompt as the request has them?"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._adapted import is_of_library
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_masked, limit_of
from pytest_llmtrace.checks._replies import listed
from pytest_llmtrace.checks._tools import is_of_provider, is_renamed, same_arguments
from pytest_llmtrace.checks._tools_offered import is_adapted
from pytest_llmtrace.checks._words import dropped, first_of, shown
from pytest_llmtrace.model import Fact

__all__ = ["told_before", "untold_before"]

_Call = Mapping[str, Any]


def told_before(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the tool calls in a span's prompt with those that were sent: each one, and whether some are left out."""
    if wire.is_continued(account.call.exchanges[0].request):
        return None  # The server has calls that this request does not repeat.
    told = _Told(true, account)
    for said in told.shown(mine):
        difference = told.difference(mine, said)
        if difference is not None:
            return difference
    return told.left_out(mine)


def untold_before(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge the tool calls in a span's prompt where the request has none."""
    if wire.is_continued(account.call.exchanges[0].request):
        return None
    said = next((said for said in _shown(mine, account) if not _is_in_words(said, account)), None)
    return None if said is None else _never_sent(mine, said, account)


def _shown(fact: Fact, account: Account, sent: Container[str] = ()) -> Iterator[_Call]:
    """Yield the tool calls of a place that are not masks, without those that the request does not list as tool calls.

    A client may go on with what another provider's model has said, and send the ids of that one for its own calls.
    """
    named = [said for said in listed(fact.value) if isinstance(said, Mapping) and isinstance(said.get("name"), str)]
    are_sent = all(_id(said) in sent for said in named)
    unlisted = frozenset() if are_sent else wire.unlisted_calls(account.call.exchanges[0].request)
    for said in named:
        identity = _id(said)
        if (identity in sent or not (identity in unlisted or is_of_provider(identity))) and not is_masked(said["name"]):
            yield said


def _id(said: _Call) -> str:
    identity = said.get("id")
    return identity if isinstance(identity, str) else ""


def _is_masked_call(said: Any) -> bool:
    return isinstance(said, Mapping) and is_masked(str(said.get("name")))


class _Told:
    """The earlier tool calls in a request, among which the tool calls that a span shows are looked up."""

    def __init__(self, true: Fact, account: Account) -> None:
        self._calls: Sequence[_Call] = true.value
        self._places = [place for place, _ in true.parts]
        self._account = account
        self._limit = limit_of(account.span, account.of_scope)
        self._ids: dict[str, list[int]] = {}
        self._left: dict[str, dict[int, None]] = {}
        for number, call in enumerate(self._calls):
            self._left.setdefault(call["name"], {})[number] = None
            if call["id"]:
                self._ids.setdefault(call["id"], []).append(number)

    def shown(self, fact: Fact) -> Iterator[_Call]:
        """Yield the tool calls of a place that can be compared."""
        return _shown(fact, self._account, self._ids)

    def difference(self, mine: Fact, said: _Call) -> Difference | None:
        """Compare a call of the span with the sent call that it must be, and note that the span shows it."""
        numbers = self._ids.get(_id(said))
        if numbers is None:
            return self._by_name(mine, said)
        # Models that count the calls of each answer anew use an id again.
        same = next((number for number in numbers if self._is_it(said, number)), None)
        number = numbers[0] if same is None else same
        numbers.remove(number)
        numbers.append(number)  # The next call with this id is sooner one of the others.
        self._left[self._calls[number]["name"]].pop(number, None)
        return self._another(mine, said, number) if same is None else None

    def _is_it(self, said: _Call, number: int) -> bool:
        return is_adapted(said["name"], self._calls[number]["name"]) and self._is_same(said, number)

    def _by_name(self, mine: Fact, said: _Call) -> Difference | None:
        left = self._left.get(said["name"], {})
        number = self._same(said, left)
        if number is not None:
            del left[number]
            return self._another_id(mine, said, number) if _id(said) and is_of_library(self._account) else None
        if self._is_again(said) or _is_in_words(said, self._account):
            return None
        return self._another(mine, said, next(iter(left))) if left else _never_sent(mine, said, self._account)

    def _same(self, said: _Call, left: Mapping[int, None]) -> int | None:
        """Find the sent call that a call of the span repeats, as it was sent, or as a mask or a limit has left it."""
        written = self._written.get(_written(said))
        if written is None:
            return next((number for number in left if self._is_same(said, number)), None)
        while written:
            number = written.pop()
            if number in left:
                return number
        return None

    def _is_again(self, said: _Call) -> bool:
        """Tell whether the span shows a sent call a second time, as some do in the parts of a message."""
        arguments = said.get("arguments")
        is_open = arguments is None or (isinstance(arguments, str) and is_masked(arguments))
        return (is_open and said["name"] in self._left) or _written(said) in self._written

    @lazy
    def _written(self) -> Mapping[tuple[str, str], list[int]]:
        """The numbers of the calls by what they say, the last first, so that a call is found without a search."""
        found: dict[tuple[str, str], list[int]] = {}
        for number in reversed(range(len(self._calls))):
            found.setdefault(_written(self._calls[number]), []).append(number)
        return found

    @lazy
    def _sent(self) -> frozenset[str]:
        """All texts of the request, ids among them: an item of the Responses API has its own beside the call's."""
        values = wire.sent_values(self._account.call.exchanges[0].request)
        return frozenset(value for value in values if isinstance(value, str))

    def _is_same(self, said: _Call, number: int) -> bool:
        arguments = said.get("arguments")
        return arguments is None or same_arguments(arguments, self._calls[number]["arguments"], self._limit)

    def _another(self, mine: Fact, said: _Call, number: int) -> Difference:
        return Difference(
            span=f"{mine.keys}: {_in_words(said)}", wire=f"{self._places[number]}: {_in_words(self._calls[number])}"
        )

    def _another_id(self, mine: Fact, said: _Call, number: int) -> Difference | None:
        there = _id(self._calls[number])
        if not there or _id(said) in self._sent or is_renamed(_id(said), there):
            return None
        return Difference(
            span=f"{mine.keys}: {said['name']} with id {shown(said['id'])}",
            wire=f"{self._places[number]}: {said['name']} with id {shown(there)}",
        )

    def left_out(self, mine: Fact) -> Difference | None:
        """Judge the calls that a library's span shows in none of its places, where it shows others, or results."""
        places = self._account.places(mine.name)
        if not any(self._left.values()) or mine is not places[0] or not is_of_library(self._account):
            return None
        if any(_is_masked_call(said) for place in places for said in listed(place.value)):
            return None
        for said in [said for place in places if place is not mine for said in self.shown(place)]:
            self.difference(mine, said)
        left = sorted(number for numbers in self._left.values() for number in numbers)
        if not left:
            return None
        result = self._result_of(left) if len(left) == len(self._calls) else ""
        return None if result is None else self._lost(mine, left, result)

    def _result_of(self, left: Sequence[int]) -> str | None:
        """Name a result on the span of one of these calls: where it shows one, it has a place for its call."""
        ids = {_id(self._calls[number]) for number in left} - {""}
        texts = (said for fact in self._account.stated.get("input_messages", ()) for said in listed(fact.value))
        answered = (said.get("answers") for said in texts if isinstance(said, Mapping))
        found = next((identity for identity in answered if isinstance(identity, str) and identity in ids), None)
        return None if found is None else f", but the result of call {shown(found)}"

    def _lost(self, mine: Fact, left: Sequence[int], result: str) -> Difference:
        lost = [f"{self._places[number]}: {_in_words(self._calls[number])}, which the span lacks" for number in left]
        return Difference(
            span=f"{mine.keys}: {len(self._calls) - len(lost)} of {len(self._calls)} tool calls{result}",
            wire="\n".join(first_of(lost, _MOST)),
            next=dropped(self._account.span),
        )


_MOST = 3


def _written(call: _Call) -> tuple[str, str]:
    """Write the name and the arguments of a call in the one form by which calls are compared."""
    try:
        return call["name"], json.dumps(call.get("arguments"), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return call["name"], ""


def _in_words(call: _Call) -> str:
    arguments = call.get("arguments")
    return call["name"] if arguments is None else f"{call['name']} called with {shown(arguments)}"


def _never_sent(mine: Fact, said: _Call, account: Account) -> Difference:
    later = any(
        asked.get("name") == said["name"] and (asked.get("id") == said.get("id") or not said.get("id"))
        for asked in account.answered.tool_calls or ()
    )
    return Difference(
        span=f"{mine.keys}: {_in_words(said)}",
        wire="no such call in the messages" + (": the answer asks for it" if later else ""),
    )


def _is_in_words(said: _Call, account: Account) -> bool:
    """Tell whether a call may have been sent as a text, name and arguments: some frameworks write calls so."""
    words = {said["name"], *_words(said.get("arguments"))}
    texts = (sent["text"] for sent in account.asked.input_messages or ())
    return any(all(word in text for word in words) for text in texts)


def _words(arguments: Any) -> Iterator[str]:
    """Yield the words of arguments, whatever form a text gives them."""
    open_ = [arguments]
    while open_:
        value = open_.pop()
        if isinstance(value, str):
            yield from re.findall(r"\w+", value)
        elif isinstance(value, Mapping):
            open_ += value.values()
        elif isinstance(value, list | tuple):
            open_ += value
