"""What goes wrong with a call, and every way to leave its stream: further cases for every instrumentor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from pytest_llmtrace.compare._case import Case
from pytest_llmtrace.exits import ASYNC_WAYS
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Request

__all__ = ["FAULTS", "is_mishap", "mishaps"]

_EITHER: Final = ("stream", "whole")
_LATE: Final = {"seconds": 3600}

FAULTS: Final[tuple[tuple[int | str, tuple[str, ...], Mapping[str, Any]], ...]] = (
    *((status, _EITHER, {}) for status in (400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 529)),
    ("connect-error", _EITHER, {}),
    ("connect-timeout", _EITHER, {}),
    ("read-timeout", _EITHER, {}),
    ("disconnect", _EITHER, {}),
    ("truncate", _EITHER, {}),
    ("error-in-body", ("whole",), {}),
    ("error-in-stream", ("stream",), {}),
    ("malformed-sse", ("stream",), {}),
    ("invalid-json", ("whole",), {}),
    ("stall", ("stream",), _LATE),
    ("slow-first-byte", _EITHER, _LATE),
    ("wrong-content-type", _EITHER, {}),
    ("empty-body", _EITHER, {}),
)
"""Each kind of fault, the replies that it can happen to, and what is said about it."""

_QUESTION: Final = [{"role": "user", "content": "What is OpenTelemetry?"}]
_ASKED: Final[Mapping[tuple[str, str], tuple[str, Mapping[str, Any], Mapping[str, Any]]]] = {
    ("openai", "chat"): (
        "https://api.openai.com/v1/chat/completions",
        {"model": "gpt-4o-mini", "messages": _QUESTION, "max_tokens": 256},
        {"stream": True, "stream_options": {"include_usage": True}},
    ),
    ("anthropic", "messages"): (
        "https://api.anthropic.com/v1/messages",
        {"model": "claude-sonnet-4-5", "messages": _QUESTION, "max_tokens": 256},
        {"stream": True},
    ),
}
_USAGE: Final[Mapping[str, Mapping[str, int]]] = {
    "chat": {"prompt_tokens": 40, "completion_tokens": 9},
    "messages": {"input_tokens": 40, "output_tokens": 9},
}


def mishaps() -> Iterator[Case]:
    """Yield a case for each way to leave a stream, and for each fault of a stream and of a whole reply."""
    for gateway, api in _ASKED:
        for way in ASYNC_WAYS:
            request = _request(gateway, api, "stream")
            yield Case(id=f"left:{gateway}/{api}-{way}", request=request, prepare=_replying(gateway, api), way=way)
        for kind, forms, options in FAULTS:
            for form in forms:
                prepare = _spoiling(gateway, api, kind, options)
                name = f"fault:{gateway}/{api}-{kind}-{form}"
                yield Case(id=name, request=_request(gateway, api, form), prepare=prepare)


def is_mishap(case: Mapping[str, Any]) -> bool:
    """Tell whether what a process has printed is of one of these cases."""
    return str(case["case"]).startswith(("left:", "fault:"))


def _request(gateway: str, api: str, form: str) -> Request:
    url, body, streaming = _ASKED[gateway, api]
    sent = {**body, **(streaming if form == "stream" else {})}
    headers = (("content-type", "application/json"),)
    return Request(method="POST", url=url, headers=headers, body=json.dumps(sent).encode())


def _replying(gateway: str, api: str) -> Callable[[LLMTrace], AbstractContextManager[object]]:
    return lambda trace: nullcontext(
        getattr(trace.gateway(gateway), api)(text="A standard for telemetry.", usage=_USAGE[api])
    )


def _spoiling(
    gateway: str, api: str, kind: int | str, options: Mapping[str, Any]
) -> Callable[[LLMTrace], AbstractContextManager[object]]:
    def prepare(trace: LLMTrace) -> AbstractContextManager[object]:
        fault = trace.fault(kind, **options)
        return nullcontext() if fault.comes_instead else _replying(gateway, api)(trace)

    return prepare
