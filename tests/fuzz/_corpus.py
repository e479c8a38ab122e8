"""The material to mutate: every built-in recording and scripted reply as an exchange, with spans that are true."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from pytest_llmtrace import wire
from pytest_llmtrace.compare._cases import Case, every_case
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.harness._desk import Desk
from pytest_llmtrace.model import (
    Ambient,
    Answer,
    Cassette,
    Exchange,
    Outcome,
    Reading,
    Settings,
    SpanEvent,
    SpanKey,
    SpanRecord,
    State,
    StreamEnd,
)
from pytest_llmtrace.replay.gateways import Gateway

__all__ = ["Sound", "corpus", "exchange_of"]


@dataclass(frozen=True, kw_only=True)
class Sound:
    """One call before anything is broken.

    Attributes:
        id: The id of the case.
        exchange: The request and the response on the wire.
        truth: The reading of the exchange.
        spans: Spans of two instrumentations, by OpenTelemetry's conventions and by OpenInference.
    """

    id: str
    exchange: Exchange
    truth: Reading
    spans: tuple[SpanRecord, SpanRecord]


class _Stage:
    """The part of a trace that a case needs for its preparation: a desk that answers."""

    def __init__(self) -> None:
        self.desk = Desk(Settings())

    def replay(self, cassette: Cassette) -> AbstractContextManager[object]:
        return self.desk.playing(cassette)

    def gateway(self, name: str) -> Gateway:
        return self.desk.gateway(name)


@cache
def corpus() -> tuple[Sound, ...]:
    """Return all calls in a fixed order."""
    return tuple(_sound(case) for case in every_case())


def _sound(case: Case) -> Sound:
    stage = _Stage()
    with case.prepare(cast(LLMTrace, stage)):
        answer = stage.desk.answer(case.request)
    assert answer is not None
    exchange = _exchange(case, answer)
    truth = wire.read(exchange)
    assert truth is not None
    spans = (_span(1, None, "app", _genai(truth), truth), _span(2, 1, "openinference", _openinference(truth), truth))
    return Sound(id=case.id, exchange=exchange, truth=truth, spans=spans)


def _exchange(case: Case, answer: Answer) -> Exchange:
    chunks = len(answer.response.chunks)
    failed = answer.failure is not None
    return Exchange(
        index=0,
        request=case.request,
        response=answer.response,
        outcome=Outcome.ANSWERED,
        origin=answer.origin,
        ambient=Ambient(span=SpanKey(1, 2), recording=True),
        started=10,
        chunk_ticks=tuple(range(11, 11 + chunks)),
        ended=11 + chunks,
        started_ns=10,
        ended_ns=11 + chunks,
        stream_end=StreamEnd.FAILED if failed else StreamEnd.EXHAUSTED,
        failure=answer.failure.value if answer.failure else None,
    )


def exchange_of(sound: Sound, **fields: Any) -> Exchange:
    """Return the exchange with other `chunks` or `headers` of the response, or another `body` of the request."""
    from dataclasses import replace

    exchange = sound.exchange
    if "body" in fields:
        exchange = replace(exchange, request=replace(exchange.request, body=fields.pop("body")))
    assert exchange.response is not None
    response = replace(exchange.response, **fields)
    count = len(response.chunks)
    return replace(exchange, response=response, chunk_ticks=tuple(range(11, 11 + count)), ended=11 + count)


# --- spans that state the truth --------------------------------------------------------------------------------------


def _span(number: int, parent: int | None, scope: str, attributes: dict[str, Any], truth: Reading) -> SpanRecord:
    failed = bool(truth.error or truth.truncated)
    events = (SpanEvent(name="exception", time_ns=20, attributes={"exception.type": "APIError"}),) if failed else ()
    return SpanRecord(
        key=SpanKey(1, number),
        parent=None if parent is None else SpanKey(1, parent),
        name=_name(attributes),
        kind="CLIENT",
        scope=scope,
        status="ERROR" if failed else "UNSET",
        status_description="APIError: it failed" if failed else None,
        events=events,
        attributes={
            **{key: value for key, value in attributes.items() if value is not None},
            **({"error.type": "APIError"} if failed else {}),
        },
        started=number,
        ended=1_000_000 - number,
        start_ns=number,
        end_ns=1_000_000 - number,
    )


def _name(attributes: dict[str, Any]) -> str:
    if "openinference.span.kind" in attributes:
        return "CreateEmbeddings" if attributes["openinference.span.kind"] == "EMBEDDING" else "ChatCompletion"
    return f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}"


def _known(truth: Reading, name: str) -> Any:
    fact = truth.fact(name)
    # An instrumentation cannot state the counts of a failed call; that the truth has them is not a contradiction.
    gone = bool(truth.error or truth.truncated) and fact.where.endswith(("of the response", "response body"))
    return None if gone or fact.state is not State.PRESENT else fact.value


def _genai(truth: Reading) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "embeddings" if truth.api == "embeddings" else "chat",
        "gen_ai.provider.name": "of_the_corpus",
        "gen_ai.request.stream": _known(truth, "streaming") or None,
        "gen_ai.request.choice.count": choices if (choices := _known(truth, "choice_count")) != 1 else None,
        **{f"gen_ai.{key}": _known(truth, name) for key, name in _GENAI.items()},
        "gen_ai.response.finish_reasons": tuple(filter(None, _known(truth, "finish_reasons") or ())) or None,
    }


_GENAI = {
    "request.model": "request_model",
    "request.max_tokens": "max_tokens",
    "request.temperature": "temperature",
    "request.top_p": "top_p",
    "response.id": "response_id",
    "response.model": "response_model",
    "usage.input_tokens": "input_tokens",
    "usage.output_tokens": "output_tokens",
    "usage.cache_read.input_tokens": "cache_read_tokens",
    "usage.cache_creation.input_tokens": "cache_write_tokens",
    "usage.reasoning.output_tokens": "reasoning_tokens",
}


def _openinference(truth: Reading) -> dict[str, Any]:
    is_embedding = truth.api == "embeddings"
    found: dict[str, Any] = {
        "openinference.span.kind": "EMBEDDING" if is_embedding else "LLM",
        "llm.system": None if is_embedding else "of_the_corpus",
        **{f"llm.{key}": _known(truth, name) for key, name in _OPENINFERENCE.items()},
    }
    for index, text in enumerate(_known(truth, "output_texts") or ()):
        found[f"llm.output_messages.{index}.message.content"] = text
    for index, call in enumerate(_known(truth, "tool_calls") or ()):
        key = f"llm.output_messages.0.message.tool_calls.{index}.tool_call"
        found[f"{key}.id"], found[f"{key}.function.name"] = call["id"], call["name"]
        found[f"{key}.function.arguments"] = json.dumps(call["arguments"])
    return found


_OPENINFERENCE = {
    "model_name": "request_model",
    "token_count.prompt": "input_tokens",
    "token_count.completion": "output_tokens",
    "token_count.total": "total_tokens",
    "token_count.prompt_details.cache_read": "cache_read_tokens",
    "token_count.completion_details.reasoning": "reasoning_tokens",
}
