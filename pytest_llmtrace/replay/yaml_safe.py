"""Read YAML text as plain values only: dictionaries, lists, strings, numbers, booleans, bytes and None.

The parser is PyYAML's (libyaml, if it is installed). The values are built here, from the parser's events, because
PyYAML's composer and constructors recurse with the document's nesting and multiply anchors without a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from io import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.replay.yaml_scalars import CONVERTERS, CORE, PYTHON, plain

__all__ = ["Located", "parse_yaml"]

MAX_DEPTH = 200
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
LONGEST_SHOWN = 100
_DEPTH_OF_INTERACTIONS = 2
FREE_EXPANSION = 1_000_000
EXPANSION = 10
"""Aliases may add ten times the file's own length, and a million characters in any case."""

_STRING_SCALARS = frozenset({f"{PYTHON}str", f"{PYTHON}unicode", f"{CORE}str", "!"})
_STRING_OBJECTS = frozenset(
    f"{PYTHON}object/{how}:{name}"
    for how in ("apply", "new")
    for name in (
        "__builtin__.str",
        "__builtin__.unicode",
        "builtins.str",
        "http.HTTPMethod",
        "multidict._multidict.istr",
        "multidict._multidict_py.istr",
    )
)
# A body that the application handed over as a file: vcrpy puts the file object itself into the cassette.
_FILE_OBJECTS = frozenset(f"{PYTHON}object/new:_io.{name}" for name in ("BytesIO", "StringIO"))
_OBJECTS = _STRING_OBJECTS | _FILE_OBJECTS
_MAPPING_TAGS = frozenset({None, "!", f"{CORE}map"})
_SEQUENCE_TAGS = frozenset({None, "!", f"{CORE}seq", f"{PYTHON}tuple"})

_Parser: Any = getattr(getattr(yaml, "cyaml", None), "CParser", yaml.SafeLoader)


class Located(dict[Any, Any]):
    """A mapping that knows the line it starts on, counted from 1."""

    __slots__ = ("line",)

    def __init__(self, items: Any, line: int) -> None:
        super().__init__(items)
        self.line = line


def parse_yaml(
    source: str | BinaryIO,
    path: Path | str,
    *,
    interaction: Callable[[int, Any], Any] | None = None,
    noun: str = "cassette",
) -> Any:
    """Return the value of a YAML document, in time and memory linear in its length.

    Duplicated keys are accepted, the last one wins, as in PyYAML; but `interactions` must not be lost. Timestamps stay
    text.

    Args:
        source: The document, or its file in UTF-8, which is read piece by piece.
        path: The path of the document, for errors.
        interaction: Called with the index and value of each item of the list `interactions` as soon as the item is
            read; its result takes the item's place, since plain values need several times the memory of the file.
        noun: The word for the document in errors.

    Raises:
        CassetteError: If the text is not YAML, has a tag that would build an object, or nests or multiplies too much.
    """
    builder = _Builder(path, room=FREE_EXPANSION + EXPANSION * _length(source), interaction=interaction, noun=noun)
    try:
        next_event = _Parser(source).get_event
        while (event := next_event()) is not None:
            builder.take(event)
    except yaml.YAMLError as error:
        reason, line = _told(error, source)
        # libyaml 0.2.6 has a nesting limit of its own, and may meet it while it reads ahead of our check.
        known = _TOO_DEEP if reason.endswith("exceeded maximum nesting depth") else f"this is not valid YAML: {reason}"
        raise CassetteError(path, known, line=line) from None
    return builder.root[0] if builder.root else None


def _length(source: str | BinaryIO) -> int:
    if isinstance(source, str):
        return len(source)
    length = source.seek(0, SEEK_END)
    source.seek(0)
    return length


def _told(error: yaml.YAMLError, source: str | BinaryIO) -> tuple[str, int | None]:
    """Return the reason that PyYAML gives for an error, and the line, if it is known."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return said, mark.line + 1 if mark else None
    position = getattr(error, "position", None)
    reason = str(getattr(error, "reason", error))
    if not isinstance(position, int):
        return reason, None
    if not isinstance(source, str):
        source.seek(0)
        source = source.read().decode("utf-8-sig")
    return reason, source.count("\n", 0, position) + 1


class _Builder:
    """The builder of a document's value from parser events, without recursion."""

    def __init__(
        self, path: Path | str, *, room: int, interaction: Callable[[int, Any], Any] | None, noun: str
    ) -> None:
        self.path = path
        self.noun = noun
        self.interaction = interaction
        self.room = room
        self.size = 0
        self.root: list[Any] = []
        self.items = self.root
        self.open: list[tuple[list[Any], Any, int]] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.documents = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def refused(self, reason: str, event: Any) -> CassetteError:
        return CassetteError(self.path, reason, line=event.start_mark.line + 1)

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self.refused(f"a second YAML document starts here; a {self.noun} is one document", event)

    def scalar(self, event: Any) -> None:
        tag, value = event.tag, event.value
        size = len(value) + 1
        if tag is not None:
            value = self.tagged(event)
        elif event.implicit[0]:
            value = plain(value)
        self.size += size
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, size)
        self.items.append(value)

    def tagged(self, event: Any) -> Any:
        if event.tag in _STRING_SCALARS:
            return event.value
        convert = CONVERTERS.get(event.tag)
        if convert is None:
            raise self.unknown_tag(event)
        try:
            return convert(event.value)
        except (ValueError, LookupError, OverflowError):
            short = event.tag.removeprefix(CORE)
            raise self.refused(f"the value that is tagged !!{short} is not one", event) from None

    def unknown_tag(self, event: Any) -> CassetteError:
        tag = event.tag
        name = (f"!!{tag.removeprefix(CORE)}" if tag.startswith(CORE) else tag)[:LONGEST_SHOWN]
        return self.refused(
            f"the tag {name} stands for an object, but a {self.noun} may hold plain values only; nothing was built. "
            + ("Record the cassette again, or replace" if self.noun == "cassette" else "Replace")
            + " the tagged value with plain text",
            event,
        )

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self.refused(
                f"the alias *{event.anchor[:LONGEST_SHOWN]} refers to itself, or to nothing before it", event
            )
        value, size = self.anchors[event.anchor]
        self.size += size
        self.room -= size
        if self.room < 0:
            raise self.refused("its anchors and aliases expand to far more than the file itself; refused", event)
        self.items.append(value)

    def start(self, event: Any) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise self.refused(_TOO_DEEP, event)
        plain = _MAPPING_TAGS if isinstance(event, yaml.MappingStartEvent) else _SEQUENCE_TAGS
        if event.tag not in plain and event.tag not in _OBJECTS:
            raise self.unknown_tag(event)
        self.open.append((self.items, event, self.size))
        self.items = []

    def end(self, _: Any) -> None:
        items = self.items
        self.items, start, before = self.open.pop()
        if start.tag in _STRING_OBJECTS:
            value: Any = self.string_of(items, start)
        elif start.tag in _FILE_OBJECTS:
            value = self.content_of(items, start)
        elif isinstance(start, yaml.MappingStartEvent):
            value = self.mapping(items, start)
        else:
            value = items
        self.size += 1
        if start.anchor is not None:
            self.anchors[start.anchor] = (value, self.size - before)
        elif self.interaction is not None and self.is_interaction():
            value = self.interaction(len(self.items), value)
        self.items.append(value)

    def is_interaction(self) -> bool:
        """Tell whether the value that has just ended is an item of the document's list `interactions`."""
        if len(self.open) != _DEPTH_OF_INTERACTIONS or self.open[1][1].anchor is not None:
            return False
        siblings = self.open[1][0]
        return len(siblings) % 2 == 1 and siblings[-1] == "interactions"

    def mapping(self, items: list[Any], start: Any) -> Located:
        if not self.open and items[::2].count("interactions") > 1:
            lines = "this document has several lists `interactions`, of which only the last would be read"
            raise self.refused(f"{lines}; join them: a merge may have left them", start)
        try:
            found = Located(zip(items[::2], items[1::2], strict=True), start.start_mark.line + 1)
        except TypeError:
            raise self.refused("a key of the mapping that starts here is a list or a mapping", start) from None
        return _merged(found) if "<<" in found else found

    def string_of(self, items: list[Any], start: Any) -> str:
        """Return the text of a tagged string object, such as istr, which has its text as the only argument."""
        if items[:1] == ["args"] and len(items) > 1 and isinstance(items[1], list):
            items = items[1]
        if len(items) != 1 or not isinstance(items[0], str):
            raise self.unknown_tag(start)
        return items[0]

    def content_of(self, items: list[Any], start: Any) -> bytes | str:
        """Return the content of a file in memory, which is the first part of its state; the next is its position."""
        state = items[1] if items[:1] == ["state"] and len(items) == len(("state", "its value")) else None
        if not isinstance(state, list) or not isinstance(state[0] if state else None, bytes | str):
            raise self.unknown_tag(start)
        content: bytes | str = state[0]
        return content


def _merged(mapping: Located) -> Located:
    """Apply a merge key (`<<`): the mapping's own entries win, then those of the first mapping that it merges."""
    sources = mapping["<<"] if isinstance(mapping["<<"], list) else [mapping["<<"]]
    if not all(isinstance(source, dict) for source in sources):
        return mapping
    own = {key: value for key, value in mapping.items() if key != "<<"}
    merged: dict[Any, Any] = {}
    for source in reversed(sources):
        merged.update(source)
    return Located({**merged, **own}, mapping.line)


_HANDLERS: dict[type, Callable[[_Builder, Any], None]] = {
    yaml.DocumentStartEvent: _Builder.document,
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
    yaml.MappingStartEvent: _Builder.start,
    yaml.MappingEndEvent: _Builder.end,
    yaml.SequenceStartEvent: _Builder.start,
    yaml.SequenceEndEvent: _Builder.end,
}
