"""Is what was asked and answered on the span of its call, where that was promised?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_llmtrace.checks._privacy_places import Holds, content_in, side_of
from pytest_llmtrace.checks._privacy_texts import Carrier
from pytest_llmtrace.model import Call, LogRecord, SpanKey, SpanRecord

if TYPE_CHECKING:
    from pytest_llmtrace.checks._check import Evidence

__all__ = ["uncaptured"]

_ANSWERED = ("output_texts", "reasoning_texts", "refusals", "tool_calls")


def uncaptured(evidence: Evidence) -> Iterator[tuple[SpanRecord, Call, tuple[str, ...]]]:
    """Yield each span of a call with what of the call is on it nowhere: what was asked, what was answered.

    Of a stream that the reader left, and of a call that failed, there need be no answer.
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
        there = set(_sides(account.span, logs))
        yield account.span, account.call, tuple(noun for side, noun in wanted.items() if side not in there)


def _sides(span: SpanRecord, logs: Mapping[SpanKey, list[LogRecord]]) -> Iterator[str]:
    for record in (span, *logs.get(span.key, ())):
        for text in Carrier(subject=record).texts():
            side = None if text.is_key else side_of(text.channel, text.key)
            if side and content_in(text.text) is Holds.CONTENT:
                yield side
