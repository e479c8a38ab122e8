"""What a text says when it is taken for JSON, for a part of a URL or for base64: a value may travel in any of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from pytest_llmtrace.secrets.json_text import Unescaped

__all__ = ["BASE64", "from_base64", "in_base64", "is_escaped", "layers"]

_DEEPEST = 4
"""JSON in JSON in JSON, and base64 in that."""

BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_BOTH_CASES = re.compile(r"[^a-z]*[a-z][^A-Z]*[A-Z]|[^A-Z]*[A-Z][^a-z]*[a-z]")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")
_STANDARD = str.maketrans("-_", "+/")


def is_escaped(text: str) -> bool:
    """Tell cheaply whether a text may have escapes of JSON or of a URL."""
    return "\\" in text or "%" in text or "+" in text


def layers(text: str, deepest: int = _DEEPEST) -> Iterator[str]:
    """Yield a text, and what it says without an encoding that it may have, over and over."""
    yield text
    if deepest:
        for inner in _decoded(text):
            yield from layers(inner, deepest - 1)


def _decoded(text: str) -> Iterator[str]:
    if "\\" in text and (plain := Unescaped(text).value) != text:
        yield plain
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if "+" in text and " " not in text and "=" in text.rstrip("="):  # A space, in a query and in a form.
        yield unquote_plus(text)
    runs = in_base64(text)
    if runs:
        yield "\n".join(runs)


def in_base64(text: str) -> tuple[str, ...]:
    """Return what stands in the runs of base64 of a text."""
    return _in_runs(text) if len(text) > _REPEATED else _in_runs_kept(text)


def _in_runs(text: str) -> tuple[str, ...]:
    return tuple(said for run in BASE64.findall(text) for said in from_base64(run))


_REPEATED = 2_000
"""Characters. Shorter texts are kept with what is known of them: most stand on the next span again."""
_in_runs_kept = lru_cache(maxsize=2_048)(_in_runs)


def from_base64(run: str) -> Iterator[str]:
    """Yield the texts in a run of base64, wherever in it the encoding begins; words and hexadecimal digits are none."""
    if not _BOTH_CASES.match(run):
        return
    standard = run.translate(_STANDARD)
    for start in range(4):
        part = standard[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        content = base64.b64decode(part + "=" * (-len(part) % 4))
        try:
            yield content.decode("utf-8")
        except UnicodeDecodeError:  # An image, or a text with something before or after it.
            yield from (text.decode("ascii") for text in _PRINTABLE.findall(content))
