"""The real SDKs read the bytes of scripted gateways, in both generations, sync and async."""

import asyncio
import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Literal

import anthropic
import openai
import pytest

from pytest_llmtrace.model import Request
from pytest_llmtrace.replay.gateways import GATEWAYS, Gateway

Mode = Literal["sync", "async"]

TEXT = "The capital of France is Paris."
CALLS: list[dict[str, Any]] = [
    {"name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius"}, "id": "call_1"},
    {"name": "get_time", "arguments": '{"zone":"Europe/Paris"}'},
]
EXPECTED_CALLS = [
    ("get_weather", '{"city":"Paris","unit":"celsius"}'),
    ("get_time", '{"zone":"Europe/Paris"}'),
]
MODELS = {
    "openai": ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    "openrouter": ("anthropic/claude-sonnet-4.6", "anthropic/claude-4.6-sonnet-20260217"),
    "litellm": ("gpt-4o-mini", "gpt-4o-mini"),
    "anannas": ("claude-haiku-4.5", "claude-haiku-4.5"),
    "azure": ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
}
CLOUDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bedrock": ("AnthropicBedrock", {"api_key": "k", "aws_region": "eu-west-1"}),
    "bedrock-mantle": ("AnthropicBedrockMantle", {"api_key": "k", "aws_region": "eu-west-1"}),
    "vertex": ("AnthropicVertex", {"access_token": "k", "project_id": "p", "region": "global"}),
}
_OLD = int(openai.__version__.split(".")[0]) < 3
http = importlib.import_module("httpx" if _OLD else "httpx2")

modes = pytest.mark.parametrize("mode", ["sync", "async"])
streams = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


def having(api: str, *, other_than: Sequence[str] = ()) -> pytest.MarkDecorator:
    """Parametrise over the gateways that have an API."""
    names = [name for name, profile in GATEWAYS.items() if api in profile.forms and name not in other_than]
    return pytest.mark.parametrize("name", names)


# --- the SDKs over a gateway -----------------------------------------------------------------------------------------


def _answered(gateway: Gateway, request: Any, body: bytes) -> Any:
    headers = tuple(request.headers.multi_items())
    asked = Request(method=request.method, url=str(request.url), headers=headers, body=body)
    answer = gateway.answer(asked)
    assert answer is not None, gateway.explain(asked)
    return answer.response


def _http_client(gateway: Gateway, mode: Mode) -> Any:
    def handle(request: Any) -> Any:
        response = _answered(gateway, request, request.read())
        return http.Response(response.status, headers=list(response.headers), content=iter(response.chunks))

    async def handle_async(request: Any) -> Any:
        response = _answered(gateway, request, await request.aread())

        async def chunks() -> AsyncIterator[bytes]:
            for chunk in response.chunks:
                yield chunk

        return http.Response(response.status, headers=list(response.headers), content=chunks())

    if mode == "sync":
        return http.Client(transport=http.MockTransport(handle))
    return http.AsyncClient(transport=http.MockTransport(handle_async))


def openai_client(gateway: Gateway, mode: Mode) -> Any:
    """Return an OpenAI client (Azure's for Azure) that talks to the gateway."""
    client = _http_client(gateway, mode)
    if gateway.name == "azure":
        azure = openai.AzureOpenAI if mode == "sync" else openai.AsyncAzureOpenAI
        endpoint = "https://team.openai.azure.com"
        return azure(
            api_key="k", api_version="2024-12-01-preview", azure_endpoint=endpoint, http_client=client, max_retries=0
        )
    plain = openai.OpenAI if mode == "sync" else openai.AsyncOpenAI
    return plain(api_key="k", base_url="https://gateway.example/api/v1", http_client=client, max_retries=0)


def anthropic_client(gateway: Gateway, mode: Mode) -> Any:
    """Return an Anthropic client that talks to the gateway: that of the cloud, if it is one."""
    name, options = CLOUDS.get(gateway.name, ("Anthropic", {"api_key": "k", "base_url": "https://gateway.example"}))
    kind = getattr(anthropic, name if mode == "sync" else f"Async{name}")
    return kind(**options, http_client=_http_client(gateway, mode), max_retries=0)


def ask(call: Callable[[], Any], seen: list[Any] | None = None) -> Any:
    """Make a call and return what comes back, a stream as the list of its events; those before an error in `seen`."""
    events: list[Any] = [] if seen is None else seen

    async def finish(pending: Any) -> Any:
        value = await pending
        if not hasattr(value, "__aiter__"):
            return value
        async for event in value:
            events.append(event)  # noqa: PERF401 - what came before an error is kept
        return events

    value = call()
    if inspect.isawaitable(value):
        return asyncio.run(finish(value))
    if not isinstance(value, (openai.Stream, anthropic.Stream)):
        return value
    for event in value:
        events.append(event)  # noqa: PERF402 - as above
    return events


def final(manager: Any, method: str) -> Any:
    """Read an SDK's stream helper to its end, and return what it has put together."""

    async def finish() -> Any:
        async with manager as stream:
            async for _ in stream:
                pass
            return await getattr(stream, method)()

    if hasattr(manager, "__aenter__"):
        return asyncio.run(finish())
    with manager as stream:
        for _ in stream:
            pass
        return getattr(stream, method)()


# --- chat completions ------------------------------------------------------------------------------------------------


def _ask_chat(client: Any, name: str, *, stream: bool, **more: Any) -> Callable[[], Any]:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    messages = [{"role": "user", "content": "hi"}]
    return lambda: client.chat.completions.create(
        model=MODELS[name][0], messages=messages, stream=stream, **options, **more
    )


def _deltas(chunks: list[Any], index: int) -> Iterator[Any]:
    for chunk in chunks:
        yield from (choice for choice in chunk.choices if choice.index == index and choice.delta is not None)


def _read_chat(result: Any, index: int = 0) -> dict[str, Any]:
    """Read a completion, or the chunks of one, into the same few facts."""
    if not isinstance(result, list):
        choice = result.choices[index]
        calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()]
        text, finish, usage = choice.message.content, choice.finish_reason, result.usage
        model, refusal = result.model, choice.message.refusal
    else:
        choices = list(_deltas(result, index))
        text = "".join(choice.delta.content or "" for choice in choices) or None
        refusal = "".join(getattr(choice.delta, "refusal", None) or "" for choice in choices) or None
        finish = next(choice.finish_reason for choice in choices if choice.finish_reason)
        names: dict[int, str] = {}
        arguments: dict[int, str] = {}
        for call in (call for choice in choices for call in choice.delta.tool_calls or ()):
            names[call.index] = names.get(call.index, "") + (call.function.name or "")
            arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
        calls = [(names[number], arguments[number]) for number in names]
        usage = next(chunk.usage for chunk in reversed(result) if chunk.usage)
        model = result[-1].model
    tokens = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    return {"text": text, "calls": calls, "finish": finish, "usage": tokens, "model": model, "refusal": refusal}


@modes
@streams
@having("chat")
def test_chat_reads_the_same_as_json_and_as_a_stream(name: str, stream: bool, mode: Mode) -> None:
    """Text, usage, finish reason and served model arrive, whatever the gateway's form."""
    gateway = Gateway(name).chat(text=TEXT, usage={"prompt_tokens": 30, "completion_tokens": 7}, stream_chunks=3)
    result = ask(_ask_chat(openai_client(gateway, mode), name, stream=stream))
    assert _read_chat(result) == {
        "text": TEXT,
        "calls": [],
        "finish": "stop",
        "usage": (30, 7, 37),
        "model": MODELS[name][1],
        "refusal": None,
    }
    assert gateway.unplayed() == ()


@modes
@streams
@having("chat")
@pytest.mark.parametrize("count", [1, 2])
def test_chat_tool_calls_arrive_whole(name: str, stream: bool, mode: Mode, count: int) -> None:
    """Parallel calls come in fragments, and join to what was queued; ids are given or made."""
    gateway = Gateway(name).chat(tool_calls=CALLS[:count])
    read = _read_chat(ask(_ask_chat(openai_client(gateway, mode), name, stream=stream)))
    assert read["calls"] == EXPECTED_CALLS[:count]
    assert (read["text"], read["finish"]) == (None, "tool_calls")


@modes
@having("chat")
def test_the_stream_helper_of_chat_completions_puts_the_reply_together(name: str, mode: Mode) -> None:
    """`chat.completions.stream` accepts every gateway's chunks."""
    gateway = Gateway(name).chat(text=TEXT, tool_calls=CALLS)
    client = openai_client(gateway, mode)
    manager = client.chat.completions.stream(model=MODELS[name][0], messages=[{"role": "user", "content": "hi"}])
    completion = final(manager, "get_final_completion")
    message = completion.choices[0].message
    calls = [(call.function.name, call.function.arguments) for call in message.tool_calls]
    assert (completion.model, message.content, calls) == (MODELS[name][1], TEXT, EXPECTED_CALLS)


@streams
@having("chat")
def test_several_choices_are_told_apart(name: str, stream: bool) -> None:
    """Each choice has its own text, and in a stream their pieces alternate."""
    gateway = Gateway(name).chat(choices=["first one", "the second"])
    result = ask(_ask_chat(openai_client(gateway, "sync"), name, stream=stream, n=2))
    assert [_read_chat(result, index)["text"] for index in (0, 1)] == ["first one", "the second"]


@streams
@having("chat")
def test_each_choice_has_ids_of_its_own(name: str, stream: bool) -> None:
    """No two tool calls of a reply share an id; a queued id is used in the first choice."""
    gateway = Gateway(name).chat(tool_calls=[{"name": "a", "arguments": {}, "id": "call_a"}, *CALLS[:1]])
    result = ask(_ask_chat(openai_client(gateway, "sync"), name, stream=stream, n=2))
    choices = [choice for part in (result if isinstance(result, list) else [result]) for choice in part.choices]
    said = [choice.delta if stream else choice.message for choice in choices]
    ids = [call.id for message in said for call in message.tool_calls or () if call.id]
    assert (len(ids), len(set(ids)), ids[0]) == (4, 4, "call_a")


@streams
@having("chat")
def test_a_refusal_takes_the_place_of_the_text(name: str, stream: bool) -> None:
    """`refusal` arrives in the SDK's field for it, in place of the text."""
    gateway = Gateway(name).chat(refusal="I cannot help with that.")
    read = _read_chat(ask(_ask_chat(openai_client(gateway, "sync"), name, stream=stream)))
    assert (read["text"], read["refusal"]) == (None, "I cannot help with that.")


@pytest.mark.parametrize(
    ("name", "field"), [("openrouter", "reasoning"), ("litellm", "reasoning_content"), ("anannas", "reasoning")]
)
@streams
def test_reasoning_comes_before_the_text(name: str, field: str, stream: bool) -> None:
    """Reasoning arrives before the text, in a field whose name differs by gateway."""
    gateway = Gateway(name).chat(text=TEXT, reasoning="Paris, of course.")
    result = ask(_ask_chat(openai_client(gateway, "sync"), name, stream=stream))
    if isinstance(result, list):
        thoughts = "".join(getattr(choice.delta, field, None) or "" for choice in _deltas(result, 0))
    else:
        thoughts = getattr(result.choices[0].message, field)
    assert (thoughts, _read_chat(result)["text"]) == ("Paris, of course.", TEXT)


# --- responses -------------------------------------------------------------------------------------------------------


def _ask_responses(client: Any, name: str, *, stream: bool) -> Callable[[], Any]:
    return lambda: client.responses.create(model=MODELS[name][0], input="hi", stream=stream)


def _response(result: Any) -> Any:
    return result[-1].response if isinstance(result, list) else result


@modes
@streams
@having("responses")
def test_responses_read_the_same_as_json_and_as_a_stream(name: str, stream: bool, mode: Mode) -> None:
    """Reasoning, text, function calls and usage arrive; the last event of a stream holds them all."""
    usage = {"input_tokens": 30, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 4}}
    gateway = Gateway(name).responses(text=TEXT, tool_calls=CALLS, usage=usage, reasoning="Paris?", stream_chunks=2)
    result = ask(_ask_responses(openai_client(gateway, mode), name, stream=stream))
    response = _response(result)
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert response.output[0].summary[0].text == "Paris?"
    assert response.output_text == TEXT
    assert [(item.name, item.arguments) for item in response.output[2:]] == EXPECTED_CALLS
    assert (response.usage.total_tokens, response.usage.output_tokens_details.reasoning_tokens) == (37, 4)
    assert (response.status, response.model) == ("completed", MODELS[name][1])
    if stream:
        assert "".join(event.delta for event in result if event.type == "response.output_text.delta") == TEXT
        assert [event.sequence_number for event in result] == list(range(len(result)))


@modes
@having("responses")
def test_the_stream_helper_of_responses_puts_the_reply_together(name: str, mode: Mode) -> None:
    """`responses.stream` accepts every gateway's events."""
    client = openai_client(Gateway(name).responses(text=TEXT, tool_calls=CALLS), mode)
    response = final(client.responses.stream(model=MODELS[name][0], input="hi"), "get_final_response")
    assert response.output_text == TEXT
    assert [(item.name, item.arguments) for item in response.output[1:]] == EXPECTED_CALLS


@modes
@pytest.mark.parametrize("name", ["openai", "azure"])
def test_a_response_in_the_background_is_there_when_it_is_fetched(name: str, mode: Mode) -> None:
    """A background response is queued at first, without output and usage; each fetch by its id returns it complete."""
    client = openai_client(Gateway(name).responses(text=TEXT, usage={"input_tokens": 10, "output_tokens": 5}), mode)
    queued = ask(lambda: client.responses.create(model="gpt-4o-mini", input="hi", background=True))
    assert (queued.status, queued.background, queued.output, queued.usage) == ("queued", True, [], None)
    for _ in range(2):
        fetched = ask(lambda: client.responses.retrieve(queued.id))
        assert (fetched.id, fetched.status, fetched.output_text) == (queued.id, "completed", TEXT)
        assert fetched.usage.total_tokens == 15


@streams
@having("responses")
def test_an_incomplete_response_says_why(name: str, stream: bool) -> None:
    """`incomplete` ends the stream with `response.incomplete`, usage in it."""
    gateway = Gateway(name).responses(text=TEXT, incomplete="max_output_tokens")
    result = ask(_ask_responses(openai_client(gateway, "sync"), name, stream=stream))
    response = _response(result)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.usage.total_tokens == 20
    assert not stream or result[-1].type == "response.incomplete"


@streams
def test_a_refusal_in_responses_is_a_part_of_its_own(stream: bool) -> None:
    """The message of a response holds a refusal instead of text."""
    gateway = Gateway("openai").responses(refusal="I cannot help with that.")
    response = _response(ask(_ask_responses(openai_client(gateway, "sync"), "openai", stream=stream)))
    assert [(part.type, part.refusal) for part in response.output[0].content] == [
        ("refusal", "I cannot help with that.")
    ]


# --- embeddings ------------------------------------------------------------------------------------------------------


@modes
@having("embeddings")
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings_arrive_in_both_encodings(name: str, mode: Mode, encoding: str | None) -> None:
    """The SDK asks for base64 by itself; given vectors come back as they were."""
    gateway = Gateway(name).embeddings(vectors=[[0.5, -0.25], [1.0, 0.0]], usage={"prompt_tokens": 9})
    client = openai_client(gateway, mode)
    wanted = {"encoding_format": encoding} if encoding else {}
    result = ask(lambda: client.embeddings.create(model=MODELS[name][0], input=["a", "b"], **wanted))
    vectors = [item.embedding for item in result.data]
    if encoding != "base64":
        assert vectors == [[0.5, -0.25], [1.0, 0.0]]
    assert len(vectors) == 2
    assert (result.usage.prompt_tokens, result.usage.total_tokens, result.model) == (9, 9, MODELS[name][1])


def test_made_embeddings_have_a_vector_an_input_as_long_as_wanted() -> None:
    """`dimensions` of the request is honoured; a list of tokens is one input."""
    client = openai_client(Gateway("openai").embeddings().embeddings(), "sync")
    first = client.embeddings.create(model="text-embedding-3-small", input=["a", "b", "c"], dimensions=4)
    second = client.embeddings.create(model="text-embedding-3-small", input=[1, 2, 3])
    assert [len(item.embedding) for item in first.data] == [4, 4, 4]
    assert [len(item.embedding) for item in second.data] == [8]


# --- messages --------------------------------------------------------------------------------------------------------


def _message_of(client: Any, *, stream: bool) -> Any:
    asked: dict[str, Any] = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
    }
    if stream:
        return final(client.messages.stream(**asked), "get_final_message")
    return ask(lambda: client.messages.create(**asked))


@modes
@streams
@having("messages")
def test_messages_read_the_same_as_json_and_as_a_stream(name: str, stream: bool, mode: Mode) -> None:
    """Thinking, text, tool calls, stop reason and every count arrive."""
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 30,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    gateway = Gateway(name).messages(text=TEXT, tool_calls=CALLS, usage=usage, reasoning="Paris?", stream_chunks=2)
    message = _message_of(anthropic_client(gateway, mode), stream=stream)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (message.content[0].thinking, message.content[1].text) == ("Paris?", TEXT)
    assert [(block.name, block.input) for block in message.content[2:]] == [
        ("get_weather", {"city": "Paris", "unit": "celsius"}),
        ("get_time", {"zone": "Europe/Paris"}),
    ]
    assert message.stop_reason == "tool_use"
    counts = message.usage
    assert (counts.input_tokens, counts.output_tokens) == (10, 5)
    assert (counts.cache_creation_input_tokens, counts.cache_read_input_tokens) == (20, 30)
    assert counts.cache_creation.ephemeral_5m_input_tokens == 20


@modes
@pytest.mark.parametrize("name", ["anthropic", "bedrock"])
def test_older_streams_count_the_input_only_at_the_start(name: str, mode: Mode) -> None:
    """With `older` the last usage has only the output count, and the SDK keeps the other counts from the start."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 5}
    client = anthropic_client(Gateway(name).messages(usage=usage, older=True), mode)
    counts = _message_of(client, stream=True).usage
    assert (counts.input_tokens, counts.cache_read_input_tokens, counts.output_tokens) == (10, 30, 5)


# --- errors ----------------------------------------------------------------------------------------------------------

STATUSES = [
    (400, "BadRequestError"),
    (401, "AuthenticationError"),
    (403, "PermissionDeniedError"),
    (404, "NotFoundError"),
    (429, "RateLimitError"),
    (500, "InternalServerError"),
    (503, "InternalServerError"),
]


@modes
@streams
@having("chat")
@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_errors_of_chat_are_the_exceptions_of_their_status(
    name: str, status: int, kind: str, stream: bool, mode: Mode
) -> None:
    """An error in place of a reply raises the SDK's class for its status, with the gateway's message."""
    client = openai_client(Gateway(name).error(status, message="no luck", retry_after=2), mode)
    with pytest.raises(openai.APIStatusError, match="no luck") as caught:
        ask(_ask_chat(client, name, stream=stream))
    assert isinstance(caught.value, getattr(openai, kind))
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "2"


@modes
@streams
@having("responses")
def test_errors_of_responses_are_the_exceptions_of_their_status(name: str, stream: bool, mode: Mode) -> None:
    """An error that was queued for any API answers the responses API too, as the SDK's exception for its status."""
    client = openai_client(Gateway(name).error(429), mode)
    with pytest.raises(openai.RateLimitError):
        ask(_ask_responses(client, name, stream=stream))


@modes
@having("embeddings")
def test_errors_of_embeddings_are_the_exceptions_of_their_status(name: str, mode: Mode) -> None:
    """An error for embeddings raises the SDK's exception for its status, as for the other APIs."""
    client = openai_client(Gateway(name).error(404), mode)
    with pytest.raises(openai.NotFoundError):
        ask(lambda: client.embeddings.create(model="m", input="a"))


@modes
@streams
@having("messages")
@pytest.mark.parametrize(("status", "kind"), [*STATUSES, (529, "APIStatusError")])
def test_errors_of_messages_are_the_exceptions_of_their_status(
    name: str, status: int, kind: str, stream: bool, mode: Mode
) -> None:
    """Errors in Anthropic's form and in those of the clouds raise the same classes."""
    client = anthropic_client(Gateway(name).error(status, message="no luck"), mode)
    with pytest.raises(anthropic.APIStatusError, match="no luck") as caught:
        _message_of(client, stream=stream)
    if status == 503 and _OLD and name in CLOUDS and name != "bedrock-mantle":
        kind = "ServiceUnavailableError"  # Older SDKs have a class of their own for it.
    assert kind in {base.__name__ for base in type(caught.value).__mro__}
    assert caught.value.status_code == status


@modes
@having("chat")
def test_a_chat_stream_that_fails_midway_raises_after_its_pieces(name: str, mode: Mode) -> None:
    """The stream begins with status 200, delivers its pieces, and then raises an APIError."""
    client = openai_client(Gateway(name).error(502, message="upstream died", after=2, text=TEXT), mode)
    seen: list[Any] = []
    with pytest.raises(openai.APIError, match="upstream died"):
        ask(_ask_chat(client, name, stream=True), seen)
    assert "".join(choice.delta.content or "" for choice in _deltas(seen, 0)) == "The capital"


@modes
@having("responses", other_than=["litellm"])
def test_a_response_that_fails_midway_ends_with_its_error(name: str, mode: Mode) -> None:
    """`response.failed` carries the error; no SDK raises for it."""
    client = openai_client(Gateway(name).error(500, message="upstream died", after=2, text=TEXT), mode)
    events = ask(_ask_responses(client, name, stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "The capital"
    assert (events[-1].type, events[-1].response.error.message) == ("response.failed", "upstream died")


@modes
def test_a_proxy_breaks_off_responses_as_it_breaks_off_chat(mode: Mode) -> None:
    """LiteLLM sends a bare error in any stream, for which the SDK raises."""
    client = openai_client(Gateway("litellm").error(500, message="upstream died", after=1), mode)
    with pytest.raises(openai.APIError, match="upstream died"):
        ask(_ask_responses(client, "litellm", stream=True))


@modes
@having("messages")
def test_a_message_stream_that_fails_midway_raises_after_its_pieces(name: str, mode: Mode) -> None:
    """`event: error`, or an exception in a frame, ends a stream with status 200, and the SDK raises."""
    kind: type[Exception] = anthropic.APIStatusError
    said = "no luck"
    if name == "bedrock" and _OLD:  # Its older decoder has no class for it, and reports only the headers.
        kind, said = ValueError, "internalServerException"
    client = anthropic_client(Gateway(name).error(529, message="no luck", after=2, text=TEXT), mode)
    seen: list[Any] = []
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with pytest.raises(kind, match=said):
        ask(lambda: client.messages.create(**asked), seen)
    pieces = [event.delta.text for event in seen if event.type == "content_block_delta"]
    assert pieces == ["The", " capital"]


@pytest.mark.skipif(_OLD, reason="its decoder had no class for exceptions in frames")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 424, 429, 500, 503, 529])
def test_a_stream_of_bedrock_ends_with_exceptions_that_streams_have(status: int) -> None:
    """Bedrock's service model has six exceptions for streams; a status without one ends the stream with another."""
    client = anthropic_client(Gateway("bedrock").error(status, message="no luck", after=1, text=TEXT), "sync")
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with pytest.raises(anthropic.APIStatusError, match="no luck"):
        ask(lambda: client.messages.create(**asked))


@pytest.mark.parametrize("name", ["openrouter", "anannas"])
def test_an_error_may_be_a_whole_body_with_status_200(name: str) -> None:
    """If the model fails and no stream was requested, the body is an error with status 200, and no SDK raises."""
    client = openai_client(Gateway(name).error(502, mid_stream=True, message="upstream died"), "sync")
    result = ask(_ask_chat(client, name, stream=False))
    assert (result.choices, result.error["message"]) == (None, "upstream died")


# --- counts of tokens ------------------------------------------------------------------------------------------------


@modes
def test_input_tokens_of_openai(mode: Mode) -> None:
    """The count is the queued one; then the input of the next queued reply, cached tokens included; then 12."""
    usage = {"input_tokens": 40, "input_tokens_details": {"cached_tokens": 30}}
    gateway = Gateway("openai").input_tokens(7).chat(usage={"prompt_tokens": 3}).responses(usage=usage)
    client = openai_client(gateway, mode)
    for tokens in (7, 40, 40):
        found = ask(lambda: client.responses.input_tokens.count(model="gpt-5", input="hi"))
        assert (found.object, found.input_tokens) == ("response.input_tokens", tokens)
    ask(lambda: client.responses.create(model="gpt-5", input="hi"))
    assert ask(lambda: client.responses.input_tokens.count(model="gpt-5", input="hi")).input_tokens == 12
    assert gateway.unplayed() == ("reply 2, chat: 'Hello! How can I help you today?'",)


@modes
def test_count_tokens_of_anthropic(mode: Mode) -> None:
    """The count is the queued one; then the input of the next queued reply with cached tokens added; then 12."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30}
    gateway = Gateway("anthropic").count_tokens(0).messages(usage=usage)
    client, asked = anthropic_client(gateway, mode), {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    for tokens in (0, 60, 60):
        assert ask(lambda: client.messages.count_tokens(**asked)).input_tokens == tokens
    edits = ask(lambda: client.beta.messages.count_tokens(**asked, context_management={"edits": []}))
    assert (edits.input_tokens, edits.context_management.original_input_tokens) == (60, 60)
    ask(lambda: client.messages.create(**asked, max_tokens=9))
    assert ask(lambda: client.messages.count_tokens(**asked)).input_tokens == 12


@modes
def test_an_error_of_a_count(mode: Mode) -> None:
    """A queued error for any API answers a count; one that is meant for another API waits for that."""
    gateway = Gateway("anthropic").error(529, api="messages").error(429)
    client, asked = anthropic_client(gateway, mode), {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(anthropic.RateLimitError):
        ask(lambda: client.messages.count_tokens(**asked))
    assert gateway.unplayed() == ("reply 1, messages: error 529",)
