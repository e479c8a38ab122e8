"""Does the span of a call have what was asked and answered, where the settings promise that?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_llmtrace.canaries import Search, Sought
from pytest_llmtrace.checks._privacy_known import answered_in, asked_in
from pytest_llmtrace.checks._privacy_places import Holds, content_in, side_of
from pytest_llmtrace.checks._privacy_texts import Carrier, Text
from pytest_llmtrace.model import Call, LogRecord, SpanKey, SpanRecord
from pytest_llmtrace.secrets.json_text import json_strings, parsed

if TYPE_CHECKING:
    from pytest_llmtrace.checks._check import Evidence

__all__ = ["uncaptured"]

_ANSWERED = ("output_texts", "reasoning_texts", "refusals", "tool_calls")


def uncaptured(evidence: Evidence) -> Iterator[tuple[SpanRecord, Call, tuple[str, ...]]]:
    """Yield each ended span of a call with what is missing from it and its logs: what was asked, what was answered.

    The answer need not be there if the client left the stream, or if the call failed.
    """
    logs: defaultdict[SpanKey, list[LogRecord]] = defaultdict(list)
    for log in evidence.logs:
        if log.span is not None:
            logs[log.span].append(log)
    for account in evidence.accounts:
        if account.span.ended is None:
            continue
        wanted = {"input": "what was asked"}
        answered = any(account.answered.facts[name].value for name in _ANSWERED if name in account.answered.facts)
        if answered and account.answered.truncated is False and not account.answered.error:
            wanted["output"] = "what was answered"
        records = (account.span, *logs.get(account.span.key, ()))
        texts = [text for record in records for text in Carrier(subject=record).texts() if not text.is_key]
        there = set(_sides(texts)) & wanted.keys()
        there |= {side for side in wanted.keys() - there if _says(texts, _CONTENTS[side](account.call))}
        yield account.span, account.call, tuple(noun for side, noun in wanted.items() if side not in there)


_CONTENTS: Mapping[str, Callable[[Call], Iterator[Sought]]] = {"input": asked_in, "output": answered_in}


def _sides(texts: Iterable[Text]) -> Iterator[str]:
    """Yield `input` or `output` for each text with content that stands in a place where a convention puts it."""
    for text in texts:
        side = side_of(text.channel, text.key)
        if side and content_in(text.text, text.key) is Holds.CONTENT:
            yield side


def _says(texts: Iterable[Text], contents: Iterator[Sought]) -> bool:
    """Tell whether content of a call stands in any of the texts, as in an attribute of the user's own."""
    said = [sought for sought in contents if sought.kind == "content"]
    search, whole = Search(said), {sought.value for sought in said}
    # Content that is too short to be searched for inside of texts may be a whole text.
    return any(search.within(text.text) or not whole.isdisjoint(_strings(text.text)) for text in texts)


def _strings(text: str) -> list[str]:
    inner = () if parsed(text) is None else json_strings(text)
    return [text, *(string.value for string in inner if not string.is_key)]
