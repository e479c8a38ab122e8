"""Further cases for every instrumentor: calls in which something goes wrong, and every way to leave a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pytest_llmtrace.compare._addresses import posted
from pytest_llmtrace.compare._case import Case
from pytest_llmtrace.exits import ASYNC_WAYS
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Request

__all__ = ["FAULTS", "QUESTION", "WITH_USAGE", "Fault", "is_mishap", "mishaps"]

Prepare = Callable[[LLMTrace], AbstractContextManager[object]]

_EITHER: Final = ("stream", "whole")
_LATE: Final = {"seconds": 3600}


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        kind: The kind, as `LLMTrace.fault` takes it.
        forms: The forms of reply to which it can happen: `stream`, `whole`.
        options: The options that `LLMTrace.fault` takes for it.
        retries: How often the SDK tries again.
    """

    kind: int | str
    forms: tuple[str, ...] = _EITHER
    options: Mapping[str, Any] = MappingProxyType({})
    retries: int = 0


FAULTS: Final[Mapping[str, Fault]] = {
    **{str(status): Fault(status) for status in (400, 401, 403, 404, 408, 413, 429)},
    "429-retry-after": Fault(429, options={"retry_after": 0.01}, retries=1),
    **{str(status): Fault(status) for status in (500, 502, 503, 529)},
    "connect-error": Fault("connect-error"),
    "connect-timeout": Fault("connect-timeout"),
    "read-timeout": Fault("read-timeout"),
    "disconnect": Fault("disconnect"),
    "truncate": Fault("truncate"),
    "error-in-body": Fault("error-in-body", ("whole",)),
    "error-in-stream": Fault("error-in-stream", ("stream",)),
    "malformed-sse": Fault("malformed-sse", ("stream",)),
    "invalid-json": Fault("invalid-json", ("whole",)),
    "stall": Fault("stall", ("stream",), _LATE),
    "slow-first-byte": Fault("slow-first-byte", options=_LATE),
    "wrong-content-type": Fault("wrong-content-type"),
    "empty-body": Fault("empty-body"),
}
"""Each fault by its name on the page."""


class _Asked(NamedTuple):
    """A call of one API.

    Attributes:
        url: The URL of the request.
        body: The body of the request.
        streaming: What the body says in addition to ask for a stream; None if the API has no streams.
        usage: The usage in the reply.
        faults: The faults that happen to it; if none are named, all faults and every way to leave its stream.
    """

    url: str
    body: Mapping[str, Any]
    streaming: Mapping[str, Any] | None
    usage: Mapping[str, int]
    faults: tuple[str, ...] = ()


QUESTION: Final = [{"role": "user", "content": "What is OpenTelemetry?"}]
_CHAT: Final = {"messages": QUESTION, "max_tokens": 256}
WITH_USAGE: Final = {"stream": True, "stream_options": {"include_usage": True}}
_ASKED: Final[Mapping[tuple[str, str], _Asked]] = {
    ("openai", "chat"): _Asked(
        "https://api.openai.com/v1/chat/completions",
        {"model": "gpt-4o-mini", **_CHAT},
        WITH_USAGE,
        {"prompt_tokens": 40, "completion_tokens": 9},
    ),
    ("openai", "responses"): _Asked(
        "https://api.openai.com/v1/responses",
        {"model": "gpt-4o-mini", "input": "What is OpenTelemetry?", "max_output_tokens": 256},
        {"stream": True},
        {"input_tokens": 40, "output_tokens": 9},
    ),
    ("openai", "embeddings"): _Asked(
        "https://api.openai.com/v1/embeddings",
        {"model": "text-embedding-3-small", "input": ["one"], "encoding_format": "float"},
        None,
        {"prompt_tokens": 40},
    ),
    ("anthropic", "messages"): _Asked(
        "https://api.anthropic.com/v1/messages",
        {"model": "claude-sonnet-4-5", "messages": QUESTION, "max_tokens": 256},
        {"stream": True},
        {"input_tokens": 40, "output_tokens": 9},
    ),
    ("openrouter", "chat"): _Asked(
        "https://openrouter.ai/api/v1/chat/completions",
        {"model": "openai/gpt-4o-mini", **_CHAT},
        WITH_USAGE,
        {"prompt_tokens": 40, "completion_tokens": 9},
        faults=("error-in-body", "error-in-stream"),  # No other gateway sends errors as it does.
    ),
}


def mishaps() -> Iterator[Case]:
    """Yield a case for each way to leave a stream, and for each fault of a stream and of a whole reply."""
    for (gateway, api), asked in _ASKED.items():
        for way in ASYNC_WAYS if asked.streaming and not asked.faults else ():
            request, prepare = _request(asked, "stream"), _replying(gateway, api, asked)
            yield Case(id=f"left:{gateway}/{api}-{way}", request=request, prepare=prepare, way=way)
        for name in asked.faults or FAULTS:
            fault = FAULTS[name]
            for form in fault.forms if asked.streaming else {"whole"}.intersection(fault.forms):
                yield Case(
                    id=f"fault:{gateway}/{api}-{name}-{form}",
                    request=_request(asked, form),
                    prepare=_spoiling(fault, _replying(gateway, api, asked)),
                    retries=fault.retries,
                )


def is_mishap(case: Mapping[str, Any]) -> bool:
    """Tell whether a result that a process has printed is of one of these cases."""
    return str(case["case"]).startswith(("left:", "fault:"))


def _request(asked: _Asked, form: str) -> Request:
    return posted(asked.url, {**asked.body, **((asked.streaming or {}) if form == "stream" else {})})


def _replying(gateway: str, api: str, asked: _Asked) -> Prepare:
    text = {} if api == "embeddings" else {"text": "A standard for telemetry."}
    return lambda trace: nullcontext(getattr(trace.gateway(gateway), api)(**text, usage=asked.usage))


def _spoiling(fault: Fault, reply: Prepare) -> Prepare:
    def prepare(trace: LLMTrace) -> AbstractContextManager[object]:
        happens = trace.fault(fault.kind, **fault.options)
        # A fault that comes instead of a reply leaves the reply to the next attempt, if there is one.
        return nullcontext() if happens.comes_instead and not fault.retries else reply(trace)

    return prepare
