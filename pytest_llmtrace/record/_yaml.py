"""Write plain values as YAML that people can read: bodies as blocks of text, headers on one line each.

PyYAML's emitter falls back to one long quoted line for a body that holds an emoji or a tab, and recordings of models
are full of them; and a document that it formats differently makes a large diff. What is written here is read back and
compared before it goes into a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace._stdlib import base64, re

__all__ = ["emitted", "emitted_item"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*+(?:[ ,;:=+@()][A-Za-z0-9_./=*, ;:+@()-]*[A-Za-z0-9_./=*-])?")
_NO_TEXT = re.compile(r"(?i:true|false|yes|no|on|off|null|y|n)|.*(?::\s|\s#|:$).*", re.DOTALL)
# The characters that a block may hold: YAML reads other line breaks as its own, and refuses most other characters.
_BLOCK = re.compile("[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
_UNQUOTABLE = re.compile('[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|["\\\\]')
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_WIDTH = 110


def emitted(document: Mapping[str, Any]) -> str:
    """Return a mapping as a YAML document."""
    return "".join(f"{line}\n" for line in _mapping(document, ""))


def emitted_item(item: Mapping[str, Any]) -> str:
    """Return a mapping as an item of a list at the left margin."""
    return "".join(f"{line}\n" for line in _item(item, ""))


def _mapping(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in values.items():
        name = f"{indent}{_scalar(key)}:"
        if isinstance(value, Mapping) and value:
            yield name
            yield from _mapping(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield name
            for item in value:
                yield from _item(item, indent)
        elif isinstance(value, list):
            yield from _flow(name, value, indent + "  ")
        elif isinstance(value, bytes):
            lines = base64.encodebytes(value).decode("ascii").removesuffix("\n")
            yield f"{name} !!binary |\n{_indented(lines, indent + '  ')}"
        elif isinstance(value, str) and "\n" in value and _BLOCK.fullmatch(value):
            yield from _block(name, value, indent + "  ")
        else:
            yield f"{name} {_scalar(value)}"


def _item(item: Mapping[str, Any], indent: str) -> Iterator[str]:
    first, *rest = _mapping(item, indent + "  ")
    yield f"{indent}- {first[len(indent) + 2 :]}"
    yield from rest


def _flow(name: str, values: list[Any], indent: str) -> Iterator[str]:
    """Write a list of scalars in brackets, broken into lines where it is long."""
    line, lines = f"{name} [", []
    for number, value in enumerate(values):
        word = _scalar(value, flow=True) + ("]" if number == len(values) - 1 else ",")
        if len(line) + len(word) > _WIDTH and line.strip() and not line.endswith("["):
            lines.append(line)
            line = indent + word
        else:
            line += word if line.endswith("[") else f" {word}"
    lines.append(line if values else f"{line}]")
    yield from lines


def _block(name: str, text: str, indent: str) -> Iterator[str]:
    """Write a text as a block: `|-` ends without a line break, `|` with one, `|+` with all that the text has."""
    chomping = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") or not text.strip("\n") else ""
    indicator = "2" if text[0] in " \t\n" else ""
    yield f"{name} |{indicator}{chomping}\n{_indented(text.removesuffix(chr(10)), indent)}"


def _indented(text: str, indent: str) -> str:
    """Indent the lines of a text that are not empty, without splitting it if possible.

    The lines of a large body take many times its size in memory.
    """
    if text.startswith("\n") or text.endswith("\n") or "\n\n" in text:
        return "\n".join(f"{indent}{line}" if line else "" for line in text.split("\n"))
    return indent + text.replace("\n", f"\n{indent}")


def _scalar(value: Any, *, flow: bool = False) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{}"
    text = str(value)
    if _PLAIN.fullmatch(text) and not _NO_TEXT.fullmatch(text) and not (flow and "," in text):
        return text
    return '"' + _UNQUOTABLE.sub(_escaped, text) + '"'


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}"
