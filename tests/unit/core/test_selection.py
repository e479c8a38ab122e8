"""Selections find spans by their properties, and explain what kept spans from being found."""

from __future__ import annotations

import copy
import enum
import json
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import SelectionError, SpanView, UsageError, assert_attributes, assert_attributes_exactly
from pytest_llmtrace._selection import exactly_one, select
from pytest_llmtrace.model import SpanRecord

SpanMaker = Callable[..., SpanRecord]


class Kind(enum.Enum):
    CLIENT = 3


class Anything:
    """Compares as it likes, like the helper objects of other packages."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __hash__(self) -> int:
        return 0


@pytest.fixture
def views(make_span: SpanMaker) -> tuple[SpanView, ...]:
    records = (
        make_span(1, name="chat", kind="CLIENT", attributes={"model": "a", "n": 1}),
        make_span(2, name="chat", scope="other", status="ERROR", attributes={"model": "b", "stop": ("x", "y")}),
        make_span(3, name="tool"),
    )
    return tuple(SpanView(record=record, reader=lambda _: None) for record in records)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, [1, 2, 3]),
        ({"name": "chat"}, [1, 2]),
        ({"scope": "other"}, [2]),
        ({"kind": "client"}, [1]),
        ({"kind": Kind.CLIENT}, [1]),
        ({"status": "ERROR"}, [2]),
        ({"attributes": {"model": "a"}}, [1]),
        ({"attributes": {"stop": ["x", "y"]}}, [2]),
        ({"attributes": {"n": True}}, []),
        ({"attributes": {"n": 1.0}}, [1]),
        ({"name": "chat", "scope": "app"}, [1]),
        ({"name": ""}, []),
        ({"name": re.compile("^ch")}, [1, 2]),
        ({"name": re.compile("hat$"), "scope": re.compile("O", re.IGNORECASE)}, [2]),
        ({"kind": re.compile("CLIENT|SERVER")}, [1]),
        ({"attributes": {"model": re.compile("[ab]")}}, [1, 2]),
        ({"attributes": {"n": re.compile("1")}}, []),
        ({"name": Anything()}, [1, 2, 3]),
    ],
)
def test_conditions(views: tuple[SpanView, ...], where: dict[str, object], found: list[int]) -> None:
    """All conditions must hold; an empty or false expected value is a condition as well."""
    assert [view.key.span_id for view in select(views, None, where)] == found


def test_predicate(views: tuple[SpanView, ...]) -> None:
    """The caller may add a condition as a function."""
    assert select(views, lambda span: "n" in span.attributes, {"name": "chat"}) == views[:1]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"nam": "x"}, "unknown condition 'nam': did you mean 'name'? known: attributes, kind, name, scope, status"),
        ({"kind": "clint"}, "unknown kind 'clint': known: CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER"),
        ({"status": "okay"}, "unknown status 'okay': known: ERROR, OK, UNSET"),
        ({"name": None}, "name= must be a string or a compiled string pattern, not None"),
        ({"name": ["chat", "tool"]}, "name= must be a string or a compiled string pattern, not ['chat', 'tool']"),
        ({"scope": re.compile(b"a")}, "scope= must be a string or a compiled string pattern, not re.compile(b'a')"),
        ({"kind": 3}, "kind= must be a string or a compiled string pattern, not 3"),
        ({"attributes": "model"}, "attributes= takes a mapping of names to values, not 'model'"),
        ({"attributes": {5: "a"}}, "the name of an attribute must be a string; attributes= has 5"),
    ],
)
def test_wrong_conditions_are_usage_errors(views: tuple[SpanView, ...], where: dict[str, Any], text: str) -> None:
    """An unknown condition is a usage error, even if there is no span to look at."""
    for spans in (views, ()):
        with pytest.raises(UsageError) as caught:
            select(spans, None, where)
        assert str(caught.value) == text


def test_a_name_is_no_condition_by_itself(views: tuple[SpanView, ...]) -> None:
    """The positional argument is a function; for a name in its place the error suggests `name=`."""
    for spans in (views, ()):
        with pytest.raises(
            UsageError, match=r"^a condition is a function of a span, not 'chat'; did you mean name='chat'"
        ):
            select(spans, "chat", {})  # type: ignore[arg-type]


def test_one(views: tuple[SpanView, ...]) -> None:
    """The one span that meets the conditions is returned."""
    assert exactly_one(views, None, {"name": "tool"}, noun="span") is views[2]


def test_none_names_the_near_misses(views: tuple[SpanView, ...]) -> None:
    """If no span meets the conditions, each is listed with what kept it out, the nearest first."""
    with pytest.raises(SelectionError) as caught:
        exactly_one(views, None, {"name": "chat", "attributes": {"modle": "b"}}, noun="LLM span", hint="next: look")
    assert str(caught.value) == (
        "expected exactly one LLM span with name='chat', attributes={'modle': 'b'}, found none among 3:\n"
        "  span 'chat' (app): modle: expected 'b', missing (nearest: model = 'a')\n"
        "  span 'chat' (other): modle: expected 'b', missing (nearest: model = 'b')\n"
        "  span 'tool' (app): name is 'tool'; modle: expected 'b', missing\n"
        "next: look"
    )


def test_none_names_spans_that_are_no_llm_spans(views: tuple[SpanView, ...]) -> None:
    """A span that fits but is not an LLM span is listed as a near miss; if a predicate raises on it, it is left out."""
    reasons = {}
    for predicate in (None, lambda span: span.call.input_tokens == 1):
        with pytest.raises(SelectionError) as caught:
            exactly_one((), predicate, {"name": "tool"}, noun="LLM span", others=views)
        reasons[predicate is None] = str(caught.value).splitlines()[1:]
    assert reasons == {True: ["  span 'tool' (app): no dialect reads it as an LLM call"], False: []}


def test_views_of_one_span_are_one(views: tuple[SpanView, ...]) -> None:
    """Views of one span are equal and can be put into sets, although attributes cannot be hashed."""
    again = SpanView(record=views[0].record, reader=lambda _: None)
    assert {*views, again} == set(views)


def test_no_text_shows_a_key(make_span: SpanMaker) -> None:
    """A provider's key is masked in names and values, since messages of failures go into logs and JUnit files."""
    key = "sk-proj-Ab3dEf6hIj9lMn0pQr5tUv8xYz1234567890abcdefghij"
    span = SpanView(
        record=make_span(1, name=f"chat {key}", attributes={"key": key, "model": "a"}), reader=lambda _: None
    )
    with pytest.raises(SelectionError) as selected:
        exactly_one([span], None, {"attributes": {"key": "x"}}, noun="span")
    with pytest.raises(AssertionError) as compared:
        assert_attributes_exactly(span, {"ky": "x", "model": "a"})
    assert str(selected.value) == (
        "expected exactly one span with attributes={'key': 'x'}, found none among 1:\n"
        "  span 'chat [secret]' (app): key: expected 'x', found '[secret]'"
    )
    assert str(compared.value) == (
        "attributes of span 'chat [secret]' (app) differ:\n"
        "  ky: expected 'x', missing (nearest: key = '[secret]')\n"
        "  key: not expected, found '[secret]'"
    )


def test_several_are_listed(views: tuple[SpanView, ...]) -> None:
    """If several spans meet the conditions, they are listed."""
    with pytest.raises(SelectionError) as caught:
        exactly_one(views, None, {"name": "chat"}, noun="span")
    assert str(caught.value) == (
        "expected exactly one span with name='chat', found 2:\n"
        "  span 'chat' (app)\n"
        "  span 'chat' (other)\n"
        "next: narrow it with name=, scope=, kind=, status= or attributes="
    )


def test_assert_attributes_lists_every_difference(views: tuple[SpanView, ...]) -> None:
    """Only the expected attributes are compared, and all differences are reported together."""
    assert_attributes(views[0], {"model": "a"})
    with pytest.raises(AssertionError) as caught:
        assert_attributes(views[0], {"model": "b", "n": True, "gone": None})
    assert str(caught.value) == (
        "attributes of span 'chat' (app) differ:\n"
        "  model: expected 'b', found 'a'\n"
        "  n: expected True, found 1\n"
        "  gone: expected None, missing"
    )


def test_assert_attributes_exactly_refuses_others(views: tuple[SpanView, ...]) -> None:
    """An attribute that was not expected is a difference as well."""
    assert_attributes_exactly(views[0], {"model": "a", "n": 1})
    with pytest.raises(AssertionError) as caught:
        assert_attributes_exactly(views[0], {"n": 1})
    assert str(caught.value) == "attributes of span 'chat' (app) differ:\n  model: not expected, found 'a'"


@pytest.mark.parametrize("compare", [assert_attributes, assert_attributes_exactly])
@pytest.mark.parametrize(
    ("span", "expected", "text"),
    [
        (None, {}, "expected a span, such as llmtrace.span() returns, not None"),
        ((), {}, "expected a span, such as llmtrace.span() returns, not ()"),
        (0, ["a"], "the expected attributes must be a mapping of names to values, not ['a']"),
    ],
)
def test_what_cannot_be_compared(
    views: tuple[SpanView, ...], compare: Callable[..., None], span: Any, expected: Any, text: str
) -> None:
    """Several spans, None, or a list of names are a usage error, not a failed assertion."""
    with pytest.raises(UsageError) as caught:
        compare(views[span] if span == 0 else span, expected)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.__setitem__("n", 2),
        lambda said: said.__delitem__("n"),
        lambda said: said.update(n=2),
        lambda said: said.setdefault("m", 2),
        lambda said: said.pop("n"),
        lambda said: said.popitem(),
        lambda said: said.clear(),
        lambda said: said.__ior__({"n": 2}),
    ],
)
def test_what_a_span_says_cannot_be_changed(make_span: SpanMaker, change: Callable[[Any], object]) -> None:
    """A test cannot change attributes, since the checks judge the same ones."""
    record = make_span(1, attributes={"n": 1})
    view = SpanView(record=record, reader=lambda _: None)
    for said in (view.attributes, view.resource):
        with pytest.raises(UsageError, match=r"^the data of a view is read-only; make a copy"):
            change(said)
    assert record.attributes == {"n": 1}


def test_what_a_span_says_is_a_dictionary(views: tuple[SpanView, ...]) -> None:
    """The attributes compare, print, are written as JSON and are copied like a dictionary."""
    said = views[0].attributes
    assert said == {"model": "a", "n": 1}
    assert repr(said) == "{'model': 'a', 'n': 1}"
    assert json.loads(json.dumps(said)) == said
    for copied in (copy.copy(said), copy.deepcopy(said), pickle.loads(pickle.dumps(said))):  # noqa: S301 - our own
        assert type(copied) is dict
        assert copied == said
