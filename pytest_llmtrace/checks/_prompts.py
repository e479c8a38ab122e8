"""Does a span show all texts that the model was given to read, each in the right role?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace.checks import _adapted
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_masked, limit_of
from pytest_llmtrace.checks._sent import Said, Sent, speaker
from pytest_llmtrace.checks._texts import apart
from pytest_llmtrace.checks._tools import is_of_provider, is_renamed
from pytest_llmtrace.checks._words import attribute_of, dropped, first_of, shown
from pytest_llmtrace.model import Fact
from pytest_llmtrace.reading import UNREADABLE, Joined
from pytest_llmtrace.secrets.json_text import parsed

__all__ = ["given"]


def given(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the prompt on a span with what was sent: a span may join texts; one that lists them leaves none out."""
    if mine.value == true.value or _is_of_several(account):
        return None
    difference = _difference(mine, true, account)
    # Where the server keeps the conversation, other requests have sent the rest of it.
    return None if difference is None or wire.is_continued(account.call.exchanges[0].request) else difference


def _is_of_several(account: Account) -> bool:
    """Tell whether a span describes several requests for embeddings together."""
    return account.answered is not account.call.truth and not account.replies


def _difference(mine: Fact, true: Fact, account: Account) -> Difference | None:
    limit = limit_of(account.span, account.of_scope)
    sent = Sent(true, account.call.exchanges[0].request, limit)
    if _is_itself(mine, sent, account):
        return None
    for said, numbers in _adapted.found(_texts(mine), sent, account):
        if numbers is None:
            if _is_sent_otherwise(said, sent):
                continue
            return _never_sent(mine, said, true, sent)
        difference = _misplaced(mine, said, true, numbers, sent, account)
        if (
            difference is None
            and sent.is_respaced(said, numbers)
            and not _is_for_embedding(said, numbers, sent, account)
        ):
            difference = _respaced(mine, said, true, numbers, sent)
        if difference is not None:
            return difference
        sent.take(numbers, whole=_adapted.is_role_adapted(said, sent, numbers, account))
    # If a limit has cut a text, the rest of it is unknown.
    return None if sent.has_cut or _has_cut_json(account, limit) else _lost(mine, true, sent, account)


def _texts(fact: Fact) -> list[Said]:
    """Return the texts of a fact. A dialect of the user's own may give any value; a plain text has no role."""
    return list(_texts_of(fact.value if isinstance(fact.value, list | tuple) else [fact.value]))


def _texts_of(listed: Iterable[Any]) -> Iterator[Said]:
    for said in listed:
        if isinstance(said, str):
            yield {"role": None, "text": said, "answers": None}
        elif isinstance(said, Mapping) and isinstance(said.get("text"), str):
            yield {"role": said.get("role"), "text": said["text"], "answers": said.get("answers")}


def _is_sent_otherwise(said: Said, sent: Sent) -> bool:
    """Tell whether a text is a tool's result that the request does not have as a text.

    What a tool of the provider's own returned stands in an item of its own, with the call. A tool that looks for tools
    is answered with references to them.
    """
    identity = said.get("answers")
    return isinstance(identity, str) and (is_of_provider(identity) or sent.has_textless(identity))


def _has_cut_json(account: Account, limit: int | None) -> bool:
    """Tell whether a limit has cut JSON on the span, which may be the JSON of messages."""
    values = account.span.attributes.values() if limit is not None else ()
    longest = (value for value in values if isinstance(value, str) and len(value) == limit)
    return any(text[:1] in ("[", "{") and text[-1:] not in ("]", "}") for text in longest)


def _is_itself(mine: Fact, sent: Sent, account: Account) -> bool:
    """Tell whether an attribute is a text that was sent, and only looks like messages."""
    raw = account.span.attributes.get(attribute_of(mine))
    return isinstance(raw, str) and any(raw == piece["text"] for piece in sent.pieces)


def _misplaced(mine: Fact, said: Said, true: Fact, numbers: range, sent: Sent, account: Account) -> Difference | None:
    speakers = {speaker(sent.pieces[number]) for number in numbers}
    if _adapted.is_role_adapted(said, sent, numbers, account):
        speakers.add("system")
    if account.asked.api == "messages" and "tool" in speakers:
        speakers.add("user")  # In Anthropic's API, the user's messages hold the results of tools.
    if speaker(said) not in (None, *speakers):
        return _as_another(mine, said, true, numbers)
    if sent.seen.intersection(numbers):
        return _twice(mine, true, numbers)
    if sent.is_before(numbers) and "system" not in speakers:
        return _out_of_order(mine, true, numbers)
    return _answer_to_another(mine, said, true, numbers, sent, account)


def _never_sent(mine: Fact, said: Said, true: Fact, sent: Sent) -> Difference:
    unseen = sent.unseen
    alike = [number for number in unseen if speaker(sent.pieces[number]) == speaker(said)]
    nearest = next(iter(alike or unseen), None)
    if nearest is None:
        return Difference(span=f"{mine.keys}: {shown(said['text'])}", wire="no other text was sent")
    key, text = true.parts[nearest]
    if text[:1] != said["text"][:1]:
        return Difference(span=f"{mine.keys}: {shown(said['text'])}", wire=f"no such text, but {key}: {shown(text)}")
    difference = apart(mine, said["text"], text)
    return Difference(span=difference.span, wire=f"{key}: {difference.wire}")


def _is_for_embedding(said: Said, numbers: range, sent: Sent, account: Account) -> bool:
    """Tell whether only the kind of white space differs: frameworks replace line ends by blanks before they embed."""
    words = [word for number in numbers for word in sent.pieces[number]["text"].split()]
    return account.asked.api == "embeddings" and said["text"].split() == words


def _respaced(mine: Fact, said: Said, true: Fact, numbers: range, sent: Sent) -> Difference:
    pieces = [sent.pieces[number]["text"] for number in numbers]
    return apart(mine, said["text"], Joined.of(pieces), key=true.parts[numbers[0]][0])


def _as_another(mine: Fact, said: Said, true: Fact, numbers: range) -> Difference:
    key, text = true.parts[numbers[0]]
    role = true.value[numbers[0]]["role"]
    return Difference(
        span=f"{mine.keys}: {shown(said['text'])} with role {said['role']!r}",
        wire=f"{key}: {shown(text)} with role {role!r}",
        why="whoever reads the prompt on the span takes it for the words of somebody else",
        next="take the role of each message from the request",
    )


def _answer_to_another(
    mine: Fact, said: Said, true: Fact, numbers: range, sent: Sent, account: Account
) -> Difference | None:
    """Judge the id by which the result of a tool names its call."""
    identity, own = said.get("answers"), {sent.pieces[number].get("answers") for number in numbers}
    if not isinstance(identity, str) or not identity or is_masked(identity) or not own.isdisjoint((identity, None)):
        return None
    key, text = true.parts[numbers[0]]
    there = sent.pieces[numbers[0]]["answers"]
    if _may_stand_for(identity, there, said, sent, account):
        return None
    return Difference(
        span=f"{mine.keys}: {shown(text)} as the result of call {shown(identity)}",
        wire=f"{key}: {shown(text)} as the result of call {shown(there)}",
        why="whoever reads the prompt on the span takes it for the result of another call",
        next="take the id of the call from the message that has the result",
    )


def _may_stand_for(identity: str, there: str, said: Said, sent: Sent, account: Account) -> bool:
    """Tell whether one id may stand for another: their results are alike, or the span's maker uses ids of its own."""
    of_others = sent.results.get(identity)
    if of_others:
        return any(sent.is_of(said, number) for number in of_others)
    # An item of the Responses API has an id of its own, beside that of the call.
    return not _adapted.is_of_library(account) or sent.has(identity) or is_renamed(identity, there)


def _twice(mine: Fact, true: Fact, numbers: range) -> Difference:
    key, text = true.parts[numbers[0]]
    return Difference(span=f"{mine.keys}: {shown(text)}, twice", wire=f"{key}: {shown(text)}, once")


def _out_of_order(mine: Fact, true: Fact, numbers: range) -> Difference:
    key, text = true.parts[numbers[0]]
    return Difference(span=f"{mine.keys}: {shown(text)}, after what was sent later", wire=f"{key}: {shown(text)}")


def _lost(mine: Fact, true: Fact, sent: Sent, account: Account) -> Difference | None:
    """Judge the texts that the span shows in none of its places."""
    places = account.places(mine.name)
    said_in_all = [said for place in places for said in _texts(place)]
    if any(is_masked(said["text"]) for said in said_in_all):
        return None
    for said in [said for place in places if place is not mine for said in _texts(place)]:
        for _, numbers in sent.find(said):
            sent.seen.update(numbers or ())
    lost = sent.unseen
    if not lost or mine is not places[0]:
        return None
    missed = _adapted.missed(lost, sent, said_in_all, account)
    if not missed:
        return None
    return Difference(
        span=f"{mine.keys}: {len(sent.pieces) - len(lost)} of {len(sent.pieces)} texts",
        wire="\n".join(first_of([_told(true, number) for number in missed], _MOST)),
        more=_FILTERED if _may_be_filtered(mine, account) else "",
        next=dropped(account.span),
        follows=tuple(_unread(account)),
    )


def _may_be_filtered(mine: Fact, account: Account) -> bool:
    """Tell whether an instrumentation may let its users filter prompts, as OTel GenAI says of these attributes."""
    return attribute_of(mine).startswith("gen_ai.") and _adapted.is_of_library(account)


_FILTERED = (
    "only a filter that you have set yourself may leave texts out, as OTel GenAI allows: if you have, waive this"
)


_MOST = 3


def _unread(account: Account) -> Iterator[str]:
    """Name the checks that find an attribute in which the span may have the texts, but cannot be read."""
    reading = account.reading
    facts = (fact for fact in (*reading.facts.values(), *reading.others) if fact.name == "input_messages")
    if any(fact.state is UNREADABLE for fact in facts):
        yield "wire/unreadable"
    held = map(account.span.attributes.get, ("gen_ai.input.messages", "gen_ai.system_instructions"))
    if any(isinstance(raw, str) and raw.lstrip().startswith(("[", "{")) and parsed(raw) is None for raw in held):
        yield "convention/content"


def _told(true: Fact, number: int) -> str:
    key, text = true.parts[number]
    return f"{key}: {shown(text)}, which the span lacks"
