"""What a span is compared with that describes several calls: a batch of embeddings, or a turn that was continued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace.model import Call, Exchange, Fact, Reading, SpanKey
from pytest_llmtrace.reading import PRESENT, UNREADABLE

__all__ = ["Several", "answering", "billed", "listed", "shared_by"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Several:
    """Several calls that one span describes.

    Attributes:
        spokesman: The call that stands for all of them: the one that failed, else the last.
        call: All of them as one call, if they are a turn; else the spokesman.
        answered: One reading for the answers to all of them.
        replies: What the bytes of each reply of a turn say; empty for a batch.
    """

    spokesman: Call
    call: Call
    answered: Reading
    replies: tuple[Reading, ...] = ()


def shared_by(calls: Iterable[Call]) -> Mapping[SpanKey, Several]:
    """Return what each span is compared with that describes more than one of these calls."""
    told: dict[SpanKey, list[Call]] = {}
    for call in calls:
        for span in call.spans if call.truths and call.truth.api in _SHARING else ():
            told.setdefault(span.key, []).append(call)
    made: dict[tuple[int, ...], Several] = {}
    found = {}
    for key, several in told.items():
        if len(several) > 1:
            same = tuple(map(id, several))
            found[key] = made.get(same) or made.setdefault(same, _together(several))
    return found


_SHARING = frozenset({"embeddings", "messages"})


def answering(call: Call, replies: Sequence[Reading]) -> list[Exchange]:
    """Return the exchanges that brought the answer to a call: the last, or those of all replies of a turn.

    Args:
        call: The call.
        replies: What its replies say, if it is a turn that was continued.
    """
    if not replies:
        return [call.exchanges[-1]]
    read = zip(call.exchanges, call.truths, strict=True)
    return [exchange for exchange, truth in read if any(truth is reply for reply in replies)]


def billed(call: Call, replies: Sequence[Reading], name: str) -> float | None:
    """Return the count of all iterations of Anthropic's API; None if no reply lists several.

    The arguments are those of `answering`, and the name of the count. The counts of a turn's replies are added up.
    """
    each = [wire.billed_tokens(exchange) for exchange in answering(call, replies)]
    if not any(each):
        return None
    pairs = zip(each, replies or (call.truth,), strict=True)
    return sum(counts.get(name, reply.fact(name).value or 0) for counts, reply in pairs)


def listed(replies: Sequence[Reading], name: str) -> Fact:
    """Return the fact of all replies of a turn whose value is a list, with what each reply says as items of its own."""
    stated = [fact for reply in replies if (fact := reply.fact(name)).state is PRESENT]
    if not stated or not all(isinstance(fact.value, list) for fact in stated):
        return replies[-1].fact(name)
    return _joined(stated, _one_list)


def _together(calls: Sequence[Call]) -> Several:
    return _batch(calls) if calls[-1].truth.api == "embeddings" else _turn(calls)


# --- A batch ---------------------------------------------------------------------------------------------------------


def _batch(calls: Sequence[Call]) -> Several:
    """Put a batch together: counts are added up if every answer states them, and the rest is that of the last answer.

    If one failed, the reading is that of the failure.
    """
    spokesman = next((call for call in calls if call.truth.error), calls[-1])
    last = spokesman.truth
    if last.error:
        return Several(spokesman=spokesman, call=spokesman, answered=last)
    facts = {name: fact for name, fact in last.facts.items() if name not in _OF_BATCH}
    for name in _OF_BATCH:
        stated = [call.truth.fact(name) for call in calls]
        if all(fact.state is PRESENT for fact in stated):
            facts[name] = _joined(stated, sum)
    return Several(spokesman=spokesman, call=spokesman, answered=replace(last, facts=facts))


_OF_BATCH = ("input_tokens", "output_tokens", "total_tokens", "embedding_count", "cost")


# --- A turn ----------------------------------------------------------------------------------------------------------


def _turn(calls: Sequence[Call]) -> Several:
    """Put a turn together: what was asked is what its first request asks, and what was answered are all its replies."""
    last = calls[-1]
    whole = Call(
        exchanges=tuple(exchange for call in calls for exchange in call.exchanges),
        spans=last.spans,
        truths=tuple(truth for call in calls for truth in call.truths),
        readings=last.readings,
        inside=last.inside,
    )
    replies = tuple(call.truth for call in calls)
    return Several(spokesman=last, call=whole, answered=_answer(replies), replies=replies)


def _answer(replies: Sequence[Reading]) -> Reading:
    """Return one reading for the replies of a turn.

    What the model wrote is put together, and counts are added up, since each request is billed. The rest is that of the
    last reply; if that is none, as in an error, ids and models are those of the reply before.
    """
    last = replies[-1]
    facts = {
        name: reply.facts[name] for reply in replies for name in _NAMES if reply.fact(name).state is PRESENT
    } | dict(last.facts)
    for name, join in _JOINS.items():
        stated = [fact for reply in replies if (fact := reply.fact(name)).state in _KNOWN]
        unread = next((fact for fact in stated if fact.state is UNREADABLE), None)
        if stated:
            facts[name] = unread or _joined(stated, join)
    problems = dict.fromkeys(problem for reply in replies for problem in reply.problems)
    return replace(last, facts=facts, problems=tuple(problems))


_KNOWN = frozenset({PRESENT, UNREADABLE})
_NAMES = ("response_id", "response_model", "served_model")


def _one_text(values: Iterable[Sequence[str | None]]) -> list[str]:
    """Join the texts of replies, each of which has one choice."""
    return ["".join(text or "" for texts in values for text in texts)]


def _one_list(values: Iterable[Sequence[Any]]) -> list[Any]:
    return [value for listed in values for value in listed]


_JOINS: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    **dict.fromkeys(("input_tokens", "output_tokens", "total_tokens", "cost"), sum),
    **dict.fromkeys(("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"), sum),
    **dict.fromkeys(("output_texts", "reasoning_texts"), _one_text),
    **dict.fromkeys(("refusals", "tool_calls"), _one_list),
}


def _joined(facts: Sequence[Fact], join: Callable[[Iterable[Any]], Any]) -> Fact:
    """Return one fact for those of several replies, with the parts and the places of all of them."""
    if len(facts) == 1:
        return facts[0]
    return facts[0]._replace(
        value=join(fact.value for fact in facts),
        parts=tuple(part for fact in facts for part in fact.parts),
        where="\n".join(dict.fromkeys(fact.where for fact in facts)),
    )
