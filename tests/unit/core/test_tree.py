"""`SpanTree` holds spans by their parents."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import SelectionError, SpanTree, UsageError
from pytest_llmtrace.model import SpanRecord

SpanMaker = Callable[..., SpanRecord]


def test_shape(make_span: SpanMaker) -> None:
    """Children stand below their parents in the order of their start; a span with an unknown parent is a root."""
    spans = [
        make_span(1, name="agent"),
        make_span(2, parent=1),
        make_span(3, parent=1, name="tool"),
        make_span(4, parent=9),
    ]
    tree = SpanTree(spans)
    assert tree.roots == (spans[0], spans[3])
    assert tree.children(spans[0]) == (spans[1], spans[2])
    assert tree.find("chat") == (spans[1], spans[3])
    assert tree.one("tool") is spans[2]
    assert tree.find(re.compile("^(chat|tool)$")) == (spans[1], spans[2], spans[3])
    assert tree.one(re.compile("age")) is spans[0]
    assert len(tree) == 4


def test_text_is_stable(make_span: SpanMaker) -> None:
    """The text has no ids and no times, so that it serves as a snapshot."""
    spans = [
        make_span(1, name="agent", status="OK"),
        make_span(2, parent=1, kind="CLIENT"),
        make_span(3, parent=2, name="x"),
    ]
    assert str(SpanTree(spans)) == "agent  INTERNAL  OK\n  chat  CLIENT  UNSET\n    x  INTERNAL  UNSET"
    assert str(SpanTree[object]([])) == "(no spans)"  # type: ignore[type-var]


def test_each_span_has_one_line(make_span: SpanMaker) -> None:
    """A line break in a name makes no line that looks like another span, and nothing moves a terminal's cursor."""
    assert (
        str(SpanTree([make_span(1, name="a  CLIENT  OK\n  b\x1b[2J é")]))
        == "a  CLIENT  OK\\n  b\\x1b[2J é  INTERNAL  UNSET"
    )


def test_one_of_none_or_several_fails(make_span: SpanMaker) -> None:
    """Asking for the one span of a name fails if there is none or several, and shows the tree."""
    tree = SpanTree([make_span(1), make_span(2)])
    with pytest.raises(SelectionError) as caught:
        tree.one("chat")
    assert str(caught.value) == (
        "expected exactly one span named 'chat' in the tree, found 2:\nchat  INTERNAL  UNSET\nchat  INTERNAL  UNSET"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda tree: tree.children("chat"),
            "children() takes a span, as one(...) returns it, not 'chat'; did you mean one('chat')?",
        ),
        (lambda tree: tree.children(None), "children() takes a span, as one(...) returns it, not None"),
        (lambda tree: tree.find(3), "a name must be a string or a compiled string pattern, not 3"),
        (lambda tree: tree.one(None), "a name must be a string or a compiled string pattern, not None"),
    ],
)
def test_wrong_use_is_said(make_span: SpanMaker, wrong: Callable[[Any], object], said: str) -> None:
    """A value that cannot be a span or a name is a usage error, instead of silently finding nothing."""
    with pytest.raises(UsageError) as caught:
        wrong(SpanTree([make_span(1)]))
    assert str(caught.value) == said


def test_deep_trees_are_walked(make_span: SpanMaker) -> None:
    """A tree may be deeper than Python's recursion limit."""
    tree = SpanTree([make_span(number, parent=number - 1) for number in range(1, 5000)])
    assert [depth for depth, _ in tree.walk()] == list(range(4999))
