"""How the telemetry of a run is reduced to a contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.contract import _names, add_all, as_contract, as_json, load
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import LogRecord, MetricPoint, SpanEvent

INPUT = {"gen_ai.token.type": "input"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def test_a_contract_is_written_whole(make_span: Any, reduce: Any) -> None:
    """A contract has names, kinds, types and counts of all signals by scope, but no value, id or time."""
    failed = SpanEvent(name="exception", time_ns=1, attributes={"exception.type": "RateLimitError"})
    scopes = reduce(
        make_span(1, name="chat gpt-4o", kind="CLIENT", status="OK", scope_version="1.2", attributes=CHAT),
        make_span(2, name="chat gpt-4o", kind="CLIENT", status="ERROR", attributes={**CHAT, "n": 1}, events=(failed,)),
        make_span(3, ended=None),
        logs=(
            LogRecord(scope="app", scope_version="1.3", event_name="gen_ai.choice", body={"index": 0}, severity="INFO"),
        ),
        metrics=(MetricPoint(scope="meter", scope_version="2", name="tokens", unit="{token}", attributes=INPUT),),
    )
    assert json.loads(as_json(as_contract(scopes))) == {
        "format": "pytest-llmtrace contract",
        "version": 2,
        "scopes": {
            "app": {
                "versions": ["1.2", "1.3"],
                "spans": {
                    "chat": {
                        "seen": 2,
                        "names": ["chat {gen_ai.request.model}"],
                        "kinds": ["CLIENT"],
                        "statuses": ["ERROR", "OK"],
                        "attributes": {
                            "gen_ai.operation.name": {"types": ["string"]},
                            "gen_ai.request.model": {"types": ["string"]},
                            "n": {"without": 1, "types": ["int"]},
                        },
                        "events": {
                            "exception": {
                                "seen": 1,
                                "attributes": {"exception.type": {"types": ["string"]}},
                            }
                        },
                    }
                },
                "logs": {"gen_ai.choice": {"seen": 1, "bodies": ["map"], "severities": ["INFO"], "attributes": {}}},
                "metrics": {},
            },
            "meter": {
                "versions": ["2"],
                "spans": {},
                "logs": {},
                "metrics": {
                    "tokens": {
                        "seen": 1,
                        "units": ["{token}"],
                        "kinds": ["sum"],
                        "attributes": {"gen_ai.token.type": {"types": ["string"]}},
                    }
                },
            },
        },
    }


def test_a_test_more_changes_one_count_of_a_span(make_span: Any, reduce: Any) -> None:
    """A test that does what others do adds to the count of its spans, and to those of rare attributes that it has."""

    def lines(number: int) -> list[str]:
        spans = [
            make_span(at, attributes={**CHAT, **({"rare": 1} if at == 0 else {}), **({"usual": 1} if at else {})})
            for at in range(number)
        ]
        return as_json(as_contract(reduce(*spans))).splitlines()

    assert [new for old, new in zip(lines(9), lines(10), strict=True) if old != new] == ['     "seen": 10,']


def test_a_contract_is_read_in_each_of_its_versions(tmp_path: Path, make_span: Any, reduce: Any) -> None:
    """A contract says the same with a count for each attribute, as the first version had, and with as few as can be."""
    scopes = reduce(
        *(make_span(at, attributes={**CHAT, **({"n": 1} if at < rare else {})}) for rare in (1, 3) for at in range(4))
    )
    written = {"new": as_contract(scopes), "old": {**as_contract({}), "version": 1, "scopes": scopes}}
    for name, content in written.items():
        (tmp_path / name).write_text(as_json(content), encoding="utf-8")
    assert load(tmp_path / "new") == load(tmp_path / "old") == scopes


def test_a_scope_with_an_id_is_the_same_in_every_run(make_span: Any, reduce: Any) -> None:
    """Some libraries make a tracer for each session; its name has `<id>` for the id, as other names have."""
    scopes = reduce(*(make_span(number, scope=f"session {number:032x}") for number in (1, 2)))
    assert [(scope, found["spans"]["chat"]["seen"]) for scope, found in scopes.items()] == [("session <id>", 2)]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("x", "string"),
        (True, "boolean"),
        (1, "int"),
        (1.0, "double"),
        (("x", "y"), "string[]"),
        ([True], "boolean[]"),
        ([1, 1.5], "mixed[]"),
        ([], "empty[]"),
        (b"x", "bytes"),
        ({"a": 1}, "map"),
    ],
)
def test_types(make_span: Any, reduce: Any, value: Any, name: str) -> None:
    """Types are named as in conventions, and a bool is not an int."""
    shape = reduce(make_span(attributes={"a": value}))["app"]["spans"]["chat"]
    assert shape["attributes"] == {"a": {"seen": 1, "types": [name]}}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("llm.input_messages.0.message.role", "llm.input_messages.<n>.message.role"),
        ("gen_ai.prompt.12.content", "gen_ai.prompt.<n>.content"),
        ("house.label.customer", "house.label.<key>"),
        ("llm.4o", "llm.4o"),
        ("cache.3f2b8c1d9e0a4f5b.hit", "cache.<id>.hit"),
        ("key.sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x", "key.[secret]"),
    ],
)
def test_attribute_names(make_span: Any, reduce: Any, name: str, kept: str) -> None:
    """Indices, keys of families, ids and secrets are replaced in names."""
    assert list(reduce(make_span(attributes={name: 1}))["app"]["spans"]["chat"]["attributes"]) == [kept]


def test_an_indexed_name_is_seen_once_a_span(make_span: Any, reduce: Any) -> None:
    """Ten messages on one span are one attribute, seen on one span, with the types of all."""
    span = make_span(attributes={"m.0.content": "a", "m.1.content": 1, "m.2.content": "b"})
    attributes = reduce(span)["app"]["spans"]["chat"]["attributes"]
    assert attributes == {"m.<n>.content": {"seen": 1, "types": ["int", "string"]}}


def test_names_are_looked_at_once(make_span: Any, reduce: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name is normalised once, not once for each span, so the time is linear and short."""
    looked: list[str] = []

    def look(name: str) -> str:
        looked.append(name)
        return name

    monkeypatch.setattr(_names, "masked", look)
    attributes = {f"m.{number}.content": number for number in range(30)}
    reduce(*(make_span(number, attributes=attributes) for number in range(100)))
    assert sorted(looked) == sorted(["app", "chat", *("m.<n>.content" for _ in range(30))])


@pytest.mark.parametrize(
    ("name", "attributes", "shape", "kept"),
    [
        ("execute_tool get_weather", {"gen_ai.tool.name": "get_weather"}, None, "execute_tool {gen_ai.tool.name}"),
        ("ChatCompletion", {"openinference.span.kind": "LLM"}, "LLM", "ChatCompletion"),
        ("joke.workflow", {"traceloop.span.kind": "workflow"}, "workflow", "joke.workflow"),
        ("openai.chat", {"llm.request.type": "chat"}, "chat", "openai.chat"),
        ("chat o", {"gen_ai.request.model": "o"}, None, "chat {gen_ai.request.model}"),
        ("job 20261128", {}, None, "job <id>"),
        ("run 3f2b8c1d-9e0a-4f5b-8c1d-3f2b8c1d9e0a", {}, None, "run <id>"),
        ("a\nb", {}, None, "a b"),
    ],
)
def test_shapes(
    make_span: Any, reduce: Any, name: str, attributes: dict[str, str], shape: str | None, kept: str
) -> None:
    """A span's shape is the operation that its convention states, or its name without what varies between calls."""
    spans = reduce(make_span(name=name, attributes=attributes))["app"]["spans"]
    assert {known: found["names"] for known, found in spans.items()} == {shape or kept: [kept]}


def test_parts_in_any_order_are_one_contract(make_span: Any, reduce: Any) -> None:
    """Tests may run in any order and any process: the file is the same, byte by byte."""
    spans = [
        make_span(number, name=f"n{number % 3}", scope=f"s{number % 2}", attributes={f"a{number % 5}": number})
        for number in range(30)
    ]
    whole = as_json(as_contract(reduce(*spans)))
    parts = [reduce(span) for span in reversed(spans)]
    assert as_json(as_contract(add_all(parts))) == whole
    assert as_json(as_contract(add_all(parts))) == whole  # Adding leaves the parts as they were.


def test_a_contract_is_read_as_it_was_written(make_span: Any, reduce: Any, tmp_path: Path) -> None:
    """A written contract can be read back."""
    scopes = reduce(make_span(attributes={"a": 1, "é": [1]}))
    path = tmp_path / "contract.json"
    path.write_text(as_json(as_contract(scopes)), encoding="utf-8")
    assert load(path) == scopes


_NO_COUNT = "{path} is a damaged contract: scopes..spans..attributes.a.seen is not a count"


def damaged(version: int, attribute: dict[str, Any]) -> str:
    span = {"seen": 1, "attributes": {"a": attribute}}
    content = {"format": "pytest-llmtrace contract", "version": version}
    return json.dumps({**content, "scopes": {"": {"versions": [], "spans": {"": span}}}})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file: {path}"),
        ("", "{path} is not valid JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "{path}: its JSON is nested too deeply"),
        ("[]", "{path} is not a contract; pytest --llmtrace-report contract={path} writes one"),
        ('{"resourceSpans": []}', "{path} is not a contract; pytest --llmtrace-report contract={path} writes one"),
        (
            '{"format": "pytest-llmtrace contract", "version": 3}',
            (
                "{path} is a contract of version 3, but this pytest-llmtrace reads versions 1 and 2; write both files "
                "with the same release of it"
            ),
        ),
        (
            '{"a": {"n": 1, "m": 2, "n": 3}}',
            "{path} is not valid JSON: 'n' stands twice in one object; a merge may have kept both sides",
        ),
        (
            '{"format": "pytest-llmtrace contract", "version": 1, "scopes": {"a\\u001b[2J\\n": 1}}',
            "{path} is a damaged contract: scopes.a\\x1b[2J\\n is not an object",
        ),
        (
            '{"format": "pytest-llmtrace contract", "version": 1}',
            "{path} is a damaged contract: scopes is not an object",
        ),
        (
            '{"format": "pytest-llmtrace contract", "version": 1, "scopes": {"app": {"versions": [1]}}}',
            "{path} is a damaged contract: scopes.app.versions is not a list of strings",
        ),
        (
            '{"format": "pytest-llmtrace contract", "version": 1, "scopes": {"": {"versions": [], "spans": {"": {}}}}}',
            "{path} is a damaged contract: scopes..spans..seen is not a count",
        ),
        (
            '{"format": "pytest-llmtrace contract", "version": []}',
            (
                "{path} is a contract of version [], but this pytest-llmtrace reads versions 1 and 2; write both files "
                "with the same release of it"
            ),
        ),
        *((damaged(version, attribute), _NO_COUNT) for version, attribute in ((1, {"types": []}), (2, {"seen": None}))),
    ],
)
def test_what_is_no_contract(tmp_path: Path, content: str | None, reason: str) -> None:
    """A missing, foreign or damaged file, or one of another version, is an error that names the file and the reason."""
    path = tmp_path / "contract.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load(path)
    assert str(error.value) == reason.format(path=path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file that is not UTF-8 is the same kind of error."""
    path = tmp_path / "contract.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not valid JSON: 'utf-8' codec can't decode byte 0xff"):
        load(path)
