"""Real SDK calls inside a span that is written by hand: plain and streamed, sync and async."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import traceback
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import anthropic
import openai
from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode

from pytest_llmtrace import wire
from pytest_llmtrace._sdks import Client, anthropic_client
from pytest_llmtrace.model import Request
from tests.truth._answer import Answer, Asked
from tests.truth._collect import collector_of
from tests.truth._dialects import Attributes, Writer

__all__ = ["Caller", "Instrumentation"]

ENDINGS = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/v1/messages",
}


@dataclass(frozen=True, kw_only=True)
class Instrumentation:
    """An instrumentation that writes calls on spans in one convention; each field but `writer` is a fault to make.

    Attributes:
        writer: The convention.
        misread: Changes the collected answer before it is written.
        misheard: Changes the arguments of the call before they are written.
        miswrite: Changes the attributes of the answer.
        fails_green: Whether a failure looks like a success.
        fails_silently: Whether the status of a failure comes without a reason.
        ends_early: Whether the span of a stream ends when the stream opens.
        within: The convention of a second span around the first, which describes the same call.
    """

    writer: Writer
    misread: Callable[[Answer], None] = lambda _: None
    misheard: Callable[[Asked], None] = lambda _: None
    miswrite: Callable[[Attributes], None] = lambda _: None
    fails_green: bool = False
    fails_silently: bool = False
    ends_early: bool = False
    within: Writer | None = None

    @contextmanager
    def around(self, asked: Asked) -> Iterator[tuple[Answer, Span]]:
        """Open the span of a call, and write the answer that is collected while it is open."""
        if self.within is not None:
            with replace(self, writer=self.within, within=None).around(asked) as (outer, _):
                with replace(self, within=None).around(asked) as (answer, span):
                    yield answer, span
                for name in Answer.__slots__:
                    setattr(outer, name, getattr(answer, name))
            return
        told = Asked(api=asked.api, arguments=dict(asked.arguments))
        self.misheard(told)
        answer = Answer()
        tracer = trace.get_tracer(self.writer.scope(asked))
        with tracer.start_as_current_span(
            self.writer.span(asked),
            kind=self.writer.kind,
            attributes=_stated(self.writer.asked(told)),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield answer, span
            except Exception as error:
                self._tell(span, told, answer)
                self._tell_failure(span, error)
                raise
            except GeneratorExit:  # The reader of the stream has stopped, which is not a failure.
                self._tell(span, told, answer)
                raise
            self._tell(span, told, answer)
            self._tell_end(span, told, answer)

    def _tell(self, span: Span, told: Asked, answer: Answer) -> None:
        self.misread(answer)
        attributes = _stated(self.writer.answered(told, answer))
        self.miswrite(attributes)
        span.set_attributes(attributes)

    def _tell_end(self, span: Span, told: Asked, answer: Answer) -> None:
        """Set the status of a call that raised nothing: it may have failed or have been cut nevertheless."""
        if self.fails_green:
            span.set_status(StatusCode.OK)
        elif answer.error is not None:
            span.set_status(StatusCode.ERROR, answer.error)
            span.set_attributes(_stated(self.writer.failed(RuntimeError(answer.error))))
        elif told.streaming and not answer.complete:
            span.set_status(StatusCode.ERROR, "the stream ended before the answer was complete")
            span.set_attributes(_stated(self.writer.failed(EOFError())))
        elif self.writer.says_ok:
            span.set_status(StatusCode.OK)

    def _tell_failure(self, span: Span, error: Exception) -> None:
        if self.fails_green or self.fails_silently:
            span.set_status(StatusCode.OK if self.fails_green else StatusCode.ERROR)
            return
        span.set_attributes(_stated(self.writer.failed(error)))
        if self.writer.has_event:
            span.record_exception(error)
        span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")


def _stated(attributes: Attributes) -> Attributes:
    return {key: value for key, value in attributes.items() if value is not None}


@dataclass(kw_only=True)
class Caller:
    """A caller that repeats recorded calls through the SDKs' typed methods, with clients that are made once.

    Attributes:
        asynchronous: Whether the calls are made by the asynchronous clients.
        options: Further options that a team gives its clients.
    """

    asynchronous: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def close(self) -> None:
        """Close the loop of the asynchronous clients."""
        self._runner.close()

    def call(self, instrumentation: Instrumentation, request: Request) -> Exception | None:
        """Make a call and read its reply to the end; return the error that the SDK raised, if any."""
        asked, method, extra = self._prepared(request)
        try:
            if self.asynchronous:
                context = contextvars.copy_context()
                self._runner.run(_acall(instrumentation, asked, method, extra), context=context)
            else:
                _call(instrumentation, asked, method, extra)
        except Exception as error:
            if not _is_of_sdk(error):
                raise
            return error
        return None

    def stream(self, instrumentation: Instrumentation, request: Request) -> Generator[Any]:
        """Return the events of a stream, each as it arrives."""
        asked, method, extra = self._prepared(request)
        return _streamed(instrumentation, asked, method, _given(asked, extra))

    def _prepared(self, request: Request) -> tuple[Asked, Callable[..., Any], dict[str, Any]]:
        """Return the call, the SDK's method for it, and the arguments that the method has no parameters for."""
        api = wire.identify(request)
        assert api is not None
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        body = dict(wire.request_body(request))
        if api == "messages":
            body |= anthropic_client(request).arguments
        method = _method(self._client(api, request), api, query)
        known = _parameters(method.__func__)
        extra: dict[str, Any] = {"extra_body": {key: body[key] for key in body if key not in known} or None}
        if api == "messages":
            extra["extra_query"] = query or None
        return Asked(api=api, arguments=body), method, extra

    def _client(self, api: str, request: Request) -> Any:
        if api == "messages":
            wanted = anthropic_client(request)
            key = (wanted.name, wanted.options["base_url"], "")
            if key not in self._clients:
                self._clients[key] = self._anthropic(wanted)
            return self._clients[key]
        url = urlsplit(request.url)
        base = urlunsplit((url.scheme, url.netloc, url.path.rstrip("/").removesuffix(ENDINGS[api]), "", ""))
        key = ("OpenAI", base, url.query)
        if key not in self._clients:
            self._clients[key] = self._openai(base, url.query)
        return self._clients[key]

    def _openai(self, base: str, query: str) -> Any:
        kind = openai.AsyncOpenAI if self.asynchronous else openai.OpenAI
        return kind(
            api_key="replayed", base_url=base, default_query=dict(parse_qsl(query)), max_retries=0, **self.options
        )

    def _anthropic(self, wanted: Client) -> Any:
        kind = getattr(anthropic, f"{'Async' if self.asynchronous else ''}{wanted.name}")
        quiet: dict[str, Any] = (
            {"open_telemetry": False} if "open_telemetry" in inspect.signature(kind).parameters else {}
        )
        return kind(**wanted.options, max_retries=0, timeout=600, **quiet, **self.options)


def _is_of_sdk(error: Exception) -> bool:
    """Tell whether an error is an SDK's way to report that a call failed.

    openai 2 lets the transport's own errors through when a stream breaks, and anthropic 0.125 has no class of its own
    for an exception in one of Amazon's frames.
    """
    if type(error).__module__.partition(".")[0] in {"anthropic", "httpx", "openai"}:
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"]).startswith("anthropic.lib.bedrock.")


def _method(client: Any, api: str, query: Mapping[str, str]) -> Any:
    if api == "chat":
        return client.chat.completions.create
    if api == "messages":
        return client.beta.messages.create if query.get("beta") == "true" else client.messages.create
    return getattr(client, api).create


@cache
def _parameters(method: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(method).parameters)


def _call(instrumentation: Instrumentation, asked: Asked, method: Callable[..., Any], extra: Mapping[str, Any]) -> None:
    given = _given(asked, extra)
    if not asked.streaming:
        with instrumentation.around(asked) as (answer, _):
            collector_of(asked.api, stream=False)(answer, method(**given))
        return
    for _ in _streamed(instrumentation, asked, method, given):
        pass


def _streamed(
    instrumentation: Instrumentation, asked: Asked, method: Callable[..., Any], given: Mapping[str, Any]
) -> Generator[Any]:
    """Yield the events of a stream from inside its span."""
    collect = collector_of(asked.api, stream=True)
    with instrumentation.around(asked) as (answer, span):
        stream = method(**given)
        if instrumentation.ends_early:
            span.end()
        for event in stream:
            collect(answer, event)
            yield event


async def _acall(
    instrumentation: Instrumentation, asked: Asked, method: Callable[..., Any], extra: Mapping[str, Any]
) -> None:
    given = _given(asked, extra)
    if not asked.streaming:
        with instrumentation.around(asked) as (answer, _):
            collector_of(asked.api, stream=False)(answer, await method(**given))
        return
    async for _ in _astreamed(instrumentation, asked, method, given):
        pass


async def _astreamed(
    instrumentation: Instrumentation, asked: Asked, method: Callable[..., Any], given: Mapping[str, Any]
) -> AsyncIterator[Any]:
    collect = collector_of(asked.api, stream=True)
    with instrumentation.around(asked) as (answer, span):
        stream = await method(**given)
        if instrumentation.ends_early:
            span.end()
        async for event in stream:
            collect(answer, event)
            yield event


def _given(asked: Asked, extra: Mapping[str, Any]) -> dict[str, Any]:
    aside = extra["extra_body"] or {}
    return {key: value for key, value in asked.arguments.items() if key not in aside} | dict(extra)
