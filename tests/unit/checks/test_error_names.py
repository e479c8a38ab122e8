"""The class of an SDK's error on a span is one that the SDK raises for the status that came."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Exchange, Finding, Response, SpanEvent

Judged = Callable[..., list[Finding]]

SDK, FRAMEWORK = "opentelemetry.instrumentation.openai_v2", "opentelemetry.instrumentation.langchain"
LIMITED = {"error": {"status": 429, "type": "rate_limit_error", "code": None, "message": "Slow down"}}
OUT_OF_QUOTA = {"error": {"status": 403, "type": None, "code": None, "message": "Quota exceeded"}}
RAISED: dict[str, Any] = {"status": "ERROR", "events": (SpanEvent(name="exception", time_ns=1),)}
WAIVER = '@pytest.mark.llmtrace(ignore={"wire/error-code": "reason"})'
NEXT = f"take it from the response or the exception, or waive: {WAIVER}"
WHERE = "cassettes/chat.yaml, interaction 0, exchange 0"


@pytest.fixture
def judged(make_call: Callable[..., Call]) -> Judged:
    """Judge the code or the class of the error on a span, with other exchanges of its trace."""

    def judged(
        said: str, wire: Any, scope: str, *, status: int, span_status: str = "ERROR", others: tuple[Any, ...] = ()
    ) -> list[Finding]:
        record = {**RAISED, "status": span_status, "scope": scope}
        call = make_call(wire, {"error_type": said}, record=record, exchange={"status": status})
        exchanges = (*call.exchanges, *(_another(call.exchanges[0], *other) for other in others))
        found = verify(Evidence(calls=(call,), exchanges=exchanges), {}).findings
        return [finding for finding in found if finding.check == "wire/error-code"]

    return judged


def _another(exchange: Exchange, status: int | None, started: int) -> Exchange:
    response = None if status is None else Response(status=status)
    return dataclasses.replace(exchange, index=1, response=response, started=started)


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ("InternalServerError", SDK),
        ("APITimeoutError", "openinference.instrumentation.anthropic"),
        ("openai.BadRequestError", "app"),
        ("anthropic.InternalServerError", FRAMEWORK),
        ("openai._exceptions.AuthenticationError", SDK),
    ],
)
def test_a_class_of_another_status(judged: Judged, said: str, scope: str) -> None:
    """A dashboard groups failures by the class: a rate limit among the outages is looked for in the wrong place."""
    [finding] = judged(said, LIMITED, scope, status=429)
    assert dict(finding.details) == {
        "span": f"gen_ai.error_type = {said!r}",
        "wire": f"429 rate_limit_error 'Slow down'\n{WHERE}, response body",
        "why": "a rate limit is handled as an outage, or the other way round",
        "next": NEXT,
    }


def test_a_class_for_a_call_that_succeeded(judged: Judged) -> None:
    """An instrumentation of an SDK has nothing but the SDK's calls to take an error from."""
    [finding] = judged("RateLimitError", {"truncated": False}, SDK, status=200)
    assert dict(finding.details) == {
        "span": "gen_ai.error_type = 'RateLimitError'",
        "wire": f"the call succeeded\n{WHERE}",
        "why": "a call that succeeded is counted as one that the provider refused",
        "next": NEXT,
    }


@pytest.mark.parametrize(
    ("said", "wire", "scope", "fields"),
    [
        ("RateLimitError", LIMITED, SDK, {"status": 429}),
        ("openai.RateLimitError", LIMITED, "app", {"status": 429}),
        ("RateLimitError", OUT_OF_QUOTA, SDK, {"status": 403}),  # Providers have several statuses for a limit.
        ("InternalServerError", {}, SDK, {"status": 529}),
        # An application and a framework have errors of their own, which may have the same names.
        ("InternalServerError", LIMITED, "app", {"status": 429}),
        ("InternalServerError", LIMITED, FRAMEWORK, {"status": 429}),
        ("litellm.exceptions.InternalServerError", LIMITED, SDK, {"status": 429}),
        ("CircuitOpenError", LIMITED, SDK, {"status": 429}),
        ("timeout", LIMITED, SDK, {"status": 429}),  # It may have run out while the SDK waited to try again.
        # It is the error of another call that the span was open for, or may be.
        ("InternalServerError", LIMITED, SDK, {"status": 429, "others": ((500, 150),)}),
        ("InternalServerError", LIMITED, SDK, {"status": 429, "others": ((None, 150),)}),
        ("RateLimitError", {"truncated": False}, SDK, {"status": 200, "others": ((429, 150),)}),
        ("RateLimitError", {"truncated": False}, SDK, {"status": 200, "others": ((None, 150),)}),
        # After a success an application may raise what it likes, and a stream that broke off may have ended in any way.
        ("openai.RateLimitError", {"truncated": False}, "app", {"status": 200}),
        ("APITimeoutError", {"truncated": False}, SDK, {"status": 200}),
        ("ValidationError", {"truncated": False}, SDK, {"status": 200}),
        ("RateLimitError", {"truncated": True, "streaming": True}, SDK, {"status": 200}),
        # `convention/status` reports an error without the status ERROR.
        ("RateLimitError", {"truncated": False}, SDK, {"status": 200, "span_status": "UNSET"}),
    ],
)
def test_what_may_be_true(judged: Judged, said: str, wire: Any, scope: str, fields: dict[str, Any]) -> None:
    """A class that fits, one that may be somebody else's, and an error that may have come from elsewhere are right."""
    assert judged(said, wire, scope, **fields) == []


@pytest.mark.parametrize(("said", "status"), [("timeout", 401), ("InternalServerError", 429)])
def test_what_other_calls_cannot_explain(judged: Judged, said: str, status: int) -> None:
    """A call that was made before the span began, or that succeeded, is not the reason of its error."""
    wire = {"error": {"status": status, "type": None, "code": None, "message": "No"}}
    others = ((500, 50), (504, 300), (200, 150))
    assert [finding.check for finding in judged(said, wire, SDK, status=status, others=others)] == ["wire/error-code"]


@pytest.mark.parametrize(
    ("kinds", "said", "attempts", "expected"),
    [
        (["openai.InternalServerError"], {}, 1, ["exception.type = 'openai.InternalServerError'"]),
        (["openai.RateLimitError"], {}, 1, []),
        (["InternalServerError"], {}, 1, []),
        (["litellm.exceptions.InternalServerError"], {}, 1, []),
        (["openai.InternalServerError", "openai.RateLimitError"], {}, 1, []),
        (["openai.InternalServerError"], {}, 2, []),
        (["openai.InternalServerError"], {"error_type": "429"}, 1, []),
    ],
)
def test_the_exception_that_a_span_has_recorded(
    make_call: Callable[..., Call], kinds: list[str], said: dict[str, Any], attempts: int, expected: list[str]
) -> None:
    """A span without `error.type` names the error in its exception event, if that is the only one."""
    events = tuple(SpanEvent(name="exception", time_ns=1, attributes={"exception.type": kind}) for kind in kinds)
    call = make_call(LIMITED, said, record={"status": "ERROR", "events": events}, exchange={"status": 429})
    call = dataclasses.replace(call, exchanges=call.exchanges * attempts, truths=call.truths * attempts)
    found = verify(Evidence(calls=(call,), exchanges=call.exchanges), {}).findings
    assert [dict(one.details)["span"] for one in found if one.check == "wire/error-code"] == expected
