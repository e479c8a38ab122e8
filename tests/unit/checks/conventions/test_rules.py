"""Each `convention/` rule about spans finds what breaks the rule, and nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._rule import Breach, Rule
from pytest_llmtrace.checks.conventions import CHECKS
from pytest_llmtrace.conventions import Level, Profile, Wanted, profile, span_type
from pytest_llmtrace.model import Call, Dropped, Fact, Finding, Maker, Severity, SpanKey, SpanRecord, State
from tests.unit.checks._cases import ABSENT, NULL, UNREADABLE
from tests.unit.checks.conventions._profiles import GENAI, OPENINFERENCE

Conform = Callable[..., list[Finding]]

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
NAMED = {**CHAT, "gen_ai.request.model": "gpt-4o"}
OI = {"openinference.span.kind": "LLM", "llm.system": "openai"}
INPUT = "gen_ai.usage.input_tokens"
READ = "gen_ai.usage.cache_read.input_tokens"
WRITE = "gen_ai.usage.cache_write.input_tokens"
MESSAGES = "llm.input_messages"


def said(*messages: Any) -> dict[str, Any]:
    return {**CHAT, "gen_ai.input.messages": json.dumps(messages)}


def part(**fields: Any) -> dict[str, Any]:
    return said({"role": "user", "parts": [fields]})


TEXTLESS = [{"role": "user", "parts": [{"type": "text"}]}]
TEXT = (
    "gen_ai.input.messages: a list of messages, each with role and parts; each part with a type, and what its type "
    "needs"
)

# Check, what differs from a span that keeps the small OTel convention, the finding's lines `span` and `rule`.
BREACHES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("span-name", {"attributes": NAMED, "name": "openai.chat"}, "its name is 'openai.chat'", "the name 'chat gpt-4o'"),
    ("span-kind", {"attributes": CHAT, "kind": "SERVER"}, "kind SERVER", "kind CLIENT or INTERNAL"),
    (
        "status",
        {"attributes": {**CHAT, "error.type": "timeout"}},
        "status UNSET, error.type = 'timeout'",
        "error.type only if the operation ended in an error, and then the status ERROR",
    ),
    (
        "operation",
        {"attributes": {**CHAT, "gen_ai.operation.name": "embeddings"}, "wire": {}},
        "gen_ai.operation.name = 'embeddings'",
        "the call was made to the chat API",
    ),
    (
        "required",
        {"attributes": {"gen_ai.operation.name": "chat"}},
        "no gen_ai.provider.name",
        "required on spans of type inference",
    ),
    (
        "required",
        {"attributes": {"gen_ai.operation.name": "chat"}, "dropped": Dropped(3, 0, 0)},
        "no gen_ai.provider.name\n3 attributes were dropped, the oldest first: see OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "required on spans of type inference",
    ),
    (
        "required",
        {"attributes": {"gen_ai.provider.name": "openai"}},
        "no gen_ai.operation.name",
        "required on every span of a call: it says what the span is",
    ),
    (
        "type",
        {"attributes": {**CHAT, INPUT: True, "gen_ai.response.finish_reasons": [1, "stop"]}},
        f"{INPUT} = True  (boolean)\ngen_ai.response.finish_reasons = [1, 'stop']  (mixed[])",
        f"{INPUT}: int\ngen_ai.response.finish_reasons: string[]",
    ),
    (
        "type",
        {"attributes": {**CHAT, "gen_ai.request.temperature": "0.5", "gen_ai.prompt.variable.city": 3}},
        "gen_ai.request.temperature = '0.5'  (string)\ngen_ai.prompt.variable.city = 3  (int)",
        "gen_ai.request.temperature: double\ngen_ai.prompt.variable.city: string",
    ),
    (
        "value",
        {"attributes": {**CHAT, "gen_ai.provider.name": "AWS Bedrock", "gen_ai.level": 3}},
        "gen_ai.level = 3\ngen_ai.provider.name = 'AWS Bedrock'",
        "gen_ai.level: 1, 2\ngen_ai.provider.name: aws.bedrock, in exactly this spelling",
    ),
    (
        "unknown",
        {"attributes": {**CHAT, "gen_ai.usage.input_token": 3, "gen_ai.mood": "good"}},
        "gen_ai.usage.input_token = 3\ngen_ai.mood = 'good'",
        "no gen_ai.usage.input_token; did you mean gen_ai.usage.input_tokens?\nno gen_ai.mood",
    ),
    (
        "unknown",
        {"attributes": {**CHAT, "gen_ai.prompt.variable": "Bern"}},
        "gen_ai.prompt.variable = 'Bern'",
        "no gen_ai.prompt.variable; did you mean gen_ai.prompt.variable.<key>?",
    ),
    (  # Strands writes this name; by its letters alone, `gen_ai.usage.cache_read.input_tokens` would be the nearest.
        "unknown",
        {"attributes": {**CHAT, "gen_ai.usage.cache_write_input_tokens": 3, "gen_ai.usage.cache_dead.input_tokens": 1}},
        "gen_ai.usage.cache_write_input_tokens = 3\ngen_ai.usage.cache_dead.input_tokens = 1",
        (
            "no gen_ai.usage.cache_write_input_tokens; did you mean gen_ai.usage.cache_write.input_tokens?\n"
            "no gen_ai.usage.cache_dead.input_tokens; did you mean gen_ai.usage.cache_read.input_tokens?"
        ),
    ),
    (
        "unknown",
        {"attributes": {**CHAT, "gen_ai.usage.cache_flush.input_tokens": 3}},
        "gen_ai.usage.cache_flush.input_tokens = 3",
        "no gen_ai.usage.cache_flush.input_tokens",
    ),
    (
        "deprecated",
        {"attributes": {"gen_ai.operation.name": "chat", "gen_ai.system": "xai", "gen_ai.prompt": "Hi"}},
        "gen_ai.system = 'xai'\ngen_ai.prompt = 'Hi'",
        (
            "gen_ai.provider.name = 'x_ai' instead of gen_ai.system since 1.37.0\n"
            "gen_ai.prompt is no longer used: see gen_ai.input.messages"
        ),
    ),
    (
        "deprecated",
        {"attributes": {**CHAT, "gen_ai.provider.name": "xai"}},
        "gen_ai.provider.name = 'xai'",
        "gen_ai.provider.name = 'x_ai' instead of 'xai'",
    ),
    (
        "conditional",
        {"attributes": CHAT, "status": "ERROR"},
        "no error.type, but status ERROR",
        "error.type: If the operation ended in an error.",
    ),
    (
        "conditional",
        {"attributes": CHAT, "wire": {"streaming": True, "choice_count": 2}},
        (
            "no gen_ai.request.choice.count, but the request has choice_count = 2\n"
            "no gen_ai.request.stream, but the request has streaming = True"
        ),
        "gen_ai.request.choice.count: If it is not 1.\ngen_ai.request.stream: If and only if the request is streaming.",
    ),
    (
        "conditional",
        {"attributes": {**CHAT, "gen_ai.response.time_to_first_chunk": 0.5}},
        "no gen_ai.request.stream, but gen_ai.response.time_to_first_chunk = 0.5",
        "gen_ai.request.stream: If and only if the request is streaming.",
    ),
    (
        "conditional",
        {"attributes": CHAT, "wire": {}, "body": b'{"response_format": {"type": "json_object"}}'},
        "no gen_ai.output.type, but the request has response_format",
        "gen_ai.output.type: If the request includes an output format.",
    ),
    (
        "conditional",
        {
            "attributes": CHAT,
            "wire": {},
            "headers": (("content-encoding", "gzip"),),
            "body": gzip.compress(b'{"response_format": {"type": "json_object"}}', mtime=0),
        },
        "no gen_ai.output.type, but the request has response_format",
        "gen_ai.output.type: If the request includes an output format.",
    ),
    (
        "server-port",
        {"attributes": {**CHAT, "server.address": "api.openai.com"}},
        "no server.port, but server.address = 'api.openai.com'",
        "server.port: If `server.address` is set.",
    ),
    (
        "unneeded",
        {"attributes": {**CHAT, "gen_ai.request.stream": False, "server.port": 443}},
        (
            "gen_ai.request.stream = False, but false is the default, which is left out\n"
            "server.port = 443, but there is no server.address"
        ),
        "gen_ai.request.stream: If and only if the request is streaming.\nserver.port: If `server.address` is set.",
    ),
    (
        "unneeded",
        {"attributes": {**CHAT, "gen_ai.response.time_to_first_chunk": 0.5}, "wire": {"streaming": False}},
        "gen_ai.response.time_to_first_chunk = 0.5, but the request does not stream",
        "",
    ),
    (
        "content",
        {"attributes": {**CHAT, "gen_ai.input.messages": "Hello"}},
        "gen_ai.input.messages is not JSON: expecting value",
        TEXT,
    ),
    ("content", {"attributes": said("Hello")}, "gen_ai.input.messages[0] is a string, not an object", TEXT),
    (
        "content",
        {"attributes": {**CHAT, "gen_ai.input.messages": '{"role": "user"}'}},
        "gen_ai.input.messages is an object, not a list",
        TEXT,
    ),
    (
        "content",
        {"attributes": said({"role": None, "parts": []}, {"role": "user", "parts": "Hello"})},
        ("gen_ai.input.messages[0].role is null, not a string\ngen_ai.input.messages[1].parts is a string, not a list"),
        TEXT,
    ),
    (
        "content",
        {"attributes": said({"role": "user", "content": "Hello"})},
        "gen_ai.input.messages[0] has no parts",
        TEXT,
    ),
    ("content", {"attributes": part(content="Hi")}, "gen_ai.input.messages[0].parts[0] has no type", TEXT),
    (
        "content",
        {"attributes": {**CHAT, "gen_ai.tool.definitions": [{"type": "function"}]}},
        "gen_ai.tool.definitions[0] has no name",
        "gen_ai.tool.definitions: a list of tools, each with type and name",
    ),
    (
        "content-parts",
        {"attributes": part(type="text", text="Hi")},
        "gen_ai.input.messages[0].parts[0] (text) has no content",
        TEXT,
    ),
    (  # It is as long as a limit may be, but it is whole: a text that was cut would not be JSON.
        "content-parts",
        {"attributes": {**CHAT, "gen_ai.input.messages": f"{json.dumps(TEXTLESS):<200}"}},
        "gen_ai.input.messages[0].parts[0] (text) has no content",
        TEXT,
    ),
    (
        "content-parts",
        {"attributes": part(type="tool_call_response", result="Sunny", id=3)},
        (
            "gen_ai.input.messages[0].parts[0] (tool_call_response) has no response\n"
            "gen_ai.input.messages[0].parts[0] (tool_call_response).id is a number, not a string"
        ),
        TEXT,
    ),
    (
        "tokens",
        {"attributes": {**CHAT, INPUT: 10, READ: 8, WRITE: 3}},
        f"{INPUT} = 10, and {READ} 8 + {WRITE} 3",
        f"{READ} + {WRITE}: part of {INPUT}",
    ),
)

# The same for OpenInference.
OPENINFERENCE_BREACHES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    (
        "operation",
        {"attributes": {"openinference.span.kind": "EMBEDDING"}, "name": "CreateEmbeddings", "wire": {}},
        "openinference.span.kind = 'EMBEDDING'",
        "the call was made to the chat API",
    ),
    (
        "required",
        {"attributes": {"openinference.span.kind": "LLM"}},
        "no llm.system",
        "required on spans of type LLM",
    ),
    (
        "unused",
        {
            "attributes": {"openinference.span.kind": "EMBEDDING", "llm.system": "openai"},
            "name": "CreateEmbeddings",
        },
        "llm.system = 'openai'",
        "not used on spans of type EMBEDDING",
    ),
    (
        "span-name",
        {"attributes": {"openinference.span.kind": "EMBEDDING"}},
        "its name is 'chat'",
        "the name 'CreateEmbeddings'",
    ),
    (
        "value",
        {"attributes": {"openinference.span.kind": "RITUAL"}},
        "openinference.span.kind = 'RITUAL'",
        "openinference.span.kind: EMBEDDING, LLM",
    ),
    (
        "value",
        {"attributes": {"openinference.span.kind": "llm"}},
        "openinference.span.kind = 'llm'",
        "openinference.span.kind: LLM, in exactly this spelling",
    ),
    (
        "type",
        {"attributes": {**OI, f"{MESSAGES}.0.message.content": 3}},
        f"{MESSAGES}.0.message.content = 3  (int)",
        f"{MESSAGES}.0.message.content: string",
    ),
    (
        "content",
        {"attributes": {**OI, "llm.invocation_parameters": "{'n': 1}"}},
        "llm.invocation_parameters is not JSON: expecting property name enclosed in double quotes",
        "llm.invocation_parameters: JSON",
    ),
    (
        "content",
        {"attributes": {**OI, "input.value": "hi", "input.mime_type": "application/json; charset=utf-8"}},
        "input.value is not JSON: expecting value",
        "input.value: JSON, as input.mime_type says",
    ),
    (
        "indices",
        {"attributes": {**OI, f"{MESSAGES}.1.message.role": "user", f"{MESSAGES}.3.message.role": "user"}},
        f"{MESSAGES}: no 0, but 3",
        "lists are numbered from 0, without gaps",
    ),
    (
        "indices",
        {"attributes": {**OI, f"{MESSAGES}.1.message.role": "user"}, "dropped": Dropped(9, 0, 0)},
        f"{MESSAGES}: no 0, but 1\n9 attributes were dropped, the oldest first: see OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "lists are numbered from 0, without gaps",
    ),
    (
        "tokens",
        {"attributes": {**OI, **{f"llm.token_count.{key}": 7 for key in ("prompt", "completion", "total")}}},
        "llm.token_count.total = 7, and llm.token_count.prompt 7 + llm.token_count.completion 7",
        "llm.token_count.prompt + llm.token_count.completion: part of llm.token_count.total",
    ),
)


def proves(check: str, found: list[Finding], span: str, rule: str, profile: Any) -> None:
    """Prove that there is one finding, of that check, with these lines."""
    [judge] = [known for known in CHECKS if known.id == f"convention/{check}"]
    [finding] = found
    source = f"{profile.name}, {profile.source}"
    assert (finding.check, finding.severity) == (judge.id, judge.severity)
    assert finding.details == (
        ("span", span),
        ("rule", f"{rule}\n{source}" if rule else source),
        ("why", judge.why),
        ("next", f'{judge.next}, or waive: @pytest.mark.llmtrace(ignore={{"{judge.id}": "reason"}})'),
    )
    assert (finding.span, finding.makers) == (SpanKey(1, 1), (Maker(scope="app"),))


@pytest.mark.parametrize(("check", "fields", "span", "rule"), BREACHES)
def test_breach(conform: Conform, check: str, fields: dict[str, Any], span: str, rule: str) -> None:
    """A breach is one finding, which names all attributes that break the rule, the rule, and the convention."""
    proves(check, conform(**fields), span, rule, GENAI)


@pytest.mark.parametrize(("check", "fields", "span", "rule"), OPENINFERENCE_BREACHES)
def test_breach_of_openinference(conform: Conform, check: str, fields: dict[str, Any], span: str, rule: str) -> None:
    """The rules are the same for every convention, which differ in their data only."""
    proves(check, conform(profile=OPENINFERENCE, **fields), span, rule, OPENINFERENCE)


# Spans that keep the small OTel convention.
CONFORMING: tuple[dict[str, Any], ...] = (
    {"attributes": {"gen_ai.prompt.variable.city": "Bern"}},  # Nothing says that the span is a call.
    {"attributes": NAMED, "name": "chat gpt-4o"},
    {"attributes": CHAT, "name": "anything"},  # Without the model no name can be formed to compare with.
    {"attributes": {**CHAT, "gen_ai.provider.name": "openrouter"}},
    {"attributes": {**CHAT, "gen_ai.operation.name": "rerank"}, "wire": {}},
    {"attributes": {**CHAT, "gen_ai.operation.name": "rerank"}, "kind": "SERVER"},  # It has no span type of its own.
    {"attributes": {**CHAT, "error.type": "timeout"}, "status": "ERROR"},
    {"attributes": {**CHAT, "gen_ai.request.temperature": 1}},
    {"attributes": {**CHAT, "gen_ai.response.finish_reasons": ()}},
    {"attributes": {**CHAT, "gen_ai.response.finish_reasons": ("stop", None)}},
    {"attributes": {**CHAT, "gen_ai.prompt.variable.city": "Paris"}},
    {"attributes": {**CHAT, "house.mood": "good", "gen_aim": 3}},
    {"attributes": {**CHAT, "gen_ai.request.stream": True}, "wire": {"streaming": True}},
    {"attributes": CHAT, "wire": {"streaming": False, "choice_count": 1}},
    {"attributes": {**CHAT, "server.address": "api.openai.com", "server.port": 443}},
    {"attributes": {**CHAT, INPUT: 10, READ: 7, WRITE: 3}},
    {"attributes": {**CHAT, READ: 7}},
    {"attributes": {**CHAT, INPUT: 10, READ: 10**5000}},  # Python refuses to write so long a number.
    {"attributes": part(type="text", content="Hi")},
    {"attributes": part(type="joke", funny=False)},
    {
        "attributes": {
            **CHAT,
            "gen_ai.input.messages": [{"role": "user", "parts": ({"type": "text", "content": "Hi"},)}],
        }
    },
    {"attributes": {**CHAT, "gen_ai.input.messages": "__REDACTED__"}},
    {"attributes": {**CHAT, "gen_ai.input.messages": "[" * 100}},  # It is as long as a limit, so it may have been cut.
    {"attributes": {**CHAT, "gen_ai.input.messages": f"[{'9' * 5000}]"}},  # Python refuses to read so long a number.
)
CONFORMING_OPENINFERENCE: tuple[dict[str, Any], ...] = (
    {"attributes": {**OI, f"{MESSAGES}.0.message.role": "user", f"{MESSAGES}.1.message.role": "user"}},
    {"attributes": {**OI, f"{MESSAGES}.0.message.tool_calls.0.tool_call.function.arguments": "{"}},  # The model's text.
    {"attributes": {**OI, "output.value": '"hi"', "output.mime_type": "application/json"}},
    {"attributes": {**OI, "output.value": "hi", "output.mime_type": "text/plain"}},
    {"attributes": {**OI, "output.value": "hi"}},
    {"attributes": {**OI, "output.value": "__REDACTED__", "output.mime_type": "application/json"}},
    *({"attributes": {"openinference.span.kind": "EMBEDDING", "embedding.embeddings.0.embedding.vector": vector},
       "name": "CreateEmbeddings"} for vector in ((0.5, 1), "__REDACTED__")),  # OPENINFERENCE_HIDE_EMBEDDINGS_VECTORS
)  # fmt: skip


@pytest.mark.parametrize("fields", CONFORMING)
def test_conforming(conform: Conform, fields: dict[str, Any]) -> None:
    """A span that keeps the convention, or that the convention says nothing about, has no finding."""
    assert conform(**fields) == []


@pytest.mark.parametrize("fields", CONFORMING_OPENINFERENCE)
def test_conforming_to_openinference(conform: Conform, fields: dict[str, Any]) -> None:
    """A span that keeps OpenInference has no finding either."""
    assert conform(profile=OPENINFERENCE, **fields) == []


def test_tokens_that_cannot_be_added_up(conform: Conform) -> None:
    """A number too large for a float, beside one that is not an integer, is found by its type, and nothing raises."""
    [finding] = conform({**CHAT, INPUT: 10, READ: 10**400, WRITE: 0.5})
    assert finding.check == "convention/type"


def test_tokens_of_the_wire(conform: Conform) -> None:
    """A span that repeats its response's counts is right although the sum is odd; with other counts it is wrong."""
    attributes = {**CHAT, INPUT: 10, READ: 12}
    facts = {"input_tokens": 10, "cache_read_tokens": 12}
    assert conform(attributes, wire=facts, span=as_stated(INPUT=10, READ=12)) == []
    [finding] = conform(attributes, wire={**facts, "cache_read_tokens": 2}, span={})
    assert finding.check == "convention/tokens"


def test_a_count_below_zero(conform: Conform) -> None:
    """A negative count is wrong by itself, in each convention; 0 is a count, and one of the wire is compared there."""
    [finding] = conform({**CHAT, INPUT: -10})
    assert (finding.check, dict(finding.details)["span"]) == ("convention/tokens", f"{INPUT} = -10")
    [finding] = conform({**OI, "llm.token_count.total": -1}, profile=OPENINFERENCE)
    assert finding.check == "convention/tokens"
    assert conform({**CHAT, INPUT: 0}) == []
    assert conform({**CHAT, INPUT: -10}, wire={"input_tokens": -10}, span=as_stated(INPUT=-10)) == []


FIRST = "gen_ai.response.time_to_first_chunk"


@pytest.mark.parametrize(
    ("attributes", "lines"),
    [
        ({**CHAT, FIRST: -0.25}, f"{FIRST} = -0.25"),
        ({"gen_ai.time_to_first_token_ms": -250}, "gen_ai.time_to_first_token_ms = -250"),
        (
            {**OI, "llm.cost.total": -0.002, "llm.cost.prompt": -0.001},
            "llm.cost.prompt = -0.001\nllm.cost.total = -0.002",
        ),
        ({"gen_ai.usage.cost": -1, "gen_ai.cost.total_cost": 1}, "gen_ai.usage.cost = -1"),
    ],
    ids=["time", "time by hand", "OpenInference", "cost by hand"],
)
def test_an_amount_below_zero(make_span: Callable[..., SpanRecord], attributes: dict[str, Any], lines: str) -> None:
    """A negative duration or cost is found by itself, in any convention; spans that are alike are one finding."""
    spans = tuple(make_span(number, attributes=attributes) for number in (1, 2))
    [found] = [one for one in verify(Evidence(spans=spans), {}).findings if one.check == "convention/amounts"]
    names = [line.partition(" ")[0] for line in lines.splitlines()]
    assert (found.severity, found.subject, found.details[:2]) == (
        "warning",
        "span 'chat' (app)",
        (
            ("span", f"{lines}\nand 1 more span of this name and scope"),
            ("rule", "\n".join(f"{name}: no less than 0" for name in names)),
        ),
    )


@pytest.mark.parametrize("value", [0, 0.0, 0.5, "-1", True, None])
def test_an_amount_that_may_be(make_span: Callable[..., SpanRecord], value: Any) -> None:
    """Nothing and more is right; what is no number is a matter of its type."""
    span = make_span(attributes={FIRST: value, "llm.cost.total": value, "gen_ai.cost.margin_total_amount": -1})
    found = verify(Evidence(spans=(span,)), {}).findings
    assert not [one for one in found if one.check == "convention/amounts"]


def test_a_cost_that_the_response_states(conform: Conform) -> None:
    """If the response states the cost, the span's is compared with that alone."""
    key = "llm.cost.total"
    facts = {"cost": Fact(name="cost", value=-0.5, state=State.PRESENT, parts=((key, -0.5),))}
    whole = profile("openinference")
    assert conform({**OI, key: -0.5}, whole, wire={"cost": -0.5}, span=facts) == []
    assert [one.check for one in conform({**OI, key: -0.5}, whole)] == ["convention/amounts"]


def as_stated(**counts: int) -> dict[str, Any]:
    """Return the facts that a reader makes of counts, with the attributes that hold them."""
    names = {"INPUT": ("input_tokens", INPUT), "READ": ("cache_read_tokens", READ)}
    return {
        fact: Fact(name=fact, value=value, state=State.PRESENT, parts=((key, value),))
        for short, value in counts.items()
        for fact, key in (names[short],)
    }


class _Name(StrEnum):
    MODEL = "gen_ai.request.model"


REASONS = "gen_ai.response.finish_reasons"


def test_spans_of_the_same_names_are_judged_by_their_own_values(conform: Conform) -> None:
    """A list's elements are checked on each span, even if an earlier span had the same names and types."""
    for value, said in (
        (["stop"], []),
        ([1], [f"{REASONS} = [1]  (int[])"]),
        ("stop", [f"{REASONS} = 'stop'  (string)"]),
        (["stop", None], []),
    ):
        found = conform({**CHAT, REASONS: value}, name="chat")
        assert [dict(finding.details)["span"] for finding in found if finding.check == "convention/type"] == said


def test_a_name_that_only_equals_a_text_is_not_taken_for_it(conform: Conform) -> None:
    """A member of an enumeration equals its text, but a span with one is not judged like a span with the other."""
    for name, checks in ((_Name.MODEL, []), ("gen_ai.request.model", ["convention/type"])) * 2:
        found = conform({**CHAT, name: 4}, name="chat")
        assert [finding.check for finding in found if finding.check == "convention/type"] == checks


def test_severities() -> None:
    """Only what certainly breaks a demand of the convention's own text is an error."""
    by_severity: dict[Severity, list[str]] = {}
    for check in CHECKS:
        by_severity.setdefault(check.severity, []).append(check.id.removeprefix("convention/"))
    assert by_severity == {
        Severity.ERROR: [
            "required",
            "type",
            "content",
            "event-required",
            "event-type",
            "metric-unit",
            "metric-instrument",
            "metric-required",
            "metric-type",
        ],
        Severity.WARNING: [
            "span-name",
            "span-kind",
            "status",
            "operation",
            "unused",
            "value",
            "unknown",
            "deprecated",
            "conditional",
            "content-parts",
            "event-content",
            "tokens",
            "amounts",
            "indices",
            "event-value",
            "event-unknown",
            "event-deprecated",
            "event-tokens",
            "metric-unknown",
            "metric-deprecated",
            "metric-buckets",
            "metric-value",
        ],
        Severity.INFO: ["mixed", "server-port", "unneeded", "metric-server-port"],
    }


def test_what_a_type_of_spans_has_in_the_place_of_another_attribute(conform: Conform) -> None:
    """A retrieval has an attribute of its own for the number of results, and not the one of a request to a model."""
    retrieval = {"gen_ai.operation.name": "retrieval", "gen_ai.request.top_k": 3}
    [finding] = conform(retrieval, profile("genai-2026-10"), name="retrieval")
    assert finding.check == "convention/unused"
    assert finding.details[1][1].splitlines()[:2] == [
        "not used on spans of type gen_ai.retrieval.client",
        "gen_ai.retrieval.top_k instead of gen_ai.request.top_k",
    ]


@pytest.mark.parametrize("name", ["gen_ai.tool.call.result", "gen_ai.tool.call.arguments"])
@pytest.mark.parametrize(
    ("value", "flaw"),
    [
        ('{"sky": "clear"}', ""),
        ("Sunny, 21 degrees", ""),
        ('"Sunny"', ""),
        ("[1, 2]", ""),
        ("[1] See the appendix", ""),
        ("{'sky': 'clear'}", " is not JSON: expecting property name enclosed in double quotes"),
    ],
)
def test_a_tool_takes_and_returns_what_it_likes(conform: Conform, name: str, value: str, flaw: str) -> None:
    """Most tools take and return objects: a plain text is right as well, but an object that is not JSON is not."""
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "sky"}
    found = conform({**tool, name: value}, profile("genai-2026-10"), name="execute_tool sky", kind="INTERNAL")
    assert [(one.check, one.details[0][1]) for one in found] == ([("convention/content", name + flaw)] if flaw else [])


def test_a_newer_name_is_told_with_the_older_one(conform: Conform) -> None:
    """An attribute that an older version of the convention names otherwise is reported with that older name."""
    chat = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme"}
    required, unknown = conform(chat, profile("core-1.36"), name="chat")
    assert (required.check, required.details[0][1]) == ("convention/required", "no gen_ai.system")
    assert unknown.details[1][1].splitlines()[0] == "no gen_ai.provider.name; did you mean gen_ai.system?"


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("tools/list", ["no jsonrpc.request.id, but mcp.method.name = 'tools/list'"]),
        ("notifications/progress", []),
    ],
)
def test_a_request_has_an_id_and_a_notification_has_none(conform: Conform, method: str, expected: list[str]) -> None:
    """The method of an MCP span tells whether it is a request or a notification."""
    found = conform({"mcp.method.name": method}, profile("genai-2026-10"), name=method)
    assert [dict(finding.details)["span"] for finding in found] == expected


@pytest.mark.parametrize(("operation", "found"), [("embeddings", []), ("chat", ["convention/operation"])])
def test_the_operation_of_embeddings(make_call: Callable[..., Call], operation: str, found: list[str]) -> None:
    """A span of embeddings that still has the operation of the chat span it was copied from is found."""
    attributes = {**CHAT, "gen_ai.operation.name": operation}
    call = make_call({}, {}, api="embeddings", record={"attributes": attributes, "kind": "CLIENT"})
    seen = Evidence(calls=(call,), spans=call.spans, profiles=(GENAI,))
    assert [finding.check for finding in verify(seen, {}).findings if finding.check == "convention/operation"] == found


OPENLLMETRY = replace(GENAI, name="openllmetry-small", convention="openllmetry")
SDK, FRAMEWORK = "opentelemetry.instrumentation.openai_v2", "opentelemetry.instrumentation.langchain"
OPERATION, REQUEST_TYPE = "gen_ai.operation.name", "llm.request.type"


@pytest.mark.parametrize(
    ("kept", "scope", "api", "place", "value", "is_found"),
    [
        # An SDK's method is of one API, and so is the call that an application writes down by hand.
        (GENAI, SDK, "chat", OPERATION, "text_completion", True),
        (GENAI, SDK, "messages", OPERATION, "text_completion", True),
        (GENAI, "app", "responses", OPERATION, "text_completion", True),
        (GENAI, SDK, "completions", OPERATION, "chat", True),
        (GENAI, SDK, "completions", OPERATION, "text_completion", False),
        (GENAI, SDK, "responses", OPERATION, "chat", False),
        # A framework's `complete` may be a chat, and its `chat` a completion.
        (GENAI, FRAMEWORK, "chat", OPERATION, "text_completion", False),
        (GENAI, FRAMEWORK, "completions", OPERATION, "chat", False),
        # Frameworks have this word for all.
        (GENAI, SDK, "chat", OPERATION, "generate_content", True),
        (GENAI, SDK, "responses", OPERATION, "generate_content", False),
        (GENAI, "gcp.vertex.agent", "chat", OPERATION, "generate_content", False),
        (GENAI, SDK, "chat", OPERATION, "invoke_agent", False),
        (GENAI, SDK, "chat", OPERATION, 3, False),
        # OpenLLMetry's own word; `completion` is what it has for Anthropic's messages, too.
        (OPENLLMETRY, SDK, "chat", REQUEST_TYPE, "embedding", True),
        (OPENLLMETRY, SDK, "embeddings", REQUEST_TYPE, "chat", True),
        (OPENLLMETRY, SDK, "messages", REQUEST_TYPE, "completion", False),
        (OPENLLMETRY, SDK, "embeddings", REQUEST_TYPE, "embedding", False),
        (GENAI, SDK, "chat", REQUEST_TYPE, "embedding", False),
    ],
)
def test_the_operation_is_that_of_the_api(
    make_call: Callable[..., Call], kept: Profile, scope: str, api: str, place: str, value: Any, is_found: bool
) -> None:
    """A value that is certainly another API's is found, and told with the API that was called."""
    record = {"attributes": {"gen_ai.provider.name": "openai", place: value}, "scope": scope, "kind": "CLIENT"}
    call = make_call({}, {}, api=api, record=record)
    [claim] = Evidence(calls=(call,), spans=call.spans, profiles=(GENAI,)).claims
    [rule] = [check for check in CHECKS if check.id == "convention/operation"]
    assert isinstance(rule, Rule)
    found = rule.judge(replace(claim, profile=kept))
    wanted = Breach(names=(place,), said=(f"{place} = {value!r}",), wanted=(f"the call was made to the {api} API",))
    assert found == (wanted if is_found else False)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), []),
        (
            (("X-Amzn-Bedrock-GuardrailIdentifier", "g1"),),
            ["no aws.bedrock.guardrail.id, but a header of the request names a guardrail"],
        ),
    ],
)
def test_a_guardrail_is_wanted_where_there_is_one(conform: Conform, headers: Any, expected: list[str]) -> None:
    """The registry requires the guardrail's id of each call on Bedrock, but a call without a guardrail has no id."""
    attributes = {**CHAT, "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "m"}
    found = conform(attributes, profile("genai-2026-10"), name="chat m", wire={}, headers=headers)
    assert [dict(finding.details)["span"] for finding in found] == expected


INFERENCE = GENAI.span_types["inference"]
REQUIRED = {**INFERENCE.attributes, "gen_ai.request.model": Wanted(level=Level.REQUIRED)}
WITH_MODEL = replace(GENAI, span_types={"inference": replace(INFERENCE, attributes=REQUIRED)})


@pytest.mark.parametrize(
    ("wire", "attributes", "expected"),
    [
        ({"request_model": ABSENT}, CHAT, []),  # A stored prompt may name it.
        ({"request_model": NULL}, CHAT, []),
        ({"request_model": "gpt-5"}, CHAT, ["no gen_ai.request.model"]),
        ({"request_model": UNREADABLE}, CHAT, ["no gen_ai.request.model"]),
        (None, CHAT, ["no gen_ai.request.model"]),
        ({"request_model": ABSENT}, {"gen_ai.operation.name": "chat"}, ["no gen_ai.provider.name"]),
    ],
)
def test_a_model_is_required_where_the_request_names_one(
    conform: Conform, wire: Any, attributes: dict[str, str], expected: list[str]
) -> None:
    """OpenAI's convention requires the model, but a call of a stored prompt need not name any.

    Spans of the same names are judged by their own requests, in whichever order they come.
    """
    found = conform(attributes, WITH_MODEL, wire=wire)
    assert [dict(finding.details)["span"] for finding in found if finding.check == "convention/required"] == expected


BY_NAMES = {check.id: check for check in CHECKS if isinstance(check, Rule) and check.by_names is not Rule.by_names}


@pytest.mark.parametrize("rule", BY_NAMES.values(), ids=BY_NAMES.keys())
def test_values_do_not_matter_where_names_decide(rule: Rule) -> None:
    """A rule that is judged once for all spans of the same names, type and kind does not depend on their values."""
    for _, fields, _, _ in BREACHES:
        for kept in (GENAI, OPENINFERENCE):
            span = SpanRecord(key=SpanKey(1, 1), name="chat", kind="CLIENT", attributes=fields.get("attributes", CHAT))
            claim = Claim(span=span, profile=kept, span_type=span_type(kept, span), is_wanted=True)
            assert rule.by_names(claim)
            other = replace(claim, span=replace(span, name="", attributes=dict.fromkeys(span.attributes, -1)))
            assert type(rule.judge(claim)) is type(rule.judge(other))
