"""Do two texts say the same? A text stays the same if a limit cut it, or a mask hides it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace import dialects, wire
from pytest_llmtrace._lines import counted
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import cut_at, has_mask, is_masked, is_masked_from, limit_of
from pytest_llmtrace.checks._spaces import are_alike, bare, begins, is_respaced, pieces_of
from pytest_llmtrace.checks._words import attribute_of, shown
from pytest_llmtrace.model import Fact
from pytest_llmtrace.reading import Joined
from pytest_llmtrace.secrets.shapes import masked

__all__ = [
    "apart",
    "is_cut",
    "is_cut_from",
    "is_heard_out",
    "is_same",
    "reasoning",
    "shows_content",
    "texts",
    "unsaid",
    "unstated_reasoning",
    "unstated_texts",
    "without_thoughts",
]

_AROUND = 30
_SECRET = 400  # characters on each side of an excerpt that are searched for a secret which it may cut in two


def is_cut_from(mine: str, whole: str, limit: int | None) -> bool:
    """Tell whether a text is the beginning of another, cut by a limit and not by a fault.

    A limit is recognised by the mark that it leaves (`...`, `[truncated 820 chars]`), or by the length of the text:
    OpenTelemetry's own limit (OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT) leaves no mark.

    Args:
        mine: The text that may have been cut.
        whole: The text that it may have been cut from.
        limit: The limit of the span, as `limit_of` returns it.
    """
    mark = cut_at(mine)
    if mark is not None and begins(pieces_of(whole), mine[:mark]):
        return True
    return len(mine) == limit and begins(pieces_of(whole), mine)


def is_cut(mine: str, limit: int | None) -> bool:
    """Tell whether a text looks as if a limit had cut it: by its length or its mark, as in `is_cut_from`."""
    return len(mine) == limit or cut_at(mine) is not None


def texts(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the texts of the choices, in order; choices without a text are passed over.

    The answer of one choice may stand in several messages: in the Responses API, each of them is an item of the output.
    """
    if mine.value == true.value:
        return None
    said, there = _stated(mine.value), _answers(_stated(true.value), account)
    if not said:
        return None if _has_no_place(mine, true) else _lost(mine, there, account)
    if _agree(said, there, mine, account) or _agree(_left_of(said, _beside(account)), there, mine, account):
        return _of_another_choice(mine, true, account)
    begun = account.extent is not Extent.WHOLE
    if len(said) > len(there) or (len(said) < len(there) and not begun):
        return Difference(more=f"the span has {counted(len(said), 'text')}, the response {len(there)}")
    limit = limit_of(account.span, account.of_scope)
    for mine_text, true_text in zip(said, there, strict=False):
        if not is_same(mine_text, true_text, limit, begun=begun):
            return apart(mine, mine_text, true_text, key=true.keys)
    return _of_another_choice(mine, true, account)


def _has_no_place(mine: Fact, true: Fact) -> bool:
    """Tell whether an answer is spoken, with words that only OpenInference's messages have a place for."""
    return true.keys.endswith(".audio.transcript") and not attribute_of(mine).startswith("llm.output_messages")


_THOUGHT = re.compile(r"<think(?:ing)?>(.*?)(?:</think(?:ing)?>|\Z)", re.DOTALL)


def without_thoughts(text: str) -> str:
    """Return a text without the reasoning that some models write into it, between tags."""
    return _THOUGHT.sub("", text) if "<think" in text else text


def _answers(there: list[str], account: Account) -> list[str]:
    """Return the texts of the wire; without the thoughts in them, if the span shows these as reasoning of their own."""
    thoughts = [thought for text in there if "<think" in text for thought in _THOUGHT.findall(text)]
    if not thoughts:
        return there
    whole, limit = Joined.of(thoughts), limit_of(account.span, account.of_scope)
    begun = account.extent is not Extent.WHOLE
    shown = ["".join(_stated(fact.value)) for fact in account.stated.get("reasoning_texts", ())]
    if not any(is_same(text, whole, limit, begun=begun) for text in shown):
        return there
    return _stated([Joined.of([*_around_thoughts(text)]) for text in there])


def _around_thoughts(text: str) -> Iterator[str]:
    for piece in pieces_of(text):
        yield from _THOUGHT.split(piece)[::2]


def unsaid(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge messages without any text where the wire has none, either: a refusal may have been lost."""
    return _lost(mine, [], account) if account.answered.refusals else None


# OpenInference and OpenLLMetry have no place for a refusal; in OpenTelemetry's messages, it is a part.
_WITH_REFUSALS = "gen_ai.output.messages"


def _lost(mine: Fact, there: list[str], account: Account) -> Difference | None:
    """Judge messages without any text: a fault only if content is captured, since capturing none is not a fault."""
    refused = account.answered.fact("refusals")
    said = there or (_stated(refused.value or ()) if attribute_of(mine) == _WITH_REFUSALS else [])
    if not is_heard_out(account) or not any(map(bare, said)):
        return None
    if any(_stated(fact.value) for name in (mine.name, "refusals") for fact in account.stated.get(name, ())):
        return None  # Another place on the span states what was said.
    if not shows_content(mine, account):
        return None
    return Difference(
        span=f"{mine.keys or mine.name}: no text",
        wire="" if there else f"{refused.keys} = {shown(refused.value)}",
        more="other content is there, so the text was not left out on purpose",
    )


def is_heard_out(account: Account) -> bool:
    """Tell whether the client has read an answer that is complete, so that nothing of it is missing on the span."""
    answered = account.answered
    return account.extent is Extent.WHOLE and not answered.truncated and not answered.error


def shows_content(mine: Fact, account: Account) -> bool:
    """Tell whether the messages that a fact is taken from show a text, reasoning or arguments, or the span the prompt.

    An instrumentation's switch captures all content or none.
    """
    own = attribute_of(mine)
    for name in ("output_texts", "reasoning_texts", "tool_calls"):
        values = [one for fact in account.stated.get(name, ()) if attribute_of(fact) == own for one in fact.value]
        if any(one.get("arguments") if isinstance(one, Mapping) else one for one in values):
            return True
    return dialects.shows_prompt(account.span)


def _agree(said: list[str], there: list[str], mine: Fact, account: Account) -> bool:
    """Tell whether texts are the same; one text may stand in several messages where these are no choices."""
    if said == there:
        return True
    are_choices = mine.name == "output_texts" and account.answered.api in _WITH_CHOICES
    return len(there) == 1 and "".join(said) == there[0] and not are_choices


_WITH_CHOICES = frozenset({"chat", "completions"})


def _of_another_choice(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Judge which choice each text is in, where both sides have the same number of choices."""
    said, there = mine.value, true.value
    if not isinstance(said, list) or not isinstance(there, list) or not len(said) == len(there) > 1:
        return None
    beside = _beside(account)
    for number, (text, other) in enumerate(zip(said, there, strict=True)):
        if text and not other and text not in beside:
            return Difference(
                span=f"{mine.keys or mine.name}: {shown(text)} in choice {number}",
                wire=f"{true.keys}: {shown(there)}",
                why="what one choice says is shown as what another one does",
                next="write the text of each choice into the message of that choice",
            )
    return None


def reasoning(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare reasoning as texts; the span may state the parts of a summary as the JSON that they came in.

    A reply may have both the reasoning and a summary of it, and the span may show either. It may also show what the
    server has encrypted of the reasoning, where it stands.
    """
    difference = texts(mine, true, account)
    if difference is None:
        return None
    said = _stated(mine.value)
    parts = ["".join(_parts(text)) for text in said]
    if _agree(parts, _stated(true.value), mine, account):
        return None
    other = bare(wire.other_thoughts(account.exchange))
    return None if other and other in (bare("".join(said)), bare("".join(parts))) else difference


def _parts(text: str) -> Iterable[str]:
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    found = parts if isinstance(parts, list) else ()
    return _stated([part.get("text") for part in found if isinstance(part, dict)])


def unstated_texts(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge a span's texts where the wire has none: a refusal, a summary or a mask may stand in its place."""
    others = _beside(account)
    made_up = [text for text in _stated(mine.value) if text not in others and not is_masked(text)]
    return Difference() if made_up else None


def unstated_reasoning(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge a span's reasoning where the wire has none in a field for it: it may stand in any other field."""
    answers = _stated(account.answered.output_texts or ())
    thoughts = "".join(thought for text in answers for thought in _THOUGHT.findall(text))
    elsewhere = {*map(bare, wire.replied_texts(account.exchange.response))}.difference(map(bare, answers))
    replied = [bare(thoughts), *elsewhere]
    said = [text for text in _stated(mine.value) if not is_masked(text) and not has_mask(text)]
    made_up = [text for text in said if not any(bare(text[: cut_at(text)]) in other for other in replied)]
    return Difference(span=f"{mine.keys or mine.name}: {shown(made_up[0])}") if made_up else None


def _beside(account: Account) -> list[str]:
    """Return the texts that the reply has beside those of the answer: refusals, and summaries of the conversation."""
    return [*_stated(account.answered.refusals or ()), *wire.summaries(account.exchange)]


def _left_of(texts: list[str], others: list[str]) -> list[str]:
    """Return what is left of texts when each of the others is taken away once: a whole text, or the start of one."""
    left = [*texts]
    for other in others:
        found = other if other in left else next((text for text in left if text.startswith(other)), None)
        if found is not None:
            left[left.index(found)] = found.removeprefix(other)
    return [text for text in left if text]


def is_same(mine: str, true: str, limit: int | None, *, begun: bool = False) -> bool:
    """Tell whether two texts are the same, apart from masks, and what a limit or an early end cut off.

    White space may differ at the ends of the text and of each of its pieces.
    """
    if mine == true or is_masked(mine):
        return True
    pieces = pieces_of(true)
    if are_alike(mine, pieces) or (begun and begins(pieces, mine)):
        return True
    return is_cut_from(mine, true, limit) or is_masked_from(mine, true)


def apart(fact: Fact, mine: str, true: str, *, key: str = "") -> Difference:
    """Return the difference between a text of the span and the wire's: an excerpt of each where they diverge.

    `key` is the field of the wire that has the text.
    """
    at = next((i for i, (a, b) in enumerate(zip(mine, true, strict=False)) if a != b), min(len(mine), len(true)))
    respaced = is_respaced(mine, pieces_of(true))
    return Difference(
        span=f"{fact.keys or fact.name}: {_around(mine, at)}",
        wire=f"{key and f'{key}: '}{_around(true, at)}, {_where_apart(mine, true, at)}",
        more=_RESPACED if respaced else "",
        next=_AS_IT_IS if respaced else "",
    )


_RESPACED = "only the white space differs, which makes one word of two, or lines up code and lists in another way"
_AS_IT_IS = "take the text as it is, and strip neither its chunks nor its lines"


def _where_apart(mine: str, true: str, at: int) -> str:
    if at == len(mine):
        return f"of which the span has the first {at:,} of {len(true):,} characters"
    if at == len(true):
        return f"to which the span adds {len(mine) - at:,} characters"
    return f"different from character {at + 1:,} on"


def _around(text: str, at: int) -> str:
    start = max(0, at - _AROUND)
    end = at + _AROUND
    near = text[max(0, start - _SECRET) : end + _SECRET]
    if masked(near) != near:  # The excerpt might show half of a secret, unmasked; `shown` masks the whole.
        return shown(text)
    return f"{'...' if start else ''}{text[start:end]!r}{'...' if end < len(text) else ''}"


def _stated(value: Any) -> list[str]:
    values: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
    return [text for text in values if isinstance(text, str) and text]
