"""Spans are read: which are LLM spans, how values are converted, and dialects of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmtrace import Dialect, UsageError, dialects, register_dialect
from pytest_llmtrace.dialects import _reader, added, attribute, inside
from pytest_llmtrace.dialects._convert import CONVERSIONS
from pytest_llmtrace.model import Fact, Reading, SpanRecord, State
from pytest_llmtrace.reading import VOCABULARY

SpanMaker = Callable[..., SpanRecord]

CHAT = {"gen_ai.operation.name": "chat"}


@pytest.mark.parametrize(
    ("scope", "attributes", "dialect"),
    [
        ("app", {"openinference.span.kind": "LLM"}, "openinference"),
        ("app", {"openinference.span.kind": "EMBEDDING"}, "openinference"),
        ("app", {"openinference.span.kind": "TOOL"}, None),
        ("app", {"llm.request.type": "chat"}, "openllmetry"),
        ("app", {"llm.request.type": "rerank"}, None),
        ("app", {**CHAT, "gen_ai.is_streaming": True}, "openllmetry"),
        ("opentelemetry.instrumentation.anthropic", CHAT, "openllmetry"),
        ("opentelemetry.instrumentation.anthropic", {"http.request.method": "POST"}, None),
        ("opentelemetry.instrumentation.genai.anthropic", CHAT, "otel-genai"),
        ("opentelemetry.instrumentation.openai_v2", CHAT, "otel-genai"),
        ("app", {"gen_ai.operation.name": "embeddings"}, "otel-genai"),
        ("app", {"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "a"}, None),
        ("app", {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9}, None),
        ("app", {"gen_ai.system": "anthropic", "gen_ai.request.model": "a"}, "otel-genai"),
        ("app", {"gen_ai.system": "anthropic", "gen_ai.response.model": "a"}, "otel-genai"),
        ("app", {"gen_ai.request.model": "a", "gen_ai.response.stop_reason": "end_turn"}, "hand-written"),
        ("app", {"gen_ai.response.stop_reason": "end_turn"}, None),
        ("app", {"traceloop.span.kind": "workflow", "gen_ai.request.model": "a"}, None),
        ("app", {"gen_ai.tool.name": "weather", "gen_ai.request.model": "a"}, None),
        ("com.anthropic.sdk.python", CHAT, "anthropic-native"),
        ("com.anthropic.sdk.python", {"http.request.method": "POST"}, None),
        ("logfire.openai", CHAT, "logfire"),
        ("logfire.anthropic", CHAT, "logfire"),
        ("logfire.openai", {**CHAT, "logfire.span_type": "log"}, None),
        ("logfire.openai_agents", CHAT, "logfire"),
        ("logfire.openai_agents", {"output": "22 degrees"}, None),
        ("app", {"http.request.method": "POST"}, None),
        ("app", {}, None),
    ],
)
def test_recognised(make_span: SpanMaker, scope: str, attributes: dict[str, Any], dialect: str | None) -> None:
    """A dialect is recognised by scope and attributes; steps around a call to a model are not LLM spans."""
    span = make_span(scope=scope, attributes=attributes)
    reading = dialects.read(span)
    assert (reading.source if reading else None) == dialect
    assert dialects.is_llm(span) is (dialect is not None)


def reading_of(make_span: SpanMaker, attributes: dict[str, Any]) -> Reading:
    """Read a chat span of OTel GenAI with further attributes."""
    reading = dialects.read(make_span(attributes={**CHAT, **attributes}))
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("key", "name", "written", "value"),
    [
        ("gen_ai.usage.input_tokens", "input_tokens", 12, 12),
        ("gen_ai.usage.input_tokens", "input_tokens", 12.0, 12),
        ("gen_ai.usage.input_tokens", "input_tokens", "12", 12),
        ("gen_ai.usage.input_tokens", "input_tokens", 0, 0),
        ("gen_ai.usage.input_tokens", "input_tokens", -1, -1),
        ("gen_ai.request.temperature", "temperature", "0.5", 0.5),
        ("gen_ai.request.temperature", "temperature", 1, 1),
        ("gen_ai.request.stream", "streaming", "True", True),
        ("gen_ai.request.stop_sequences", "stop", ("a", "b"), ["a", "b"]),
        ("gen_ai.request.stop_sequences", "stop", '["a", "b"]', ["a", "b"]),
        ("gen_ai.request.stop_sequences", "stop", "[a", ["[a"]),
        ("gen_ai.response.finish_reasons", "finish_reasons", ("stop", ""), ["stop", None]),
        ("gen_ai.response.model", "response_model", "", ""),
    ],
)
def test_values(make_span: SpanMaker, key: str, name: str, written: Any, value: Any) -> None:
    """A number that is written as a text is read as a number; whether its type is right is for conventions to say."""
    fact = reading_of(make_span, {key: written}).fact(name)
    assert (fact.state, fact.value, type(fact.value)) == (State.PRESENT, value, type(value))
    assert fact.place == f"{key} on span 'chat'"


@pytest.mark.parametrize(
    ("key", "name", "written", "note"),
    [
        ("gen_ai.usage.input_tokens", "input_tokens", "ten", "'ten' is not a number"),
        ("gen_ai.usage.input_tokens", "input_tokens", True, "True is not a number"),
        ("gen_ai.usage.input_tokens", "input_tokens", 1.5, "1.5 is not a whole number"),
        ("gen_ai.usage.input_tokens", "input_tokens", float("nan"), "nan is not a number"),
        ("gen_ai.usage.input_tokens", "input_tokens", (1, 2), "(1, 2) is not a number"),
        ("gen_ai.request.stream", "streaming", 1, "1 is neither true nor false"),
        ("gen_ai.request.model", "request_model", b"m", "b'm' is not a string"),
        ("gen_ai.request.stop_sequences", "stop", (1, "a"), "(1, 'a') is not a list of strings"),
    ],
)
def test_values_that_cannot_be_read(make_span: SpanMaker, key: str, name: str, written: Any, note: str) -> None:
    """A value of a wrong type is not converted; the fact says why, and where the value stands."""
    fact = reading_of(make_span, {key: written}).fact(name)
    assert (fact.state, fact.value, fact.keys, fact.note) == (State.UNREADABLE, None, key, note)


def test_absent_and_null(make_span: SpanMaker) -> None:
    """An empty place is absent, a place with None is null, and a fact without a place is not looked for."""
    reading = reading_of(make_span, {"gen_ai.request.model": None})
    assert reading.fact("request_model").state is State.NULL
    assert reading.fact("input_tokens").state is State.ABSENT
    assert reading.has_place_for("input_tokens")
    assert not reading.has_place_for("rate_limit")


@pytest.mark.parametrize("written", [(), ("",), ("", ""), "__REDACTED__"])
def test_reasons_that_are_none(make_span: SpanMaker, written: Any) -> None:
    """A list in which all finish reasons are empty says nothing."""
    assert reading_of(make_span, {"gen_ai.response.finish_reasons": written}).fact("finish_reasons") == Fact(
        name="finish_reasons"
    )


@pytest.mark.parametrize(
    ("new", "old", "state", "value", "others"),
    [
        (12, 13, State.PRESENT, 12, [13]),
        ("ten", 13, State.PRESENT, 13, [None]),
        (12, "ten", State.PRESENT, 12, [None]),
        (None, 13, State.PRESENT, 13, []),
        (12, None, State.PRESENT, 12, []),
        (None, "ten", State.UNREADABLE, None, []),
    ],
)
def test_several_places(
    make_span: SpanMaker, new: Any, old: Any, state: State, value: Any, others: list[int | None]
) -> None:
    """The first place that can be read is the fact; every other place that states a value is kept beside it."""
    reading = reading_of(make_span, {"gen_ai.usage.input_tokens": new, "gen_ai.usage.prompt_tokens": old})
    assert (reading.fact("input_tokens").state, reading.input_tokens) == (state, value)
    assert [fact.value for fact in reading.others] == others


def test_the_vocabulary_is_covered() -> None:
    """Every name that a built-in dialect reads is in the vocabulary, and so is every one with a conversion."""
    from pytest_llmtrace.dialects._builtin import BUILT_IN
    from pytest_llmtrace.dialects._steps import AGENTS, TOOLS

    assert {name for dialect in (*BUILT_IN, *TOOLS, *AGENTS) for name, _ in dialect.places} <= set(VOCABULARY)
    assert set(CONVERSIONS) <= set(VOCABULARY)
    assert all(hasattr(Reading, name) for name in VOCABULARY)


# --- dialects of the user's own --------------------------------------------------------------------------------------


@pytest.fixture
def _restored() -> Iterator[None]:
    before, steps = list(_reader._house_styles), dict(_reader._house_steps)
    yield
    _reader._house_styles[:] = before
    _reader._house_steps.clear()
    _reader._house_steps.update(steps)


@pytest.mark.usefixtures("_restored")
def test_a_house_style(make_span: SpanMaker) -> None:
    """A user's dialect gives the reading its name; the built-in places that it does not define are read beside it."""
    style = Dialect(
        name="ours",
        facts={
            "request_model": attribute("acme.model", str.lower),
            "temperature": inside("acme.parameters", "sampling.temperature", "temperature"),
            "input_tokens": added("acme.tokens.fresh", "acme.tokens.cached"),
            "output_tokens": ("acme.tokens.out", "acme.tokens.written"),
            "acme_team": "acme.team",
        },
    )
    register_dialect(style)
    register_dialect(style)
    reading = dialects.read(
        make_span(
            attributes={
                "acme.model": "GPT",
                "acme.parameters": json.dumps({"sampling": {"temperature": "0.5"}}),
                "acme.tokens.fresh": 10,
                "acme.tokens.cached": 30,
                "acme.tokens.written": 5,
                "acme.team": "search",
                "gen_ai.request.model": "other",
            }
        )
    )
    assert reading is not None
    assert (reading.source, reading.request_model, reading.temperature) == ("ours", "gpt", 0.5)
    assert (reading.input_tokens, reading.output_tokens, reading.fact("acme_team").value) == (40, 5, "search")
    assert reading.fact("input_tokens").parts == (("acme.tokens.fresh", 10), ("acme.tokens.cached", 30))
    assert reading.fact("temperature").keys == "acme.parameters[sampling.temperature]"
    assert [(fact.keys, fact.value) for fact in reading.others] == [("gen_ai.request.model", "other")]
    assert len(_reader._house_styles) == 1


@pytest.mark.usefixtures("_restored")
def test_a_house_style_of_steps(make_span: SpanMaker) -> None:
    """A user's dialect of tools or agents reads the steps of an agent, and no call; each kind has its own register."""
    register_dialect(Dialect(name="ours", of="tool", facts={"tool_call_id": "acme.call", "tool_name": "acme.tool"}))
    register_dialect(Dialect(name="ours", of="agent", facts={"input_tokens": "acme.tokens"}))
    span = make_span(attributes={"acme.call": "call_1", "acme.tool": "search", "acme.tokens": "12"})
    tool, agent = dialects.read_tool(span), dialects.read_agent(span)
    assert tool is not None
    assert agent is not None
    assert (dialects.read(span), tool.tool_call_id, tool.tool_name, agent.input_tokens) == (
        None,
        "call_1",
        "search",
        12,
    )
    register_dialect(Dialect(name="ours", of="tool", facts={"tool_call_id": "acme.id"}))
    assert dialects.read_tool(span) is None


def test_a_dialect_is_of_a_known_kind() -> None:
    """A kind that nothing reads is refused at once."""
    with pytest.raises(UsageError) as refused:
        Dialect(name="ours", of="tools", facts={})  # type: ignore[arg-type]
    assert str(refused.value) == "unknown of= of dialect 'ours' 'tools': did you mean 'tool'? known: agent, call, tool"


@pytest.mark.usefixtures("_restored")
def test_a_house_style_overrules(make_span: SpanMaker) -> None:
    """An attribute that a user's dialect names is not read again by the built-in dialects."""
    register_dialect(
        Dialect(
            name="cached apart",
            scopes=("acme",),
            facts={"input_tokens": added("gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens")},
        )
    )
    attributes = {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 30}
    ours = dialects.read(make_span(scope="acme", attributes=attributes))
    theirs = dialects.read(make_span(scope="app", attributes=attributes))
    assert ours is not None
    assert theirs is not None
    assert (ours.input_tokens, ours.cache_read_tokens, ours.others) == (40, None, ())
    assert (theirs.input_tokens, theirs.cache_read_tokens) == (10, 30)


@pytest.mark.usefixtures("_restored")
def test_a_house_style_is_replaced_by_its_name(make_span: SpanMaker) -> None:
    """Registering another dialect of the same name replaces the first."""
    for key in ("acme.a", "acme.b"):
        register_dialect(Dialect(name="ours", scopes=("acme",), facts={"request_model": key}))
    reading = dialects.read(make_span(scope="acme", attributes={"acme.a": "a", "acme.b": "b"}))
    assert reading is not None
    assert (reading.request_model, reading.others) == ("b", ())


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize(
    ("scope", "attributes", "is_llm"),
    [
        ("acme", {"acme.model": "a"}, True),
        ("acme", {"acme.model": "a", "acme.step": "rerank"}, False),
        ("app", {"acme.model": "a"}, False),
    ],
)
def test_what_a_house_style_recognises(
    make_span: SpanMaker, scope: str, attributes: dict[str, Any], is_llm: bool
) -> None:
    """A dialect with scopes and a function recognises a span only if both agree."""
    register_dialect(
        Dialect(
            name="ours",
            scopes=("acme",),
            recognises=lambda span: "acme.step" not in span.attributes,
            facts={"request_model": "acme.model"},
        )
    )
    assert dialects.is_llm(make_span(scope=scope, attributes=attributes)) is is_llm


@pytest.mark.usefixtures("_restored")
def test_a_conversion_that_fails(make_span: SpanMaker) -> None:
    """An exception of a user's function is the note of an unreadable fact, and one unreadable part spoils a sum."""
    register_dialect(
        Dialect(
            name="ours",
            facts={
                "cost": attribute("acme.cost", lambda value: value["usd"]),
                "input_tokens": added("acme.fresh", "acme.cached"),
            },
        )
    )
    reading = dialects.read(make_span(attributes={"acme.cost": {}, "acme.fresh": 3, "acme.cached": "many"}))
    assert reading is not None
    assert (reading.fact("cost").state, reading.fact("cost").note) == (State.UNREADABLE, "KeyError: 'usd'")
    assert (reading.fact("input_tokens").keys, reading.fact("input_tokens").note) == (
        "acme.cached",
        "'many' is not a number",
    )


def test_what_is_no_dialect() -> None:
    """A string as `scopes=` would be compared letter by letter; anything but a dialect would fail at each span."""
    with pytest.raises(UsageError, match=r"^scopes= of dialect 'ours' takes a list, such as \['ours\.llm'\]$"):
        Dialect(name="ours", facts={}, scopes="ours.llm")
    with pytest.raises(
        UsageError, match=r"^register_dialect\(\) takes a Dialect\(name=..., facts=\{...\}\), not 'ours'$"
    ):
        register_dialect("ours")  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=r"^recognises= of dialect 'ours' takes a function of a span, not True$"):
        Dialect(name="ours", facts={}, recognises=True)  # type: ignore[arg-type]


@pytest.mark.usefixtures("_restored")
def test_a_fact_that_is_misspelt() -> None:
    """No check would look at a misspelt fact, and nothing would say so; a name of one's own may be used."""
    with pytest.raises(UsageError) as refused:
        register_dialect(Dialect(name="ours", facts={"request_mode": "acme.model"}))
    assert str(refused.value) == (
        "dialect 'ours': unknown fact 'request_mode': did you mean 'request_model'? The facts that checks know are in "
        "pytest_llmtrace.reading.VOCABULARY; a name of your own must be less like them"
    )
    register_dialect(Dialect(name="ours", facts={"max_output_tokens": "acme.limit", "tenant": "acme.tenant"}))


@pytest.mark.usefixtures("_restored")
def test_a_function_that_recognises_and_fails(make_span: SpanMaker) -> None:
    """The error of a function that is asked about each span names the dialect and the span."""
    register_dialect(Dialect(name="ours", facts={}, recognises=lambda span: span.attributes["acme.kind"] == "llm"))
    with pytest.raises(UsageError) as refused:
        dialects.read(make_span(name="GET", scope="http", attributes={}))
    assert str(refused.value) == (
        "recognises= of dialect 'ours' raised KeyError: 'acme.kind', at the span 'GET' (http); it is asked about each "
        "span, and has to answer True or False"
    )


def test_what_is_no_place() -> None:
    """A value that is not a place is refused when the dialect is made."""
    with pytest.raises(UsageError) as refused:
        Dialect(name="ours", facts={"cost": 3})  # type: ignore[dict-item]
    assert str(refused.value) == (
        "fact 'cost' of dialect 'ours': a place is the name of an attribute, or made by attribute(), inside() or "
        "added(); got 3"
    )
