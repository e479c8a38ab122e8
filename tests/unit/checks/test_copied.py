"""`wire/copied`: an attribute that copies a field of the request or the response has that field's value."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Exchange, Finding, SpanRecord
from tests.evidence import evidence_of

Judged = Callable[..., list[Finding]]
ExchangeMaker = Callable[..., Exchange]

CHAT, RESPONSES, EMBEDDINGS, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/messages"
CACHED = "cached_tokens_details"
LIVES = "cache_creation.ephemeral_1h_input_tokens"
NEXT = "take it from the field of the request or the response that the attribute is named after, if that field is there"
TIER = "openai.response.service_tier"


@pytest.fixture
def judged(make_span: Callable[..., SpanRecord], make_exchange: ExchangeMaker) -> Judged:
    """Judge a span of a call, given by its exchanges, or by the fields of its request and its response."""

    def judged(
        said: dict[str, Any],
        *,
        asked: dict[str, Any] | None = None,
        answered: dict[str, Any] | None = None,
        path: str = CHAT,
        exchanges: list[Exchange] | None = None,
    ) -> list[Finding]:
        body = {"model": "m", "messages": [], "input": "x", **(asked or {})}
        reply = json.dumps(answered or {}).encode()
        exchanges = exchanges or [make_exchange(span=1, path=path, body=body, chunks=(reply,))]
        span = make_span(1, attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **said})
        seen = evidence_of(exchanges, [span])
        return [finding for finding in verify(seen, {}).findings if finding.check == "wire/copied"]

    return judged


def test_the_tier_that_was_asked_for_in_place_of_the_one_that_served(judged: Judged) -> None:
    """The tier of the request does not tell which tier served the call and was billed."""
    [finding] = judged({TIER: "flex"}, asked={"service_tier": "flex"}, answered={"service_tier": "default"})
    assert (finding.severity, finding.subject) == ("error", "span 'chat' (app)")
    assert finding.details == (
        ("span", "openai.response.service_tier = 'flex'"),
        ("wire", "service_tier = 'default'\ncassettes/chat.yaml, interaction 0, exchange 0, response body"),
        ("why", "whoever looks up how a call was set up, or how it was billed, reads a value that nobody stated"),
        ("next", f'{NEXT}, or waive: @pytest.mark.llmtrace(ignore={{"wire/copied": "reason"}})'),
    )


@pytest.mark.parametrize(
    ("attribute", "path", "asked", "answered", "right"),
    [
        ("openai.request.service_tier", CHAT, {"service_tier": "flex"}, {"service_tier": "default"}, "flex"),
        ("gen_ai.openai.request.service_tier", RESPONSES, {"service_tier": "flex"}, {}, "flex"),
        ("gen_ai.openai.response.service_tier", RESPONSES, {}, {"service_tier": "priority"}, "priority"),
        ("openai.response.system_fingerprint", CHAT, {}, {"system_fingerprint": "fp_1"}, "fp_1"),
        ("gen_ai.openai.response.system_fingerprint", CHAT, {}, {"system_fingerprint": "fp_1"}, "fp_1"),
        ("gen_ai.openai.system_fingerprint", CHAT, {}, {"system_fingerprint": "fp_1"}, "fp_1"),
        ("gen_ai.request.reasoning.level", RESPONSES, {"reasoning": {"effort": "low"}}, {}, "low"),
        ("gen_ai.request.reasoning_effort", CHAT, {"reasoning_effort": "high"}, {}, "high"),
        ("gen_ai.request.encoding_formats", EMBEDDINGS, {"encoding_format": "float"}, {}, ("float",)),
        ("gen_ai.request.previous_response.id", RESPONSES, {"previous_response_id": "resp_1"}, {}, "resp_1"),
        ("gen_ai.output.type", CHAT, {"response_format": {"type": "json_schema"}}, {}, "json"),
        ("gen_ai.output.type", CHAT, {"response_format": {"type": "json_object"}}, {}, "json_object"),
        ("gen_ai.output.type", RESPONSES, {"text": {"format": {"type": "text"}}}, {}, "text"),
        ("gen_ai.output.type", MESSAGES, {"output_config": {"format": {"type": "json_schema"}}}, {}, "json"),
        ("gen_ai.output.type", MESSAGES, {"output_format": {"type": "json_schema"}}, {}, "json"),
        ("gen_ai.openai.request.response_format", CHAT, {"response_format": {"type": "text"}}, {}, "text"),
        ("gen_ai.response.status", RESPONSES, {}, {"status": "incomplete"}, "incomplete"),
        ("openai.api.type", CHAT, {}, {}, "chat_completions"),
        ("http.request.method", CHAT, {}, {}, "POST"),
        ("http.response.status_code", CHAT, {}, {}, 200),
        ("anthropic.response.service_tier", MESSAGES, {}, {"usage": {"service_tier": "standard"}}, "standard"),
        (f"anthropic.usage.{LIVES}", MESSAGES, {}, {"usage": {"cache_creation": {"ephemeral_1h_input_tokens": 7}}}, 7),
        ("openai.api.type", RESPONSES, {}, {}, "responses"),
        *(
            (f"gen_ai.usage.{attribute}", path, {}, {"usage": {details: counts}}, 7)
            for path, details, attribute, counts in (
                (CHAT, "prompt_tokens_details", "text.input_tokens", {"text_tokens": 7}),
                (CHAT, "prompt_tokens_details", "image.input_tokens", {"image_tokens": 7}),
                (CHAT, "prompt_tokens_details", "audio.cache_read.input_tokens", {CACHED: {"audio_tokens": 7}}),
                (CHAT, "completion_tokens_details", "text.output_tokens", {"text_tokens": 7}),
                (RESPONSES, "input_tokens_details", "text.cache_read.input_tokens", {CACHED: {"text_tokens": 7}}),
                (RESPONSES, "input_tokens_details", "image.cache_read.input_tokens", {CACHED: {"image_tokens": 7}}),
                (RESPONSES, "output_tokens_details", "image.output_tokens", {"image_tokens": 7}),
            )
        ),
    ],
)
def test_each_attribute(
    judged: Judged, attribute: str, path: str, asked: dict[str, Any], answered: dict[str, Any], right: Any
) -> None:
    """Each attribute is compared with its own field: the field's value is right, and any other is wrong."""
    wrong = {tuple: ("base64",), int: 429}.get(type(right), "another")
    assert judged({attribute: right}, path=path, asked=asked, answered=answered) == []
    assert len(judged({attribute: wrong}, path=path, asked=asked, answered=answered)) == 1


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ("default", {"answered": {}}),
        ("default", {"answered": {"service_tier": None}}),
        ("default", {"answered": {"service_tier": 1}}),
        (1, {"answered": {"service_tier": "flex"}}),
        ("1", {"answered": {"service_tier": 1}}),
        ("default", {"path": RESPONSES, "answered": {"service_tier": "auto", "status": "queued"}}),
        ("default", {"path": RESPONSES, "answered": {"service_tier": "auto", "status": "in_progress"}}),
    ],
    ids=["no field", "null", "no text", "no text on the span", "a number", "queued", "in progress"],
)
def test_what_cannot_be_compared(judged: Judged, said: Any, how: dict[str, Any]) -> None:
    """If the wire has no settled value, or the span has no text, nothing is judged."""
    assert judged({TIER: said}, **how) == []


ASKED_TIER, EFFORT = "openai.request.service_tier", "gen_ai.request.reasoning.level"
PREVIOUS = "gen_ai.request.previous_response.id"


@pytest.mark.parametrize(
    ("attribute", "value", "path", "field"),
    [
        (ASKED_TIER, "flex", CHAT, "service_tier"),
        ("gen_ai.openai.request.service_tier", "priority", RESPONSES, "service_tier"),
        (PREVIOUS, "resp_9", RESPONSES, "previous_response_id"),
        ("gen_ai.output.type", "image", CHAT, "output format"),
        ("gen_ai.output.type", "speech", RESPONSES, "output format"),
        (EFFORT, "high", CHAT, "reasoning effort"),
        ("gen_ai.request.reasoning_effort", "low", MESSAGES, "reasoning effort"),
    ],
)
def test_a_value_that_nobody_asked_for(judged: Judged, attribute: str, value: str, path: str, field: str) -> None:
    """A span may not state what the request asks for nowhere, and what is no default either."""
    [finding] = judged({attribute: value}, path=path)
    assert finding.details[:2] == (
        ("span", f"{attribute} = {value!r}"),
        ("wire", f"no {field}\ncassettes/chat.yaml, interaction 0, exchange 0, request body"),
    )


@pytest.mark.parametrize(
    ("attribute", "value", "path", "how"),
    [
        # Defaults, and what a mask has left.
        (ASKED_TIER, "auto", CHAT, {}),
        (ASKED_TIER, "default", CHAT, {}),
        (ASKED_TIER, "__REDACTED__", CHAT, {}),
        (ASKED_TIER, "", CHAT, {}),
        (ASKED_TIER, 7, CHAT, {}),
        ("gen_ai.output.type", "text", CHAT, {}),
        (EFFORT, "none", CHAT, {}),
        (EFFORT, "medium", RESPONSES, {}),
        (EFFORT, "high", MESSAGES, {}),
        # What the response repeats, which is all that a processor of an agent's own traces sees.
        (ASKED_TIER, "flex", CHAT, {"answered": {"service_tier": "flex"}}),
        (EFFORT, "low", RESPONSES, {"answered": {"reasoning": {"effort": "low"}}}),
        (PREVIOUS, "resp_9", RESPONSES, {"answered": {"previous_response_id": "resp_9"}}),
        # A bridge may keep the conversation itself, and ask for JSON by a tool.
        (PREVIOUS, "resp_9", CHAT, {}),
        ("gen_ai.output.type", "json", CHAT, {}),
        # The request asks for it in another way.
        ("gen_ai.output.type", "image", CHAT, {"asked": {"modalities": ["image", "text"]}}),
        ("gen_ai.output.type", "image", RESPONSES, {"asked": {"tools": [{"type": "image_generation"}]}}),
        ("gen_ai.output.type", "speech", CHAT, {"asked": {"audio": {"format": "wav"}}}),
        (EFFORT, "high", MESSAGES, {"asked": {"thinking": {"budget_tokens": 9_000}}}),
        (EFFORT, "high", CHAT, {"asked": {"messages": [{"role": "system", "content": "Reasoning: high"}]}}),
        # A stored prompt may be set up to have it.
        (ASKED_TIER, "flex", RESPONSES, {"asked": {"prompt": {"id": "pmpt_1"}}}),
    ],
)
def test_a_value_that_may_be_true_without_its_field(
    judged: Judged, attribute: str, value: Any, path: str, how: dict[str, Any]
) -> None:
    """Defaults, and what was asked for or stated elsewhere, need no field of their own."""
    assert judged({attribute: value}, path=path, **how) == []


def test_the_effort_in_the_name_of_a_model(judged: Judged, make_exchange: ExchangeMaker) -> None:
    """Some servers have a name of the model for each effort."""
    body = {"model": "o3-mini-high", "messages": []}
    efforts = [
        len(
            judged(
                {EFFORT: effort, "gen_ai.request.model": "o3-mini-high"}, exchanges=[make_exchange(span=1, body=body)]
            )
        )
        for effort in ("high", "low")
    ]
    assert efforts == [0, 1]


@pytest.mark.parametrize(("said", "found"), [("auto", 0), ("default", 0), ("flex", 1)])
def test_a_stream_may_say_two_things(judged: Judged, make_exchange: ExchangeMaker, said: str, found: int) -> None:
    """A response may begin under one tier and be served under another: a span may have either, but not a third."""
    events = [
        {"type": f"response.{status}", "response": {"id": "r", "status": status, "service_tier": tier}}
        for status, tier in (("in_progress", "auto"), ("completed", "default"))
    ]
    chunks = ("".join(f"data: {json.dumps(event)}\n\n" for event in events).encode(),)
    body = {"model": "m", "input": "x", "stream": True}
    stream = make_exchange(span=1, path=RESPONSES, body=body, chunks=chunks, content_type="text/event-stream")
    findings = judged({TIER: said}, exchanges=[stream])
    assert len(findings) == found
    places = [dict(finding.details)["wire"] for finding in findings]
    assert (
        places
        == ["service_tier = 'auto'\ncassettes/chat.yaml, interaction 0, exchange 0, event 0 of the response"][:found]
    )


def test_an_attempt_that_asked_for_something_else(judged: Judged, make_exchange: ExchangeMaker) -> None:
    """A fallback asks for another tier in the same call: a span may describe either attempt."""
    attempts = [
        make_exchange(index=number, span=1, body={"model": "m", "messages": [], "service_tier": tier}, status=status)
        for number, (tier, status) in enumerate((("flex", 429), ("default", 200)))
    ]
    said = "openai.request.service_tier"
    assert [len(judged({said: tier}, exchanges=attempts)) for tier in ("flex", "default", "priority")] == [0, 0, 1]


def test_the_format_in_the_words_of_the_convention(judged: Judged) -> None:
    """The finding has the field as the request spells it."""
    [finding] = judged({"gen_ai.output.type": "text"}, asked={"response_format": {"type": "json_schema"}})
    assert finding.details[:2] == (
        ("span", "gen_ai.output.type = 'text'"),
        ("wire", "response_format.type = 'json_schema'\ncassettes/chat.yaml, interaction 0, exchange 0, request body"),
    )


def test_the_api_that_was_called(judged: Judged) -> None:
    """The finding on a wrong `openai.api.type` shows the path that was called."""
    [finding] = judged({"openai.api.type": "responses"})
    assert finding.details[:2] == (
        ("span", "openai.api.type = 'responses'"),
        ("wire", "POST /v1/chat/completions\ncassettes/chat.yaml, interaction 0, exchange 0"),
    )


@pytest.mark.parametrize(
    ("path", "field", "asked", "wrong"),
    [
        (CHAT, "parallel_tool_calls", {"parallel_tool_calls": False}, True),
        (CHAT, "store", {"store": True}, False),
        (CHAT, "top_logprobs", {"top_logprobs": 2}, 3),
        (CHAT, "stream_options.include_usage", {"stream_options": {"include_usage": True}}, False),
        (CHAT, "response_format.type", {"response_format": {"type": "json_object"}}, "text"),
        (RESPONSES, "reasoning.summary", {"reasoning": {"summary": "auto"}}, "detailed"),
        (RESPONSES, "truncation", {"truncation": "auto"}, "disabled"),
        (MESSAGES, "thinking.budget_tokens", {"thinking": {"budget_tokens": 2048}}, 1024),
        (EMBEDDINGS, "encoding_format", {"encoding_format": "base64"}, "float"),
    ],
)
@pytest.mark.parametrize(
    "attribute",
    [
        "llm.invocation_parameters",
        "embedding.invocation_parameters",
        "langfuse.observation.model.parameters",
        "mlflow.spanInputs",
    ],
)
def test_each_parameter(
    judged: Judged, attribute: str, path: str, field: str, asked: dict[str, Any], wrong: Any
) -> None:
    """The JSON of a request's parameters has the request's value under each field's name."""
    assert judged({attribute: json.dumps({"model": "m", **asked})}, path=path, asked=asked) == []
    stated = wrong
    for name in reversed(field.split(".")):
        stated = {name: stated}
    [finding] = judged({attribute: json.dumps({"model": "m", **stated})}, path=path, asked=asked)
    right = json.loads(json.dumps(asked))
    for name in field.split("."):
        right = right[name]
    assert finding.details[:2] == (
        ("span", f"{attribute}[{field}] = {wrong!r}"),
        ("wire", f"{field} = {right!r}\ncassettes/chat.yaml, interaction 0, exchange 0, request body"),
    )


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[1]",
        '{"store": true',
        7,
        json.dumps({"store": None}),
        json.dumps({"store": 0}),
        json.dumps({"store": {"for": "ever"}}),
        json.dumps({"service_tier": "***"}),
        json.dumps({"verbosity": "low"}),
        json.dumps({"metadata": {"a": "b"}, "user": "hashed"}),
    ],
    ids=["empty", "a list", "cut", "no text", "null", "a number", "an object", "masked", "not sent", "other fields"],
)
def test_parameters_that_cannot_be_compared(judged: Judged, said: Any) -> None:
    """If the JSON cannot be read, or one side has no value of the other's type, nothing is judged."""
    asked = {"store": True, "service_tier": "flex", "metadata": {"a": "c"}, "user": "ann"}
    assert judged({"llm.invocation_parameters": said}, asked=asked) == []


def test_an_input_that_is_not_a_request(judged: Judged) -> None:
    """The input of a function may have a field of the same name; only one that names a model is a request."""
    assert judged({"mlflow.spanInputs": json.dumps({"store": "Berlin"})}, asked={"store": "Paris"}) == []


@pytest.mark.parametrize(
    ("attribute", "field"),
    [
        ("gen_ai.usage.raw", LIVES),
        ("langfuse.observation.usage_details", "completion_tokens_details.accepted_prediction_tokens"),
        ("mlflow.spanOutputs", "system_fingerprint"),
        ("mlflow.spanOutputs", "usage.completion_tokens_details.rejected_prediction_tokens"),
    ],
)
@pytest.mark.parametrize("value", [7, "seven"])
def test_each_field_of_a_reply(judged: Judged, attribute: str, field: str, value: Any) -> None:
    """A reply or its usage, dumped into an attribute, has the response's value under each field's name."""

    def made(value: Any) -> Any:
        for name in reversed(field.split(".")):
            value = {name: value}
        return value

    in_usage = attribute in ("gen_ai.usage.raw", "langfuse.observation.usage_details")
    answered = {"model": "m", **({"usage": made(value)} if in_usage else made(value))}
    assert judged({attribute: json.dumps({"model": "m", **made(value)})}, path=MESSAGES, answered=answered) == []
    [finding] = judged({attribute: json.dumps({"model": "m", **made(value * 2)})}, path=MESSAGES, answered=answered)
    assert finding.details[:2] == (
        ("span", f"{attribute}[{field}] = {value * 2!r}"),
        (
            "wire",
            f"{'usage.' * in_usage}{field} = {value!r}\ncassettes/chat.yaml, interaction 0, exchange 0, response body",
        ),
    )


def test_the_usage_that_a_stream_begins_with(judged: Judged, make_exchange: ExchangeMaker) -> None:
    """Anthropic states most of a usage in the first event only, inside the message."""
    events = [
        {"type": "message_start", "message": {"usage": {"service_tier": "standard"}}},
        {"type": "message_delta", "usage": {"output_tokens": 2}},
    ]
    chunks = ("".join(f"data: {json.dumps(event)}\n\n" for event in events).encode(),)
    body = {"model": "m", "messages": [], "stream": True}
    stream = make_exchange(span=1, path=MESSAGES, body=body, chunks=chunks, content_type="text/event-stream")
    assert judged({"anthropic.response.service_tier": "standard"}, exchanges=[stream]) == []
    [finding] = judged({"anthropic.response.service_tier": "batch"}, exchanges=[stream])
    assert dict(finding.details)["wire"] == (
        "message.usage.service_tier = 'standard'\n"
        "cassettes/chat.yaml, interaction 0, exchange 0, event 0 of the response"
    )


@pytest.mark.parametrize(("said", "found"), [(429, 0), (200, 0), (500, 1)])
def test_the_status_of_an_attempt(judged: Judged, make_exchange: ExchangeMaker, said: int, found: int) -> None:
    """A call that was tried again may state the status of any attempt; the finding quotes the last one."""
    body = {"model": "m", "messages": []}
    attempts = [
        make_exchange(index=number, span=1, body=body, status=status) for number, status in ((0, 429), (1, 200))
    ]
    findings = judged({"http.response.status_code": said}, exchanges=attempts)
    assert [dict(finding.details)["wire"] for finding in findings] == [
        "status 200\ncassettes/chat.yaml, interaction 0, exchange 1"
    ][:found]


def test_the_status_of_an_error_inside_a_200(judged: Judged) -> None:
    """A span may state the status that the body has for its error, or that of HTTP: nothing is judged."""
    answered = {"error": {"code": 502, "message": "Provider returned error"}}
    assert judged({"http.response.status_code": 502}, answered=answered) == []
