"""A turn that Anthropic pauses and the client continues has one span, as Pydantic AI writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import verify
from pytest_llmtrace.model import Ambient, Exchange, Finding, SpanKey, SpanRecord, Worker
from pytest_llmtrace.pairing import match
from tests.evidence import evidence_of

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

QUESTION = {"role": "user", "content": "Will it rain?"}
SEARCH: list[dict[str, Any]] = [
    {"type": "text", "text": "Let me look. "},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
]
MORE: list[dict[str, Any]] = [{"type": "text", "text": "One more."}]
ANSWER = [{"type": "text", "text": "It will."}]


def sent(*said: Any) -> dict[str, Any]:
    """Return the body of a request whose last message is the model's, with this content; only the question if none."""
    messages = [QUESTION, {"role": "assistant", "content": [*said]}] if said else [QUESTION]
    return {"model": "claude-haiku-4-5", "max_tokens": 99, "messages": messages}


def reply(number: int, content: Any, stop: str = "pause_turn", **usage: int) -> bytes:
    """Return the body of a message of 10 tokens, written in five, and ten more for each reply before it."""
    body = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-haiku-4-5"}
    counts = {"input_tokens": 10 * number, "output_tokens": 5, **usage}
    return json.dumps({**body, "content": content, "stop_reason": stop, "usage": counts}).encode()


def stated(**fields: Any) -> dict[str, Any]:
    """Return the attributes of a right span of the turn in `requests`; a field that is None is left out."""
    output = [
        {"role": "assistant", "parts": [{"type": "text", "content": fields.pop("text", "Let me look. It will.")}]}
    ]
    names = {
        "operation.name": "chat",
        "request.model": "claude-haiku-4-5",
        "response.id": "msg_2",
        "response.finish_reasons": ("stop",),
        "usage.input_tokens": 30,
        "usage.output_tokens": 10,
        "input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION["content"]}]}]),
        "output.messages": json.dumps(output),
        **{name.replace("__", "."): value for name, value in fields.items()},
    }
    return {f"gen_ai.{name}": value for name, value in names.items() if value is not None}


def judged(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[Finding]:
    """Return the findings of the families `structure/` and `wire/`."""
    seen = evidence_of(exchanges, spans)
    return [one for one in verify(seen, {}).findings if one.check.startswith(("structure/", "wire/"))]


def checks(exchanges: list[Exchange], spans: list[SpanRecord]) -> list[str]:
    """Return the checks that have findings."""
    return [one.check for one in judged(exchanges, spans)]


Requests = Callable[..., list[Exchange]]


@pytest.fixture
def requests(make_exchange: ExchangeMaker) -> Requests:
    """Make exchanges of pairs of a request and a reply, made inside span 1; without any, those of a turn of two."""
    turn = ((sent(), reply(1, SEARCH)), (sent(*SEARCH), reply(2, ANSWER, "end_turn")))

    def make(*pairs: tuple[dict[str, Any], bytes], first: int = 0, **fields: Any) -> list[Exchange]:
        return [
            make_exchange(**{"index": n, "span": 1, "path": "/v1/messages", "body": body, "chunks": (said,), **fields})
            for n, (body, said) in enumerate(pairs or turn, start=first)
        ]

    return make


# --- What the span of a turn says ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"response__id": "msg_1"}, []),
        ({"text": "It will."}, []),
        ({"response__finish_reasons": ("pause_turn", "end_turn")}, []),
        ({"response__finish_reasons": ("stop", "stop")}, []),
        ({"response__id": "msg_3"}, ["wire/response-id"]),
        ({"text": "Let me look."}, ["wire/output-text"]),
        ({"response__finish_reasons": ("pause_turn",)}, ["wire/finish-reasons"]),
        ({"usage__input_tokens": 20, "usage__output_tokens": 7}, ["wire/input-tokens", "wire/output-tokens"]),
        ({"usage__input_tokens": 31}, ["wire/input-tokens"]),
        ({"usage__input_tokens": None, "usage__output_tokens": None}, ["wire/usage-missing"]),
    ],
    ids=[
        *(
            "right",
            "the id of the first",
            "the text of the last",
            "all reasons",
            "stop twice",
            "another id",
            "the text of the first",
        ),
        *("the reason of the first", "the tokens of the last", "another count", "no tokens"),
    ],
)
def test_a_turn_is_put_together(
    make_span: SpanMaker, requests: Requests, fields: dict[str, Any], found: list[str]
) -> None:
    """Texts are joined and counts are added up; the id may be that of any reply, text and reason those of the last."""
    assert checks(requests(), [make_span(attributes=stated(**fields))]) == found


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["Let me look.", "It will."], []),
        (["Let me l...", "It will."], []),
        (["It will.", "Let me look."], ["wire/output-text"]),
        (["Let me look.", "It will.", "It will."], ["wire/output-text"]),
    ],
    ids=["in order", "cut by a limit", "in another order", "one twice"],
)
def test_a_message_for_each_reply(make_span: SpanMaker, requests: Requests, texts: list[str], found: list[str]) -> None:
    """A span may show the replies of a turn as messages of their own."""
    shown = [{"role": "assistant", "parts": [{"type": "text", "content": text}]} for text in texts]
    assert checks(requests(), [make_span(attributes=stated(output__messages=json.dumps(shown)))]) == found


def test_the_count_of_one_reply_alone_is_too_low(make_span: SpanMaker, requests: Requests) -> None:
    """The finding on it shows what each reply states and where, and says what to add up."""
    [found] = judged(requests(), [make_span(attributes=stated(usage__input_tokens=20))])
    places = [f"cassettes/chat.yaml, interaction 0, exchange {n}, response body" for n in range(2)]
    assert (found.check, dict(found.details)) == (
        "wire/input-tokens",
        {
            "span": "gen_ai.usage.input_tokens = 20",
            "wire": "\n".join(("usage.input_tokens 10 + usage.input_tokens 20 = 30", *places)),
            "why": "the turn took several requests, each of which is billed, and this is the count of one of them",
            "next": "add up the usage of all replies of the turn, or waive: "
            '@pytest.mark.llmtrace(ignore={"wire/input-tokens": "reason"})',
        },
    )


@pytest.mark.parametrize(("tokens", "found"), [(67, []), (30, ["wire/input-tokens"]), (60, ["wire/input-tokens"])])
def test_cached_tokens_of_all_replies(make_span: SpanMaker, requests: Requests, tokens: int, found: list[str]) -> None:
    """The input of a turn has the cached tokens of each reply."""
    exchanges = requests(
        (sent(), reply(1, SEARCH, cache_read_input_tokens=30)),
        (sent(*SEARCH), reply(2, ANSWER, "end_turn", cache_creation_input_tokens=7)),
    )
    assert checks(exchanges, [make_span(attributes=stated(usage__input_tokens=tokens))]) == found


@pytest.mark.parametrize("said", [[SEARCH[0]["text"]], []], ids=["of the last request", "of the first request"])
def test_the_prompt_may_be_that_of_any_request(make_span: SpanMaker, requests: Requests, said: list[str]) -> None:
    """A span may show what the model was asked at first, or all that the last request repeats."""
    shown = [{"role": "user", "parts": [{"type": "text", "content": QUESTION["content"]}]}]
    shown += [{"role": "assistant", "parts": [{"type": "text", "content": text}]} for text in said]
    assert checks(requests(), [make_span(attributes=stated(input__messages=json.dumps(shown)))]) == []


def test_another_prompt(make_span: SpanMaker, requests: Requests) -> None:
    """The prompt of a turn is compared, too."""
    shown = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Is it hot?"}]}])
    assert checks(requests(), [make_span(attributes=stated(input__messages=shown))]) == ["wire/input-messages"]


def test_a_turn_of_three_requests(make_span: SpanMaker, requests: Requests) -> None:
    """A turn may be paused more than once: each request repeats all that was said before."""
    exchanges = requests(
        (sent(), reply(1, SEARCH)),
        (sent(*SEARCH), reply(2, MORE)),
        (sent(*SEARCH, *MORE), reply(3, ANSWER, "end_turn")),
    )
    said = stated(
        text="Let me look. One more.It will.", response__id="msg_3", usage__input_tokens=60, usage__output_tokens=15
    )
    assert checks(exchanges, [make_span(attributes=said)]) == []


# --- Turns that do not end -------------------------------------------------------------------------------------------

OVERLOADED = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}).encode()


@pytest.mark.parametrize(
    ("fields", "found"),
    [({}, []), ({"usage__input_tokens": 40}, ["wire/input-tokens"])],
    ids=["what came", "tokens that no reply states"],
)
def test_a_turn_that_fails(make_span: SpanMaker, requests: Requests, fields: dict[str, Any], found: list[str]) -> None:
    """A failure ends the whole turn; its span may have what came before."""
    exchanges = [*requests()[:1], *requests((sent(*SEARCH), OVERLOADED), first=1, status=529)]
    said = {
        "text": "Let me look.",
        "response__id": "msg_1",
        "response__finish_reasons": ("pause_turn",),
        "usage__input_tokens": 10,
        "usage__output_tokens": 5,
        **fields,
    }
    span = make_span(attributes={**stated(**said), "error.type": "529"}, status="ERROR", status_description="no")
    assert checks(exchanges, [span]) == found


def test_a_retry_in_the_midst_of_a_turn(make_span: SpanMaker, requests: Requests) -> None:
    """A request that continues a turn may take several attempts, which are hidden from the span as any are."""
    exchanges = [
        *requests()[:1],
        *requests((sent(*SEARCH), OVERLOADED), first=1, status=529),
        *requests((sent(*SEARCH), reply(2, ANSWER, "end_turn")), first=2),
    ]
    assert checks(exchanges, [make_span(attributes=stated())]) == ["structure/retries-hidden"]


# --- What is no turn of one span -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (reply(1, SEARCH, "end_turn"), sent(*SEARCH)),
        (reply(1, SEARCH), sent()),
        (reply(1, SEARCH), sent(*MORE)),
        (reply(1, SEARCH), {**sent(), "messages": [*sent(*SEARCH)["messages"], QUESTION]}),
        (reply(1, []), sent()),
    ],
    ids=["not paused", "asked anew", "another reply continued", "a new question", "nothing to continue"],
)
def test_other_calls_inside_of_one_span(
    make_span: SpanMaker, requests: Requests, first: bytes, second: dict[str, Any]
) -> None:
    """A request continues a turn only if its last message is the reply that paused it: else one call lacks a span."""
    exchanges = requests((sent(), first), (second, reply(2, ANSWER, "end_turn")))
    assert "structure/exchange-without-span" in checks(exchanges, [make_span(attributes=stated())])


def test_each_request_has_a_span(make_span: SpanMaker, requests: Requests) -> None:
    """Where each request has a span, each span is compared with its own exchange."""
    first, second = requests()
    exchanges = [first, *requests((sent(*SEARCH), reply(2, ANSWER, "end_turn")), first=1, span=2)]
    of_first = {"text": "Let me look.", "response__id": "msg_1", "response__finish_reasons": ("pause_turn",)}
    of_second = stated(text="It will.", usage__input_tokens=20, usage__output_tokens=5, input__messages=None)
    spans = [
        make_span(1, attributes=stated(**of_first, usage__input_tokens=10, usage__output_tokens=5), ended=109),
        make_span(2, attributes=of_second),
    ]
    assert second.index == 1
    assert checks(exchanges, spans) == []


def test_a_span_around_spans(make_span: SpanMaker, make_exchange: ExchangeMaker, requests: Requests) -> None:
    """Where another scope has a span for each request, the turn's own span is still right, but counts them again."""
    exchanges = [
        *requests((sent(), reply(1, SEARCH)), span=2),
        *requests((sent(*SEARCH), reply(2, ANSWER, "end_turn")), first=1, span=3),
    ]
    own = {"input__messages": None, "output__messages": None, "usage__output_tokens": 5}
    spans = [
        make_span(1, attributes=stated()),
        make_span(
            2,
            parent=1,
            scope="sdk",
            attributes=stated(
                **own, response__id="msg_1", response__finish_reasons=("pause_turn",), usage__input_tokens=10
            ),
        ),
        make_span(3, parent=1, scope="sdk", attributes=stated(**own, usage__input_tokens=20)),
    ]
    [found] = judged(exchanges, spans)
    assert (found.check, found.subject) == ("structure/counted-twice", "2 calls")


# --- Spans that are not current --------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["msg_1", "msg_2", None])
def test_a_span_that_is_not_current(make_span: SpanMaker, requests: Requests, named: str | None) -> None:
    """A span that was open for all requests of a turn, and is found for one of them, is the turn's."""
    exchanges = requests(ambient=Ambient(worker=Worker(1)))
    span = make_span(attributes=stated(response__id=named), worker=Worker(1))
    assert checks(exchanges, [span]) == []


def test_a_span_that_began_in_the_midst_of_a_turn(make_span: SpanMaker, requests: Requests) -> None:
    """A span that was not open for the first request is none of it."""
    exchanges = requests(ambient=Ambient(worker=Worker(1)))
    own = stated(text="It will.", usage__input_tokens=20, usage__output_tokens=5, input__messages=None)
    span = make_span(attributes=own, worker=Worker(1), started=109, start_ns=109_000_000, end_ns=150_000_000)
    assert checks(exchanges, [span]) == ["structure/exchange-without-span"]


def test_turns_at_the_same_time(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Turns with the same words that are made at the same time are told apart by their spans."""
    turn = ((sent(), reply(1, SEARCH)), (sent(*SEARCH), reply(2, ANSWER, "end_turn")))
    exchanges = [
        make_exchange(index=2 * step + n - 1, span=n, path="/v1/messages", body=body, chunks=(said,))
        for step, (body, said) in enumerate(turn)
        for n in (1, 2)
    ]
    spans = [make_span(n, attributes=stated()) for n in (1, 2)]
    assert checks(exchanges, spans) == []
    assert {call.spans[0].key: call.exchanges[0].index for call in match(exchanges, spans).calls} == {
        SpanKey(1, 1): 2,
        SpanKey(1, 2): 3,
    }
