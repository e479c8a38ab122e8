"""The statements of cassettes/README.md and of LiteLLM Proxy's recordings about themselves hold for their replies."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import anthropic
import openai
import pytest

from pytest_llmtrace import LLMTrace

QUESTION: Any = [{"role": "user", "content": "What is OpenTelemetry?"}]
ANSWER = "OpenTelemetry is an open source framework for collecting traces, metrics and logs."
STREAM: Any = {"stream": True, "stream_options": {"include_usage": True}}
URL = "http://localhost:4000"


def ask(name: str, api: str = "chat.completions", **options: Any) -> tuple[Any, Mapping[str, str]]:
    """Return the headers of the reply, and what the SDK returns or raises; a stream is returned as a list."""
    with LLMTrace(cassette=f"builtin:litellm/{name}", verify=False) as trace:
        found = _asked(api, options)
    response = trace.exchanges()[0].response
    assert response
    return found, dict(response.headers)


def _asked(api: str, options: dict[str, Any]) -> Any:
    module: Any = anthropic if api == "messages" else openai
    told: list[Any] = []
    client: Any = (anthropic.Anthropic if api == "messages" else openai.OpenAI)(
        api_key="none", base_url=URL, max_retries=0
    )
    with client:
        try:
            reply = attrgetter(api)(client).create(**{"model": "gpt-4o-mini", **options})
            if not options.get("stream"):
                return reply
            told.extend(reply)
        except module.APIError as error:
            return [*told, error] if told else error
    return told


def test_the_alias_is_in_the_body_and_the_upstream_model_in_a_header() -> None:
    """The headers state the cost, by the proxy's own price list, and the numbers of retries and fallbacks."""
    reply, headers = ask("chat", messages=QUESTION, max_tokens=200)
    assert (reply.model, reply.choices[0].message.content) == ("gpt-4o-mini", ANSWER)
    assert headers["x-litellm-model-name"] == "openai/gpt-4o-mini"
    assert float(headers["x-litellm-response-cost"]) == pytest.approx(12 * 0.15e-6 + 15 * 0.6e-6)
    assert (headers["x-litellm-attempted-retries"], headers["x-litellm-attempted-fallbacks"]) == ("0", "0")


def test_a_stream_has_its_cost_in_the_last_chunk() -> None:
    """The headers, sent before the cost is known, state 0.0; the last chunk has usage, cost and no choices."""
    chunks, headers = ask("stream", messages=QUESTION, **STREAM)
    assert "x-litellm-response-cost" not in headers
    assert headers["x-litellm-response-cost-original"] == "0.0"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens, chunks[-1].usage.cost) == ([], 27, 0.0000108)


def test_an_unknown_model_is_a_bad_request() -> None:
    """The error's code is the status, as a string."""
    error, _ = ask("error", model="gpt-4o-mni", messages=QUESTION, max_tokens=200)
    assert isinstance(error, openai.BadRequestError)
    assert (error.code, error.type, error.param) == ("400", "invalid_request_error", None)


def test_a_rate_limit_of_the_provider_keeps_its_delay_to_itself() -> None:
    """No client finds the retry-after header, since it has the prefix that marks headers of the provider."""
    error, headers = ask("limited", messages=QUESTION, max_tokens=200)
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type) == ("429", "throttling_error")
    assert {name for name in headers if "retry-after" in name} == {
        "llm_provider-retry-after",
        "llm_provider-retry-after-ms",
    }


def test_an_upstream_that_dies_is_an_error_in_a_stream_of_status_200() -> None:
    """The text that came before the error reaches the caller."""
    (*chunks, error), _ = ask("died", messages=QUESTION, **STREAM)
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "OpenTelemetry is an open"
    assert type(error) is openai.APIError
    assert error.message == "litellm.APIConnectionError: APIConnectionError: OpenAIException - Connection error."


def test_embeddings_have_a_completion_of_no_tokens() -> None:
    """The usage states zero completion tokens, and the SDK decodes the base64 vector of the reply."""
    reply, _ = ask("embeddings", "embeddings", model="text-embedding-3-small", input="What is OpenTelemetry?")
    assert reply.data[0].embedding == [0.5, -0.25, 0.125]
    assert reply.usage.completion_tokens == 0


def test_messages_of_an_openai_model() -> None:
    """The id is the one of the upstream, not in Anthropic's form."""
    reply, _ = ask("messages", "messages", messages=QUESTION, max_tokens=200)
    assert (reply.id, reply.content[0].text, reply.stop_reason) == ("chatcmpl-Live0001", ANSWER, "end_turn")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (12, 15)


def test_a_stream_of_messages_counts_at_its_end() -> None:
    """`message_start` states 0 input tokens, and `message_delta` the real count."""
    events, _ = ask("messages_stream", "messages", messages=QUESTION, max_tokens=200, stream=True)
    usage = {event.type: event.usage for event in events if event.type == "message_delta"}
    assert (events[0].message.usage.input_tokens, usage["message_delta"].input_tokens) == (0, 12)


def test_messages_break_off_with_an_event() -> None:
    """An upstream that dies is reported as `event: error`, for which the SDK raises."""
    (*events, error), _ = ask("messages_died", "messages", messages=QUESTION, max_tokens=200, stream=True)
    assert [event.type for event in events][-1] == "content_block_delta"
    assert isinstance(error, anthropic.APIStatusError)
    assert error.body == {
        "type": "error",
        "error": {
            "type": "api_error",
            "message": "litellm.APIConnectionError: APIConnectionError: OpenAIException - Connection error.",
        },
    }
