"""Golden files: the complete bytes that each gateway sends.

A file in `golden/<gateway>/` holds a request and its reply: status line, headers and the body. A pilcrow marks the end
of each chunk, and bytes that are not text are escaped. After a deliberate change, rewrite the files with
`LLMTRACE_WRITE_GOLDEN=1 python -m pytest tests/unit/replay/test_gateway_golden.py` and review the difference.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pytest_llmtrace.model import Answer, Request
from pytest_llmtrace.replay.gateways import GATEWAYS, Gateway

Script = Callable[[Gateway], Gateway]

GOLDEN = Path(__file__).parent / "golden"
TEXT = "Hello there."
CALLS = [
    {"name": "get_weather", "arguments": {"city": "Paris"}},
    {"name": "get_time", "arguments": {"zone": "CET"}, "id": "call_given"},
]
PREFIX = {"openrouter": "/api/v1", "azure": "/openai/deployments/team-gpt", "litellm": ""}
MODEL = {
    "anthropic": "claude-sonnet-4-5",
    "openrouter": "anthropic/claude-sonnet-4.6",
    "anannas": "claude-haiku-4.5",
    "bedrock": "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
    "bedrock-mantle": "anthropic.claude-haiku-4-5",
    "vertex": "claude-sonnet-4-5@20250929",
}
CLOUD: dict[str, Callable[[str, bool], str]] = {
    "bedrock": lambda model, streamed: f"/model/{model}/invoke{'-with-response-stream' if streamed else ''}",
    "vertex": lambda model, streamed: (
        f"/v1/projects/p/locations/global/publishers/anthropic/models/{model}:{'streamR' if streamed else 'r'}awPredict"
    ),
}
ENDING = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
    "input_tokens": "/responses/input_tokens",
    "count_tokens": "/messages/count_tokens",
}


def request_to(gateway: str, api: str, **body: Any) -> Request:
    """Return a request to an API: under the gateway's own prefix, or on a cloud under the path that names the model."""
    if gateway in CLOUD:
        model, streamed = body.pop("model", MODEL[gateway]), body.get("stream", False)
        url = f"https://{gateway}.example{CLOUD[gateway](model, streamed)}"
        return Request(method="POST", url=url, body=json.dumps({"max_tokens": 9, **body}).encode())
    prefix = PREFIX.get(gateway, "/v1")
    if (gateway, api) == ("litellm", "messages"):
        prefix = "/v1"
    query = "?api-version=2024-12-01-preview" if gateway == "azure" else ""
    asked = {"model": MODEL.get(gateway, "gpt-4o-mini"), **body}
    url = f"https://{gateway}.example{prefix}{ENDING[api]}{query}"
    return Request(method="POST", url=url, body=json.dumps(asked).encode())


def _said(api: str) -> Script:
    return lambda gateway: getattr(gateway, api)(text=TEXT, stream_chunks=2)


def _called(api: str) -> Script:
    return lambda gateway: getattr(gateway, api)(tool_calls=CALLS)


def _failed(status: int, **more: Any) -> Script:
    return lambda gateway: gateway.error(status, **more)


STREAM = {"stream": True}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}

CACHED = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "output_tokens": 5,
    "server_tool_use": {"web_search_requests": 1},
}

Case = tuple[Script, dict[str, Any]]


def _common() -> Iterator[tuple[str, Case]]:
    for name, profile in GATEWAYS.items():
        for api in profile.forms:
            for mode, script, body in _modes(api):
                yield f"{name}/{api}-{mode}", (script, body)


def _modes(api: str) -> Iterator[tuple[str, Script, dict[str, Any]]]:
    yield "error", _failed(429, retry_after=2), {}
    if api == "embeddings":
        yield "json", lambda gateway: gateway.embeddings(), {"input": ["a", "b"], "dimensions": 3}
        yield (
            "base64",
            lambda gateway: gateway.embeddings(vectors=[[0.5, -1.0]]),
            {"input": "a", "encoding_format": "base64"},
        )
        return
    if api in ("input_tokens", "count_tokens"):
        yield "json", lambda gateway: getattr(gateway, api)(57), {}
        return
    stream = WITH_USAGE if api == "chat" else STREAM
    yield "json", _said(api), {}
    yield "stream", _said(api), stream
    yield "tools-json", _called(api), {}
    yield "tools-stream", _called(api), stream
    yield "error-stream", _failed(500, text=TEXT, after=1), stream


def _special() -> Iterator[tuple[str, Case]]:
    free = {"model": "openai/gpt-oss-20b:free"}
    priced = {"usage": {"include": True}}
    yield "openai/chat-stream-without-usage", (_said("chat"), STREAM)
    yield (
        "openai/chat-stream-unpadded",
        (_said("chat"), {"stream": True, "stream_options": {"include_obfuscation": False}}),
    )
    yield "openai/chat-choices-json", (_said("chat"), {"n": 2})
    yield "openai/chat-choices-stream", (lambda gateway: gateway.chat(choices=["One.", "Two three."]), STREAM)
    yield "openai/chat-one-tool-stream", (lambda gateway: gateway.chat(tool_calls=CALLS[:1]), STREAM)
    yield "openai/chat-refusal-json", (lambda gateway: gateway.chat(refusal="No."), {})
    yield "openai/chat-refusal-stream", (lambda gateway: gateway.chat(refusal="No."), STREAM)
    yield "openai/chat-error-404", (_failed(404), {"model": "gpt-9"})
    yield "openai/responses-reasoning-stream", (lambda gateway: gateway.responses(text="Yes.", reasoning="Hm."), STREAM)
    yield "openai/responses-refusal-stream", (lambda gateway: gateway.responses(refusal="No."), STREAM)
    yield "openai/responses-incomplete-json", (lambda gateway: gateway.responses(incomplete="max_output_tokens"), {})
    yield (
        "openai/responses-incomplete-stream",
        (
            lambda gateway: gateway.responses(text="Hel", incomplete="max_output_tokens"),
            STREAM,
        ),
    )
    yield "anthropic/messages-cached-json", (lambda gateway: gateway.messages(text="Hi.", usage=CACHED), {})
    yield "anthropic/messages-cached-stream", (lambda gateway: gateway.messages(text="Hi.", usage=CACHED), STREAM)
    yield (
        "anthropic/messages-older-stream",
        (
            lambda gateway: gateway.messages(text="Hi.", usage=CACHED, older=True),
            STREAM,
        ),
    )
    yield "anthropic/messages-thinking-stream", (lambda gateway: gateway.messages(text="Yes.", reasoning="Hm."), STREAM)
    yield "anthropic/messages-error-404", (_failed(404), {"model": "claude-9"})
    yield "anthropic/messages-error-529", (_failed(529), STREAM)
    yield "anthropic/messages-error-529-stream", (_failed(529, mid_stream=True, text=TEXT), STREAM)
    yield "openrouter/chat-stream-without-options", (_said("chat"), STREAM)
    yield "openrouter/chat-reasoning-json", (lambda gateway: gateway.chat(text="Yes.", reasoning="Hm."), {})
    yield "openrouter/chat-reasoning-stream", (lambda gateway: gateway.chat(text="Yes.", reasoning="Hm."), STREAM)
    yield "openrouter/chat-provider-json", (lambda gateway: gateway.chat(provider="AtlasCloud", cost=0.0125), {})
    yield "openrouter/chat-free-json", (_said("chat"), free)
    yield "openrouter/chat-free-error", (_failed(429, retry_after=2), free)
    yield "openrouter/chat-error-body", (_failed(502, mid_stream=True), {})
    yield (
        "litellm/chat-upstream-json",
        (lambda gateway: gateway.chat(text="Hi.", model="openai/gpt-4o", cost=7.1e-05), {}),
    )
    yield "litellm/chat-older-stream", (lambda gateway: gateway.chat(text="Hi.", older=True), WITH_USAGE)
    yield "litellm/chat-stream-without-usage", (_said("chat"), STREAM)
    yield "litellm/chat-error-unknown-model", (_failed(400), {"model": "gpt-9"})
    yield "litellm/chat-error-no-database", (_failed(400, type="no_db_connection", message="No connected db."), {})
    yield "anannas/chat-cost-json", (_said("chat"), priced)
    yield "anannas/chat-cost-stream", (_said("chat"), {**priced, **STREAM})
    yield "anannas/chat-older-stream", (lambda gateway: gateway.chat(text="Hi.", older=True), STREAM)
    yield "anannas/chat-older-error", (_failed(429, older=True), {})
    yield "anannas/chat-error-body", (_failed(502, mid_stream=True), {})
    yield (
        "azure/chat-filtered-stream",
        (lambda gateway: gateway.chat(text="Hi.", finish_reason="content_filter"), STREAM),
    )
    yield "azure/chat-error-filtered", (_failed(400, code="content_filter"), {})
    yield "azure/chat-error-404", (_failed(404), {})


def _hosted() -> Iterator[tuple[str, Case]]:
    for cloud in ("bedrock", "vertex"):
        yield f"{cloud}/messages-cached-json", (lambda gateway: gateway.messages(text="Hi.", usage=CACHED), {})
        yield f"{cloud}/messages-cached-stream", (lambda gateway: gateway.messages(text="Hi.", usage=CACHED), STREAM)
    yield "bedrock/messages-older-stream", (lambda gateway: gateway.messages(text="Hi.", older=True), STREAM)
    yield "bedrock/messages-timed-stream", (lambda gateway: gateway.messages(text="Hi.", first_token=0.5), STREAM)
    yield "bedrock/messages-error-400", (_failed(400), {})
    yield "bedrock/messages-error-throttled-stream", (_failed(429, mid_stream=True, text=TEXT), STREAM)
    yield "vertex/messages-error-429-of-a-stream", (_failed(429), STREAM)
    yield "vertex/messages-error-400", (_failed(400), {})
    yield "vertex/messages-error-429-of-anthropic", (_failed(429, type="rate_limit_error"), {})


def _refused() -> Iterator[tuple[str, Case]]:
    for name, profile in GATEWAYS.items():
        for status in (408, 413, 503, 529):
            yield f"{name}/{next(iter(profile.forms))}-error-{status}", (_failed(status), {})


CASES: dict[str, Case] = {**dict(_common()), **dict(_refused()), **dict(_special()), **dict(_hosted())}


def written(case: str) -> str:
    """Play a case and return the request and its whole reply as text."""
    script, body = CASES[case]
    gateway, _, rest = case.partition("/")
    api = rest.partition("-")[0]
    request = request_to(gateway, api, **body)
    answer = script(Gateway(gateway)).answer(request)
    assert answer is not None
    return f"{request.method} {request.url}\n{request.body.decode()}\n\n{_reply(answer)}"


def _reply(answer: Answer) -> str:
    response = answer.response
    head = [f"{response.http_version} {response.status} {response.reason}".rstrip()]
    head += [f"{name}: {value}" for name, value in response.headers]
    return "\n".join(head) + "\n\n" + "".join(f"{_shown(chunk)}¶\n" for chunk in response.chunks)


def _shown(chunk: bytes) -> str:
    """Return a chunk of text as it is, and a binary frame with its bytes escaped."""
    return chunk.decode("latin-1").encode("unicode_escape").decode() if chunk[:1] == b"\0" else chunk.decode()


@pytest.mark.parametrize("case", CASES)
def test_the_bytes_are_those_of_the_file(case: str) -> None:
    """A script and a request always give the same bytes, and these are the reviewed ones."""
    path = GOLDEN / f"{case}.txt"
    if os.environ.get("LLMTRACE_WRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written(case), encoding="utf-8")
    assert written(case) == path.read_text(encoding="utf-8")


def test_there_is_no_file_without_a_case() -> None:
    """Every golden file belongs to a case; a file that nothing compares would be dead."""
    files = {path.relative_to(GOLDEN).with_suffix("").as_posix() for path in GOLDEN.rglob("*.txt")}
    assert files == set(CASES)


# The traits in which gateways differ: for each golden file, the texts that its reply holds, in this order. A text that
# begins with `!` must be absent.
PECULIAR: dict[str, tuple[str, ...]] = {
    "openai/chat-stream": ('"choices":[],"usage":{"prompt_tokens":12', '"obfuscation":"', "data: [DONE]"),
    "openai/chat-stream-without-usage": ('"finish_reason":"stop"', "data: [DONE]", '!"usage"'),
    "openai/chat-stream-unpadded": ("data: [DONE]", "!obfuscation"),
    "openai/chat-json": ('"model": "gpt-4o-mini-2024-07-18"', '\n  "usage": {', "}\n¶"),
    "openai/chat-tools-stream": (
        '"delta":{"role":"assistant","content":null',
        '"index":0,"id":"call_',
        '"index":0,"function":{"arguments":"{\\""}',
        '"index":1,"id":"call_given"',
        '"index":1,"function":{"arguments":"zone"}',
        '"finish_reason":"tool_calls"',
    ),
    "openai/responses-stream": (
        "event: response.created\ndata: {",
        "event: response.output_text.delta\ndata: {",
        "event: response.completed\ndata: {",
        '"usage":{"input_tokens":12',
        "!event: done",
        "![DONE]",
    ),
    "openai/responses-incomplete-stream": (
        "event: response.incomplete",
        '"incomplete_details":{"reason":"max_output_tokens"}',
        '"usage":{"input_tokens":12',
    ),
    "openai/responses-error-stream": ("event: response.failed", '"error":{"code":"server_error"', "![DONE]"),
    "openai/chat-error": (
        "429 Too Many",
        "retry-after: 2",
        '"type": "requests"',
        '"param": null',
        '"code": "rate_limit',
    ),
    "openai/chat-error-stream": ("HTTP/1.1 200 OK", '"content":"Hello"', 'data: {"error":{"message"', "![DONE]"),
    "anthropic/messages-stream": (
        "event: message_start\ndata: {",
        '"output_tokens":1,',
        'event: ping\ndata: {"type": "ping"}',
        "event: message_delta\ndata: {",
        '"output_tokens":8}',
        "event: message_stop",
        "![DONE]",
    ),
    "bedrock/messages-json": ("X-Amzn-Bedrock-Input-Token-Count: 12", '"id":"msg_bdrk_01', "!service_tier"),
    "bedrock/messages-stream": (
        "application/vnd.amazon.eventstream",
        "X-Amzn-Bedrock-Content-Type: application/json",
        "\\x00\\x00",
        ":event-type\\x07\\x00\\x05chunk",
        '"p":"',
        "!data:",
    ),
    "bedrock/messages-error": ("x-amzn-ErrorType: ThrottlingException:http", '{"message":"Too many requests'),
    "bedrock/messages-error-throttled-stream": (
        "HTTP/1.1 200 OK",
        ":exception-type\\x07\\x00\\x13throttlingException",
        ":message-type\\x07\\x00\\texception",
        '{"message":"Too many requests',
    ),
    "bedrock-mantle/messages-stream": ("request-id: req_bdrk_", "event: message_start\ndata: {", '"id":"msg_bdrk_01'),
    "vertex/messages-stream": ("request-id: req_vrtx_", "event: message_start\ndata: {", '"id":"msg_vrtx_01'),
    "vertex/messages-error": ("charset=UTF-8", "!request-id", '"code": 429', '"status": "RESOURCE_EXHAUSTED"'),
    "vertex/messages-error-429-of-a-stream": ("\n[{\n", '"code": 429', "}\n]\n"),
    "vertex/messages-error-400": ("request-id: req_vrtx_", '"type":"invalid_request_error"'),
    "anthropic/messages-cached-stream": (
        '"cache_creation_input_tokens":20,"cache_read_input_tokens":30',
        "event: message_delta",
        '"usage":{"input_tokens":10,"cache_creation_input_tokens":20',
        '"server_tool_use":{"web_search_requests":1}',
    ),
    "anthropic/messages-older-stream": (
        '"cache_read_input_tokens":30',
        "event: message_delta",
        '"usage":{"output_tokens":5',
    ),
    "anthropic/messages-json": ('"model":"claude-sonnet-4-5-20250929"', '"id":"msg_01'),
    "anthropic/messages-error-404": ("x-should-retry: false", '{"type":"error","error":{"type":"not_found_error"'),
    "anthropic/messages-error-529": (
        "HTTP/1.1 529\n",
        "x-should-retry: true",
        '"overloaded_error"',
        '"request_id":"req_',
    ),
    "anthropic/messages-error-529-stream": (
        "HTTP/1.1 200 OK",
        "event: error\ndata: {",
        '"overloaded_error"',
        "!_stop\n",
    ),
    "openrouter/chat-json": (
        "content-type: application/json",
        "\n         \n¶\n",
        '{"id":"gen-',
        '"model":"anthropic/claude-4.6-sonnet-20260217"',
        '"provider":"Anthropic"',
        '"native_finish_reason":"end_turn"',
        '"cost":',
        '"cost_details":{',
    ),
    "openrouter/chat-stream-without-options": (
        ": OPENROUTER PROCESSING\n\n",
        '"finish_reason":"stop","native_finish_reason":"end_turn"}]}\n',
        '"finish_reason":"stop","native_finish_reason":"end_turn"}],"usage":{',
        '"cost":',
        "data: [DONE]",
    ),
    "openrouter/chat-error-stream": (
        "HTTP/1.1 200 OK",
        '"error":{"message":"Provider returned error","code":500}',
        '"finish_reason":"error"',
        '"usage":{',
        "data: [DONE]",
    ),
    "openrouter/chat-error-body": ("HTTP/1.1 200 OK", '{"error":{"message":"Provider returned error","code":502'),
    "openrouter/chat-free-error": (
        "HTTP/1.1 429",
        '"code":429,"metadata":{"raw":"openai/gpt-oss-20b:free is temporarily',
        '"provider_name":"OpenAI"}},"user_id":"user_',
    ),
    "openrouter/chat-free-json": ('"model":"openai/gpt-oss-20b:free"', '"cost":0'),
    "openrouter/responses-stream": (
        ": OPENROUTER PROCESSING",
        '"type":"response.completed"',
        "data: [DONE]",
        "!event:",
    ),
    "litellm/chat-json": (
        "x-litellm-call-id: ",
        "x-litellm-model-id: ",
        "x-litellm-model-name: openai/gpt-4o-mini",
        "x-litellm-model-group: gpt-4o-mini",
        "x-litellm-model-api-base: ",
        "x-litellm-attempted-retries: 0",
        "x-litellm-attempted-fallbacks: 0",
        "x-litellm-response-cost: ",
        "x-litellm-response-duration-ms: ",
        "x-litellm-overhead-duration-ms: ",
        "llm_provider-x-request-id: ",
        '"model":"gpt-4o-mini"',
    ),
    "litellm/chat-upstream-json": (
        "x-litellm-model-name: openai/gpt-4o\n",
        "x-litellm-response-cost: 7.1e-05",
        '"model":"gpt-4o-mini"',
    ),
    "litellm/chat-stream": ('"choices":[],"usage":{', "data: [DONE]", "!response-cost", "!llm_provider"),
    "litellm/chat-older-stream": (
        '"choices":[{"index":0,"delta":{}}],"stream_options":{"include_usage":true},"usage":{',
        '"choices":[{"index":0,"delta":{}}],"stream_options":{"include_usage":true}}',
        "data: [DONE]",
    ),
    "litellm/chat-error-stream": (
        "HTTP/1.1 200 OK",
        'data: {"error": {"message": "',
        '"code": "500"}}',
        "data: [DONE]",
    ),
    "litellm/chat-error": ("HTTP/1.1 429", '"code":"429"'),
    "litellm/chat-error-unknown-model": ("HTTP/1.1 400", "Invalid model name passed in model=gpt-9", '"code":"400"'),
    "litellm/chat-error-no-database": ("HTTP/1.1 400", '"type":"no_db_connection"', '"code":"400"'),
    "litellm/messages-error": ("x-litellm-call-id", '{"type":"error","error":{"type":"rate_limit_error"'),
    "anannas/chat-stream": (": ANANNAS\n\n", '"choices":[],"usage":{', "data: [DONE]", '!"cost"'),
    "anannas/chat-older-stream": ('"finish_reason":"stop"}],"usage":{', "data: [DONE]", '!"choices":[]'),
    "anannas/chat-cost-stream": ('"choices":[],"usage":{', '"cost":', '"cost_details":{'),
    "anannas/chat-cost-json": ('"cost":', '"cost_details":{'),
    "anannas/chat-error": ('{"error":{"message":"Rate limit exceeded","type":"rate_limit_error"}}', '!"code"'),
    "anannas/chat-older-error": ('"code":429}}', '!"type"'),
    "anannas/messages-stream": ("event: message_start", "event: message_stop"),
    "azure/chat-stream": (
        "/openai/deployments/team-gpt/chat/completions?api-version=",
        'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{',
        '"content_filter_results":{"hate":{"filtered":false',
        '"finish_reason":"stop"',
        "data: [DONE]",
    ),
    "azure/chat-filtered-stream": ('"violence":{"filtered":true', '"finish_reason":"content_filter"'),
    "azure/chat-error": ('{"error":{"code":"429","message":"',),
    "openai/chat-error-413": ("HTTP/1.1 413", '"type": "invalid_request_error"', '"code": null'),
    "anthropic/messages-error-408": ("HTTP/1.1 408", "x-should-retry: true", '"type":"invalid_request_error"'),
    "anthropic/messages-error-413": ("HTTP/1.1 413", "x-should-retry: false", '"type":"request_too_large"'),
    "openrouter/chat-error-529": ("HTTP/1.1 529", '{"error":{"message":"Provider returned error","code":529}}'),
    "openrouter/chat-error-413": ("HTTP/1.1 413", '{"error":{"message":"Request payload too large","code":413}}'),
    "litellm/chat-error-408": ("HTTP/1.1 408", "litellm.Timeout: Timeout: ", '"type":null', '"code":"408"'),
    "anannas/chat-error-413": ("HTTP/1.1 413", '"type":"invalid_request_error"', '!"code"'),
    "azure/chat-error-408": ("HTTP/1.1 408", '{"error":{"code":"Timeout"'),
    "azure/chat-error-filtered": ("HTTP/1.1 400", '"code":"content_filter"', '"innererror":{'),
}


@pytest.mark.parametrize("case", PECULIAR)
def test_each_gateway_shows_what_is_its_own(case: str) -> None:
    """The reviewed bytes hold every trait in which this gateway differs from the others."""
    text = (GOLDEN / f"{case}.txt").read_text(encoding="utf-8")
    reply = text if case.startswith("azure") else text[text.index("\n\n") :]
    position = 0
    for trait in PECULIAR[case]:
        if trait.startswith("!"):
            assert trait[1:] not in reply
        else:
            assert trait in reply[position:]
            position = reply.index(trait, position)


PROFILE = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1"  # The ARN does not name its model.


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("anthropic.claude-3-haiku-20240307-v1:0:48k", "claude-3-haiku-20240307"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        (PROFILE, PROFILE),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    ],
)
def test_a_cloud_names_the_model_as_anthropic_does(asked: str, served: str) -> None:
    """The path has the cloud's model id, percent-encoded or not; the body has Anthropic's own name for the model."""
    cloud = "vertex" if "@" in asked else "bedrock"
    answer = Gateway(cloud, default=True).answer(request_to(cloud, "messages", model=quote(asked, safe=":")))
    assert answer is not None
    assert json.loads(answer.response.body)["model"] == served


def test_a_gateway_counts_its_replies() -> None:
    """A gateway gives each reply its own id, and a new gateway starts again with the first id."""
    request = request_to("openai", "chat")
    gateway = Gateway("openai", default=True)
    first, second = (gateway.answer(request) for _ in range(2))
    again = Gateway("openai", default=True).answer(request)
    assert first == again
    assert first != second


@pytest.mark.parametrize(("name", "api"), [(name, api) for name, profile in GATEWAYS.items() for api in profile.forms])
def test_two_tests_get_two_ids(name: str, api: str) -> None:
    """Gateways of two tests give different ids: an instrumentation that keeps replies by id would confuse them."""
    request = request_to(name, api)
    one, other = (Gateway(name, default=True, seed=seed).answer(request) for seed in ("test_one", "test_other"))
    again = Gateway(name, default=True, seed="test_one").answer(request)
    assert one == again
    assert one != other
