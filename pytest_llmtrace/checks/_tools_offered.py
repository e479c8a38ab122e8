"""Does a span show the tools that the request offers to the model?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._adapted import is_of_library
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._replies import listed
from pytest_llmtrace.checks._words import dropped, first_of, shown
from pytest_llmtrace.model import Fact

__all__ = ["chosen", "is_adapted", "offered", "unoffered"]

_MOST = 3


def is_adapted(mine: str, sent: str) -> bool:
    """Tell whether a tool's name was sent in another form: with only characters that the API allows, or with a prefix.

    `math.add` and `mathAdd` may be sent as `math_add`, and `look` as `functions_look`.
    """
    left, right = (re.sub(r"[\W_]+", "_", name).strip("_").lower() for name in (mine, sent))
    return left.replace("_", "") == right.replace("_", "") or (bool(left) and right.endswith(f"_{left}"))


def offered(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the names of tools: the span shows only tools that were offered, and a library's shows all or none."""
    if mine.value == true.value:
        return None
    words = frozenset(word for tool in true.value for word in _words(tool))
    names = list(_names(mine))
    for name in names:
        if name not in words and not any(is_adapted(name, word) for word in words) and not _is_told(name, account):
            return Difference(span=f"{mine.keys}: {shown(name)}", wire=f"tools: {shown(list(_names(true)))}")
    return _left_out(mine, true, words, account) if names and is_of_library(account) else None


def unoffered(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge tools where the request offers none; a framework may have written them into its messages."""
    name = next((name for name in _names(mine) if not _is_told(name, account)), None)
    return None if name is None else Difference(span=f"{mine.keys}: {shown(name)}")


def chosen(mine: Fact, true: Fact, _account: Account) -> Difference | None:
    """Compare whether a tool is to be called, and which: each API has its own form for that."""
    said, there = _chosen(mine.value), _chosen(true.value)
    return None if said in (None, there) or there is None or is_masked(said) else Difference()


def _chosen(choice: Any) -> str | None:
    """Return the name of the tool to be called, else the word for whether one is to be; None if it cannot be read."""
    if isinstance(choice, Mapping):
        kind = choice.get("type")
        own = choice.get(kind if isinstance(kind, str) else "function")
        name = (own if isinstance(own, Mapping) else choice).get("name")
        choice = name if isinstance(name, str) else kind
    if not isinstance(choice, str) or choice.startswith(("{", "[")):  # JSON in a text is not read.
        return None
    return "required" if choice == "any" else choice


def _words(tool: Mapping[str, Any]) -> Iterator[str]:
    return (word for word in (tool.get("name"), tool.get("type")) if isinstance(word, str))


def _names(fact: Fact) -> Iterator[str]:
    """Yield the name of each of a span's tools, or its type if it has no name; masks are left out."""
    for tool in listed(fact.value):
        word = next(_words(tool), None) if isinstance(tool, Mapping) else tool
        if isinstance(word, str) and word and not is_masked(word):
            yield word


def _is_told(name: str, account: Account) -> bool:
    """Tell whether the conversation offers a tool: in the text of a message, or by a definition of its own."""
    if name in wire.added_tools(account.call.exchanges[0].request):
        return True
    return any(name in sent["text"] for sent in account.asked.input_messages or ())


def _left_out(mine: Fact, true: Fact, words: frozenset[str], account: Account) -> Difference | None:
    """Report the sent functions that no place on the span shows; some conventions have no place for other kinds."""
    places = account.places(mine.name)
    if mine is not places[0] or any(_is_cut(tool) for place in places for tool in listed(place.value)):
        return None
    everywhere = dict.fromkeys(name for place in places for name in _names(place))
    others = [name for name in everywhere if name not in words]  # A name that was itself sent stands for no other tool.
    lost = [
        f"{key}: {shown(name)}, which the span lacks"
        for name, key in _functions(true)
        if name not in everywhere and not any(is_adapted(other, name) for other in others)
    ]
    if not lost:
        return None
    return Difference(
        span=f"{mine.keys}: {shown(list(_names(mine)))}",
        wire="\n".join(first_of(lost, _MOST)),
        next=dropped(account.span),
    )


def _functions(true: Fact) -> Iterator[tuple[str, str]]:
    """Yield the names of the functions that were sent, and where each stands."""
    for tool, (key, _) in zip(true.value, true.parts, strict=False):
        if tool["type"] == "function" and tool["name"]:
            yield tool["name"], key


def _is_cut(tool: Any) -> bool:
    """Tell whether a tool cannot be read: a mask stands in its place, or a limit has cut it."""
    return next(_names(Fact(name="", value=[tool])), None) is None
