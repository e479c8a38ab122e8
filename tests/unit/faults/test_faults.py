"""How each kind of fault changes a reply, which requests it hits, and what is refused when it is planned."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace import UsageError
from pytest_llmtrace.faults import Faults
from pytest_llmtrace.faults._kinds import KINDS
from pytest_llmtrace.model import Answer, Failure, Request, Response

Spoil = Callable[..., Answer]


def asked(api: str = "chat/completions", **body: Any) -> Request:
    """Return a request to an LLM's API."""
    sent = {"model": "gpt-4o", "messages": [], **body}
    return Request(method="POST", url=f"https://api.openai.com/v1/{api}", body=json.dumps(sent).encode())


def event(number: int) -> bytes:
    """Return one event of a stream."""
    choice = {"index": 0, "delta": {"content": str(number)}, "finish_reason": None}
    return f"data: {json.dumps({'id': 'chatcmpl-1', 'model': 'gpt-4o', 'choices': [choice]})}\n\n".encode()


EVENTS = (*map(event, range(4)), b"data: [DONE]\n\n")
STREAM = Response(
    status=200,
    headers=(("content-type", "text/event-stream"), ("transfer-encoding", "chunked")),
    chunks=EVENTS,
    offsets=(0.1, 0.2, 0.3, 0.4, 0.5),
)
WHOLE = Response(
    status=200,
    headers=(("content-type", "application/json"), ("content-length", "26")),
    chunks=(b'{"id": "1", "choices": []}',),
)


@pytest.fixture
def faults() -> Faults:
    """A plan without faults yet, whose errors have OpenAI's form."""
    return Faults(lambda _: "openai")


@pytest.fixture
def spoil(faults: Faults) -> Spoil:
    """Return a function that puts one fault on one reply: `spoil(STREAM, "truncate", after=2)`."""

    def spoil(response: Response, kind: int | str, **options: Any) -> Answer:
        plan(faults, kind, **options)
        answer = faults.answer(asked(), lambda _: Answer(response=response, origin="a.yaml, interaction 0"))
        assert answer is not None
        return answer

    return spoil


def plan(faults: Faults, kind: int | str, **options: Any) -> Any:
    """Plan a fault as `LLMTrace.fault` does."""
    names = ("times", "every", "rate", "seed", "api", "model")
    return faults.add(kind, {name: options.pop(name, None) for name in names}, options)


# --- how it changes a reply ------------------------------------------------------------------------------------------

# Kind, options, number of chunks left of a stream, how they end, and the fault's words in the origin.
CUT: tuple[tuple[str, dict[str, Any], int, Failure | None, str], ...] = (
    ("disconnect", {"after": 3}, 3, Failure.DISCONNECT, "disconnect after 3 chunks"),
    ("disconnect", {}, 2, Failure.DISCONNECT, "disconnect after 2 chunks"),
    ("disconnect", {"after": 5}, 5, Failure.DISCONNECT, "disconnect after 5 chunks"),
    ("truncate", {"after": 1}, 1, None, "truncate after 1 chunk"),
    ("truncate", {}, 2, None, "truncate after 2 chunks"),
    ("read-timeout", {"after": 4}, 4, Failure.READ_TIMEOUT, "read-timeout after 4 chunks"),
)


@pytest.mark.parametrize(("kind", "options", "left", "failure", "words"), CUT)
def test_a_stream_is_cut_after_chunks(
    spoil: Spoil, kind: str, options: dict[str, Any], left: int, failure: Failure | None, words: str
) -> None:
    """Chunks before the cut keep their bytes and times; the origin names the fault."""
    answer = spoil(STREAM, kind, **options)
    assert answer.response.chunks == EVENTS[:left]
    assert answer.response.offsets == (STREAM.offsets or ())[:left]
    assert (answer.failure, answer.origin) == (failure, f"a.yaml, interaction 0, fault: {words}")


@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
def test_a_body_in_one_piece_is_cut_in_half(spoil: Spoil, kind: str) -> None:
    """A body that is not a stream is cut in half, and loses its length header, which would reveal the cut."""
    answer = spoil(WHOLE, kind)
    assert answer.response.body == WHOLE.body[:13]
    assert answer.origin == f"a.yaml, interaction 0, fault: {kind} after half of the body"
    assert [name for name, _ in answer.response.headers] == ["content-type"]


@pytest.mark.parametrize(
    "chunks",
    [(b"".join(EVENTS),), (EVENTS[0][:10], EVENTS[0][10:] + EVENTS[1], b"".join(EVENTS[2:]))],
    ids=["one block", "packets"],
)
def test_chunks_of_a_stream_are_events(spoil: Spoil, chunks: tuple[bytes, ...]) -> None:
    """A stream recorded in one block, or cut anywhere, is counted by its events, each as late as its last byte."""
    offsets = tuple(float(index) for index in range(len(chunks)))
    answer = spoil(replace(STREAM, chunks=chunks, offsets=offsets), "disconnect", after=3)
    assert answer.response.chunks == EVENTS[:3]
    assert answer.response.offsets == ((0.0,) * 3 if len(chunks) == 1 else (1.0, 1.0, 2.0))


def test_a_compressed_body_is_opened(spoil: Spoil) -> None:
    """A fault counts decoded chunks, so the content encoding is undone."""
    headers = (*STREAM.headers, ("content-encoding", "gzip"))
    packed = replace(STREAM, headers=headers, chunks=(gzip.compress(b"".join(EVENTS)),), offsets=None)
    answer = spoil(packed, "truncate", after=2)
    assert answer.response.chunks == EVENTS[:2]
    assert answer.response.headers == STREAM.headers


def test_an_error_in_a_stream_is_the_gateways_own(spoil: Spoil) -> None:
    """The error comes after whole events, in the gateway's form."""
    *before, last = spoil(STREAM, "error-in-stream", after=2, message="Gone").response.chunks
    assert tuple(before) == EVENTS[:2]
    assert json.loads(last.removeprefix(b"data: ")) == {
        "error": {"message": "Gone", "type": "server_error", "param": None, "code": None}
    }


def test_an_error_in_a_stream_belongs_to_the_stream(spoil: Spoil) -> None:
    """Fields that all events of the stream share have the same values in the error's event."""
    chunks = spoil(STREAM, "error-in-stream", after=1, gateway="openrouter").response.chunks
    data = json.loads(chunks[1].removeprefix(b"data: "))
    assert (data["id"], data["model"], data["error"]["code"]) == ("chatcmpl-1", "gpt-4o", 502)
    assert chunks[2] == b"data: [DONE]\n\n"


def test_a_malformed_event_is_one_of_several(spoil: Spoil) -> None:
    """Only the event at the given place loses half of its JSON."""
    chunks = spoil(STREAM, "malformed-sse", after=1).response.chunks
    assert (chunks[:1], chunks[2:]) == (EVENTS[:1], EVENTS[2:])
    assert EVENTS[1].startswith(chunks[1].rstrip())
    assert chunks[1].endswith(b"\n\n")


# Reply, kind and options, the times of the chunks, and the fault's words in the origin.
WAITS: tuple[tuple[Response, str, dict[str, Any], tuple[float, ...], str], ...] = (
    (STREAM, "stall", {"seconds": 30, "after": 2}, (0.1, 0.2, 30.3, 30.4, 30.5), "stall of 30 s after 2 chunks"),
    (STREAM, "stall", {"seconds": 30, "after": 4}, (0.1, 0.2, 0.3, 0.4, 30.5), "stall of 30 s after 4 chunks"),
    (STREAM, "slow-first-byte", {"seconds": 9}, (9.1, 9.2, 9.3, 9.4, 9.5), "slow-first-byte of 9 s"),
    (replace(STREAM, offsets=None), "stall", {"seconds": 3, "after": 1}, (0, 3, 3, 3, 3), "stall of 3 s after 1 chunk"),
    (WHOLE, "slow-first-byte", {"seconds": 9}, (9.0,), "slow-first-byte of 9 s"),
)


@pytest.mark.parametrize(("reply", "kind", "options", "times", "words"), WAITS)
def test_waits_come_before_a_chunk(
    spoil: Spoil, reply: Response, kind: str, options: dict[str, Any], times: tuple[float, ...], words: str
) -> None:
    """The chunk after the wait and all later ones are delayed by the same time; earlier times and all bytes stay.

    The answer does not fail, and is marked as stalling, for read timeouts; one whose stream only breaks off is not.
    """
    answer = spoil(reply, kind, **options)
    assert answer.response.offsets == pytest.approx(times)
    assert answer.response.chunks == reply.chunks
    assert (answer.failure, answer.stalls, answer.origin) == (None, True, f"a.yaml, interaction 0, fault: {words}")
    assert not spoil(reply, "truncate").stalls


@pytest.mark.parametrize("reply", [WHOLE, STREAM], ids=["whole", "stream"])
def test_a_slow_first_byte_changes_nothing_else(spoil: Spoil, reply: Response) -> None:
    """A reply that comes late keeps its headers, its declared length and its content encoding."""
    packed = gzip.compress(reply.body)
    coded = replace(reply, headers=(*reply.headers, ("content-encoding", "gzip")), chunks=(packed,), offsets=None)
    for sent in (reply, coded):
        late = spoil(sent, "slow-first-byte").response
        assert (late.headers, late.chunks) == (sent.headers, sent.chunks)


def test_bodies_that_say_something_else(spoil: Spoil) -> None:
    """Bodies may be turned into broken JSON, into nothing, or be sent with a content type that is not theirs."""
    broken = spoil(WHOLE, "invalid-json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.response.body)
    empty = spoil(STREAM, "empty-body").response
    assert (empty.status, empty.chunks, dict(empty.headers)["content-length"]) == (200, (), "0")
    page = spoil(WHOLE, "wrong-content-type").response
    assert (page.chunks, dict(page.headers)["content-type"]) == (WHOLE.chunks, "text/html; charset=utf-8")


@pytest.mark.parametrize("gateway", ["openrouter", "openai"])
def test_an_error_in_a_body_has_status_200(spoil: Spoil, gateway: str) -> None:
    """OpenRouter sends such errors; other gateways can be made to."""
    answer = spoil(WHOLE, "error-in-body", status=502, message="Gone", gateway=gateway)
    assert (answer.response.status, answer.response.reason) == (200, "OK")
    assert json.loads(answer.response.body)["error"]["message"] == "Gone"
    assert answer.origin == f"a.yaml, interaction 0, fault: error-in-body as from {gateway}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 529])
def test_a_status_comes_instead_of_a_reply(faults: Faults, status: int) -> None:
    """A status has the gateway's form; the reply is not used up, so the next attempt gets it."""
    plan(faults, status, retry_after=2)
    answer = faults.answer(asked(), lambda _: pytest.fail("the reply was taken"))
    assert answer is not None
    assert answer.response.status == status
    assert "error" in json.loads(answer.response.body)
    assert dict(answer.response.headers)["retry-after"] == "2"
    assert answer.origin == f"fault: {status} as from openai"


@pytest.mark.parametrize(
    ("kind", "options", "failure"),
    [
        ("connect-error", {}, Failure.CONNECT_ERROR),
        ("connect-timeout", {}, Failure.CONNECT_TIMEOUT),
        ("read-timeout", {}, Failure.READ_TIMEOUT),
        ("disconnect", {"after": 0}, Failure.DISCONNECT),
    ],
)
def test_a_broken_connection_comes_instead_of_a_reply(
    faults: Faults, kind: str, options: dict[str, Any], failure: Failure
) -> None:
    """A failure before the first byte leaves the reply for the next attempt."""
    plan(faults, kind, **options)
    answer = faults.answer(asked(), lambda _: pytest.fail("the reply was taken"))
    assert answer is not None
    assert (answer.failure, answer.response.chunks) == (failure, ())


def test_a_spoilt_reply_is_there_for_the_next_attempt(faults: Faults) -> None:
    """The same request gets the next recording, or the spoilt one again if there is none."""
    plan(faults, "disconnect", after=1)
    recorded = [Answer(response=STREAM, origin="the only one")]
    answers = [faults.answer(asked(), lambda _: recorded.pop(0) if recorded else None) for _ in range(3)]
    assert answers[0] is not None
    assert answers[0].failure is Failure.DISCONNECT
    assert answers[1:] == [Answer(response=STREAM, origin="the only one"), None]
    assert faults.answer(asked(model="other"), lambda _: None) is None


# Kind, options, a reply that the fault cannot happen to, and the reason.
NOT: tuple[tuple[str, dict[str, Any], Response, str], ...] = (
    ("error-in-stream", {}, WHOLE, "the reply was not a stream of events"),
    ("malformed-sse", {}, WHOLE, "the reply was not a stream of events"),
    ("malformed-sse", {"after": 4}, STREAM, "no event with JSON came after 4 chunks"),
    ("error-in-body", {}, STREAM, "the reply was a stream of events"),
    ("invalid-json", {}, STREAM, "the reply was not a JSON object"),
    ("truncate", {"after": 5}, STREAM, "the reply had 5 chunks"),
    ("stall", {"after": 1}, WHOLE, "the reply had 1 chunk"),
    ("truncate", {}, replace(WHOLE, headers=(("content-encoding", "br"),), chunks=(b"\xff",)),
     "its bytes are not valid br (brotli: decoder failed)"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "response", "why"), NOT)
def test_a_fault_waits_for_a_reply_that_it_can_happen_to(
    faults: Faults, kind: str, options: dict[str, Any], response: Response, why: str
) -> None:
    """Any other reply is passed on unchanged, and the reason is kept for the report."""
    plan(faults, kind, **options)
    given = Answer(response=response, origin="a.yaml")
    assert faults.answer(asked(), lambda _: given) is given
    assert faults.never_happened() == (f"{kind}, once: {why}",)


def test_every_kind_is_proved() -> None:
    """Each kind of fault is named in a test of this module."""
    source = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in source] == []


# --- when ------------------------------------------------------------------------------------------------------------


def happens(faults: Faults, *requests: Request) -> str:
    """Make the requests, and return `x` for each one that failed and `.` for each other."""
    answers = [faults.answer(request, lambda _: Answer(response=WHOLE, origin="a.yaml")) for request in requests]
    return "".join("x" if answer and answer.response.status != 200 else "." for answer in answers)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, "x......"),
        ({"times": 3}, "xxx...."),
        ({"every": 3}, "..x..x."),
        ({"every": 2, "times": 2}, ".x.x..."),
        ({"rate": 1}, "xxxxxxx"),
        ({"rate": 0.5, "seed": 1}, "x..xxx."),
        ({"rate": 0.5, "seed": 2}, "..xx..."),
    ],
)
def test_how_often(when: dict[str, Any], expected: str) -> None:
    """A fault happens once by default; chance is the same in every run."""
    for _ in range(2):
        faults = Faults(lambda _: "openai")
        fault = plan(faults, 500, **when)
        assert happens(faults, *[asked()] * 7) == expected
        assert fault.happened == expected.count("x")


def test_to_which_requests(faults: Faults) -> None:
    """A fault may be limited to one API and one model, and never happens to a request that is not an LLM call."""
    plan(faults, 500, api="chat", model="gpt-4o")
    weather = Request(method="GET", url="https://example.com/weather")
    others = (weather, asked(model="gpt-5"), asked("embeddings", input="x"))
    assert happens(faults, *others, asked(), asked()) == "...x."


def test_several_faults_happen_in_order(faults: Faults) -> None:
    """One fault happens for each request, the first that is due; the report names those that had no turn."""
    for status in (429, 503, 500):
        plan(faults, status)
    found = [faults.answer(asked(), lambda _: None) for _ in range(2)]
    assert [answer.response.status for answer in found if answer] == [429, 503]
    assert (faults.never_happened(), faults.total) == (("500, once",), 3)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({}, "429, once"),
        ({"times": 2, "api": "chat"}, "429, 2 times, chat only"),
        ({"every": 3}, "429, of every 3 requests the last"),
        ({"rate": 0.5, "model": "gpt-4o"}, "429, rate 0.5, model gpt-4o"),
    ],
)
def test_a_fault_says_what_it_waits_for(faults: Faults, when: dict[str, Any], words: str) -> None:
    """A fault that never happened is described as it was planned."""
    plan(faults, 429, **when)
    assert faults.never_happened() == (words,)


KNOWN = (
    "connect-error, connect-timeout, disconnect, empty-body, error-in-body, error-in-stream, invalid-json, "
    "malformed-sse, read-timeout, slow-first-byte, stall, truncate, wrong-content-type"
)
# Kind, options, and the message.
REFUSED: tuple[tuple[Any, dict[str, Any], str], ...] = (
    ("disconect", {}, (
        f"unknown kind of fault 'disconect': did you mean 'disconnect'? known: a status such as 429, {KNOWN}"
    )),
    (200, {}, "the status of a fault must be from 400 to 599, got 200"),
    (True, {}, "the status of a fault must be from 400 to 599, got True"),
    (429, {"after": 2}, ("the fault 429 takes no after=; these do: read-timeout, disconnect, truncate, "
     "error-in-stream, malformed-sse, stall")),
    ("truncate", {"seconds": 2}, "the fault 'truncate' takes no seconds=; these do: stall, slow-first-byte"),
    ("stall", {"retry_after": 2}, "the fault 'stall' takes no retry_after=; these do: a status"),
    ("stall", {"seconds": 0}, "seconds= must be a number of seconds above 0, got 0"),
    ("stall", {"seconds": float("inf")}, "seconds= must be a number of seconds above 0, got inf"),
    (429, {"retry_after": -1}, "retry_after= must be a number of seconds, 0 or more, got -1"),
    ("truncate", {"after": -1}, "after= must be a number of chunks, 0 or more, got -1"),
    ("truncate", {"after": 1.5}, "after= must be a number of chunks, 0 or more, got 1.5"),
    (429, {"times": 0}, "times= must be a whole number, 1 or more, got 0"),
    (429, {"every": 0}, "every= must be a whole number, 1 or more, got 0"),
    (429, {"rate": 1.5}, "rate= must be above 0 and at most 1, got 1.5"),
    (429, {"rate": 0.5, "every": 2}, (
        "every= and rate= both choose the requests that a fault happens to; give only one of them"
    )),
    (429, {"seed": 3}, "seed= needs rate=: nothing else is left to chance"),
    (429, {"api": "chats"}, ("unknown API 'chats': did you mean 'chat'? "
     "known: chat, completions, embeddings, messages, responses")),
    (429, {"gateway": "openia"}, ("unknown gateway 'openia': did you mean 'openai'? "
     "known: anannas, anthropic, azure, bedrock, bedrock-mantle, litellm, openai, openrouter, vertex")),
    (429, {"message": 3}, "message= must be a string, got 3"),
    (429, {"model": 3}, "model= must be a string, got 3"),
    (429, {"gateway": ["openai"]}, ("unknown gateway ['openai']: did you mean 'openai'? "
     "known: anannas, anthropic, azure, bedrock, bedrock-mantle, litellm, openai, openrouter, vertex")),
    ("error-in-body", {"status": 99}, "status= must be an HTTP status from 400 to 599, got 99"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "said"), REFUSED)
def test_what_has_no_meaning_is_refused(faults: Faults, kind: Any, options: dict[str, Any], said: str) -> None:
    """Options without meaning are refused when the fault is planned, in a sentence that names what is valid."""
    with pytest.raises(UsageError) as caught:
        plan(faults, kind, **options)
    assert str(caught.value) == said
    assert faults.total == 0
