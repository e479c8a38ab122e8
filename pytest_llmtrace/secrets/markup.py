"""The elements and attributes of XML, with their names."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace._stdlib import re

__all__ = ["is_markup", "named_values"]

_START = re.compile(r"\ufeff?\s*+<[?!A-Za-z]")
_NAME = r"(?:[\w.-]++:)?([A-Za-z][\w.-]*+)"
_ELEMENT = re.compile(rf"<{_NAME}(?:\s[^<>]*+)?>\s*+(?:<!\[CDATA\[)?([^<>\s][^<>]*+)")
_ATTRIBUTE = re.compile(rf"\s{_NAME}\s*+=\s*+(?:\"([^\"<>]++)\"|'([^'<>]++)')")


def is_markup(text: str) -> bool:
    """Tell whether a text is XML, by its beginning."""
    return _START.match(text) is not None


def named_values(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the attributes and the elements without children: the name, and where the value starts and ends."""
    for found in _ATTRIBUTE.finditer(text):
        yield found[1], *found.span(found.lastindex or 0)
    for found in _ELEMENT.finditer(text):
        end = found.end(2) - len(found[2]) + len(found[2].removesuffix("]]").rstrip())
        yield found[1], found.start(2), end
