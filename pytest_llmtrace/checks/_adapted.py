"""How a span that is made above the SDK may differ from the prompt that was sent, and what it may leave out.

A framework's span has the messages as they were before they were adapted to the provider; a span that an application
makes around a call may show its question alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from pytest_llmtrace import dialects
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._sent import Found, Said, Sent, speaker
from pytest_llmtrace.checks._spaces import bare
from pytest_llmtrace.checks._texts import without_thoughts

__all__ = ["found", "is_of_library", "is_of_sdk", "is_role_adapted", "missed"]

_LISTS = frozenset({"completions", "embeddings"})
"""The APIs whose texts are not a conversation: each text is answered by itself."""

_OWN = frozenset({"anthropic-native", "litellm", "logfire", "pydantic-ai"})
"""The dialects of libraries that make their own spans, without an instrumentor."""


def is_of_library(account: Account) -> bool:
    """Tell whether a span was made by an instrumentation, going by the name of its scope, or by a framework itself.

    These show all messages that they are given, while an application that makes a span may show any part of them.
    """
    return "instrumentation" in account.span.scope.split(".") or account.reading.source in _OWN


_SDKS = frozenset({"anthropic", "openai", "openai_v2"})


def is_of_sdk(account: Account) -> bool:
    """Tell whether a span describes a method of an SDK, going by a part of the name of its scope."""
    return not _SDKS.isdisjoint(account.span.scope.split("."))


# --- in other words --------------------------------------------------------------------------------------------------


def found(shown: Sequence[Said], sent: Sent, account: Account) -> Iterator[Found]:
    """Look for the texts of a span in a request: as they are, or as they were joined or wrapped before they were sent.

    Yields:
        Pairs as from `Sent.find`; several texts of the span that were joined into one are one pair.
    """
    behind = 0
    for place, whole in enumerate(shown):
        if place < behind or is_masked(whole["text"]):
            continue
        for said, numbers in list(sent.find(whole, sent.last)) or [(whole, range(0))]:
            there = numbers
            if not there or sent.seen.intersection(there) or _is_of_another(said, there, sent):
                there, count = _made(shown[place:], sent)
                behind = place + count
                if there and numbers:
                    sent.give_back(numbers)
            there = there or numbers or _wrapped(said, sent, account)
            if there or numbers is None:
                yield said, there


def _is_of_another(said: Said, numbers: range, sent: Sent) -> bool:
    """Tell whether the texts that were found for a text of the span are of another speaker."""
    own = speaker(said)
    return own is not None and all(speaker(sent.pieces[number]) != own for number in numbers)


def _made(shown: Sequence[Said], sent: Sent) -> tuple[range | None, int]:
    """Find the sent text into which the first few texts of the span were joined; return it, and how many they are."""
    own = speaker(shown[0])
    texts = [bare(said["text"]) for said in takewhile(lambda said: speaker(said) == own, shown)]
    for number in sent.unseen if len(texts) > 1 else ():
        rest, count = bare(sent.pieces[number]["text"]), 0
        while rest and count < len(texts) and texts[count] and rest.startswith(texts[count]):
            rest = rest[len(texts[count]) :]
            count += 1
        if not rest and count > 1:
            return range(number, number + 1), count
    return None, 0


def _wrapped(said: Said, sent: Sent, account: Account) -> range | None:
    """Find the sent text into which a framework, or a template, has put a text of the span.

    An answer may have been sent with its reasoning before it. A tool's result may have been put into JSON, as an error
    is into the JSON that reports it; or it is a list whose items were sent as a text each. A text that an application's
    span shows without a role may be the question that went into a template, or it may show the whole conversation.
    """
    text = said["text"]
    if speaker(said) == "tool":
        return _of_tool(text, sent)
    if speaker(said) == "assistant":
        return _behind_thoughts(text, sent)
    if said["role"] is not None or is_of_library(account):
        return None
    newest = next((number for number in reversed(sent.unseen) if speaker(sent.pieces[number]) != "assistant"), None)
    if newest is not None and bare(sent.pieces[newest]["text"]) in bare(text):
        return range(newest, newest + 1)
    return _within([text], reversed(sent.unseen), sent)


def _behind_thoughts(text: str, sent: Sent) -> range | None:
    """Find the sent text that is an answer with its reasoning between tags, where the span has the two apart."""
    for number in sent.unseen:
        whole = sent.pieces[number]["text"]
        answer = without_thoughts(whole)
        if answer != whole and bare(answer) == bare(text):
            return range(number, number + 1)
    return None


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
    """Return the items of a JSON list, each as the text that would be sent for it; none for any other text."""
    try:
        value = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        value = None
    listed = value if isinstance(value, list) else []
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in listed]


def _within(mine: Iterable[str], numbers: Iterable[int], sent: Sent, start: int = 0) -> range | None:
    """Find the first sent text, among those numbers, with one of some texts as whole words at or after `start`."""
    words = [r"\s*".join(map(re.escape, text.split())) for text in mine]
    forms = [re.compile(rf"(?<!\w){text}(?!\w)") for text in words if text]
    for number in numbers:
        text = sent.pieces[number]["text"]
        if any(form.search(bare(text) if start else text, start) for form in forms):
            return range(number, number + 1)
    return None


def is_role_adapted(said: Said, sent: Sent, numbers: range, account: Account) -> bool:
    """Tell whether a framework sent a system message as the user's: Anthropic's API has none among its messages.

    A framework that does so may announce it, by a further text in the same message.
    """
    is_users = all(speaker(sent.pieces[number]) == "user" for number in numbers)
    return account.asked.api == "messages" and speaker(said) == "system" and is_users


# --- left out --------------------------------------------------------------------------------------------------------


def missed(lost: Iterable[int], sent: Sent, shown: Iterable[Said], account: Account) -> list[int]:
    """Return the missing texts that the span should show; none if what it shows may be all that it is meant to show.

    An application may mean to show the last message alone, or the question alone. So a text that is missing behind a
    shown one is a fault only if a later text is shown; if several are, since the span then lists messages; or if it is
    the user's, since what the span shows is then out of date.

    Args:
        lost: The numbers of the texts that are missing.
        sent: The texts of the request, and which of them the span shows.
        shown: The texts of the span.
        account: The account of the span.
    """
    if account.asked.api in _LISTS:
        return []
    lost = [number for number in lost if bare(without_thoughts(sent.pieces[number]["text"]))]
    lost = _beside_files(lost, sent, account)
    if is_of_library(account):
        return lost
    turns = sorted(number for number in sent.seen if speaker(sent.pieces[number]) != "system")
    if not turns or all(said["role"] is None for said in shown):
        return []
    return [number for number in lost if turns[0] < number and _is_due(number, turns, sent)]


def _beside_files(lost: list[int], sent: Sent, account: Account) -> list[int]:
    """Return the missing texts without those that are the files of the span: a framework may send a file as a text."""
    files = [bare(file) for file in dialects.text_files(account.span)] if lost else []
    texts = {number: bare(sent.pieces[number]["text"]) for number in lost if files}
    return [number for number in lost if not any(file and file in texts[number] for file in files)]


def _is_due(number: int, turns: Sequence[int], sent: Sent) -> bool:
    return number < turns[-1] or len(turns) > 1 or speaker(sent.pieces[number]) == "user"
