"""Decode an exchange's bytes into a `Reading` of its LLM call, from the bytes alone.

Standard library only: no SDK takes part. The `checks` compare this reading with that of `dialects`, which is made from
the span alone.
"""

from pytest_llmtrace.wire._api import api_of_path, counts_tokens, identify, request_body, unread_api
from pytest_llmtrace.wire._body import is_framed, is_stream, plain
from pytest_llmtrace.wire._frames import cut as frames
from pytest_llmtrace.wire._gateway import gateway
from pytest_llmtrace.wire._history import History, history, is_continued, unlisted_calls
from pytest_llmtrace.wire._offered import added_tools
from pytest_llmtrace.wire._progress import last_content_tick, progress
from pytest_llmtrace.wire._prompt import prompts, sent_values
from pytest_llmtrace.wire._read import (
    billed_tokens,
    executed_calls,
    fetches,
    is_done,
    is_paused,
    is_whole,
    nameless_calls,
    other_thoughts,
    paused_at,
    place_of_event,
    read,
    read_fetched,
    resumed_at,
    summaries,
)
from pytest_llmtrace.wire._sse import events
from pytest_llmtrace.wire._stated import answers, replied_texts, reply_body, value_at
from pytest_llmtrace.wire._url import asked, named

__all__ = [
    "History",
    "added_tools",
    "answers",
    "api_of_path",
    "asked",
    "billed_tokens",
    "counts_tokens",
    "events",
    "executed_calls",
    "fetches",
    "frames",
    "gateway",
    "history",
    "identify",
    "is_continued",
    "is_done",
    "is_framed",
    "is_paused",
    "is_stream",
    "is_whole",
    "last_content_tick",
    "named",
    "nameless_calls",
    "other_thoughts",
    "paused_at",
    "place_of_event",
    "plain",
    "progress",
    "prompts",
    "read",
    "read_fetched",
    "replied_texts",
    "reply_body",
    "request_body",
    "resumed_at",
    "sent_values",
    "summaries",
    "unlisted_calls",
    "unread_api",
    "value_at",
]
