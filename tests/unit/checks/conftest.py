"""Fixtures that make readings and calls with only the facts that a test states, decoding no bytes or attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import CHECKS, Evidence, verify
from pytest_llmtrace.model import (
    Ambient,
    Call,
    Exchange,
    Fact,
    Finding,
    Maker,
    Outcome,
    Reading,
    Request,
    Response,
    SpanKey,
    SpanRecord,
    State,
    StreamEnd,
)

Facts = Mapping[str, Any]
Judged = Callable[..., list[Finding]]

WIRE = "cassettes/chat.yaml, interaction 0, exchange 0, response body"


@pytest.fixture
def make_call() -> Callable[..., Call]:
    """Make one call with one span: `make_call({"input_tokens": 10}, {"input_tokens": 11}, api="messages")`.

    A plain value is a fact that is present; its key is the fact's name, which gets the prefix `gen_ai.` on the span.
    """

    def make(
        wire: Facts,
        span: Facts,
        *,
        api: str = "chat",
        others: tuple[Fact, ...] = (),
        exchange: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Call:
        truth = Reading(source=api, api=api, facts=_facts(wire, "", WIRE), places=dict.fromkeys(wire, WIRE))
        said = Reading(
            source="otel-genai",
            facts=_facts(span, "gen_ai.", "span 'chat'"),
            places=dict.fromkeys(span, ""),
            others=others,
        )
        return Call(
            exchanges=(_exchange(**(exchange or {})),),
            spans=(_span(**(record or {})),),
            truths=(truth,),
            readings=(said,),
        )

    return make


@pytest.fixture
def judged(make_call: Callable[..., Call]) -> Judged:
    """Judge one call with one span by the checks of the family `wire/`; the arguments are those of `make_call`."""

    def judged(wire: Facts, span: Facts, **fields: Any) -> list[Finding]:
        found = verify(Evidence(calls=(make_call(wire, span, **fields),)), {}).findings
        return [finding for finding in found if finding.check.startswith("wire/")]

    return judged


def _facts(values: Facts, prefix: str, where: str) -> dict[str, Fact]:
    there = {name: value for name, value in values.items() if value is not State.ABSENT}
    return {name: _fact(name, value, prefix, where) for name, value in there.items()}


def _fact(name: str, value: Any, prefix: str, where: str) -> Fact:
    key = f"{prefix}{name}"
    if isinstance(value, State):
        parts = ((key, None),) if value is State.NULL else ()
        return Fact(name=name, state=value, where=where, parts=parts)
    if isinstance(value, Fact):
        return Fact(name=name, value=value.value, state=value.state, parts=value.parts, where=where, note=value.note)
    return Fact(name=name, value=value, state=State.PRESENT, parts=((key, value),), where=where)


def _exchange(**fields: Any) -> Exchange:
    response = {name: fields.pop(name) for name in ("status", "chunks", "headers", "offsets") if name in fields}
    defaults: dict[str, Any] = {
        "index": 0,
        "request": Request(method="POST", url="https://api.openai.com/v1/chat/completions"),
        "response": Response(**{"status": 200, "chunks": (b"{}",), **response}),
        "outcome": Outcome.ANSWERED,
        "origin": "cassettes/chat.yaml, interaction 0",
        "ambient": Ambient(),
        "started": 100,
        "chunk_ticks": (101,),
        "ended": 102,
        "stream_end": StreamEnd.EXHAUSTED,
    }
    return Exchange(**{**defaults, **fields})


def _span(**fields: Any) -> SpanRecord:
    defaults: dict[str, Any] = {
        "key": SpanKey(1, 1),
        "name": "chat",
        "scope": "app",
        "started": 99,
        "ended": 200,
        "end_ns": 412_000_000,
    }
    return SpanRecord(**{**defaults, **fields})


@pytest.fixture
def fires(judged: Judged) -> Callable[..., None]:
    """Prove that one check fires and no other: its id, the facts of wire and span, and the lines span, wire and why."""

    def fires(
        check: str, wire: Facts, span: Facts, said: str, true: str, why: str, fields: Any = None, advice: str = ""
    ) -> None:
        [finding] = judged(wire, span, **(fields or {}))
        [judge] = [known for known in CHECKS if known.id == check]
        scope = (fields or {}).get("record", {}).get("scope", "app")
        where = WIRE if set(wire) - {"error"} else "cassettes/chat.yaml, interaction 0, exchange 0"
        assert finding == Finding(
            check=check,
            severity=judge.severity,
            subject=f"span 'chat' ({scope})",
            details=(
                ("span", said),
                ("wire", f"{true}\n{where}"),
                ("why", why),
                ("next", f'{advice or judge.next}, or waive: @pytest.mark.llmtrace(ignore={{"{check}": "reason"}})'),
            ),
            span=SpanKey(1, 1),
            makers=(Maker(scope=scope),),
        )

    return fires


@pytest.fixture
def quiet(judged: Judged) -> Callable[..., None]:
    """Prove that nothing is found: the id of the check that might fire, the facts of the wire and of the span."""

    def quiet(_check: str, wire: Facts, span: Facts, fields: Any = None) -> None:
        assert judged(wire, span, **(fields or {})) == []

    return quiet
