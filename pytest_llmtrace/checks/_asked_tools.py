"""The tool calls of a trace as the wire has them, by their ids: what an answer asked for, and what was sent back."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._check import Evidence
from pytest_llmtrace.checks._executed_values import as_value, text_of
from pytest_llmtrace.checks._words import place_of_exchange
from pytest_llmtrace.model import Call, Exchange, Reading

__all__ = ["Asked", "AskedTools", "Returned", "is_kept_elsewhere"]


class Asked(NamedTuple):
    """A tool call as the wire has it; `place` is its field, `where` the exchange.

    The arguments of an answer that broke off are not `whole`.
    """

    id: str
    name: str
    arguments: Any
    place: str
    where: str
    whole: bool = True


class Returned(NamedTuple):
    """The result of a tool call as a request sends it: a text, a list of parts, or None."""

    id: str
    said: Any
    place: str
    where: str


class AskedTools:
    """The tool calls and results of a trace."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    @lazy
    def calls(self) -> dict[str, list[Asked]]:
        """All mentions of each call, those in answers first."""
        found: dict[str, list[Asked]] = {}
        for asked in (*self._of_answers(), *self._of_requests()):
            found.setdefault(asked.id, []).append(asked)
        return found

    @lazy
    def results(self) -> dict[str, list[Returned]]:
        """The results of each call, in the order of the requests that send them."""
        found: dict[str, list[Returned]] = {}
        for call, past in self._evidence.tooled:
            exchange = call.exchanges[-1]
            for result in past.results:
                place = result.where.rpartition(".")[0]
                returned = Returned(result.id, result.said, place, _place(exchange, "request body"))
                found.setdefault(result.id, []).append(returned)
        return found

    @lazy
    def names(self) -> frozenset[str]:
        """The names of all tools that were called or offered."""
        called = {asked.name for asked in self._all()}
        truths = [truth for call in self._evidence.calls for truth in call.truths]
        offered = {tool.get("name") for truth in truths for tool in truth.tools or ()}
        return frozenset(name for name in called | offered if isinstance(name, str))

    @lazy
    def in_words(self) -> list[str]:
        """The name and id of each call."""
        return [f"{mentions[0].name} {identity!r}" for identity, mentions in self.calls.items()]

    def of(self, identity: str) -> list[Asked]:
        """Return the mentions of a call, also if its id was sent with other punctuation, or with the id of its item."""
        return self.calls.get(identity) or self._by_letters.get(_letters(identity), [])

    @lazy
    def _by_letters(self) -> dict[str, list[Asked]]:
        return {_letters(identity): mentions for identity, mentions in self.calls.items()}

    def other_call(self, identity: str, arguments: Any) -> Asked | None:
        """Return a call of another id that has these arguments; None if there is none."""
        found = self._by_arguments.get(_form(arguments), {})
        return next((asked for known, asked in found.items() if known != identity), None)

    def other_result(self, identity: str, said: Any) -> Returned | None:
        """Return the result of a call of another id that says this; None if there is none."""
        found = self._by_result.get(_form(said), {})
        return next((result for known, result in found.items() if known != identity), None)

    def has_like(self, identity: str) -> bool:
        """Tell whether there is an id of the same maker, as far as its form tells, or one that begins as this one."""
        prefix = _begun(identity)
        if not prefix or (prefix, len(identity)) in self._forms:
            return bool(prefix)
        at = bisect_left(self._in_order, identity)
        following = self._in_order[at : at + 1]
        if following and following[0].startswith(identity):
            return True
        return any(form == prefix and identity[:length] in self.calls for form, length in self._forms)

    @lazy
    def _forms(self) -> frozenset[tuple[str, int]]:
        """The forms of the ids: their prefixes and lengths."""
        return frozenset((_begun(identity), len(identity)) for identity in self.calls)

    @lazy
    def _in_order(self) -> list[str]:
        return sorted(self.calls)

    @lazy
    def _by_arguments(self) -> dict[str, dict[str, Asked]]:
        found: dict[str, dict[str, Asked]] = {}
        for asked in filter(_has_arguments, self._all()):
            found.setdefault(_form(as_value(asked.arguments)), {}).setdefault(asked.id, asked)
        return found

    @lazy
    def _by_result(self) -> dict[str, dict[str, Returned]]:
        found: dict[str, dict[str, Returned]] = {}
        for result in itertools.chain.from_iterable(self.results.values()):
            found.setdefault(_form(text_of(result.said)), {}).setdefault(result.id, result)
        return found

    def _all(self) -> Iterator[Asked]:
        return (asked for mentions in self.calls.values() for asked in mentions)

    def _of_answers(self) -> Iterator[Asked]:
        evidence = self._evidence
        for call in (*evidence.calls, *evidence.fetches):
            for truth in call.truths:
                yield from _asked_by(truth)

    def _of_requests(self) -> Iterator[Asked]:
        for call, past in self._evidence.tooled:
            where = _place(call.exchanges[-1], "request body")
            for made in past.calls:
                yield Asked(made.id, made.name, as_value(made.arguments), made.where, where)


def _asked_by(truth: Reading) -> Iterator[Asked]:
    fact = truth.fact("tool_calls")
    for tool in truth.tool_calls or ():
        identity, name = tool.get("id"), tool.get("name")
        if isinstance(identity, str) and identity and isinstance(name, str):
            yield Asked(
                id=identity,
                name=name,
                arguments=tool.get("arguments"),
                place=fact.keys,
                where=fact.where,
                whole=truth.truncated is False,
            )


def _has_arguments(asked: Asked) -> bool:
    return bool(asked.arguments)


def _form(value: Any) -> str:
    """Return one text for all values that are equal, to look them up; deeper ones than can be written have none."""
    try:
        return json.dumps(value, sort_keys=True, default=repr)
    except (RecursionError, TypeError, ValueError):
        return f"one of its own: {id(value)}"


def _begun(identity: str) -> str:
    """Return what all ids of one maker begin with, such as `call_` or `toolu_`; empty if it has no such beginning."""
    found = re.match(r"[A-Za-z]+(?:-[a-z]+)*[_-]", identity)
    return found[0] if found else ""


def _letters(identity: str) -> str:
    """Return an id in the form in which ids are looked up; see `is_renamed` for what is done to them."""
    return re.sub(r"[\W_]+", "", identity.partition("|")[0])


def _place(exchange: Exchange, part: str) -> str:
    return f"{place_of_exchange(exchange)}, {part}"


def _is_known(call: Call) -> bool:
    """Tell whether all of a call's bytes could be read, so that what they do not say was not said."""
    return bool(call.truths) and all(truth.truncated is False and not truth.problems for truth in call.truths)


def is_kept_elsewhere(evidence: Evidence) -> bool:
    """Tell whether a part of a conversation, or a call, is where the bytes of the trace do not show it."""
    if evidence.strays or any(wire.unread_api(exchange.request) for exchange in evidence.exchanges):
        return True
    return any(not past.whole for _, past in evidence.tooled) or not all(map(_is_known, evidence.calls))
