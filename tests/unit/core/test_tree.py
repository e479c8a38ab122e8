"""Spans as a forest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_llmtrace import SelectionError, SpanTree
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


def test_one_of_none_or_several_fails(make_span: SpanMaker) -> None:
    """Asking for the one span of a name that is not one shows the tree."""
    tree = SpanTree([make_span(1), make_span(2)])
    with pytest.raises(SelectionError) as caught:
        tree.one("chat")
    assert str(caught.value) == (
        "expected exactly one span named 'chat' in the tree, found 2:\nchat  INTERNAL  UNSET\nchat  INTERNAL  UNSET"
    )


def test_deep_trees_are_walked(make_span: SpanMaker) -> None:
    """Depth is no matter of recursion."""
    tree = SpanTree([make_span(number, parent=number - 1) for number in range(1, 5000)])
    assert [depth for depth, _ in tree.walk()] == list(range(4999))
