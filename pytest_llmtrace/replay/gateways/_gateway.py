"""A scripted gateway: a queue of replies, each played once, matched by the path of their API on any host."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Answer, Request
from pytest_llmtrace.replay.gateways._paths import APIS, COUNTED, api_of
from pytest_llmtrace.replay.gateways._profiles import elsewhere, having_api, profile, refuse_options
from pytest_llmtrace.replay.gateways._render import render
from pytest_llmtrace.replay.gateways._script import (
    DEFAULT_TEXT,
    Failing,
    Script,
    check_timing,
    read_failing,
    read_pieces,
    read_texts,
    read_tool_calls,
    read_vectors,
)
from pytest_llmtrace.replay.gateways._stored import Stored
from pytest_llmtrace.replay.gateways._usage import check_usage
from pytest_llmtrace.replay.gateways.counts import Counting, counted

__all__ = ["Gateway"]


class Gateway(Counting):
    """Replies in the wire form of one gateway. Each method queues a reply and returns the gateway, for chaining.

    A request takes the first queued reply of its API, or an error that is queued before that reply. The reply is a
    stream if the request asks for one, else it is JSON. Ids are made from a seed and a counter, and all dates are
    fixed, so that the same script always gives the same bytes.

    Args:
        name: `openai`, `anthropic`, `openrouter`, `litellm`, `anannas`, `azure`, `bedrock`, `bedrock-mantle`, `vertex`.
        default: Whether a request for which nothing is queued gets the gateway's default reply.
        seed: A text that ids are made from. With different seeds, two tests get different ids, as from a real server.

    Raises:
        UsageError: If there is no gateway of that name.
    """

    def __init__(self, name: str, *, default: bool = False, seed: str = "") -> None:
        self._profile = profile(name)
        self._default = default
        self._seed = seed
        self._queue: list[tuple[int, Script]] = []
        self._queued = 0
        self._played = 0
        self._lock = threading.Lock()
        self._stored = Stored(self._profile)

    def __repr__(self) -> str:
        return f"Gateway({self.name!r})"

    @property
    def name(self) -> str:
        """The name of the gateway whose form the replies have."""
        return self._profile.name

    @property
    def origin(self) -> str:
        """The name of this gateway in reports."""
        return f"scripted {self.name}"

    @property
    def total(self) -> int:
        """The number of replies that were queued, including those already played."""
        return self._queued

    # --- what a test queues ---

    def chat(
        self,
        *,
        text: str | None = None,
        usage: Mapping[str, Any] | None = None,
        tool_calls: Sequence[Mapping[str, Any]] = (),
        stream_chunks: int | Sequence[str] | None = None,
        model: str | None = None,
        finish_reason: str | None = None,
        choices: Sequence[str] | None = None,
        refusal: str | None = None,
        reasoning: str | None = None,
        cost: float | None = None,
        provider: str | None = None,
        older: bool = False,
        first_token: float | None = None,
        tokens_per_second: float | None = None,
    ) -> Self:
        """Queue a chat completion.

        Args:
            text: The model's text. Default: a fixed sentence, unless there are tool calls, choices or a refusal.
            usage: Token counts by their names on the wire: `prompt_tokens`, `completion_tokens`,
                `prompt_tokens_details`, ... Default: 12 input and 8 output tokens, and as the total their sum.
            tool_calls: Calls that the model asks for: `{"name": ..., "arguments": {...} or JSON text, "id": optional}`.
                Each choice asks for all of them, with ids of its own; a given `id` is used in the first choice.
            stream_chunks: How a stream cuts the text: a number of pieces, or the pieces themselves. Default: by words.
            model: The model that served, where this gateway shows it (LiteLLM: only in a header). Default: the
                requested model, by the name that this gateway would give it.
            finish_reason: Why the model stopped. Default: `stop`, or `tool_calls` if there are any.
            choices: The texts of several choices. Default: `text`, as many times as the request's `n` says.
            refusal: The model's refusal, in place of text, choices and tool calls.
            reasoning: The model's reasoning (only OpenRouter, LiteLLM and Anannas).
            cost: The cost in USD (OpenRouter; LiteLLM: in a header; Anannas: if the request asks for it).
            provider: The provider that served, as OpenRouter names it (OpenRouter only).
            older: Use the form of old releases (LiteLLM: usage chunk with a choice; Anannas: usage in the last chunk).
            first_token: Seconds from the request to the start of the text, with `timing="recorded"` or `"real"`.
            tokens_per_second: The speed from there on, until all output tokens of the usage have come; a reply that is
                not a stream comes as a whole with the last token.

        Raises:
            UsageError: If the gateway has no chat completions or no such option, or an argument is not valid.
        """
        return self._say(
            "chat",
            text=text,
            choices=choices,
            stream_chunks=stream_chunks,
            tool_calls=tool_calls,
            refusal=refusal,
            usage=usage,
            finish=finish_reason,
            model=model,
            reasoning=reasoning,
            cost=cost,
            provider=provider,
            older=older,
            first_token=first_token,
            tokens_per_second=tokens_per_second,
        )

    def responses(
        self,
        *,
        text: str | None = None,
        usage: Mapping[str, Any] | None = None,
        tool_calls: Sequence[Mapping[str, Any]] = (),
        stream_chunks: int | Sequence[str] | None = None,
        model: str | None = None,
        incomplete: str | None = None,
        refusal: str | None = None,
        reasoning: str | None = None,
        cost: float | None = None,
        provider: str | None = None,
        first_token: float | None = None,
        tokens_per_second: float | None = None,
    ) -> Self:
        """Queue a reply of the responses API. A `background` response (OpenAI, Azure) is complete when it is fetched.

        Args:
            text: The model's text. Default: a fixed sentence, unless there are tool calls or a refusal.
            usage: Token counts by their names on the wire: `input_tokens`, `output_tokens`, `input_tokens_details`, ...
            tool_calls: As in `chat`.
            stream_chunks: As in `chat`.
            model: As in `chat`.
            incomplete: Why the response is incomplete: `max_output_tokens` or `content_filter`.
            refusal: The model's refusal, in place of text and tool calls.
            reasoning: The summary of the model's reasoning.
            cost: The cost in USD (OpenRouter; LiteLLM: in a header).
            provider: The provider that served, as OpenRouter names it (OpenRouter only).
            first_token: As in `chat`.
            tokens_per_second: As in `chat`.

        Raises:
            UsageError: If the gateway has no responses or no such option, or an argument is not valid.
        """
        return self._say(
            "responses",
            text=text,
            stream_chunks=stream_chunks,
            tool_calls=tool_calls,
            refusal=refusal,
            usage=usage,
            finish=incomplete,
            model=model,
            reasoning=reasoning,
            cost=cost,
            provider=provider,
            first_token=first_token,
            tokens_per_second=tokens_per_second,
        )

    def messages(
        self,
        *,
        text: str | None = None,
        usage: Mapping[str, Any] | None = None,
        tool_calls: Sequence[Mapping[str, Any]] = (),
        stream_chunks: int | Sequence[str] | None = None,
        model: str | None = None,
        stop_reason: str | None = None,
        reasoning: str | None = None,
        cost: float | None = None,
        provider: str | None = None,
        older: bool = False,
        first_token: float | None = None,
        tokens_per_second: float | None = None,
    ) -> Self:
        """Queue a reply of the messages API.

        Args:
            text: The model's text. Default: a fixed sentence, unless there are tool calls.
            usage: Token counts by their names on the wire: `input_tokens`, `output_tokens`,
                `cache_creation_input_tokens`, `cache_read_input_tokens`, ... Default: 12 input and 8 output tokens.
            tool_calls: As in `chat`, but the arguments must be a JSON object.
            stream_chunks: As in `chat`.
            model: As in `chat`.
            stop_reason: Why the model stopped. Default: `end_turn`, or `tool_use` if there are tool calls.
            reasoning: The model's thinking, sent as a block of its own.
            cost: The cost in USD (OpenRouter; LiteLLM: in a header).
            provider: The provider that served, as OpenRouter names it (OpenRouter only).
            older: Use the form of older replies: a stream's last usage counts the output only (Anthropic, Bedrock).
            first_token: As in `chat`.
            tokens_per_second: As in `chat`.

        Raises:
            UsageError: If the gateway has no messages or no such option, or an argument is not valid.
        """
        return self._say(
            "messages",
            text=text,
            stream_chunks=stream_chunks,
            tool_calls=tool_calls,
            usage=usage,
            finish=stop_reason,
            model=model,
            reasoning=reasoning,
            cost=cost,
            provider=provider,
            older=older,
            first_token=first_token,
            tokens_per_second=tokens_per_second,
        )

    def embeddings(
        self,
        *,
        vectors: Sequence[Sequence[float]] = (),
        usage: Mapping[str, Any] | None = None,
        model: str | None = None,
        cost: float | None = None,
        provider: str | None = None,
    ) -> Self:
        """Queue embeddings.

        Args:
            vectors: One vector for each input. Default: made-up ones of the length that `dimensions` asks for (else 8).
            usage: Token counts by their names on the wire: `prompt_tokens`, `total_tokens`.
            model: As in `chat`.
            cost: The cost in USD (OpenRouter; LiteLLM: in a header).
            provider: The provider that served, as OpenRouter names it (OpenRouter only).

        Raises:
            UsageError: If the gateway has no embeddings or no such option, or an argument is not valid.
        """
        return self._add(
            "embeddings",
            vectors=read_vectors(vectors),
            usage=check_usage("embeddings", usage),
            model=model,
            cost=cost,
            provider=provider,
        )

    def error(
        self,
        status: int,
        *,
        message: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        code: str | int | None = None,
        retry_after: float | None = None,
        mid_stream: bool = False,
        after: int | None = None,
        text: str | None = None,
        api: str | None = None,
        older: bool = False,
    ) -> Self:
        """Queue an error for the next request, to whatever API it goes.

        Args:
            status: The HTTP status, 400 to 599; for an error in mid-stream, the status whose error the stream reports.
            message: The error's message. Default: what this gateway says for the status.
            type: The error's type, where this gateway has one. Bedrock: the name of the exception. Vertex AI: Google's
                status if it is in capitals, else Anthropic's type.
            code: The error's code, where this gateway has one. Azure: `content_filter` adds the filter's findings.
            retry_after: Seconds for the `retry-after` header.
            mid_stream: Whether a stream begins, with status 200, and then breaks off in the gateway's own way. If the
                request wants no stream, OpenRouter and Anannas send the error with status 200, others as usual.
            after: How many pieces of the text come before the error; implies `mid_stream`. Default in mid-stream: 1.
            text: The text that these pieces are cut from. Default: a fixed sentence.
            api: The only API that gets the error: `chat`, `responses`, `embeddings`, `messages`, `input_tokens` or
                `count_tokens`. Default: any.
            older: Use the form of older documentation (Anannas: a numeric code).

        Raises:
            UsageError: If the status is not an error, the gateway has no such API or option, or an argument is not
                valid.
        """
        failing = Failing(status=status, message=message, type=type, code=code, retry_after=retry_after, after=after)
        failing = read_failing(failing, mid_stream=mid_stream)
        return self._add(api, texts=(DEFAULT_TEXT if text is None else text,), failing=failing, older=older)

    # --- what the port asks ---

    def answer(self, request: Request) -> Answer | None:
        """Return the next reply that fits the request; None if there is none."""
        api = api_of(request, self._profile.path)
        if api is None or api not in self._profile.forms:
            return self._stored.answer(request)
        with self._lock:
            script = self._take(api)
            if script is None:
                return None
            self._played += 1
            serial = f"{self._seed}{self._played}"
        self._stored.note(script, api, request, serial)
        return render(self._profile, script, api, request, serial)

    def explain(self, request: Request) -> str:
        """Say why no reply fits a request: it has another path, the gateway lacks its API, or no reply is left."""
        api = api_of(request, self._profile.path)
        if api is None:
            return f"{self.origin} {elsewhere(self._profile, request)}"
        if api not in self._profile.forms:
            return f"{self.origin} has no {api} API; {having_api(api)} one"
        waiting = self.unplayed()
        rest = f"; waiting for other APIs: {', '.join(waiting)}" if waiting else ""
        return f"{self.origin} has no reply left for {api} ({self._queued} queued, {self._played} played){rest}"

    def unplayed(self) -> tuple[str, ...]:
        """Describe the replies that were queued and never requested, in order."""
        with self._lock:
            return tuple(
                f"reply {number}, {script.api or 'any API'}: {script.summary()}" for number, script in self._queue
            )

    def has_reply(self, request: Request) -> bool:
        """Tell whether a request would get a queued reply, or the default reply."""
        api = api_of(request, self._profile.path)
        with self._lock:
            queued = any(script.api in (None, api) for _, script in self._queue)
        return api in self._profile.forms and (queued or self._default)

    def _take(self, api: str) -> Script | None:
        for position, (_, script) in enumerate(self._queue):
            if script.api in (None, api):
                del self._queue[position]
                return script
        if api in COUNTED:
            return counted(api, [script for _, script in self._queue])
        return Script(api=api) if self._default else None

    def _say(
        self,
        api: str,
        *,
        text: str | None,
        stream_chunks: int | Sequence[str] | None,
        tool_calls: Sequence[Mapping[str, Any]],
        usage: Mapping[str, Any] | None,
        choices: Sequence[str] | None = None,
        refusal: str | None = None,
        first_token: float | None = None,
        tokens_per_second: float | None = None,
        **fields: Any,
    ) -> Self:
        """Check the arguments of a model's reply, and queue it."""
        check_timing(first_token, tokens_per_second)
        fields |= {"first_token": first_token, "tokens_per_second": tokens_per_second}
        pieces = read_pieces(stream_chunks, text)
        calls = read_tool_calls(tool_calls, objects=api == "messages")
        texts = read_texts(text, choices, pieces, sent_otherwise=bool(calls), refusal=refusal)
        checked = check_usage(api, usage)
        return self._add(api, texts=texts, pieces=pieces, tool_calls=calls, refusal=refusal, usage=checked, **fields)

    def _add(self, api: str | None, **fields: Any) -> Self:
        if api is not None and api not in tuple(self._profile.forms):  # A value without a hash is not an API either.
            raise self._without(api)
        refuse_options(self._profile, api, fields)
        with self._lock:
            self._queued += 1
            self._queue.append((self._queued, Script(api=api, **fields)))
        return self

    def _without(self, api: str) -> UsageError:
        if api not in tuple(APIS):
            return UsageError.unknown("API", api, APIS)
        return UsageError(f"{self.name} has {', '.join(self._profile.forms)}, but no {api} API; {having_api(api)} one")
