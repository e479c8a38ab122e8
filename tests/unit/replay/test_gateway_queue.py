"""What is queued is played once, by API path, in order; mistakes are reported when it is queued."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from itertools import product
from typing import Any

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Answer, Request
from pytest_llmtrace.replay.gateways import GATEWAYS, Gateway
from pytest_llmtrace.replay.gateways._paths import APIS

KNOWN = "known: anannas, anthropic, azure, bedrock, bedrock-mantle, litellm, openai, openrouter, vertex"
CHAT = "https://api.openai.com/v1/chat/completions"


def post(url: str = CHAT, **body: Any) -> Request:
    """Return a POST request with a JSON body."""
    return Request(method="POST", url=url, body=json.dumps({"model": "m", **body}).encode())


def text_of(answer: Answer | None) -> str:
    """Return the text of a chat completion."""
    assert answer is not None
    text = json.loads(answer.response.body)["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_is_sent_as_it_is(stream: bool) -> None:
    """Models may stop in the middle of a character, and JSON has a form for that."""
    answer = Gateway("openai").chat(text="Sun \ud83d").answer(post(stream=stream))
    assert answer is not None
    assert b"\\ud83d" in answer.response.body


# --- matching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        CHAT,
        "http://localhost:4000/chat/completions",
        "https://openrouter.ai/api/v1/chat/completions/",
        "https://a.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-02-01",
    ],
)
def test_a_reply_is_found_by_the_path_of_its_api_on_any_host(url: str) -> None:
    """A reply is found by the path of its API; host, prefix and query do not matter."""
    assert text_of(Gateway("openai").chat(text="hi").answer(post(url))) == "hi"


@pytest.mark.parametrize(
    ("url", "method"),
    [
        (CHAT, "GET"),
        ("https://api.openai.com/v1/completions", "POST"),
        ("https://api.openai.com/v1/models", "POST"),
        ("https://api.openai.com/v1/threads/thread_1/messages", "POST"),
        ("https://api.anthropic.com/v1/messages/count_tokens", "POST"),
    ],
)
def test_other_requests_are_left_to_others(url: str, method: str) -> None:
    """Even a gateway with a default reply answers only its own APIs."""
    gateway = Gateway("openrouter", default=True)
    assert gateway.answer(Request(method=method, url=url, body=b"{}")) is None


def test_replies_are_played_in_order_each_once() -> None:
    """The queue of an API is first in, first out; then nothing answers."""
    gateway = Gateway("openai").chat(text="one").embeddings().chat(text="two")
    assert [text_of(gateway.answer(post())) for _ in range(2)] == ["one", "two"]
    assert gateway.answer(post()) is None
    assert gateway.unplayed() == ("reply 2, embeddings: made vectors",)
    assert (gateway.total, gateway.origin) == (3, "scripted openai")


def test_an_error_answers_whatever_api_is_asked_next_unless_one_is_named() -> None:
    """An error that is queued first comes first, for any API; one with `api` waits for it."""
    gateway = Gateway("openai").error(500, api="embeddings").error(429).chat(text="hi")
    statuses = [answer.response.status for answer in map(gateway.answer, [post(), post()]) if answer]
    assert statuses == [429, 200]
    assert gateway.unplayed() == ("reply 1, embeddings: error 500",)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("openai", {"background": False}),
        ("openai", {"background": True, "stream": True}),
        ("openrouter", {"background": True}),
    ],
    ids=["not asked for", "a stream", "a gateway that runs nothing later"],
)
def test_responses_that_are_there_at_once(name: str, body: dict[str, Any]) -> None:
    """A response comes at once unless the gateway has background responses, and one was asked for without a stream."""
    gateway, url = Gateway(name).responses(text="now"), "https://api.openai.com/v1/responses"
    answer = gateway.answer(post(url, input="hi", **body))
    assert answer is not None
    assert b"now" in answer.response.body


def test_fetches_of_what_is_not_kept() -> None:
    """A response of another id, and the rest of a stream, are left to others; an error leaves nothing to fetch."""
    url, asked = "https://api.openai.com/v1/responses", {"input": "hi", "background": True}
    gateway = Gateway("openai").responses().error(500, api="responses")
    answers = [gateway.answer(post(url, **asked)) for _ in range(2)]
    known, failed = [json.loads(answer.response.body) for answer in answers if answer]
    assert failed["error"]["message"]
    for fetched in ("resp_1", f"{known['id']}?stream=true&starting_after=1", f"{known['id']}/input_items"):
        assert gateway.answer(Request(method="GET", url=f"{url}/{fetched}", body=b"")) is None
    assert gateway.answer(Request(method="GET", url=f"{url}/{known['id']}?include=reasoning", body=b"")) is not None


def test_the_default_reply_comes_when_nothing_is_queued() -> None:
    """Queued replies come first, then the default reply, as often as it is asked for; it never counts as unplayed."""
    gateway = Gateway("openai", default=True).chat(text="first")
    texts = [text_of(gateway.answer(post())) for _ in range(3)]
    assert texts == ["first", *["Hello! How can I help you today?"] * 2]
    assert (gateway.unplayed(), gateway.total) == ((), 1)


@pytest.mark.parametrize(
    ("gateway", "url", "origin"),
    [
        (Gateway("anthropic").messages(), "https://x/v1/messages", "scripted anthropic messages"),
        (Gateway("azure").chat(), CHAT, "scripted azure chat"),
        (Gateway("openai").error(429), CHAT, "scripted openai chat, error 429"),
    ],
)
def test_an_answer_says_where_it_comes_from(gateway: Gateway, url: str, origin: str) -> None:
    """Reports name the gateway and the API."""
    answer = gateway.answer(post(url))
    assert answer is not None
    assert answer.origin == origin


def test_threads_never_share_a_reply() -> None:
    """Each of many threads gets its own reply, with its own id."""
    gateway = Gateway("openai")
    for number in range(50):
        gateway.chat(text=str(number))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(gateway.answer, [post()] * 50))
    bodies = [json.loads(answer.response.body) for answer in answers if answer]
    assert len({body["id"] for body in bodies}) == 50
    assert {body["choices"][0]["message"]["content"] for body in bodies} == set(map(str, range(50)))


# --- what the request decides ----------------------------------------------------------------------------------------


def test_a_stream_is_cut_as_asked() -> None:
    """`stream_chunks` is a number of pieces, or the list of them; without it the text is cut by words."""

    def pieces(gateway: Gateway) -> list[str]:
        answer = gateway.answer(post(stream=True))
        assert answer is not None
        chunks = [json.loads(chunk[6:]) for chunk in answer.response.chunks if b"[DONE]" not in chunk]
        return [content for chunk in chunks if (content := chunk["choices"][0]["delta"].get("content"))]

    assert pieces(Gateway("openai").chat(text="Hello you two")) == ["Hello", " you", " two"]
    assert pieces(Gateway("openai").chat(text="abcdef", stream_chunks=2)) == ["abc", "def"]
    assert pieces(Gateway("openai").chat(stream_chunks=["a", "bc"])) == ["a", "bc"]


def test_the_model_is_the_served_one_unless_it_is_given() -> None:
    """Azure takes the requested model from the path where the body has none."""
    url = "https://a.openai.azure.com/openai/deployments/team/chat/completions"
    bare = Request(method="POST", url=url, body=b"{}")
    given, plain = (Gateway("azure").chat(model="gpt-x"), Gateway("azure").chat())
    models = [json.loads(gateway.answer(bare).response.body)["model"] for gateway in (given, plain)]  # type: ignore[union-attr]
    assert models == ["gpt-x", "team"]


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[1]", b"\xff", b'{"a":' * 100_000], ids=lambda body: repr(body[:9])
)
def test_a_body_that_is_no_json_object_gets_the_plain_reply(body: bytes) -> None:
    """A body that is not a JSON object gets the reply too, since the path alone decides; options keep defaults."""
    answer = Gateway("openai").chat(text="hi").answer(Request(method="POST", url=CHAT, body=body))
    assert text_of(answer) == "hi"


@pytest.mark.parametrize("name", ["openai", "litellm", "azure"])
def test_halves_of_characters_are_escaped(name: str) -> None:
    """Lone surrogates, which Python's strings and JSON may hold but UTF-8 cannot, are sent in escaped form."""
    asked = Request(method="POST", url=CHAT, body=b'{"model": "\\ud800"}')
    assert text_of(Gateway(name).chat(text="a\udc80").answer(asked)) == "a\udc80"


REFUSED = "Invalid request: a parameter is missing or has a value that is not allowed."


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "/chat/completions: Invalid model name passed in model=m."),
        (402, f"litellm.BadRequestError: BadRequestError: OpenAIException - {REFUSED}"),
        (429, "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for m"),
    ],
)
def test_a_status_that_litellm_has_no_text_for_is_the_provider_s(status: int, message: str) -> None:
    """Only an error with which the proxy itself refuses a request names the path."""
    asked = Request(method="POST", url=CHAT, body=b'{"model": "m"}')
    answer = Gateway("litellm").error(status).answer(asked)
    assert answer is not None
    assert json.loads(answer.response.body)["error"]["message"] == message


def test_a_response_repeats_what_was_asked() -> None:
    """A response repeats the request's settings, completes objects with defaults, and treats `null` as not set."""
    asked = {"store": False, "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}, "top_p": None, "user": "u"}
    request = Request(method="POST", url="https://api.openai.com/v1/responses", body=json.dumps(asked).encode())
    answer = Gateway("openai").responses().answer(request)
    assert answer is not None
    said = json.loads(answer.response.body)
    assert {name: said[name] for name in (*asked, "truncation")} == {
        "store": False,
        "reasoning": {"effort": "low", "summary": None},
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "top_p": 1.0,
        "user": "u",
        "truncation": "disabled",
    }


def test_totals_that_are_given_stand() -> None:
    """A total that a test gives is sent as it is, even if it is not the sum of the parts."""
    answer = Gateway("openai").chat(usage={"prompt_tokens": 1, "total_tokens": 99}).answer(post())
    assert answer is not None
    usage = json.loads(answer.response.body)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (1, 8, 99)


# --- explanations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gateway", "request_", "explanation"),
    [
        (
            Gateway("azure"),
            Request(method="GET", url="https://x/v1/models?page=2"),
            (
                "scripted azure answers POST to .../chat/completions, .../responses, .../embeddings; "
                "this is GET /v1/models"
            ),
        ),
        (
            Gateway("anthropic"),
            post(),
            "scripted anthropic has no chat API; openai, openrouter, litellm, anannas and azure have one",
        ),
        (
            Gateway("openai").responses(text="hi").error(429, api="embeddings"),
            post(),
            (
                "scripted openai has no reply left for chat (2 queued, 0 played); waiting for other APIs: "
                "reply 1, responses: 'hi', reply 2, embeddings: error 429"
            ),
        ),
        (
            Gateway("anthropic"),
            post("/model/m/invoke"),
            (
                "scripted anthropic answers POST to .../messages, .../messages/count_tokens; "
                "this is POST /model/m/invoke, which is for gateway('bedrock')"
            ),
        ),
        (
            Gateway("vertex"),
            post("/v1/messages"),
            (
                "scripted vertex answers POST to .../publishers/anthropic/models/<model>:rawPredict, "
                "...:streamRawPredict; this is POST /v1/messages"
            ),
        ),
        (Gateway("openai"), post(), "scripted openai has no reply left for chat (0 queued, 0 played)"),
    ],
)
def test_an_unanswered_request_is_explained(gateway: Gateway, request_: Request, explanation: str) -> None:
    """The text says what would have been answered, and what is left."""
    assert gateway.explain(request_) == explanation


def test_what_was_not_played_is_described() -> None:
    """Each description says which reply, of which API, and what it would have said."""
    calls = [{"name": "get_weather"}, {"name": "get_time"}]
    gateway = Gateway("litellm").chat(text="x " * 60).messages(tool_calls=calls).error(503)
    gateway.embeddings(vectors=[[1.0]]).responses(refusal="No.")
    assert gateway.unplayed() == (
        f"reply 1, chat: {'x ' * 28 + 'x...'!r}",
        "reply 2, messages: calls get_weather, get_time",
        "reply 3, any API: error 503",
        "reply 4, embeddings: 1 vectors",
        "reply 5, responses: 'No.'",
    )


# --- wrong use -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: Gateway("opnrouter"),
            f"unknown gateway 'opnrouter': did you mean 'openrouter'? {KNOWN}",
        ),
        (lambda: Gateway(["openai"]), f"unknown gateway ['openai']: did you mean 'openai'? {KNOWN}"),  # type: ignore[arg-type]
        (lambda: Gateway("openai").chat(text=3), "text must be a string, got 3"),  # type: ignore[arg-type]
        (lambda: Gateway("openai").chat(choices=["a", None, 3]), "text must be a string, got 3"),  # type: ignore[list-item]
        (lambda: Gateway("openai").chat(choices="abc"), "choices must be a list of strings, got 'abc'"),
        (
            lambda: Gateway("openai").embeddings(vectors=3),  # type: ignore[arg-type]
            "vectors must be a list of numbers for each input, such as [[0.5, -1.0]], got 3",
        ),
        (
            lambda: Gateway("openai").embeddings(vectors=[[0.5, "a"]]),  # type: ignore[list-item]
            "vectors must be a list of numbers for each input, such as [[0.5, -1.0]], got [[0.5, 'a']]",
        ),
        (
            lambda: Gateway("openai").embeddings(vectors=[[0.5], [-1e39]]),
            "vectors must hold numbers of at most 3.4e+38, got 1e+39",
        ),
        (
            lambda: Gateway("openai").error(429, retry_after=10**400),
            f"retry_after must be a number of seconds, 0 or more, got {10**400}",
        ),
        (
            lambda: Gateway("openai").chat(stream_chunks=2.5),  # type: ignore[arg-type]
            "stream_chunks must be a number of pieces or a list of them, got 2.5",
        ),
        (
            lambda: Gateway("openai").chat(stream_chunks=["a", 3]),  # type: ignore[list-item]
            "a piece in stream_chunks must be a string, got 3",
        ),
        (
            lambda: Gateway("openai").chat(tool_calls=3),  # type: ignore[arg-type]
            'tool_calls takes a list of {"name": ..., "arguments": {...}}, got 3',
        ),
        (
            lambda: Gateway("openai").chat(tool_calls=[{"name": "f", "id": 3}]),
            "the id of a tool call must be a string, got 3",
        ),
        (
            lambda: Gateway("openai").chat(tool_calls=[{"name": "f", "arguments": {1j}}]),
            "the arguments of 'f' cannot be written as JSON: Object of type set is not JSON serializable",
        ),
        (
            lambda: Gateway("openai").chat(usage={"prompt_tokens": "many"}),
            "prompt_tokens in usage must be a number, got 'many'",
        ),
        (
            lambda: Gateway("openai").chat(usage={"prompt_tokens_details": 3}),
            "prompt_tokens_details in usage must be a mapping, got 3",
        ),
        (lambda: Gateway("openrouter").chat(cost="a"), "cost must be a number of US dollars, got 'a'"),  # type: ignore[arg-type]
        (
            lambda: Gateway("litellm").chat(older="yes"),  # type: ignore[arg-type]
            "older must be True or False, got 'yes'",
        ),
        (
            lambda: Gateway("openai").error("429"),  # type: ignore[arg-type]
            "the status of an error must be from 400 to 599, got '429'",
        ),
        (
            lambda: Gateway("openai").error(429, retry_after="soon"),  # type: ignore[arg-type]
            "retry_after must be a number of seconds, 0 or more, got 'soon'",
        ),
        (
            lambda: Gateway("openai").error(429, code=[1]),  # type: ignore[arg-type]
            "code must be a string or a whole number, got [1]",
        ),
        (lambda: Gateway("openai").chat(model=4), "model must be a string, got 4"),  # type: ignore[arg-type]
        (lambda: Gateway("openai").chat(finish_reason=4), "finish_reason must be a string, got 4"),  # type: ignore[arg-type]
        (lambda: Gateway("openai").responses(incomplete=4), "incomplete must be a string, got 4"),  # type: ignore[arg-type]
        (lambda: Gateway("anthropic").messages(stop_reason=4), "stop_reason must be a string, got 4"),  # type: ignore[arg-type]
        (
            lambda: Gateway("openai").chat(usage=3),  # type: ignore[arg-type]
            "usage takes counts by their names on the wire, such as {'prompt_tokens': 5}, got 3",
        ),
        (
            lambda: Gateway("openai").chat(tool_calls={"name": "f"}),  # type: ignore[arg-type]
            "tool_calls takes a list of {\"name\": ..., \"arguments\": {...}}, got {'name': 'f'}",
        ),
        (
            lambda: Gateway("openai").chat(tool_calls=["f"]),  # type: ignore[list-item]
            'tool_calls takes a list of {"name": ..., "arguments": {...}}, got [\'f\']',
        ),
        (
            lambda: Gateway("anthropic").chat(),
            (
                "anthropic has messages, count_tokens, but no chat API; openai, openrouter, litellm, anannas and azure "
                "have one"
            ),
        ),
        (
            lambda: Gateway("openai").messages(),
            (
                "openai has chat, responses, embeddings, input_tokens, but no messages API; anthropic, openrouter, "
                "litellm, anannas, bedrock, bedrock-mantle and vertex have one"
            ),
        ),
        (lambda: Gateway("openai").input_tokens(-1), "a count of tokens must be a whole number, 0 or more, got -1"),
        (
            lambda: Gateway("openai").count_tokens(5),
            "openai has chat, responses, embeddings, input_tokens, but no count_tokens API; anthropic has one",
        ),
        (
            lambda: Gateway("openai").error(429, api="mesages"),
            (
                "unknown API 'mesages': did you mean 'messages'? known: chat, count_tokens, embeddings, input_tokens, "
                "messages, responses"
            ),
        ),
        (
            lambda: Gateway("openai").chat(usage={"prompt_token": 1}),
            (
                "unknown usage field of chat 'prompt_token': did you mean 'prompt_tokens'? known: completion_tokens, "
                "completion_tokens_details, cost, "
                "cost_details, is_byok, prompt_tokens, prompt_tokens_details, total_tokens"
            ),
        ),
        (
            lambda: Gateway("openai").chat(usage={"prompt_tokens_details": {"cached": 1}}),
            (
                "unknown field of prompt_tokens_details 'cached': did you mean 'cached_tokens'? known: audio_tokens, "
                "cache_write_tokens, cached_tokens, image_tokens, text_tokens, video_tokens"
            ),
        ),
        (
            lambda: Gateway("openai").chat(tool_calls=[{"name": "f", "argument": {}}]),
            "unknown key of a tool call 'argument': did you mean 'arguments'? known: arguments, id, name",
        ),
        (
            lambda: Gateway("openai").chat(tool_calls=[{"id": "1"}]),
            'a tool call needs a name: {"name": "get_weather", "arguments": {...}}, got {\'id\': \'1\'}',
        ),
        (
            lambda: Gateway("anthropic").messages(tool_calls=[{"name": "f", "arguments": "[1]"}]),
            "the arguments of 'f' must be a JSON object, got [1]",
        ),
        (lambda: Gateway("openai").chat(stream_chunks=0), "stream_chunks must be 1 or more, got 0"),
        (
            lambda: Gateway("openai").chat(stream_chunks="abc"),
            "stream_chunks must be a number of pieces or a list of them, got the string 'abc'",
        ),
        (
            lambda: Gateway("openai").chat(text="abc", stream_chunks=["a", "b"]),
            "stream_chunks join to 'ab', but text is 'abc'",
        ),
        (
            lambda: Gateway("openai").chat(choices=["a", "b"], stream_chunks=["a", "b"]),
            "a list of stream_chunks cuts a single text; with choices, give a number of pieces",
        ),
        (
            lambda: Gateway("openai").chat(text="a", choices=["b"]),
            "choices must hold at least one text, and cannot be given together with text",
        ),
        (
            lambda: Gateway("openai").chat(text="a", refusal="b"),
            "a refusal replaces text, choices, tool_calls and a list of stream_chunks: leave these out",
        ),
        (
            lambda: Gateway("openai").chat(choices=["a", "b"], refusal="c"),
            "a refusal replaces text, choices, tool_calls and a list of stream_chunks: leave these out",
        ),
        (
            lambda: Gateway("openai").chat(stream_chunks=["a"], refusal="b"),
            "a refusal replaces text, choices, tool_calls and a list of stream_chunks: leave these out",
        ),
        (
            lambda: Gateway("openai").chat(reasoning="hm"),
            "openai has no 'reasoning' on the wire; openrouter, litellm and anannas have it",
        ),
        (
            lambda: Gateway("openai").chat(cost=1.0),
            "openai has no 'cost' on the wire; openrouter, litellm and anannas have it",
        ),
        (lambda: Gateway("litellm").chat(provider="x"), "litellm has no 'provider' on the wire; openrouter has it"),
        (lambda: Gateway("anannas").responses(cost=1.0), "anannas has no 'cost' in the responses API; chat has it"),
        (
            lambda: Gateway("openrouter").messages(provider="x"),
            "openrouter has no 'provider' in the messages API; chat and embeddings have it",
        ),
        (
            lambda: Gateway("openai").chat(older=True),
            "openai has no 'older' on the wire; anthropic, litellm, anannas and bedrock have it",
        ),
        (lambda: Gateway("openai").error(200), "the status of an error must be from 400 to 599, got 200"),
        (
            lambda: Gateway("openai").error(500, after=-1),
            "after must be a number of pieces of text, 0 or more, got -1",
        ),
    ],
)
def test_wrong_use_is_said_when_it_happens(wrong: Callable[[], object], message: str) -> None:
    """Each mistake has its own message, which names the nearest valid value."""
    with pytest.raises(UsageError) as caught:
        wrong()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("api", "name", "meant"),
    [
        ("chat", "input_tokens", "prompt_tokens"),
        ("chat", "output_tokens", "completion_tokens"),
        ("chat", "output_tokens_details", "completion_tokens_details"),
        ("responses", "completion_tokens", "output_tokens"),
        ("embeddings", "input_tokens", "prompt_tokens"),
        ("messages", "prompt_tokens", "input_tokens"),
    ],
)
def test_a_count_as_another_api_calls_it(api: str, name: str, meant: str) -> None:
    """A count by another API's name is not mistaken for the count whose name has the most letters in common."""
    gateway = Gateway("anthropic" if api == "messages" else "openai")
    with pytest.raises(UsageError, match=rf"^unknown usage field of {api} '{name}': did you mean '{meant}'\? known: "):
        getattr(gateway, api)(usage={name: 1})


def test_nothing_is_queued_by_a_wrong_call() -> None:
    """A call that raises leaves the queue as it was."""
    gateway = Gateway("openai")
    with pytest.raises(UsageError):
        gateway.chat(cost=1.0)
    assert (gateway.total, gateway.unplayed()) == (0, ())


CLOUDS = {"bedrock": "/model/m/invoke", "vertex": "/publishers/anthropic/models/m:rawPredict"}
ODD: tuple[Any, ...] = (
    *(3, -1, True, 2.5, float("nan"), "x", "", b"x", object(), {}, {"a": 1}, {1: 2}),
    *(["a"], [3], [None], [["a"]], [[float("inf")]], [{}], [{"name": 3}], [{"name": "f", "arguments": {1j}}]),
    *({"input_tokens": "a"}, {"prompt_tokens": [1]}, {"prompt_tokens": None}, {"output_tokens": None}, {"cost": None}),
)


@pytest.mark.parametrize("name", list(GATEWAYS))
def test_what_is_wrong_is_refused_when_it_is_queued(name: str) -> None:
    """Any value for any argument is either refused with a message or can be played."""
    profile, refused, played = GATEWAYS[name], 0, 0
    for api in (*profile.forms, "error"):
        method = getattr(Gateway, api)
        for argument, value in product(list(signature(method).parameters)[1:], ODD):
            gateway = Gateway(name)
            try:
                method(gateway, **{**({"status": 429} if api == "error" else {}), argument: value})
            except UsageError:
                refused += 1
                continue
            path = CLOUDS.get(name) or APIS[next(iter(profile.forms)) if api == "error" else api]
            played += gateway.answer(post(f"https://llm.test/v1{path}", messages=[])) is not None
            assert len(gateway.unplayed()) <= 1
    assert refused > played > 0
