"""What a span above the SDK may show of a prompt in another way than it was sent, and what it may leave out.

A framework's span has the messages before they were adapted to the provider; one that an application makes around a
call may show its question alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._sent import Found, Said, Sent, speaker
from pytest_llmtrace.checks._texts import bare

__all__ = ["found", "is_of_library", "is_role_adapted", "missed"]

_LISTS = frozenset({"completions", "embeddings"})
"""The APIs whose texts are no conversation: each is answered for itself."""

_OWN = frozenset({"anthropic-native", "litellm", "logfire", "pydantic-ai"})
"""The dialects of libraries that make their spans by themselves."""

_THOUGHT = re.compile(r"\s*<think(ing)?>.*</think(ing)?>\s*", re.DOTALL)


def is_of_library(account: Account) -> bool:
    """Tell whether a span is of a library that instruments others, by what its scope is called, or a framework's own.

    Such a library shows the messages that it is given. Whoever makes a span in an application shows what he likes.
    """
    return "instrumentation" in account.span.scope.split(".") or account.reading.source in _OWN


# --- in other words --------------------------------------------------------------------------------------------------


def found(shown: Sequence[Said], sent: Sent, account: Account) -> Iterator[Found]:
    """Look for the texts of a span in a request: as they are, or as they were joined or wrapped before they were sent.

    Yields:
        As `Sent.find`, once for what several texts together were made into.
    """
    behind = 0
    for place, whole in enumerate(shown):
        if place < behind or is_masked(whole["text"]):
            continue
        for said, numbers in list(sent.find(whole, sent.last)) or [(whole, range(0))]:
            there = numbers
            if not there or sent.seen.intersection(there):
                there, count = _made(shown[place:], sent)
                behind = place + count
            there = there or numbers or _wrapped(said, sent, account)
            if there or numbers is None:
                yield said, there


def _made(shown: Iterable[Said], sent: Sent) -> tuple[range | None, int]:
    """Find the text that several of the span, the first ones, were joined to; and how many."""
    texts = [bare(said["text"]) for said in shown]
    for number in sent.unseen if len(texts) > 1 else ():
        rest, count = bare(sent.pieces[number]["text"]), 0
        while rest and count < len(texts) and texts[count] and rest.startswith(texts[count]):
            rest = rest[len(texts[count]) :]
            count += 1
        if not rest and count > 1:
            return range(number, number + 1), count
    return None, 0


def _wrapped(said: Said, sent: Sent, account: Account) -> range | None:
    """Find the text that a framework, or a template, has put a text of the span into.

    That is a tool's result, as its error within the JSON that tells it, or a list of which each item was sent as a
    text; and a plain text, of which an application does not say that it is a message: it may be the question that went
    into a template, or show the whole conversation.
    """
    text = said["text"]
    if speaker(said) == "tool":
        return _of_tool(text, sent)
    if said["role"] is not None or is_of_library(account):
        return None
    newest = next((number for number in reversed(sent.unseen) if speaker(sent.pieces[number]) != "assistant"), None)
    if newest is not None and bare(sent.pieces[newest]["text"]) in bare(text):
        return range(newest, newest + 1)
    return _within([text], reversed(sent.unseen), sent)


def _of_tool(text: str, sent: Sent) -> range | None:
    results = [number for number in sent.unseen if speaker(sent.pieces[number]) == "tool"]
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    items = list(map(bare, _items(text)))
    listed = [bare(sent.pieces[number]["text"]) for number in results]
    for start, number in enumerate(results if items else ()):
        if listed[start : start + len(items)] == items:
            return range(number, number + len(items))
    return _within([bare(text), bare(escaped)], results, sent, start=1)


def _items(text: str) -> list[str]:
    """Return the items of a list that a text is the JSON of, each as the text that it is sent as."""
    try:
        value = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        value = None
    listed = value if isinstance(value, list) else []
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in listed]


def _within(mine: Iterable[str], numbers: Iterable[int], sent: Sent, start: int = 0) -> range | None:
    """Find the text in which one of some stands as whole words, from a place on."""
    words = [r"\s*".join(map(re.escape, text.split())) for text in mine]
    forms = [re.compile(rf"(?<!\w){text}(?!\w)") for text in words if text]
    for number in numbers:
        text = sent.pieces[number]["text"]
        if any(form.search(bare(text) if start else text, start) for form in forms):
            return range(number, number + 1)
    return None


def is_role_adapted(said: Said, sent: Sent, numbers: range, account: Account) -> bool:
    """Tell whether a role is the framework's: Anthropic's API has no system's message among the others.

    What makes one the user's may announce it, in the same message.
    """
    is_users = all(speaker(sent.pieces[number]) == "user" for number in numbers)
    return account.asked.api == "messages" and speaker(said) == "system" and is_users


# --- left out --------------------------------------------------------------------------------------------------------


def missed(lost: Iterable[int], sent: Sent, shown: Iterable[Said], account: Account) -> list[int]:
    """Return the texts that are missing by fault where others are shown, none if these may be all that is to be shown.

    What an application shows of the messages may be the last one, or the question. It is a list, or stale, if it has
    something before and behind the missing one, or nothing of the user's as late as that.

    Args:
        lost: The texts that are missing.
        sent: All texts, and those that the span shows.
        shown: What the span shows.
        account: The span and the call.
    """
    if account.asked.api in _LISTS:
        return []
    lost = [number for number in lost if not _THOUGHT.fullmatch(sent.pieces[number]["text"])]
    if is_of_library(account):
        return lost
    turns = sorted(number for number in sent.seen if speaker(sent.pieces[number]) != "system")
    if not turns or all(said["role"] is None for said in shown):
        return []
    return [number for number in lost if turns[0] < number and _is_due(number, turns, sent)]


def _is_due(number: int, turns: Sequence[int], sent: Sent) -> bool:
    return number < turns[-1] or len(turns) > 1 or speaker(sent.pieces[number]) == "user"
