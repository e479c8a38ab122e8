"""The changes from one contract to another."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.contract import FORMATS, Impact, Renames, add_all, changes
from pytest_llmtrace.conventions import Profile
from pytest_llmtrace.model import LogRecord, MetricPoint, SpanEvent

SYSTEM, VENDOR, PROVIDER = "gen_ai.system", "gen_ai.vendor", "gen_ai.provider.name"
TOTAL = "llm.usage.total_tokens"

Compare = Callable[[dict[str, Any], dict[str, Any]], list[str]]


@pytest.fixture
def compare(profile: Profile) -> Compare:
    """Return a function that compares two contracts and returns the lines of the text without its headline."""

    def compare(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
        found = changes(old, new, Renames([profile]))
        return FORMATS["text"](found, "old", "new").splitlines()[1:]

    return compare


def test_nothing_has_changed(make_span: Any, reduce: Any, profile: Profile) -> None:
    """Between two equal contracts there is no change."""
    scopes = reduce(make_span(attributes={"a": 1}))
    assert changes(scopes, scopes, Renames([profile])) == ()
    assert FORMATS["text"]((), "old.json", "new.json") == "old.json -> new.json: no change"
    assert FORMATS["markdown"]((), "a", "b") == "Telemetry contract, `a` → `b`: no change"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"a": 1}, {}, "breaking  removed  attribute a (int, 1 of 1)"),
        ({}, {"a": 1}, "addition  added    attribute a (int, 1 of 1)"),
        ({"a": 1}, {"a": "1"}, "breaking  type     attribute a: int -> string"),
        ({"a": 1}, {"a": True}, "breaking  type     attribute a: int -> boolean"),
        ({VENDOR: 1}, {PROVIDER: 1}, f"breaking  renamed  attribute: {VENDOR} -> {PROVIDER}"),
        ({SYSTEM: 1}, {PROVIDER: 1}, f"breaking  renamed  attribute: {SYSTEM} -> {PROVIDER}"),
        ({TOTAL: 1}, {}, f"breaking  removed  attribute {TOTAL} (int, 1 of 1); see the sum of both"),
        ({VENDOR: 1}, {VENDOR: 1, PROVIDER: 1}, f"addition  added    attribute {PROVIDER} (int, 1 of 1)"),
        ({VENDOR: 1, PROVIDER: 1}, {PROVIDER: 1}, f"breaking  removed  attribute {VENDOR} (int, 1 of 1)"),
    ],
)
def test_attributes(
    make_span: Any, reduce: Any, compare: Compare, old: dict[str, Any], new: dict[str, Any], line: str
) -> None:
    """An attribute that is removed, renamed or has another type breaks its readers; an added one does not.

    An attribute is renamed if the old name is gone and the convention's new name has come, over any number of renames.
    If there is no new name, the hint says where the convention has the value.
    """
    said = compare(reduce(make_span(attributes=old)), reduce(make_span(attributes=new)))
    assert said == ["", "app", "  span chat", f"    {line}"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([[]], [["a"]], []),
        ([["a"]], [[]], []),
        ([["a"], []], [["a"]], []),
        ([[1]], [["a"]], ["breaking  type     attribute a: int[] -> string[]"]),
        ([1, 1.5], [1.5, 1.5], ["other     type     attribute a: double, int -> double"]),
        ([1.5, 1.5], [1, 1.5], ["breaking  type     attribute a: double -> double, int"]),
    ],
)
def test_types(make_span: Any, reduce: Any, compare: Compare, old: list[Any], new: list[Any], said: list[str]) -> None:
    """An empty array fits any type of array; an additional type breaks readers, a removed one does not."""
    before, after = (reduce(*(make_span(attributes={"a": value}) for value in values)) for values in (old, new))
    lines = [line.strip() for line in compare(before, after) if "attribute" in line]
    assert lines == said


def test_how_often_an_attribute_is_seen(make_span: Any, reduce: Any, compare: Compare) -> None:
    """Shares are compared, not counts: twice as many spans with twice as many attributes are not a change."""
    old = reduce(make_span(attributes={"a": 1, "b": 1}), make_span(attributes={"c": 1, "b": 1}))
    new = reduce(*(make_span(attributes={"b": 1, **({"c": 1} if number else {})}) for number in range(4)))
    twice = {name: {**scope} for name, scope in new.items()}
    assert compare(old, new) == [
        "",
        "app",
        "  span chat",
        "    other     count    count: 2 -> 4",
        "    breaking  removed  attribute a (int, 1 of 2)",
        "    addition  more     attribute c: 1 of 2 -> 3 of 4",
    ]
    assert compare(new, twice) == []


def test_spans_events_logs_and_metrics(make_span: Any, reduce: Any, compare: Compare) -> None:
    """Anything with a name can be removed, added or have other parts; parts of what is removed are not listed."""
    choice = SpanEvent(name="choice", time_ns=1, attributes={"index": 1})
    token = MetricPoint(scope="app", name="tokens", unit="{token}", kind="histogram", attributes={"type": "input"})
    old = reduce(
        make_span(name="chat", kind="INTERNAL", status="OK", scope_version="1.0", events=(choice,)),
        make_span(name="embed", attributes={"a": 1}),
        logs=(LogRecord(scope="app", event_name="prompt", body="x", attributes={"a": 1}),),
        metrics=(token, MetricPoint(scope="app", name="calls")),
    )
    new = reduce(
        make_span(name="chat", kind="CLIENT", status="UNSET", scope_version="2.0"),
        make_span(name="rerank", attributes={"a": 1, "b": 1}),
        logs=(LogRecord(scope="app", event_name="prompt", body={"x": 1}),),
        metrics=(MetricPoint(scope="app", name="tokens", unit="1", kind="sum", attributes={"type": 1}),),
    )
    assert compare(old, new) == [
        "",
        "app",
        "  other     version  version: 1.0 -> 2.0",
        "  breaking  removed  span embed (1 span, 1 attribute)",
        "  addition  added    span rerank (1 span, 2 attributes)",
        "  span chat",
        "    breaking  changed  kind: INTERNAL -> CLIENT",
        "    breaking  changed  status: OK -> UNSET",
        "    breaking  removed  event choice (1 event, 1 attribute)",
        "  log prompt",
        "    breaking  type     body: string -> map",
        "    breaking  removed  attribute a (int, 1 of 1)",
        "  breaking  removed  metric calls (1 point, 0 attributes)",
        "  metric tokens",
        "    breaking  changed  kind: histogram -> sum",
        "    breaking  changed  unit: {token} -> 1",
        "    breaking  type     attribute type: string -> int",
    ]


def test_words_that_have_come(make_span: Any, reduce: Any, compare: Compare) -> None:
    """A further status, kind or name is an addition."""
    old, new = reduce(make_span(status="OK")), reduce(make_span(status="OK"), make_span(status="ERROR"))
    assert compare(old, new)[3:] == [
        "    other     count    count: 1 -> 2",
        "    addition  changed  status: OK -> ERROR, OK",
    ]


def test_a_scope_that_was_renamed(make_span: Any, reduce: Any, compare: Compare) -> None:
    """A removed and an added scope with the same spans are one renamed scope, whose spans are compared."""
    old = reduce(make_span(scope="otel.openai_v2", attributes={"a": 1}))
    new = reduce(make_span(scope="otel.genai.openai"))
    assert compare(old, new) == [
        "",
        "otel.genai.openai",
        "  breaking  renamed  scope: otel.openai_v2 -> otel.genai.openai",
        "  span chat",
        "    breaking  removed  attribute a (int, 1 of 1)",
    ]


def test_a_span_whose_operation_is_called_otherwise(make_span: Any, reduce: Any, compare: Compare) -> None:
    """A removed and an added shape with one span name are one renamed shape; with two added ones it is ambiguous."""
    old = reduce(make_span(name="openai.embeddings", attributes={"llm.request.type": "embedding"}))
    new = reduce(make_span(name="openai.embeddings", attributes={"llm.request.type": "embeddings"}))
    third = reduce(make_span(name="openai.embeddings", attributes={"traceloop.span.kind": "task"}))
    assert compare(old, new) == ["", "app", "  breaking  renamed  span: embedding -> embeddings"]
    assert [line.strip() for line in compare(old, add_all([new, third]))[2:]] == [
        "breaking  removed  span embedding (1 span, 1 attribute)",
        "addition  added    span embeddings (1 span, 1 attribute)",
        "addition  added    span task (1 span, 1 attribute)",
    ]


def test_scopes_that_have_gone_and_come(make_span: Any, reduce: Any, compare: Compare) -> None:
    """Scopes with other spans are other scopes."""
    old, new = reduce(make_span(scope="a", name="x")), reduce(make_span(scope="b", name="y"))
    assert compare(old, new) == [
        "",
        "a",
        "  breaking  removed  scope (1 span)",
        "",
        "b",
        "  addition  added    scope (1 span)",
    ]


def test_pages(make_span: Any, reduce: Any, profile: Profile) -> None:
    """Markdown is for a pull request, JSON for programs; foreign names cannot add markup or move a cursor.

    Only in a table a `|` has a meaning, so only there it is escaped.
    """
    old = reduce(make_span(scope="a|p", attributes={"a|`b`\x1b": 1, TOTAL: 1}))
    new = reduce(make_span(scope="a|p", attributes={"c": 1}))
    found = changes(old, new, Renames([profile]))
    assert [change.impact for change in found] == [Impact.BREAKING, Impact.ADDITION, Impact.BREAKING]
    assert FORMATS["text"](found, "old", "new").splitlines() == [
        "old -> new: 2 breaking, 0 other, 1 addition",
        "",
        "a|p",
        "  span chat",
        "    breaking  removed  attribute a|`b`\\x1b (int, 1 of 1)",
        "    addition  added    attribute c (int, 1 of 1)",
        f"    breaking  removed  attribute {TOTAL} (int, 1 of 1); see the sum of both",
    ]
    assert FORMATS["markdown"](found, "old", "new").splitlines() == [
        "Telemetry contract, `old` → `new`: 2 breaking, 0 other, 1 addition",
        "",
        "**`a|p`**",
        "",
        "| impact | change | where | what | before | after |",
        "| --- | --- | --- | --- | --- | --- |",
        "| **breaking** | removed | `span chat` | attribute `a\\|'b'\\x1b` | `int, 1 of 1` |  |",
        "| addition | added | `span chat` | attribute `c` |  | `int, 1 of 1` |",
        f"| **breaking** | removed | `span chat` | attribute `{TOTAL}` | `int, 1 of 1` | see `the sum of both` |",
    ]
    assert json.loads(FORMATS["json"](found, "old", "new")) == {
        "format": "pytest-llmtrace contract diff",
        "version": 1,
        "old": "old",
        "new": "new",
        "counts": {"breaking": 2, "other": 0, "addition": 1},
        "changes": [
            {
                "impact": "breaking",
                "kind": "removed",
                "scope": "a|p",
                "place": "span chat",
                "subject": "attribute a|`b`\x1b",
                "old": "int, 1 of 1",
                "new": "",
                "hint": "",
            },
            {
                "impact": "addition",
                "kind": "added",
                "scope": "a|p",
                "place": "span chat",
                "subject": "attribute c",
                "old": "",
                "new": "int, 1 of 1",
                "hint": "",
            },
            {
                "impact": "breaking",
                "kind": "removed",
                "scope": "a|p",
                "place": "span chat",
                "subject": f"attribute {TOTAL}",
                "old": "int, 1 of 1",
                "new": "",
                "hint": "the sum of both",
            },
        ],
    }
