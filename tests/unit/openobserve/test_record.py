"""A span's record: base columns, names, values and clashes, as measured for each range of releases."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import SpanEvent, SpanKey, SpanLink, SpanRecord
from pytest_llmtrace.openobserve import NEWEST, PROFILES, Record, record, records

Store = Callable[..., Record]

SINCE_091 = PROFILES[2:]
BEFORE_091 = PROFILES[:2]


def test_base_columns(store: Store) -> None:
    """Every span has these columns; times are in nanoseconds, but duration and timestamp in microseconds."""
    assert dict(store(status_description=None)) == {
        "trace_id": "00000000000000000000000000000abc",
        "span_id": "0000000000000def",
        "flags": 1,
        "span_status": "OK",
        "span_kind": "1",
        "operation_name": "ChatCompletion",
        "start_time": 1_700_000_000_123_456_789,
        "end_time": 1_700_000_002_123_457_789,
        "duration": 2_000_001,
        "_timestamp": 1_700_000_000_123_456,
        "service_name": "chat-api",
        "events": "[]",
        "links": "[]",
        "status_code": 1,
        "status_message": "",
    }


def test_parent(store: Store) -> None:
    """A child's record has its parent's ids."""
    record = store(parent=SpanKey(0xABC, 0x123))
    assert record["reference_parent_trace_id"] == record["trace_id"]
    assert (record["reference_parent_span_id"], record["reference_ref_type"]) == ("0000000000000123", "ChildOf")


def test_an_error(store: Store) -> None:
    """The status is stored as word, number and description, which win over attributes with the same names."""
    record = store({"status_code": 429, "status_message": "mine"}, status="ERROR", status_description="limit")
    assert [record[name] for name in ("span_status", "status_code", "status_message")] == ["ERROR", 2, "limit"]


def test_kinds(store: Store) -> None:
    """The kind is stored as the protocol's number, in text."""
    kinds = ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    assert [store(kind=kind)["span_kind"] for kind in kinds] == ["1", "2", "3", "4", "5"]


def test_events_and_links_are_text(store: Store) -> None:
    """Events and links are stored as JSON text, with their attributes' own names and scalars as text."""
    event = SpanEvent(name="exception", time_ns=7, attributes={"exception.type": "E", "n": 1})
    link = SpanLink(key=SpanKey(1, 2), attributes={"why": True})
    record = store(events=(event,), links=(link,))
    assert record["events"] == '[{"name":"exception","_timestamp":7,"exception.type":"E","n":"1"}]'
    [stored] = json.loads(record["links"])
    assert (stored["context"]["traceId"], stored["context"]["spanId"], stored["why"]) == (
        f"{1:032x}",
        f"{2:016x}",
        "true",
    )


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("text", "text"),
        (12, "12"),
        (True, "true"),
        (0.5, "0.5"),
        (1.0, "1"),
        (1e22, "10000000000000000000000"),
        (1.5e-7, "0.00000015"),
        (float("nan"), "NaN"),
        (float("-inf"), "-inf"),
        (b"bytes", "bytes"),
        (b"\xff", ""),
        ((1, 2), '["1","2"]'),
        (("a", "ä"), '["a","ä"]'),
    ],
)
def test_every_value_is_text(store: Store, value: Any, stored: str) -> None:
    """All values are text: numbers without an exponent, booleans, and arrays as JSON with scalars as text."""
    assert store({"a.value": value})["a_value"] == stored


def test_types_of_one_name(store: Store) -> None:
    """Values of one name may differ in type from span to span; values equal in Python keep their own texts."""
    said: list[tuple[Any, str]] = [
        (1, "1"), (True, "true"), (1.0, "1"), (-0.0, "-0"), (0, "0"), ("1", "1"), ((1,), '["1"]'),
        ((True,), '["true"]'),
        (((1, "a"), "b"), '[["1","a"],"b"]'), (2**63, "9223372036854775808"), (2**10_000, hex(2**10_000)),
    ]  # fmt: skip
    assert [store({"a.value": value})["a_value"] for value, _ in said] == [stored for _, stored in said]
    assert store({"a.value": {"of": 1}})["a_value_of"] == "1"
    resources: list[dict[str, Any]] = [{"n": 1}, {"n": True}, {"n": "x"}, {"n": (1,)}, {"n": (True,)}]
    assert [store(resource=one)["service_n"] for one in resources] == ["1", "true", "x", '["1"]', '["true"]']


def test_many_spans() -> None:
    """`records` returns the same records as `record` for each span."""
    spans = [SpanRecord(key=SpanKey(1, n), name="chat", attributes={"gen_ai.request.model": "m"}) for n in (1, 2)]
    assert records(spans, profile="0.90") == tuple(record(span, profile="0.90") for span in spans)


def test_maps_and_empty_arrays(store: Store) -> None:
    """A map becomes one column for each key, an empty array none."""
    record = store({"m": {"a": 1, "b": {"c": 2}}, "empty": ()})
    assert (record["m_a"], record["m_b_c"], "m" in record, "empty" in record) == ("1", "2", False, False)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ai.toolCall.args", "ai_toolcall_args"),
        ("a--b", "a__b"),
        ("Größe.n", "größe_n"),
        ("x²y", "x²y"),
        ("\u7b2c\u4e00", "__"),
        ("\u01c5", "_"),
    ],
)
def test_names(store: Store, key: str, name: str) -> None:
    """Letters become lower case, all but letters, digits and `_` become `_`, and repeated `_` stay repeated.

    A character that only Python counts as a number (U+4E00), or one in title case, becomes `_`.
    """
    assert store({key: "v"})[name] == "v"


def test_resource(store: Store) -> None:
    """Resource attributes get a prefix, the service's name does not; without it, the name is `default`."""
    record = store(resource={"service.name": "s", "service.version": "1", "telemetry.sdk.name": "otel"})
    names = ("service_name", "service_service_version", "service_telemetry_sdk_name")
    assert [record[name] for name in names] == ["s", "1", "otel"]
    assert store(resource={})["service_name"] == "default"


@pytest.mark.parametrize("profile", SINCE_091)
def test_reserved_names_stand_beside_their_columns(store: Store, profile: str) -> None:
    """From 0.91 on an attribute cannot overwrite a base column, nor a column of the resource."""
    record = store(
        {"duration": "long", "trace.id": "x", "service.version": "2"},
        profile,
        resource={"service.name": "s", "version": "1"},
    )
    assert (record["duration"], record["attr_duration"], record["attr_trace_id"]) == (2_000_001, "long", "x")
    assert (record["service_version"], record["attr_service_version"]) == ("1", "2")
    assert record.overwritten == {}


@pytest.mark.parametrize("profile", BEFORE_091)
def test_reserved_names_took_their_columns(store: Store, profile: str) -> None:
    """Before 0.91 an attribute can overwrite a base column, except for four exact names; the record lists them."""
    record = store({"duration": "long", "trace.id": "x"}, profile)
    assert (record["attr_duration"], record["trace_id"]) == ("long", "x")
    assert record.overwritten == {"trace_id": "trace.id"}


def test_two_attributes_of_one_column(store: Store) -> None:
    """If two attributes become one column, it is unknown which is stored, unless both have the same value."""
    record = store({"a.b": "1", "a_b": "2", "c.d": 1, "c_d": "1"})
    assert record.clashes == {"a_b": ("a.b", "a_b")}
    assert record["c_d"] == "1"
    with pytest.raises(KeyError, match=r"a_b: not reproducible: a\.b and a_b become one column"):
        record["a_b"]


def test_two_attributes_of_a_resource_of_one_column(store: Store) -> None:
    """What holds for a span's attributes holds for its resource's; where releases let a span's win, it is known."""
    resource = {"service.name": "s", "host.name": "a", "host_name": "b", "c.d": 1, "c_d": "1"}
    for profile in PROFILES:
        record = store({}, profile, resource=resource)
        keys = "host.name of the resource", "host_name of the resource"
        assert record.clashes == {"service_host_name": keys}
        assert ("service_host_name" in record, record["service_c_d"]) == (False, "1")
    assert store({"service.host.name": "c"}, "0.90", resource=resource)["service_host_name"] == "c"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_service_of_a_span_without_one(store: Store, profile: str) -> None:
    """If no resource names the service, that of an LLM span is the one that Langfuse's metadata name."""
    source = {"langfuse.observation.metadata.source": "shop"}
    model = {"gen_ai.request.model": "m"}
    told: tuple[tuple[dict[str, str], dict[str, Any]], ...] = (
        ({**source, **model}, {"a": 1}),
        (source, {"a": 1}),
        (model, {}),
        ({**source, **model}, {"service.name": "s"}),
    )
    stored = [store(attributes, profile, resource=resource)["service_name"] for attributes, resource in told]
    assert stored == ["shop", "default", "default", "s"]


def test_an_attribute_that_becomes_a_column_of_the_status(store: Store) -> None:
    """The status overwrites an attribute with its exact name; one that only maps to its column is a clash."""
    record = store({"status.code": "x", "status.message": "slow"}, status_description="slow")
    assert record.clashes == {"status_code": ("status.code", "the status of the span")}
    assert (record.lost, record["status_message"]) == ((), "slow")
    assert "status_code" not in record
    assert store({"status_code": "x"}).clashes == {}


@pytest.mark.parametrize("profile", PROFILES)
def test_an_attribute_that_is_moved_to_the_name_of_another(store: Store, profile: str) -> None:
    """If an attribute is moved to another's name, the server keeps the last of the two values."""
    record = store({"duration": "long", "attr_duration": "short"}, profile)
    assert record.clashes == {"attr_duration": ("duration", "attr_duration")}
    assert (record["attr_duration"], record["duration"]) == ("short", 2_000_001)
    assert store({"attr_duration": "long", "duration": "long"}, profile).clashes == {}


def test_inferred_services(store: Store) -> None:
    """From 0.91 on a client's span has the name of the called host as a column; an IP address is not a name."""
    attributes = {"server.address": "openrouter.ai:443"}
    assert store(attributes, kind="CLIENT")["infer_service_name"] == "openrouter.ai"
    assert "infer_service_name" not in store(attributes, kind="INTERNAL")
    assert "infer_service_name" not in store({"server.address": "127.0.0.1"}, kind="CLIENT")
    assert "infer_service_name" not in store(attributes, "0.90", kind="CLIENT")
    assert store({"url.full": "https://a.example/x"}, kind="PRODUCER")["infer_service_name"] == "a.example"


@pytest.mark.parametrize(
    ("attributes", "service"),
    [
        ({"db.system": "postgresql", "db.name": "orders", "server.address": "pg.test"}, "orders database postgresql"),
        ({"db.system.name": "mysql", "db.namespace": "billing"}, "billing database mysql"),
        ({"db_system": "redis", "net.peer.name": "redis.test:6379"}, "redis.test database redis"),
        ({"db.system": "mysql", "db.name": " ", "net.peer.name": "10.0.0.5:3306"}, "mysql database mysql"),
        ({"db.name": "orders"}, "orders database None"),
        ({"messaging.system": "kafka", "messaging.destination.name": "done"}, "done queue kafka"),
        ({"rpc.system": "grpc", "rpc.service": "a.B", "peer.service": "b"}, "b rpc grpc"),
        ({"server.address": "api.test", "http.request.method": "POST"}, "api.test external http"),
        ({"net.peer.name": "tcp.test"}, "tcp.test external None"),
        ({"http.host": "a:80:90", "http.url": "https://api.test/x?page=2"}, "a:80:90 external http"),
        ({"http.host": "[2001:db8::1]:8080", "http.url": "https://api.test/x"}, "api.test external http"),
        ({"http.url": "https://10.0.0.5/x", "http.method": "GET"}, "None None None"),
        ({"http.url": "https://[bad/x"}, "None None None"),
        ({"url.full": "api.test/x"}, "None None None"),
        ({"http.method": "GET"}, "None None None"),
    ],
)
def test_the_kind_of_an_inferred_service(store: Store, attributes: Mapping[str, str], service: str) -> None:
    """Name, type and system of the called service, from the first of the kinds that the span has attributes of."""
    record = store(attributes, kind="CLIENT")
    columns = ("infer_service_name", "infer_service_type", "infer_service_system")
    assert " ".join(str(record.get(column)) for column in columns) == service


def test_a_column_that_is_not_there_says_so(store: Store) -> None:
    """Asking for a missing column raises an error that names the release without it."""
    with pytest.raises(KeyError, match=f"llm_usage_tokens_input: no such column in OpenObserve {NEWEST}"):
        store({"llm.model_name": "m"})["llm_usage_tokens_input"]


def test_an_unknown_profile(store: Store) -> None:
    """The error names the known profiles."""
    with pytest.raises(UsageError, match=r"0\.93.*0\.70.*0\.90.*0\.91.*0\.92"):
        store(profile="0.93")


def test_none_in_an_array(store: Store) -> None:
    """None in an array is stored as null, not as the text `None`."""
    assert store({"tags": ["a", None]})["tags"] == '["a",null]'


def test_the_time_of_arrival(store: Store) -> None:
    """Releases from 0.92 on have a column for the time of arrival, which only a server can fill."""
    assert store().unknown == {"_o2_ingest_ts": "it is when the server got the span"}
    assert store(profile="0.91").unknown == {}


def test_moved_attributes(store: Store) -> None:
    """The record lists attributes that were moved; one that only looks moved is not listed."""
    record = store({"duration": "long", "kind": "a", "attr.kind": "b"})
    assert record.moved == ("duration",)
