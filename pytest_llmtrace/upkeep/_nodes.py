"""A cassette file as nodes that know where they stand in the text, so that single values can be replaced in it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import yaml

__all__ = ["Node", "same_but_for", "tree_of"]

_BINARY = frozenset({"tag:yaml.org,2002:binary", "tag:yaml.org,2002:python/bytes"})
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_JSON = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|[^\s\[\]{},:"]+', re.DOTALL)


class Node:
    """A value of a file: `items` of a mapping are its keys and values in turn. An alias is the node it refers to.

    `style` is `json` in a JSON file; in YAML it is `None` for a plain scalar, else its quote, `|` or `>`.
    """

    __slots__ = ("end", "items", "kind", "start", "style", "tag", "text")

    def __init__(self, kind: Literal["scalar", "map", "list"], start: int, end: int) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.text = ""
        self.style: str | None = None
        self.tag: str | None = None
        self.items: list[Node] = []

    @property
    def is_binary(self) -> bool:
        """Whether the value is bytes, written as base64."""
        return self.tag in _BINARY

    @property
    def bytes(self) -> bytes:
        """The value of a binary node."""
        try:
            return base64.decodebytes(self.text.encode("ascii"))
        except (binascii.Error, ValueError):
            return b""

    def pairs(self) -> Iterator[tuple[str, Node]]:
        """Yield names and values of a mapping; a name that is binary or tagged is read as text."""
        for key, value in zip(self.items[::2], self.items[1::2], strict=False):
            yield _name(key), value

    def get(self, *names: str) -> Node | None:
        """Return the value of the first of the names that is there; if a name is there twice, its last value."""
        found = dict(self.pairs()) if self.kind == "map" else {}
        return next((found[name] for name in names if name in found), None)


def _name(key: Node) -> str:
    while key.kind != "scalar" and key.items:
        key = key.items[-1]
    return key.bytes.decode("latin-1") if key.is_binary else key.text


def tree_of(text: str, *, is_json: bool) -> Node:
    """Return the nodes of a file that is known to be valid."""
    return _json_tree(text) if is_json else _yaml_tree(text)


def _yaml_tree(text: str) -> Node:
    root = Node("list", 0, len(text))
    open_nodes = [root]
    anchors: dict[str | None, Node] = {}
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            open_nodes.pop()
        elif isinstance(event, yaml.NodeEvent):
            node = anchors[event.anchor] if isinstance(event, yaml.AliasEvent) else _yaml_node(event)
            if event.anchor is not None:
                anchors[event.anchor] = node
            open_nodes[-1].items.append(node)
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append(node)
    return root.items[0]


def _yaml_node(event: Any) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.ScalarEvent):
        node = Node("scalar", start, end)
        node.text, node.style = event.value, event.style
    else:
        node = Node("map" if isinstance(event, yaml.MappingStartEvent) else "list", start, end)
    node.tag = event.tag
    return node


def _json_tree(text: str) -> Node:
    root = Node("list", 0, len(text))
    open_nodes = [root]
    for token in _JSON.finditer(text):
        raw = token[0]
        if raw in {"]", "}"}:
            open_nodes.pop()
            continue
        kind: Any = {"[": "list", "{": "map"}.get(raw, "scalar")
        node = Node(kind, token.start(), token.end())
        open_nodes[-1].items.append(node)
        if kind == "scalar":
            node.style = "json"
            quoted = raw.startswith('"')
            node.text, node.tag = (json.loads(raw, strict=False), "string") if quoted else (raw, "bare")
        else:
            open_nodes.append(node)
    return root.items[0]


def same_but_for(old: Node, new: Node, wanted: dict[int, str | bytes]) -> bool:
    """Tell whether two trees are equal except for the scalars in `wanted`, which must have their new values.

    Args:
        old: The tree before.
        new: The tree after.
        wanted: The value that a node must have in the new tree, by the `id()` of the node in the old tree.
    """
    todo = [(old, new)]
    seen: set[tuple[int, int]] = set()
    while todo:
        before, after = todo.pop()
        if (id(before), id(after)) in seen:
            continue
        seen.add((id(before), id(after)))
        if before.kind != after.kind or len(before.items) != len(after.items):
            return False
        if id(before) in wanted:
            if not _has(after, wanted[id(before)]):
                return False
        elif (before.tag, before.style, before.text) != (after.tag, after.style, after.text):
            return False
        todo += zip(before.items, after.items, strict=True)
    return True


def _has(node: Node, value: str | bytes) -> bool:
    """Tell whether a node has a value, in the type that it should have."""
    if isinstance(value, bytes):
        return node.is_binary and node.bytes == value
    return node.text == value and not node.is_binary
