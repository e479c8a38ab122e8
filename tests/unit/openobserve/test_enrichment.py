"""The columns that OpenObserve adds to an LLM span: operation, model, texts, parameters, tokens and costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.model import SpanEvent
from pytest_llmtrace.openobserve import NEWEST, PROFILES, Record, server

Store = Callable[..., Record]

ASKED = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]})
OPENINFERENCE: Mapping[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-mini",
    "llm.invocation_parameters": '{"model": "gpt-4o-mini", "max_tokens": 64}',
    "llm.token_count.prompt": 12,
    "llm.token_count.completion": 5,
    "llm.token_count.total": 17,
    "input.value": ASKED,
    "input.mime_type": "application/json",
    "output.value": "out",
    "output.mime_type": "application/json",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "hi",
}
"""A span as OpenInference writes it for the LiteLLM Proxy."""

PRICES = "not reproducible: the server takes prices from its own catalogue, which changes"


def added(record: Record) -> dict[str, Any]:
    """Return the columns of a record other than base columns."""
    base = {"trace_id", "span_id", "flags", "start_time", "end_time", "duration", "_timestamp", "events", "links"}
    base |= {"operation_name", "service_name", "span_status", "span_kind", "status_code", "status_message"}
    return {name: value for name, value in record.items() if name not in base}


IN_EACH = {
    "openinference_span_kind": "LLM",
    "llm_system": "openai",
    "llm_model_name": "gpt-4o-mini",
    "llm_invocation_parameters": OPENINFERENCE["llm.invocation_parameters"],
    "llm_token_count_prompt": "12",
    "llm_token_count_completion": "5",
    "llm_token_count_total": "17",
    "input_mime_type": "application/json",
    "output_mime_type": "application/json",
}
OF_RELEASE: Mapping[str, Mapping[str, Any]] = {
    "0.70": {
        "_o2_llm_observation_type": "GENERATION",
        "_o2_llm_model_name": "gpt-4o-mini",
        "_o2_llm_model_parameters_model": "gpt-4o-mini",
        "_o2_llm_model_parameters_max_tokens": "64",
        "_o2_llm_input": ASKED,
        "_o2_llm_output": "out",
        "_o2_llm_usage_details_input": 12,
        "_o2_llm_usage_details_output": 5,
        "_o2_llm_usage_details_total": 17,
    },
    "0.90": {
        "llm_observation_type": "GENERATION",
        "gen_ai_response_model": "gpt-4o-mini",
        "llm_request_parameters_model": "gpt-4o-mini",
        "llm_request_parameters_max_tokens": "64",
        "llm_input": ASKED,
        "llm_output": "out",
        "llm_usage_tokens_input": 12,
        "llm_usage_tokens_output": 5,
        "llm_usage_tokens_total": 17,
    },
    "0.92": {
        "gen_ai_operation_name": "chat",
        "gen_ai_response_model": "gpt-4o-mini",
        "gen_ai_request_max_tokens": "64",
        "gen_ai_input_messages": ASKED,
        "gen_ai_output_messages": "out",
        "gen_ai_usage_input_tokens": 12,
        "gen_ai_usage_output_tokens": 5,
        "gen_ai_usage_total_tokens": 17,
    },
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_span_of_openinference(store: Store, profile: str) -> None:
    """The whole record of the most common span; its prices come from the server's catalogue and are marked unknown."""
    record = store(OPENINFERENCE, profile)
    assert added(record) == {**IN_EACH, **OF_RELEASE.get(profile, OF_RELEASE["0.92"])}
    prices = {record.server.columns[f"cost.{name}"] for name in ("input", "output", "total")}
    assert record.unknown.keys() - {"_o2_ingest_ts"} == prices
    with pytest.raises(KeyError, match=PRICES):
        record[record.server.columns["cost.total"]]


def test_texts_are_taken_out(store: Store) -> None:
    """Attributes whose text the server moves are gone, and asking for one names the column that has the text."""
    record = store(OPENINFERENCE)
    assert set(record.removed) == {key for key in OPENINFERENCE if key.startswith(("llm.input", "input.v", "output.v"))}
    with pytest.raises(KeyError, match=r"removes input\.value once it has its text in gen_ai_input_messages"):
        record["input_value"]


@pytest.mark.parametrize(
    ("key", "since"),
    [("gen_ai.request.model", "0.70"), ("input", "0.70"), ("openinference.span.kind", "0.92"), ("agent.name", "0.92")],
)
def test_the_gate(store: Store, key: str, since: str) -> None:
    """Any of some attributes makes a span an LLM span; 0.92 knows more such attributes."""
    is_llm = [store({key: "x"}, profile).is_llm for profile in PROFILES]
    assert is_llm == [profile >= since for profile in PROFILES]


def test_no_llm_span(store: Store) -> None:
    """The response's model and counts alone do not make an LLM span, so nothing is computed."""
    record = store({"gen_ai.response.model": "m", "llm.token_count.prompt": 3})
    assert not record.is_llm
    assert added(record) == {"gen_ai_response_model": "m", "llm_token_count_prompt": "3"}


@pytest.mark.parametrize(
    ("attributes", "newest", "before"),
    [
        ({"gen_ai.operation.name": "CHAT"}, "chat", "GENERATION"),
        ({"gen_ai.operation.name": "create_agent"}, "create_agent", "AGENT"),
        ({"gen_ai.operation.name": "retrieval"}, "retrieval", "SPAN"),
        (
            {"gen_ai.operation.name": "messages.create", "llm.request.type": "completion"},
            "text_completion",
            "GENERATION",
        ),
        ({"traceloop.span.kind": "workflow", "input": "x"}, "invoke_workflow", "WORKFLOW"),
        ({"openinference.span.kind": "embedding", "input": "x"}, "embeddings", "EMBEDDING"),
        ({"openinference.span.kind": "RERANKER", "input": "x"}, "span", "SPAN"),
        ({"langfuse.observation.type": "retriever"}, "retrieval", "RETRIEVER"),
        ({"gen_ai.tool.name": "t", "input": "x"}, "execute_tool", "TOOL"),
        ({"llm.model_name": "m"}, "chat", "GENERATION"),
        ({"input": "x"}, "span", "SPAN"),
    ],
    ids=str,
)
def test_the_operation(store: Store, attributes: Mapping[str, Any], newest: str, before: str) -> None:
    """The first rule that knows its value decides; an operation that no rule knows is overwritten."""
    assert store(attributes)["gen_ai_operation_name"] == newest
    assert store(attributes, "0.90")["llm_observation_type"] == before


@pytest.mark.parametrize(
    ("scope", "attributes", "expected"),
    [("ai", {"ai.model.id": "m"}, "chat"), ("ai", {}, "span"), ("other", {"ai.model.id": "m"}, "chat")],
)
def test_the_scope_of_the_vercel_sdk(store: Store, scope: str, attributes: Mapping[str, Any], expected: str) -> None:
    """Spans in the scope `ai` of Vercel's SDK are LLM spans, whatever attributes they have."""
    assert store(attributes, scope=scope)["gen_ai_operation_name"] == expected


def test_the_first_model_counts_even_if_it_is_none(store: Store) -> None:
    """The first model attribute counts, even if it is not text, and hides later ones."""
    attributes = {"gen_ai.response.model": ("a", "b"), "gen_ai.request.model": "m"}
    assert store(attributes)["gen_ai_response_model"] == '["a","b"]'
    assert store({"gen_ai.request.model": "m"})["gen_ai_response_model"] == "m"


def test_openinference_names_no_provider(store: Store) -> None:
    """`llm.system` and `llm.provider` are not read; the GenAI names are, the older one too."""
    assert "gen_ai_provider_name" not in store({**OPENINFERENCE, "llm.provider": "openai"})
    assert store({"gen_ai.system": "anthropic", "gen_ai.request.model": "m"})["gen_ai_provider_name"] == "anthropic"
    assert store({"gen_ai.provider.name": "x", "gen_ai.request.model": "m"}, "0.90")["gen_ai_system"] == "x"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"gen_ai.input.messages": "a", "gen_ai.output.messages": "b", "input.value": "c"}, ("a", "b")),
        ({"traceloop.entity.input": "a", "gen_ai.input.messages": "b"}, ("a", None)),
        ({"gen_ai.output.messages": "b"}, (None, None)),
        ({"llm.input_messages.0.message.role": "user"}, ('[{"message":{"role":"user"}}]', None)),
        ({"gen_ai.prompt.1.role": "b", "gen_ai.prompt.0.role": "a"}, ('[{"role":"a"},{"role":"b"}]', None)),
        ({"gcp.vertex.agent.llm_request": "{}", "gcp.vertex.agent.tool_call_args": "a"}, ("a", None)),
    ],
    ids=["messages", "traceloop first", "output only", "openinference", "indexed", "vertex"],
)
def test_texts(store: Store, attributes: Mapping[str, Any], said: tuple[str | None, str | None]) -> None:
    """The first source with an input provides both texts; flattened messages are put together again."""
    record = store({"gen_ai.request.model": "m", **attributes})
    assert (record.get("gen_ai_input_messages"), record.get("gen_ai_output_messages")) == said


def test_the_name_of_a_prompt_hides_the_messages(store: Store) -> None:
    """`gen_ai.prompt.name` begins like the older prompts and is taken for one: it becomes columns of an object."""
    record = store({"gen_ai.prompt.name": "greet", "gen_ai.input.messages": "a", "gen_ai.request.model": "m"})
    assert record["gen_ai_input_messages_name"] == record["gen_ai_prompt_name"] == "greet"
    assert "gen_ai_input_messages" not in record


def test_messages_in_events(store: Store) -> None:
    """Messages in events come before other sources; their layout is the server's, so the column is unknown."""
    event = SpanEvent(name="gen_ai.user.message", time_ns=1, attributes={"content": "hi"})
    record = store({"gen_ai.request.model": "m", "input.value": "x"}, events=(event,))
    with pytest.raises(KeyError, match="the server lays it out by itself"):
        record["gen_ai_input_messages"]


@pytest.mark.parametrize(("profile", "is_read"), [("0.70", True), ("0.90", True), ("0.91", False), ("0.92", False)])
def test_messages_in_an_array_of_logfire(store: Store, profile: str, is_read: bool) -> None:
    """Until 0.91 moves the attribute away, `events` holds messages, which the server lays out in its own way."""
    record = store({"gen_ai.request.model": "m", "events": "[]", "input.value": "x"}, profile)
    name = record.server.columns["input"]
    assert (name in record.unknown, record.get(name)) == ((True, None) if is_read else (False, "x"))


@pytest.mark.parametrize("index", ["101", "9" * 5000, "0" * 5000])
def test_an_index_that_is_too_high(store: Store, index: str) -> None:
    """Messages after the first hundred or so are left out, however many digits their index has."""
    record = store({"gen_ai.request.model": "m", "gen_ai.prompt.1.role": "a", f"gen_ai.prompt.{index}.role": "b"})
    assert record["gen_ai_input_messages"] == '[{"role":"a"}]'


@pytest.mark.parametrize("profile", PROFILES)
def test_when_the_first_chunk_came(store: Store, profile: str) -> None:
    """The server makes a point in time of what Langfuse states; a dashboard that names its column is no failure."""
    sent = {"gen_ai.request.model": "m", "langfuse.observation.completion_start_time": '"2026-01-01T00:00:00Z"'}
    record = store(sent, profile)
    name = record.server.columns["first_chunk"]
    assert record.unknown[name] == "it is a point in time, which the server reads by rules of its own"
    assert name not in record
    assert name not in store({"gen_ai.request.model": "m"}, profile).unknown


@pytest.mark.parametrize(("profile", "stored"), [("0.90", None), ("0.91", 0.5)])
def test_a_time_of_the_first_chunk_that_was_sent(store: Store, profile: str, stored: float | None) -> None:
    """The column is one of whole microseconds before 0.91, and one of seconds since."""
    name = server(profile).columns["first_chunk"]
    record = store({"gen_ai.request.model": "m", name: 0.5}, profile)
    assert (record.get(name), name in record.unknown) == (stored, stored is None)


@pytest.mark.parametrize("sent", ["9" * 400, "1e999", "-1e999"])
def test_a_number_that_is_infinite_is_none(store: Store, sent: str) -> None:
    """No column holds infinity, which JSON does not have either; JSON with such a number in it is not read at all."""
    model = {"gen_ai.request.model": "m"}
    assert "gen_ai_usage_cost" in store({**model, "gen_ai.usage.cost": sent}).unknown
    details = f'{{"total": 1.5, "input": {sent if "e" in sent else f"{sent}.0"}}}'
    assert "gen_ai_usage_cost" in store({**model, "langfuse.observation.cost_details": details}).unknown


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ({"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4}, (3, 4, 7)),
        ({"gen_ai.usage.prompt_tokens": "3", "gen_ai.usage.completion_tokens": "4"}, (3, 4, 7)),
        ({"gen_ai.usage.total_tokens": 9, "llm.token_count.prompt": 3}, (3, 0, 9)),
        ({"llm.usage.total_tokens": 9}, (0, 0, 9)),
        ({"llm.token_count.total": 9}, (0, 0, 0)),
        ({"llm.token_count.prompt": "12.0"}, (0, 0, 0)),
        ({"langfuse.observation.usage_details": '{"prompt_tokens": 3, "completion_tokens": 4}'}, (3, 4, 7)),
    ],
    ids=str,
)
@pytest.mark.parametrize("profile", PROFILES)
def test_counts(store: Store, profile: str, attributes: Mapping[str, Any], counts: tuple[int, ...]) -> None:
    """The last of several sources wins; OpenInference's total is not read; each LLM span has all three counts."""
    record = store({"gen_ai.request.model": "m", **attributes}, profile)
    columns = [record.server.columns[f"usage.{name}"] for name in ("input", "output", "total")]
    assert [record[name] for name in columns] == list(counts)


@pytest.mark.parametrize(
    ("cache", "total"),
    [
        ({"gen_ai.usage.cache_read.input_tokens": 30}, 15),
        ({"cache_read_input_tokens": 30}, 45),
        ({"gen_ai.usage.cache_read_tokens": 30, "gen_ai.usage.cache_write_tokens": 20}, 65),
    ],
    ids=str,
)
def test_cached_tokens(store: Store, cache: Mapping[str, int], total: int) -> None:
    """In 0.92 the attribute's name decides whether input includes cached tokens; otherwise they add to the total."""
    record = store(
        {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, **cache}
    )
    assert (record["gen_ai_usage_cache_read_input_tokens"], record["gen_ai_usage_total_tokens"]) == (30, total)


def test_missing_counts_are_estimated_by_the_server(store: Store) -> None:
    """If there is a text, the server estimates missing counts, so they are unknown; a chain's counts are 0."""
    record = store({"gen_ai.operation.name": "chat", "input.value": "hi", "gen_ai.usage.output_tokens": 5})
    assert record["gen_ai_usage_output_tokens"] == 5
    assert {"gen_ai_usage_input_tokens", "gen_ai_usage_total_tokens"} <= record.unknown.keys()
    chain = store({"openinference.span.kind": "CHAIN", "input.value": "hi"})
    assert [chain[f"gen_ai_usage_{name}_tokens"] for name in ("input", "output", "total")] == [0, 0, 0]
    assert (chain["gen_ai_usage_cost"], list(chain.unknown)) == (0.0, ["_o2_ingest_ts"])


def test_who_has_the_last_word(store: Store) -> None:
    """0.91 overwrites the client's counts with its own, 0.92 keeps them."""
    attributes = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7, "llm.token_count.prompt": 9}
    assert store(attributes, "0.91")["gen_ai_usage_input_tokens"] == 9
    assert store(attributes, "0.92")["gen_ai_usage_input_tokens"] == 7


def test_a_count_that_is_none(store: Store) -> None:
    """0.92 keeps the client's value even if it is not a number, which its column of numbers cannot hold."""
    record = store({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": "many"})
    assert record.unknown["gen_ai_usage_input_tokens"] == "the column holds numbers, and the client has sent 'many'"


@pytest.mark.parametrize("profile", PROFILES[1:])
def test_costs_that_were_sent(store: Store, profile: str) -> None:
    """The client's own cost is the total; OpenInference's cost is not read."""
    sent = {"gen_ai.request.model": "m", "gen_ai.usage.cost": 0.25, "llm.cost.total": 9.0}
    record = store(sent, profile)
    assert record[record.server.columns["cost.total"]] == 0.25
    details = store(
        {"gen_ai.request.model": "m", "langfuse.observation.cost_details": '{"input": 0.5, "output": 1}'}, profile
    )
    assert details[record.server.columns["cost.total"]] == 1.5


@pytest.mark.parametrize(
    ("attributes", "parameters"),
    [
        ({"gen_ai.request.temperature": 0.5}, {"temperature": "0.5"}),
        ({"gen_ai.request.stop_sequences": ("a",)}, {"stop_sequences": '["a"]'}),
        ({"llm.invocation_parameters": '{"top_p": 1, "tools": [1]}'}, {"top_p": "1", "tools": "[1]"}),
        ({"llm.invocation_parameters": "no json", "model_config": '{"seed": 3}'}, {"seed": "3"}),
    ],
    ids=["genai", "arrays", "openinference", "the first that can be read"],
)
def test_parameters(store: Store, attributes: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """The first readable source provides the parameters, as text; generation 3 leaves out the model."""
    record = store({"gen_ai.request.model": "m", **attributes}, "0.90")
    found = {
        name.removeprefix("llm_request_parameters_"): value for name, value in record.items() if "parameters_" in name
    }
    found.pop("model", None)
    assert {name: value for name, value in found.items() if not name.startswith("llm_")} == parameters


@pytest.mark.parametrize(("profile", "session"), [("0.90", "session_id"), (NEWEST, "gen_ai_conversation_id")])
def test_user_and_session(store: Store, profile: str, session: str) -> None:
    """User and session are read from the span, then from the resource."""
    record = store({"session.id": "s", "gen_ai.request.model": "m"}, profile, resource={"user.id": "u"})
    assert (record["user_id"], record[session]) == ("u", "s")


def test_agents(store: Store) -> None:
    """0.92 has columns for the agent, its version and the environment."""
    attributes = {"openinference.span.kind": "AGENT", "agent.name": "planner"}
    record = store(attributes, resource={"service.name": "s", "service.version": "1.2", "deployment.environment": "ci"})
    names = ("gen_ai_agent_name", "gen_ai_agent_version", "deployment_environment_name")
    assert [record[name] for name in names] == ["planner", "1.2", "ci"]


def test_blank_names_are_passed_over(store: Store) -> None:
    """From 0.92 on, a blank name of an agent or a tool is as good as none, and white space around one is not stored."""
    attributes = {"gen_ai.agent.name": " ", "agent.name": " planner\n", "gen_ai.tool.name": "", "tool.name": "look "}
    record = store(attributes, resource={"service.name": "s", "gen_ai.agent.id": " 7 "})
    assert [record[f"gen_ai_{name}"] for name in ("agent_name", "agent_id", "tool_name")] == ["planner", "7", "look"]
    assert store({"gen_ai.agent.name": " "})["gen_ai_agent_name"] == " "  # It is the attribute's own column.


def test_evaluations(store: Store) -> None:
    """From 0.80 on, scores are stored as numbers, each from the first of its names, with the evaluator's type."""
    attributes = {
        "gen_ai.request.model": "m",
        "llm.evaluation.quality_score": 0.85,
        "evaluation_relevance": "1",
        "llm_evaluation_relevance": 0.5,
        "evaluation_quality_score": 0.1,
        "llm.evaluation.duration_ms": 12.5,
        "llm_evaluation_safety": "high",
        "llm.evaluator.type": "LLM",
        "llm.evaluation.commentary": "fine",
    }
    record = store(attributes)
    scores = {name: record[f"llm_evaluation_{name}"] for name in ("quality_score", "relevance", "duration_ms")}
    assert scores == {"quality_score": 0.85, "relevance": 1.0, "duration_ms": 12.5}
    assert (record["llm_evaluation_safety"], record["llm_evaluation_commentary"]) == ("high", "fine")
    assert record["llm_evaluator_type"] == "model"
    assert store(attributes, "0.70")["llm_evaluation_quality_score"] == "0.85"


@pytest.mark.parametrize("more", [{}, {"llm.evaluation.duration_ms": 3}])
def test_no_evaluation_without_a_score(store: Store, more: Mapping[str, Any]) -> None:
    """A span without any score has no evaluator, even if it says how long the evaluation took."""
    record = store({"gen_ai.request.model": "m", "llm.evaluation.commentary": "fine", **more})
    assert "llm_evaluator_type" not in record
    assert record.get("llm_evaluation_duration_ms") == (str(more["llm.evaluation.duration_ms"]) if more else None)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_requested_model_is_no_parameter(store: Store, profile: str) -> None:
    """All of `gen_ai.request.*` except the model are parameters, in each release; a model in JSON is, before 0.91."""
    record = store({"gen_ai.request.model": "m", "gen_ai.request.top_k": 4}, profile)
    prefix = record.server.columns["parameters"]
    assert record[f"{prefix}top_k"] == "4"
    assert f"{prefix}model" not in record or prefix == "gen_ai_request_"  # There it is the attribute's own column.


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("1e-7", "1e-7"),
        ("0.00001", "0.00001"),
        ("1e16", "1e16"),
        ("2.0", "2.0"),
        ("true", "true"),
        ('{"a":[1e-7,"b"]}', '{"a":[1e-7,"b"]}'),
    ],
)
def test_numbers_in_parameters(store: Store, said: str, stored: str) -> None:
    """Numbers are written like the server's JSON, whose exponents differ from Python's."""
    record = store({"llm.model_name": "m", "llm.invocation_parameters": f'{{"p": {said}}}'})
    assert record["gen_ai_request_p"] == stored


def test_parameters_that_only_python_reads(store: Store) -> None:
    """`NaN` is not JSON: parameters with it are not parsed, and the next source is used."""
    both = {"llm.invocation_parameters": '{"temperature": NaN}', "gen_ai.request.temperature": 0.5}
    record = store({"llm.model_name": "m", **both}, "0.90")
    assert record["llm_request_parameters_temperature"] == "0.5"


@pytest.mark.parametrize(
    ("profile", "user", "conversation"),
    [
        ("0.70", "_o2_llm_user_id", "_o2_llm_session_id"),
        ("0.90", "user_id", "session_id"),
        ("0.92", "user_id", "gen_ai_conversation_id"),
    ],
)
def test_user_and_session_of_a_resource(store: Store, profile: str, user: str, conversation: str) -> None:
    """Of a resource only `user.id` (from 0.80 on) and `session.id` are read, not their other names."""
    record = store({"llm.model_name": "m"}, profile, resource={"user.id": "u", "session.id": "s"})
    assert (record.get(user), record[conversation]) == (None if profile == "0.70" else "u", "s")
    others = {"gen_ai.conversation.id": "c", "ai.telemetry.metadata.userId": "u"}
    record = store({"llm.model_name": "m"}, profile, resource=others)
    assert not {user, conversation} & record.keys()


def test_an_array_where_a_text_is_expected(store: Store) -> None:
    """An array is stored as JSON text, as everywhere."""
    assert store({"llm.model_name": "m", "session.id": ["a", "b"]})["gen_ai_conversation_id"] == '["a","b"]'


@pytest.mark.parametrize("sent", ["9223372036854775808", "1_000", " 12 ", "\uff11\uff12", "12.0"])
def test_what_is_no_count_to_the_server(store: Store, sent: str) -> None:
    """The server reads ASCII digits that fit 64 bits, and nothing else that Python would read."""
    record = store({"gen_ai.operation.name": "execute_tool", "gen_ai.usage.input_tokens": sent}, "0.91")
    assert record["gen_ai_usage_input_tokens"] == 0
    kept = store({"gen_ai.operation.name": "execute_tool", "gen_ai.usage.input_tokens": sent})
    assert kept.unknown["gen_ai_usage_input_tokens"] == f"the column holds numbers, and the client has sent {sent!r}"


def test_a_clash_of_what_the_server_computes_anyway(store: Store) -> None:
    """A value that the server computes fills the column, so the client's two attributes for it are not a clash."""
    record = store({"gen_ai.request.model": "m", "gen_ai.response.model": "a", "gen_ai_response_model": "b"})
    assert (record["gen_ai_response_model"], record.clashes) == ("a", {})


@pytest.mark.parametrize(
    ("value", "columns"),
    [(["a", 1], {"user_id": '["a","1"]'}), ([], {}), ({"k": 2}, {"user_id_k": "2"})],
)
@pytest.mark.parametrize("is_resource", [False, True])
def test_a_user_that_is_no_text(store: Store, value: Any, columns: Mapping[str, str], is_resource: bool) -> None:
    """An array or a map as the user is stored like any other, whether from the span or the resource."""
    attributes = {"input": "hi", **({} if is_resource else {"user.id": value})}
    record = store(attributes, resource={"user.id": value} if is_resource else {})
    assert {name: each for name, each in record.items() if name.startswith("user_id")} == columns
