"""Put new values into the text of a file, and touch nothing else of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pytest_llmtrace._written import replace
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.upkeep._nodes import Node
from pytest_llmtrace.upkeep._places import Edit

__all__ = ["Patch", "patched", "patches_of", "write_atomically"]


class Patch(NamedTuple):
    """A part of a file's text, and the text that replaces it; `secret` is the removed secret, if there is one."""

    start: int
    end: int
    new: str
    secret: str | None


_PROPERTIES = re.compile(r"(?:[!&]\S*\s+)*")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def patches_of(text: str, edits: Iterable[Edit], *, whole: bool = False) -> list[Patch]:
    """Return the changes to a text that give nodes their new values, in order.

    Args:
        text: The text of the file.
        edits: The new values, one for each node.
        whole: Whether to rewrite each changed value as a whole, even if only a part of it changes.
    """
    patches: list[Patch] = []
    for edit in edits:
        parts = None if whole or not edit.spans else _parts(text, edit)
        patches += [_anew(text, edit)] if parts is None else parts
    return sorted(patches)


def patched(text: str, patches: Iterable[Patch]) -> str:
    """Return the text with the changes made."""
    parts, at = [], 0
    for patch in patches:
        parts += [text[at : patch.start], patch.new]
        at = patch.end
    return "".join([*parts, text[at:]])


def _parts(text: str, edit: Edit) -> list[Patch] | None:
    """Return patches for just the parts that change; `None` if a part is broken over lines or escaped in the file."""
    node = edit.node
    patches: list[Patch] = []
    in_value, in_file = 0, node.start
    for span in edit.spans:
        old = node.text[span.start : span.end]
        written = old.replace("'", "''") if node.style == "'" else old
        # The same text may occur before it, and is to stay there: a word that is also the value of a secret field.
        for _ in range(1 + node.text.count(old, in_value, span.start)):
            at = text.find(written, in_file, node.end)
            if at < 0:
                return None
            in_file = at + len(written)
        patches.append(Patch(at, in_file, span.text, old if edit.is_secret else None))
        in_value = span.end
    return patches


def _anew(text: str, edit: Edit) -> Patch:
    node = edit.node
    raw = text[node.start : node.end]
    secret = node.text if edit.is_secret else None
    if not edit.is_secret:  # A size is written in the form of the number before.
        return Patch(node.start, node.end, raw.replace(node.text, str(edit.value)), secret)
    if node.style == "json":
        return Patch(node.start, node.end, json.dumps(edit.value), secret)
    properties = _PROPERTIES.match(raw)
    kept = properties[0] if properties else ""
    body = raw[len(kept) :]
    if isinstance(edit.value, bytes):
        new = _binary(body, edit.value)
    else:
        new = _scalar(edit.value, node)
        kept = "".join(re.findall(r"&\S*\s+", kept))  # The anchor stays, the tag was that of the old value.
    end = node.end - (len(body) - len(body.rstrip())) if node.style in {"|", ">"} else node.end
    return Patch(node.start, end, kept + new, secret)


def _scalar(value: str, node: Node) -> str:
    """Return a text as a scalar on one line: in double quotes if it had these or needs them, else in single quotes."""
    if node.style != '"' and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _binary(body: str, value: bytes) -> str:
    """Return bytes as base64, in lines as long as those of the old value."""
    text = base64.b64encode(value).decode("ascii")
    lines = body.splitlines()
    if body[:1] not in {"|", ">"} or len(lines) < 2:  # noqa: PLR2004
        return f'"{text}"'
    indent = lines[1][: len(lines[1]) - len(lines[1].lstrip())]
    width = max(len(lines[1].strip()), 16)
    return "\n".join([lines[0], *(indent + text[at : at + width] for at in range(0, len(text), width))])


def write_atomically(path: Path, old: bytes, new: bytes) -> None:
    """Replace the content of a file as a whole, or not at all; a link stays a link, and the mode is kept.

    Raises:
        CassetteError: If the file cannot be written, or has changed since it was read.
    """
    target = path.resolve()
    try:
        if target.read_bytes() != old:
            raise CassetteError(path, "it was changed while it was read; nothing was written, try again")
        replace(target, new)
    except OSError as error:
        raise CassetteError(path, f"it cannot be written ({error.strerror or error}); it is as it was") from None
