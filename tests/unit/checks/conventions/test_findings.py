"""Findings on breaches: one for spans with the same breach, in Weaver's words, and none on what is not known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, advice, verify
from pytest_llmtrace.conventions import Profile, named, profile
from pytest_llmtrace.model import Advice, Call, Fact, Finding, SpanKey, SpanRecord, State
from tests.unit.checks.conventions._profiles import GENAI, HOUSE, OPENINFERENCE

Conform = Callable[..., list[Finding]]
SpanMaker = Callable[..., SpanRecord]

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}


def found(*spans: SpanRecord, **fields: Any) -> list[Finding]:
    verdict = verify(Evidence(spans=spans, profiles=(GENAI, OPENINFERENCE), **fields), {})
    return [finding for finding in verdict.findings if finding.check.startswith("convention/")]


def test_alike(make_span: SpanMaker) -> None:
    """Spans of one scope and name with the same breach are one finding, at the first; another scope's is one more."""
    mood = [make_span(number, kind="CLIENT", attributes={**CHAT, "gen_ai.mood": number}) for number in range(1, 5)]
    other = make_span(9, kind="CLIENT", attributes={**CHAT, "gen_ai.mood": 9}, scope="other")
    first, second = found(*mood, other)
    assert first.details[0] == ("span", "gen_ai.mood = 1\nand 3 more spans of this name and scope")
    assert (first.span, second.span) == (SpanKey(1, 1), SpanKey(1, 9))
    assert second.details[0] == ("span", "gen_ai.mood = 9")


@pytest.mark.parametrize(
    ("attributes", "around", "asks", "severity"),
    [
        ({"openinference.span.kind": "LLM"}, False, False, "info"),
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "fake"}, False, False, "info"),
        ({"openinference.span.kind": "LLM"}, False, True, "error"),
        ({"openinference.span.kind": "LLM"}, True, True, "error"),
        ({"gen_ai.operation.name": "execute_tool"}, False, False, "error"),
    ],
    ids=["double", "double in OTel's words", "request", "request inside of a child", "something else is missing"],
)
def test_a_double_of_a_model_has_no_provider(
    make_span: SpanMaker,
    make_exchange: Callable[..., Any],
    attributes: dict[str, Any],
    around: bool,
    asks: bool,
    severity: str,
) -> None:
    """What a test's double lacks, the real model's span may have: the provider; with any request it is an error."""
    spans = (make_span(1, attributes=attributes), make_span(2, parent=1, name="POST"))
    asked = make_exchange(span=2 if around else 1, path="/v1beta/models/gemini:generate")
    evidence = Evidence(spans=spans, exchanges=(asked,) if asks else ())
    assert [one.severity for one in verify(evidence, {}).findings if one.check == "convention/required"] == [severity]
    wanted = replace(evidence, profiles=(profile("openinference"), profile("genai-2026-10")))
    assert {one.severity for one in verify(wanted, {}).findings if one.check == "convention/required"} == {"error"}


def test_many_attributes(make_span: SpanMaker) -> None:
    """A finding on many attributes stays short."""
    span = make_span(kind="CLIENT", attributes={**CHAT, **{f"gen_ai.x{number}": number for number in range(30)}})
    [finding] = found(span)
    lines = dict(finding.details)["span"].splitlines()
    assert (len(lines), lines[0], lines[-1]) == (9, "gen_ai.x0 = 0", "and 22 more")
    assert len(finding.advice) == 30


def test_mixed(make_span: SpanMaker) -> None:
    """A trace whose spans keep several conventions gets a note, which names a span of each; it fails nothing."""
    chat = make_span(1, kind="CLIENT", attributes=CHAT)
    llm = make_span(2, name="LLM", attributes={"openinference.span.kind": "LLM", "llm.system": "openai"})
    assert found(chat) == found(llm) == []
    [finding] = found(chat, llm)
    assert (finding.check, finding.severity.value) == ("convention/mixed", "info")
    assert finding.details[0] == ("span", "genai-small: span 'chat' (app)\nopeninference-small: span 'LLM' (app)")


def test_a_registry_of_ones_own_is_no_other_convention(make_span: SpanMaker) -> None:
    """A user's registry is not a second convention: its attributes stand on the same spans as the convention's own."""
    span = make_span(kind="CLIENT", attributes={**CHAT, "gen_ai.house.mood": "good"})
    assert verify(Evidence(spans=(span,), profiles=(GENAI, HOUSE)), {}).findings == ()


def test_a_name_of_several_forms_is_judged_where_the_convention_is_wanted(make_span: SpanMaker) -> None:
    """An agent's span is named after the agent or the operation, so its name is judged only if the user asks for it."""
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Weather"}
    spans = tuple(
        make_span(n, name=name, attributes=agent) for n, name in enumerate(("invoke_agent Weather", "run"), 1)
    )
    [wanted] = named(["genai-2026-10"])
    for profiles, said in (((), []), ((wanted,), ["its name is 'run'"])):
        findings = verify(Evidence(spans=spans, profiles=profiles), {}).findings
        assert [dict(one.details)["span"] for one in findings if one.check == "convention/span-name"] == said


@pytest.mark.parametrize(
    ("profiles", "said"), [((GENAI,), ["gen_ai.house.mood"]), ((GENAI, HOUSE), []), ((HOUSE,), [])]
)
def test_what_a_registry_of_ones_own_defines_is_unknown_to_nobody(
    make_span: SpanMaker, profiles: tuple[Profile, ...], said: list[str]
) -> None:
    """A name that a user's registry defines is known, even in a convention's namespace; each run has its own."""
    span = make_span(kind="CLIENT", attributes={**CHAT, "gen_ai.house.mood": "good"})
    findings = verify(Evidence(spans=(span,), profiles=profiles), {}).findings
    told = [dict(one.details)["span"] for one in findings if one.check == "convention/unknown"]
    assert told == [f"{name} = 'good'" for name in said]


def test_open_span(make_span: SpanMaker) -> None:
    """A span that has not ended may still get attributes, so it is not judged."""
    assert found(make_span(ended=None, end_ns=None, attributes={"gen_ai.operation.name": "chat"})) == found()


def test_wrapper(make_span: SpanMaker) -> None:
    """A span whose attributes are outside the namespaces of all conventions is not judged."""
    assert found(make_span(kind="SERVER", attributes={"app.gen_ai.operation.name": "chat", "http.route": "/"})) == []


def test_hostile_names(make_span: SpanMaker) -> None:
    """Names that are not text, and values of a type that no convention has, raise nothing."""
    span = make_span(kind="CLIENT", attributes={**CHAT, 3: 4, "gen_ai.request.model": b"gpt", "gen_ai.": None, "": ""})
    assert [finding.check for finding in found(span)] == ["convention/type", "convention/unknown"]


def test_deep_content(conform: Conform) -> None:
    """Content that is nested deeper than Python can read is reported as such."""
    [finding] = conform({**CHAT, "gen_ai.input.messages": "[" * 100_001})
    assert finding.details[0] == ("span", "gen_ai.input.messages is not JSON: nested too deeply")


def test_explained_by_the_wire(make_call: Callable[..., Call]) -> None:
    """A breach that another check finds on the same span, and explains better, is reported in that finding."""
    error = {"error": {"status": 429, "type": "rate_limit_error", "code": None, "message": "Slow down"}}
    call = make_call(
        error,
        {},
        record={"attributes": {**CHAT, "error.type": "429"}, "kind": "CLIENT"},
        exchange={"status": 429},
    )
    [finding] = verify(Evidence(calls=(call,), spans=call.spans, profiles=(GENAI,)), {}).findings
    assert (finding.check, finding.also) == ("wire/error-status", ("convention/status",))


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, [("wire/unreadable", ("convention/content",))]),
        ({"gen_ai.tool.definitions": "{"}, [("wire/unreadable", ()), ("convention/content", ())]),
    ],
    ids=["nothing more", "another attribute too"],
)
def test_content_that_nobody_can_read(
    make_call: Callable[..., Call], more: dict[str, str], found: list[tuple[str, tuple[str, ...]]]
) -> None:
    """An attribute that is not JSON is one fault, of `wire/unreadable`; one in another attribute is reported apart."""
    raw = "[{'role': 'assistant'}]"
    broken = Fact(name="output_texts", state=State.UNREADABLE, parts=(("gen_ai.output.messages", raw),))
    call = make_call(
        {"output_texts": ["Yes."]},
        {"output_texts": broken},
        record={"attributes": {**CHAT, "gen_ai.output.messages": raw, **more}, "kind": "CLIENT"},
    )
    judged = verify(Evidence(calls=(call,), spans=call.spans, profiles=(GENAI,)), {}).findings
    assert [(finding.check, finding.also) for finding in judged] == found


def test_advice(make_span: SpanMaker) -> None:
    """Advice has Weaver's ids and levels, and stands at each span, one piece for each attribute."""
    attributes = {"gen_ai.operation.name": 3, "gen_ai.system": "openai", "gen_ai.mood": "good"}
    spans = [make_span(number, kind="CLIENT", attributes=attributes) for number in (1, 2)]
    said = advice(Evidence(spans=tuple(spans), profiles=(GENAI,)))
    assert set(said) == {SpanKey(1, 1), SpanKey(1, 2)}
    assert said[SpanKey(1, 2)] == [
        Advice(
            id="type_mismatch",
            level="violation",
            attribute="gen_ai.operation.name",
            message="Attribute 'gen_ai.operation.name' has type 'int'. Type should be 'string'.",
        ),
        Advice(
            id="missing_attribute",
            level="violation",
            attribute="gen_ai.mood",
            message="Attribute 'gen_ai.mood' does not exist in the registry.",
        ),
        Advice(
            id="deprecated",
            level="violation",
            attribute="gen_ai.system",
            message="Attribute 'gen_ai.system' is deprecated; note = 'gen_ai.provider.name instead of gen_ai.system "
            "since 1.37.0'.",
        ),
    ]


def test_linear(make_span: SpanMaker) -> None:
    """Ten times as many attributes, unknown and indexed ones among them, take about ten times as long to judge."""

    def seconds(count: int) -> float:
        names = {f"gen_ai.x{number}": number for number in range(count)}
        lists = {f"llm.input_messages.{number}.message.role": "user" for number in range(count)}
        spans = make_span(attributes={**CHAT, **names}), make_span(2, attributes={**lists, "llm.system": "openai"})
        start = time.process_time()
        found(*spans)
        return time.process_time() - start

    seconds(1_000)
    assert min(seconds(20_000) for _ in range(3)) < 40 * min(seconds(2_000) for _ in range(3))
