"""Each `convention/` rule about events finds what breaks the rule, on a span and in a log record, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.conventions import from_registry, profile
from pytest_llmtrace.model import Exchange, Finding, LogRecord, Maker, SpanEvent, SpanKey, SpanRecord
from tests.evidence import evidence_of

RESULT = "gen_ai.evaluation.result"
DETAILS = "gen_ai.client.inference.operation.details"
EXCEPTION = "gen_ai.client.operation.exception"
NAMED = {"gen_ai.evaluation.name": "Relevance"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
SCORE = "gen_ai.evaluation.score.value"
INPUT = "gen_ai.usage.input_tokens"
NEWEST = "genai-2026-10, open-telemetry/semantic-conventions-genai at 4f85037e"
CORE = "core-1.41.1, open-telemetry/semantic-conventions at v1.41.1 (ead83b9b)"


def of_events(evidence: Evidence) -> list[Finding]:
    """Return the findings on events."""
    return [one for one in verify(evidence, {}).findings if one.check.startswith("convention/event-")]


def evidence_with(
    name: str, attributes: Mapping[str, Any], *wanted: str, is_log: bool = True, span: Mapping[str, Any] = CHAT
) -> Evidence:
    """Return a trace whose span has one event, or one log event beside it."""
    event = SpanEvent(name=name, time_ns=1, attributes=attributes)
    log = LogRecord(scope="app", event_name=name, attributes=attributes, span=SpanKey(1, 1), scope_version="1.0")
    record = SpanRecord(
        key=SpanKey(1, 1), name="chat", scope="app", scope_version="1.0", attributes=span, ended=2, end_ns=9
    )
    if not is_log:
        record = SpanRecord(
            **{field: getattr(record, field) for field in ("key", "name", "scope", "scope_version", "attributes")},
            ended=2,
            end_ns=9,
            events=(event,),
        )
    return Evidence(spans=(record,), logs=(log,) if is_log else (), profiles=tuple(map(profile, wanted)))


# Check, severity, name and attributes of an event, the finding's lines `event` and `rule`.
BREACHES: tuple[tuple[str, str, str, dict[str, Any], str, str], ...] = (
    ("required", "error", RESULT, {}, "no gen_ai.evaluation.name", "gen_ai.evaluation.name: required on this event"),
    (
        "required",
        "error",
        EXCEPTION,
        {"exception.stacktrace": "..."},
        "no exception.message\nno exception.type",
        (
            "exception.message: required if exception.type is not set\n"
            "exception.type: required if exception.message is not set"
        ),
    ),
    ("type", "error", RESULT, {**NAMED, SCORE: "0.9"}, f"{SCORE} = '0.9'  (string)", f"{SCORE}: double"),
    ("type", "error", RESULT, {"gen_ai.evaluation.name": 3}, "gen_ai.evaluation.name = 3  (int)", "*: string"),
    ("type", "error", DETAILS, {**CHAT, INPUT: True}, f"{INPUT} = True  (boolean)", f"{INPUT}: int"),
    (
        "type",
        "error",
        EXCEPTION,
        {"exception.type": ("ValueError",)},
        "exception.type = ['ValueError']  (string[])",
        "exception.type: string",
    ),
    (
        "value",
        "warning",
        DETAILS,
        {**CHAT, "gen_ai.operation.name": "Chat"},
        "gen_ai.operation.name = 'Chat'",
        "gen_ai.operation.name: chat, in exactly this spelling",
    ),
    ("unknown", "warning", f"{RESULT}s", NAMED, "its name", f"no event {RESULT}s; did you mean {RESULT}?"),
    ("unknown", "info", f"{RESULT}s", {}, "its name", f"no event {RESULT}s; did you mean {RESULT}?"),
    ("unknown", "warning", DETAILS[:-1], CHAT, "its name", f"no event {DETAILS[:-1]}; did you mean {DETAILS}?"),
    (
        "unknown",
        "info",
        "gen_ai.user.mesage",
        {},
        "its name",
        "no event gen_ai.user.mesage; did you mean gen_ai.user.message?",
    ),
    ("unknown", "info", "gen_ai.mood", {}, "its name", "no event gen_ai.mood"),
    (
        "unknown",
        "info",
        RESULT,
        {**NAMED, "gen_ai.evaluation.score.valeu": 1.0},
        "attribute gen_ai.evaluation.score.valeu",
        f"no attribute gen_ai.evaluation.score.valeu; did you mean {SCORE}?",
    ),
    ("tokens", "warning", DETAILS, {**CHAT, INPUT: -1}, f"{INPUT} = -1", f"{INPUT}: no less than 0"),
)


@pytest.mark.parametrize("is_log", [True, False], ids=["log", "event"])
@pytest.mark.parametrize(("check", "severity", "name", "attributes", "event", "rule"), BREACHES)
def test_breach(
    check: str, severity: str, name: str, attributes: dict[str, Any], event: str, rule: str, is_log: bool
) -> None:
    """A breach is one finding that names the event, what it is an event of, the rule, and the event's maker."""
    [found] = of_events(evidence_with(name, attributes, is_log=is_log, span={}))
    subject = f"log record {name!r} (app) in span 'chat'" if is_log else f"event {name!r} of span 'chat' (app)"
    assert (found.check, found.severity, found.subject) == (f"convention/event-{check}", severity, subject)
    rule = rule.replace("*", event.partition(" ")[0])
    assert found.details[:2] == (("event", event), ("rule", f"{rule}\n{NEWEST}"))
    assert (found.makers, found.span) == ((Maker(scope="app", version="1.0"),), SpanKey(1, 1))


CONFORMING: tuple[tuple[str, dict[str, Any]], ...] = (
    (RESULT, {**NAMED, SCORE: 1, "gen_ai.evaluation.score.label": "pass", "gen_ai.response.id": "r1"}),
    (RESULT, {**NAMED, "gen_ai.evaluation.explanation": "__REDACTED__", SCORE: "__REDACTED__"}),
    (DETAILS, {**CHAT, INPUT: 3, "gen_ai.input.messages": [], "gen_ai.request.top_k": 40.0}),
    (DETAILS, {"gen_ai.operation.name": "chat"}),  # Until 1.41, the provider was not an attribute of this event.
    (DETAILS, {**CHAT, "gen_ai.operation.name": "sing", "gen_ai.provider.name": "house"}),
    (EXCEPTION, {"exception.type": "ValueError"}),
    (EXCEPTION, {"exception.message": "too long"}),
    ("gen_ai.user.message", {"gen_ai.system": "openai"}),
    ("gen_ai.choice", {}),
    ("gen_ai.content.prompt", {"gen_ai.prompt": "Hi"}),  # Of 1.27.
    ("gen_ai.content.completion.chunk", {}),  # OpenLLMetry's.
    ("exception", {"exception.type": 3, "exception.message": None}),
    ("First Token Stream Event", {}),
    ("shop.order", {"gen_ai.nobody": 1, INPUT: "many", "gen_ai.operation.name": "Chat"}),
    ("", {INPUT: -1}),
)


@pytest.mark.parametrize("is_log", [True, False], ids=["log", "event"])
@pytest.mark.parametrize(("name", "attributes"), CONFORMING)
def test_conforming(name: str, attributes: dict[str, Any], is_log: bool) -> None:
    """What any version allows is no finding, and neither is an event of a namespace of its own."""
    assert of_events(evidence_with(name, attributes, is_log=is_log, span={})) == []


def test_a_version_that_is_wanted_is_asked_for_all_that_it_requires() -> None:
    """Versions differ in whether the event with a whole call needs the provider, so the one that is wanted decides."""
    asked = {"gen_ai.operation.name": "chat"}
    [found] = of_events(evidence_with(DETAILS, asked, "genai-2026-10", span={}))
    assert (found.check, found.severity, dict(found.details)["event"]) == (
        "convention/event-required",
        "error",
        "no gen_ai.provider.name",
    )
    assert of_events(evidence_with(DETAILS, asked, "core-1.41.1", span={})) == []


@pytest.mark.parametrize(
    ("is_log", "wanted", "severities"),
    [(False, (), []), (True, (), ["info"]), (True, ("core-1.41.1",), ["warning"])],
)
def test_what_the_span_states(is_log: bool, wanted: tuple[str, ...], severities: list[str]) -> None:
    """An event of a span needs not repeat the span; whoever reads log records alone does not have it."""
    found = of_events(evidence_with(DETAILS, {}, *wanted, is_log=is_log))
    assert [one.severity for one in found] == severities
    assert [dict(one.details)["event"] for one in found] == [
        "no gen_ai.operation.name, which only its span states" for _ in severities
    ]


def test_what_an_event_repeats_of_its_span_is_judged_there() -> None:
    """One cause is one finding: a wrong value that span and event have alike is reported on the span."""
    wrong = {**CHAT, INPUT: "10", "gen_ai.operation.name": "Chat", "gen_ai.mood": "good"}
    evidence = evidence_with(DETAILS, wrong, span=wrong)
    assert of_events(evidence) == []
    on_span = {one.check for one in verify(evidence, {}).findings}
    assert on_span >= {"convention/type", "convention/value", "convention/unknown"}
    [found] = of_events(evidence_with(DETAILS, wrong, span={**wrong, INPUT: 10}))
    assert (found.check, dict(found.details)["event"]) == ("convention/event-type", f"{INPUT} = '10'  (string)")


def test_an_older_name_on_an_event() -> None:
    """A renamed attribute is there under its older name; only the version that is wanted reports the name."""
    old = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}
    assert of_events(evidence_with(DETAILS, old, span={})) == []
    [found] = of_events(evidence_with(DETAILS, old, "core-1.41.1", span={}))
    assert (found.check, found.severity) == ("convention/event-deprecated", "warning")
    assert found.details[:2] == (
        ("event", "gen_ai.system = 'openai'"),
        ("rule", f"gen_ai.provider.name instead of gen_ai.system since 1.37.0\n{CORE}"),
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gen_ai.choice", "gen_ai.choice is no longer used since 1.37.0: see gen_ai.output.messages"),
        (
            "gen_ai.system.message",
            "gen_ai.system.message is no longer used since 1.37.0: see gen_ai.system_instructions",
        ),
        ("gen_ai.content.prompt", "gen_ai.content.prompt is no longer used since 1.28.0: see gen_ai.input.messages"),
    ],
)
def test_an_event_that_is_no_longer_used(name: str, hint: str) -> None:
    """The events of single messages are old names where a newer version is wanted."""
    [found] = of_events(evidence_with(name, {}, "core-1.41.1"))
    assert (found.check, found.severity) == ("convention/event-deprecated", "warning")
    assert found.details[:2] == (("event", "its name"), ("rule", f"{hint}\n{CORE}"))


def test_a_misspelt_attribute_that_is_required() -> None:
    """The next step is to rename what is there under nearly the required name."""
    found, _ = of_events(evidence_with(RESULT, {"gen_ai.evaluation.nam": "Relevance"}))
    assert dict(found.details)["next"] == (
        "the event has gen_ai.evaluation.nam: rename it gen_ai.evaluation.name, or waive: "
        '@pytest.mark.llmtrace(ignore={"convention/event-required": "reason"})'
    )


def test_events_that_are_alike_are_one_finding() -> None:
    """The same breach on several events of one scope and name is reported once; a log record of no span has none."""
    logs = tuple(LogRecord(scope="evals", event_name=RESULT, attributes={SCORE: score}) for score in (0.1, 0.2, 0.3))
    [found] = of_events(Evidence(logs=logs))
    assert (found.subject, found.span) == (f"log record {RESULT!r} (evals)", None)
    assert dict(found.details)["event"] == "no gen_ai.evaluation.name\nand 2 more events of this name and scope"


def test_an_event_that_a_limit_has_cut(make_span: Callable[..., SpanRecord]) -> None:
    """If a limit has dropped attributes, the finding says so."""
    event = SpanEvent(name=RESULT, time_ns=1, attributes={}, dropped_attributes=2)
    [found] = of_events(Evidence(spans=(make_span(events=(event,)),)))
    assert dict(found.details)["event"] == (
        "no gen_ai.evaluation.name\n2 attributes were dropped, the oldest first: see OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"
    )


@pytest.mark.parametrize(
    ("scope", "version", "attributes"),
    [("opentelemetry.instrumentation.openai.v1", "0.62.4", {}), ("app", None, {"logfire.msg": "chat"})],
)
def test_who_uses_the_names_in_a_way_of_its_own(
    make_span: Callable[..., SpanRecord], scope: str, version: str | None, attributes: dict[str, Any]
) -> None:
    """Events of OpenLLMetry and logfire are not compared with OpenTelemetry's tables."""
    event = SpanEvent(name=RESULT, time_ns=1, attributes={SCORE: "good", **attributes})
    log = LogRecord(scope=scope, scope_version=version, event_name=RESULT, attributes=event.attributes)
    span = make_span(scope=scope, scope_version=version, attributes=attributes, events=(event,))
    assert of_events(Evidence(spans=(span,), logs=(log,))) == []


def test_a_count_that_the_response_states_is_compared_with_that(
    make_span: Callable[..., SpanRecord], make_exchange: Callable[..., Exchange]
) -> None:
    """A negative count on an event is found once, by the response if there is one."""
    usage = b'{"id": "r1", "model": "m", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}'
    log = LogRecord(scope="app", event_name=DETAILS, span=SpanKey(1, 1), attributes={**CHAT, INPUT: -10})
    exchange = make_exchange(span=1, body={"model": "m", "messages": []}, chunks=(usage,))
    seen = evidence_of((exchange,), (make_span(1, attributes={**CHAT, "gen_ai.request.model": "m"}),), (log,))
    checks = [one.check for one in verify(seen, {}).findings]
    assert "wire/input-tokens" in checks
    assert not [check for check in checks if check.startswith("convention/event-")]


def test_events_of_a_registry_of_ones_own(tmp_path: Path) -> None:
    """The events that a user's registry defines are judged by it, and nearly their names are misspelt."""
    (tmp_path / "shop.yaml").write_text(
        "groups:\n"
        "  - {id: registry.shop, type: attribute_group, attributes: [{id: shop.order.id, type: string, brief: b}]}\n"
        "  - {id: event.shop.order.placed, name: shop.order.placed, type: event,\n"
        "     attributes: [{ref: shop.order.id, requirement_level: required}]}\n",
        encoding="utf-8",
    )
    shop = (from_registry(tmp_path / "shop.yaml"),)

    def judged(name: str, **attributes: Any) -> list[tuple[str, str, str]]:
        named = {f"shop.order.{key}": value for key, value in attributes.items()}
        log = LogRecord(scope="shop", event_name=name, attributes=named)
        found = of_events(Evidence(logs=(log,), profiles=shop))
        return [(one.check, one.severity, dict(one.details)["rule"].partition("\n")[0]) for one in found]

    assert judged("shop.order.placed", id="7") == judged("other", id="7") == []
    assert judged("shop.order.placed") == [
        ("convention/event-required", "error", "shop.order.id: required on this event")
    ]
    assert judged("shop.order.placed", id=7) == [("convention/event-type", "error", "shop.order.id: string")]
    assert judged("shop.order.placd", id="7") == [
        (
            "convention/event-unknown",
            "warning",
            "no event shop.order.placd; did you mean shop.order.placed?",
        )
    ]


def test_an_open_span_is_not_judged(make_span: Callable[..., SpanRecord]) -> None:
    """The attributes of a span that has not ended are not all known, so its events are not judged either."""
    event = SpanEvent(name=RESULT, time_ns=1)
    assert of_events(Evidence(spans=(make_span(events=(event,), ended=None, end_ns=None),))) == []
