"""Read cassettes in the layout of vcrpy and of this package's recorder, several times faster than a YAML parser does.

Only a part of YAML is read here: block mappings, one list of them under `interactions`, headers as lists of short
scalars, quoted and literal texts. If a file holds anything else (an anchor, a tag, a comment, an error), nothing is
returned, and the file is left to the parser. So no code here has to say what is wrong with a file.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.replay.yaml_safe import Located
from pytest_llmtrace.replay.yaml_scalars import CONVERTERS, CORE, plain

__all__ = ["read_layout"]

BLOCK = 128 * 1024
WIDEST = 40
"""Mappings that are indented further are left to the parser, which refuses documents that nest too deeply."""
BLOCKS_KEPT = 64

# Repetitions are possessive, so that the time is linear. In quotes no line starts in the first column, so a line that
# starts there begins a new entry.
_ALLOWED = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*+")
"""Text without line breaks other than \\n and characters that YAML forbids. Checked apart: it takes long to compile."""
_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,200}+"
_PLAIN = r"[A-Za-z0-9/._+=(;$^~<](?:[^ \n:]++|:(?=[^ \n])|[ ]++(?=[^#\n]))*+"
_SINGLE = r"'[^'\n]*+(?:(?:''|\n(?=[ \n]))[^'\n]*+)*+'"
_DOUBLE = r'"[^"\\\n]*+(?:(?:\\[^\n]|\\?\n(?=[ \n]))[^"\\\n]*+)*+"'
_SHORT = r"""'[^'\n]*+(?:''[^'\n]*+)*+'|"[^"\\\n]*+\""""
_LITERAL = r"(?:!!binary )?\|[+-]?\n++(?P<deep>[ ]++)[^ \n][^\n]*+\n(?:(?P=deep)[^\n]*+\n|\n)*+"
_IN_FLOW = r"[A-Za-z0-9/._+=(;](?:[^ \n:,?\[\]{}]++|[ ](?=[^ \n#,?\[\]{}]))*+"
_ITEM = rf"(?:{_IN_FLOW}|{_SHORT})"
_LIST = rf"\[(?:{_ITEM}(?:, {_ITEM})*+)?+\]"
_PAIRS = rf"\{{(?:{_NAME}: {_ITEM}(?:, {_NAME}: {_ITEM})*+)?+\}}"
_ITEMS = re.compile(rf"(?:({_NAME}): )?({_ITEM})(?:, |[\]}}])")
_BEGIN = rf"(?:- |[ ]*+)(?P<key>{_NAME}):"
_ENTRY = re.compile(
    rf"{_BEGIN}(?: (?P<plain>{_PLAIN})| (?P<single>{_SINGLE})| (?P<double>{_DOUBLE})"
    rf"| (?P<list>{_LIST})| (?P<pairs>{_PAIRS}))?+(?:\n|\Z)"
)
_LITERAL_ENTRY = re.compile(rf"{_BEGIN} (?P<literal>{_LITERAL})")
_FLAT_LINE = rf"(?:- ({_PLAIN}|{_SHORT}|{_SINGLE})|({_NAME}):(?: ({_PLAIN}|{_SHORT}))?)\n"
_FLAT_LINES = re.compile(f" *+{_FLAT_LINE}")
_FLAT = re.compile(rf"(?=(?P<indent>[ ]++){_NAME}:)(?:(?P=indent){_FLAT_LINE})++(?!(?P=indent))")
_ESCAPE = re.compile(
    r"\\\n *+(?=[^ \n])|( *+\n[ \n]*+)|\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|\\"
)
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b", " ": " ",
    '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_SURROGATES = 0xD800, 0xDFFF
_JSON = json.JSONDecoder(strict=False).decode


class _Unlike(Exception):
    """Raised if the file is laid out in another way."""


def read_layout(file: BinaryIO, interaction: Callable[[int, Any], Any]) -> Located | None:
    """Return the value of a YAML document, the same as `parse_yaml` does; None if only `parse_yaml` can read it.

    A large file is never in memory as a whole.

    Args:
        file: The document.
        interaction: Called with the index and value of each item of the list `interactions` as soon as the item is
            read; its result takes the item's place.
    """
    try:
        return _Document(_pieces(file), interaction).read()
    except (_Unlike, ValueError, LookupError, OverflowError):
        return None


def _pieces(file: BinaryIO) -> Iterator[str]:
    """Yield the text in pieces that begin where an item of a list starts in the first column."""
    waiting, left = list[str](), b""
    while block := file.read(BLOCK):
        text, used = codecs.utf_8_decode(left + block, "strict", False)  # noqa: FBT003
        left = (left + block)[used:]
        if len(block) == BLOCK and (cut := text.rfind("\n- ") + 1):
            yield "".join([*waiting, text[:cut]])
            waiting, text = [], text[cut:]
        waiting.append(text)
    yield "".join(waiting) + left.decode()


class _Document:
    """A reader of one document; `entry` matches the key to be read next with its value, and is None at the end."""

    def __init__(self, pieces: Iterator[str], interaction: Callable[[int, Any], Any]) -> None:
        self.pieces = pieces
        self.interaction = interaction
        self.text = ""
        self.at = self.counted = 0
        self.line = 1
        self.entry: re.Match[str] | None = None

    def read(self) -> Located:
        self.advance(0)
        if self.width or self.is_item:
            raise _Unlike
        value = self.mapping(0)
        if self.entry is not None:
            raise _Unlike
        return value

    def advance(self, to: int) -> None:
        """Go to the entry at an offset of the text, or to the next piece of the text."""
        if to >= len(self.text):
            self.line += self.text.count("\n", self.counted)
            self.text = next(self.pieces, "")
            to = self.counted = 0
            if _ALLOWED.fullmatch(self.text) is None:
                raise _Unlike
        self.at = to
        self.entry = _ENTRY.match(self.text, to) or _LITERAL_ENTRY.match(self.text, to)
        if self.entry is None and self.text:
            raise _Unlike

    def line_here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    @property
    def width(self) -> int:
        """The column of the next entry's key, which is 2 for the first key of an item; -1 at the end."""
        return -1 if self.entry is None else self.entry.start("key") - self.at

    @property
    def is_item(self) -> bool:
        return self.text.startswith("-", self.at)

    def mapping(self, width: int) -> Located:
        if width > WIDEST:
            raise _Unlike
        line, items = self.line_here(), dict[Any, Any]()
        while (found := self.entry) is not None:
            name, kind = found["key"], found.lastgroup or ""
            value: Any = None
            if kind == "pairs":
                value = Located(_in_pairs(found[kind]), self.line_here())
            elif kind == "literal":
                value = _literal(found[kind], found["deep"], width)
            elif kind != "key":
                value = _SCALARS[kind](found[kind])
            self.advance(found.end())
            if kind == "key":
                value = self.nested(name, width)
            if name == "interactions" and name in items:
                raise _Unlike
            items[plain(name)] = value
            if self.width != width or self.is_item:
                break
        if self.width > width:
            raise _Unlike
        return Located(items, line)

    def nested(self, name: str, width: int) -> Any:
        """Read the value below a key that has no value in its own line."""
        if self.is_item:
            return self.items(name, width)
        if self.width <= width:
            return None
        return self.flat() or self.mapping(self.width)

    def items(self, name: str, width: int) -> list[Any]:
        if name != "interactions" or width:
            raise _Unlike
        items: list[Any] = []
        while self.is_item:
            items.append(self.interaction(len(items), self.mapping(self.width)))
        return items

    def flat(self) -> Located | None:
        """Read a mapping of scalars and lists of scalars (mostly headers) at once; None if it holds anything else."""
        found = _FLAT.match(self.text, self.at)
        if found is None:
            return None
        line = self.line_here()
        self.advance(found.end())
        return Located(_flat(found[0]), line)


# --- scalars ---------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=BLOCKS_KEPT)
def _flat(block: str) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    name, items = "", list[Any]()
    for item, key, value in _FLAT_LINES.findall(block):
        if key:
            name, items = plain(key), []
            values[name] = _short(value) if value else items
        elif values[name] is items:
            items.append(_short(item))
        else:
            raise _Unlike
    return {name: None if value == [] else value for name, value in values.items()}


def _short(text: str) -> Any:
    if text[0] == '"':
        return text[1:-1]
    return _single(text) if text[0] == "'" else plain(text)


def _literal(text: str, deep: str, width: int) -> str | bytes:
    """Read a literal text (`|`), whose line breaks are kept."""
    if len(deep) <= width:
        raise _Unlike
    how, _, lines = text.partition("\n")
    value = f"\n{lines}".replace(f"\n{deep}", "\n")[1:]
    if not how.endswith("+"):
        value = value.rstrip("\n") + ("" if how.endswith("-") else "\n")
    binary: Any = CONVERTERS[f"{CORE}binary"]
    return binary(value) if how.startswith("!") else value


def _single(quoted: str) -> str:
    return _folded(quoted[1:-1]).replace("''", "'")


def _folded(text: str) -> str:
    """Join the lines of a quoted text: one line break becomes a space, of several, the first is dropped."""
    if "\n" not in text:
        return text
    first, *lines, last = text.split("\n")
    folded, breaks = [first.rstrip(" ")], 0
    for line in lines:
        breaks += 1
        if line := line.strip(" "):
            folded += ["\n" * (breaks - 1) or " ", line]
            breaks = 0
    return "".join([*folded, "\n" * breaks or " ", last.lstrip(" ")])


def _double(quoted: str) -> str:
    text = quoted[1:-1]
    if "\\" not in text:
        return _folded(text)
    if "\\ud" not in text and "\\uD" not in text:  # JSON would join a pair of surrogates.
        with contextlib.suppress(ValueError):
            return str(_JSON(f'"{_unwrapped(text)}"'))
    return _ESCAPE.sub(_escaped, text)


def _unwrapped(text: str) -> str:
    """Undo the line breaks that libyaml writes. Of its other escapes, JSON has the same or fails on them."""
    first, *lines = text.split("\n")
    words = [first]
    for line in lines:
        word = line.lstrip(" ")
        if words[-1].endswith((" ", "\\")) or not word:
            raise ValueError
        words.append(word[1:] if word.startswith("\\ ") else word)
    return " ".join(words)


def _escaped(found: re.Match[str]) -> str:
    line_break, digits, other = found[1], found[2] or found[3] or found[4], found[5]
    if line_break is not None:
        return "\n" * (line_break.count("\n") - 1) or " "
    if digits is not None:
        code = int(digits, 16)
        if _SURROGATES[0] <= code <= _SURROGATES[1]:
            raise _Unlike
        return chr(code)
    if other is not None:
        return _ESCAPED[other]
    if len(found[0]) == 1:
        raise _Unlike
    return ""


def _in_list(text: str) -> list[Any]:
    return [_short(value) for _, value in _ITEMS.findall(text, 1)]


def _in_pairs(text: str) -> dict[Any, Any]:
    return {plain(name): _short(value) for name, value in _ITEMS.findall(text, 1)}


_SCALARS: dict[str, Callable[[str], Any]] = {
    "plain": plain,
    "single": _single,
    "double": _double,
    "list": _in_list,
}
