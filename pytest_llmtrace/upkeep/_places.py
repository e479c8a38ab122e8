"""Where the secrets of a cassette stand, in any form of file, and the values that replace them.

Only what a comparison leaves out is replaced, so that a request still finds its recording.
"""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from pytest_llmtrace.codings import is_gzip, unpacked
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.yaml_scalars import plain
from pytest_llmtrace.secrets.body_text import Hit, Steps, alarming, hits_in_body, hits_in_value
from pytest_llmtrace.secrets.edits import Edit as Span
from pytest_llmtrace.secrets.edits import edits_of
from pytest_llmtrace.secrets.urls import hits_in_header, hits_in_url
from pytest_llmtrace.secrets.wide import order_of
from pytest_llmtrace.upkeep._carried import Carried
from pytest_llmtrace.upkeep._headers import is_left
from pytest_llmtrace.upkeep._nodes import Node

__all__ = ["Edit", "Span", "changes_in"]


class Edit(NamedTuple):
    """A new value for a node. `spans` are the parts that change; if there are none, the whole value changes."""

    node: Node
    value: str | bytes
    spans: tuple[Span, ...] = ()
    is_secret: bool = True


def changes_in(document: Node, carried: Carried) -> Iterator[Edit]:
    """Yield the changes that `scrub` makes to a file.

    Args:
        document: The file.
        carried: The secrets of its interactions, which are taken out of headers and replies.
    """
    interactions = document.get("interactions")
    items = interactions.items if interactions is not None else [document]
    for item in items:
        for side in ("request", "response"):
            message = item.get(side)
            if message is not None and message.kind == "map":
                yield from _Message(side, message, carried).changes()


class _Message:
    """A request or a response, as nodes."""

    def __init__(self, side: str, node: Node, carried: Carried) -> None:
        self.side = side
        self.carried = carried
        self.node = node
        self.headers = list(_headers(node.get("headers")))

    def changes(self) -> Iterator[Edit]:
        for name, value in self.headers:
            yield from self.header(name, value)
        if self.side == "request":
            for url in filter(None, (self.node.get("uri"), self.node.get("url"))):
                yield from self.url(url)
        if (status := self.node.get("status")) is not None and (reason := status.get("message")) is not None:
            yield from self.reason(reason)
        if (tree := self.node.get("parsed_body")) is not None:
            yield from self.tree(tree)
        for body in filter(None, (self.node.get("body"), self.node.get("content"))):
            yield from self.body(body)

    def header(self, name: str, node: Node) -> Iterator[Edit]:
        text = node.bytes.decode("latin-1") if node.is_binary else node.text
        if scrub.is_secret_header(name):
            if not is_left(name, text):
                yield Edit(node, scrub.MASK)
            return
        if spans := edits_of([*alarming(hits_in_header(name, text)), *self.carried.hits(text)]):
            yield Edit(node, scrub.applied(text, spans), () if node.is_binary else spans)

    def reason(self, node: Node) -> Iterator[Edit]:
        if spans := edits_of([*alarming(hits_in_body(node.text)), *self.carried.hits(node.text)]):
            yield Edit(node, scrub.applied(node.text, spans), spans)

    def url(self, node: Node) -> Iterator[Edit]:
        if spans := edits_of(alarming(hits_in_url(node.text))):
            yield Edit(node, scrub.applied(node.text, spans), spans)

    # --- bodies ---

    def body(self, node: Node) -> Iterator[Edit]:
        if node.kind == "scalar":
            yield from self.scalar(node, "binary" if node.is_binary else "text")
        elif node.kind == "list":
            yield from self.tree(node)
        else:
            yield from self.wrapped(node)

    def wrapped(self, node: Node) -> Iterator[Edit]:
        """Yield the changes of a body that names its own form, read as `replay.bodies` does."""
        kind, form = node.get("type"), node.get("encoding")
        content = node.get("content")
        packed = node.get("base64_string", "base64")
        if packed is not None and packed.kind == "scalar":
            yield from self.scalar(packed, "base64")
        elif (string := node.get("string")) is not None:
            coding = "base64" if form is not None and form.text == "base64" else "text"
            yield from self.scalar(string, "binary" if string.is_binary else coding)
        elif kind is not None and content is not None and kind.text in {"json", "binary", "text"}:
            if kind.text == "json":
                yield from self.tree(content)
            else:
                yield from self.scalar(content, "hex" if kind.text == "binary" else "text")
        else:
            yield from self.tree(node)

    def tree(self, root: Node) -> Iterator[Edit]:
        """Yield the changes of a body that is not a text, but values of the file itself."""
        of_error = root.kind == "map" and root.get("error") is not None
        for node, steps in _strings(root, ()):
            if spans := edits_of(self.hits(node.text, hits_in_value(node.text, steps, of_error=of_error))):
                yield Edit(node, scrub.applied(node.text, spans), spans)

    def hits(self, text: str, found: Iterator[Hit]) -> list[Hit]:
        """Return what is to be taken out of a body; a secret that is carried elsewhere stays in a request."""
        return [*alarming(found), *(self.carried.hits(text) if self.side == "response" else ())]

    def scalar(self, node: Node, form: str) -> Iterator[Edit]:
        if node.kind != "scalar":
            yield from self.body(node)
            return
        coding = next((value for name, value in self.headers if name.lower() == "content-encoding"), None)
        body = _Body(node, form, "" if coding is None else coding.text)
        if spans := edits_of(self.hits(body.text, hits_in_body(body.text))):
            yield body.edited(spans)
            yield from self.sizes(body, spans)
            if coding is not None and body.is_packed and not is_gzip(body.packed):
                yield Edit(coding, "gzip", (Span(0, len(coding.text), "gzip"),), is_secret=False)

    # --- what tells the size of a body ---

    def sizes(self, body: _Body, spans: tuple[Span, ...]) -> Iterator[Edit]:
        """Yield changes that keep `content-length` and the lengths of recorded chunks right, if they were right."""
        old, new = body.travelling
        for name, value in self.headers:
            if name.lower() == "content-length" and value.text == str(old) and old != new:
                yield _resize(value, new)
        extra = self.node.get("llmtrace")
        chunks = extra.get("chunks") if extra is not None else None
        if chunks is None or body.is_packed or not all(node.text.isdigit() for node in chunks.items):
            return
        lengths = [int(node.text) for node in chunks.items]
        if sum(lengths) != old:
            return
        for node, before, after in zip(chunks.items, lengths, _resized(lengths, body, spans), strict=True):
            if before != after:
                yield _resize(node, after)


class _Body:
    """The text of a body, taken out of its base64, hex or content coding, and put back: in gzip, if in any coding.

    A client that accepts another coding accepts gzip too.
    """

    def __init__(self, node: Node, form: str, coding: str) -> None:
        self.node = node
        self.form = form
        self.packed = self._bytes()
        content = unpacked(self.packed, coding)
        self.is_packed = content is not self.packed
        self.coding, self._errors = "utf-8", "surrogatepass"
        if order_of(scrub.as_text(content)):
            self._errors = "surrogateescape"
        try:
            self.text = content.decode(self.coding, self._errors)
        except UnicodeDecodeError:
            self.coding, self._errors = "latin-1", "strict"
            self.text = content.decode(self.coding)
        self.travelling = len(self.packed), len(self.packed)

    def _bytes(self) -> bytes:
        try:
            match self.form:
                case "binary":
                    return self.node.bytes
                case "base64":
                    return base64.b64decode(self.node.text)
                case "hex":
                    return bytes.fromhex(self.node.text)
        except (binascii.Error, ValueError):
            return b""
        return self.node.text.encode("utf-8", "surrogatepass")

    def encoded(self, text: str) -> bytes:
        """Return a text as bytes, in the encoding of this body."""
        return text.encode(self.coding, self._errors)

    def edited(self, spans: tuple[Span, ...]) -> Edit:
        """Return the change of the node that makes these changes to the text."""
        text = scrub.applied(self.text, spans)
        content = self.encoded(text)
        if self.is_packed:
            content = gzip.compress(content, mtime=0)
        self.travelling = len(self.packed), len(content)
        match self.form:
            case "binary":
                return Edit(self.node, content)
            case "base64":
                return Edit(self.node, base64.b64encode(content).decode("ascii"))
            case "hex":
                return Edit(self.node, content.hex())
        return Edit(self.node, text, spans)


def _strings(node: Node, steps: Steps) -> Iterator[tuple[Node, Steps]]:
    if node.kind == "map":
        for name, value in node.pairs():
            yield from _strings(value, (*steps, name))
    elif node.kind == "list":
        for index, item in enumerate(node.items):
            yield from _strings(item, (*steps, index))
    elif _is_string(node):
        yield node, steps


def _headers(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield each header line, from a mapping of names to one value or several, or from a list of pairs."""
    if node is None:
        return
    if node.kind == "map":
        pairs = list(node.pairs())
    else:
        pairs = [(item.items[0].text, item.items[1]) for item in node.items if len(item.items) == 2]  # noqa: PLR2004
    for name, values in pairs:
        for value in values.items if values.kind == "list" else [values]:
            if value.kind == "scalar" and value.tag != "bare":
                yield name, value


def _is_string(node: Node) -> bool:
    if node.kind != "scalar" or node.is_binary or node.tag == "bare":
        return False
    return node.style is not None or node.tag is not None or isinstance(plain(node.text), str)


def _resize(node: Node, size: int) -> Edit:
    return Edit(node, str(size), (Span(0, len(node.text), str(size)),), is_secret=False)


def _resized(lengths: list[int], body: _Body, spans: tuple[Span, ...]) -> list[int]:
    """Return the lengths of chunks after a change; a replacement is in the chunk that had the secret's first byte."""
    text = body.text
    edits, at, byte = [], 0, 0
    for start, end, new in spans:
        byte += len(body.encoded(text[at:start]))
        size = len(body.encoded(text[start:end]))
        edits.append((byte, byte + size, len(body.encoded(new))))
        byte, at = byte + size, end
    bounds, shift, waiting = [0], 0, iter([*edits, (1 << 62, 1 << 62, 0)])
    start, end, size = next(waiting)
    for bound in accumulate(lengths):
        while end <= bound:
            shift += size - (end - start)
            start, end, size = next(waiting)
        bounds.append((start + size if bound > start else bound) + shift)
    return [after - before for before, after in pairwise(bounds)]
