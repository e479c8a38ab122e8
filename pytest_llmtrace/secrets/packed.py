"""Find keys in the texts that travel in base64, such as files in a request and data URLs."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import NamedTuple

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.secrets.shapes import shapes_in

__all__ = ["Packed", "packed_keys"]


class Packed(NamedTuple):
    """A run of base64 with a key in it: where it stands, what the key looks like, and the key."""

    start: int
    end: int
    looks_like: str
    value: str


_RUN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_LETTERS = bytes(ord("x") if code in _RUN else ord(" ") for code in range(256))
# Found in a translated text, as in `words.runs_of`: a key of 18 characters has 24 in base64.
_LONG = b"x" * 24
_HEAD = 64
_LINES = frozenset({64, 76})
_LINE_END = re.compile(r"\r?\n")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\udc80-\udcff]")


def packed_keys(text: str) -> Iterator[Packed]:
    """Yield the runs of base64 in a text that hold a text with a key; images and other files are passed over."""
    letters = text.encode("ascii", "replace").translate(_LETTERS) + b" "
    start = letters.find(_LONG)
    while start >= 0:
        end = _end(letters, text, start)
        run = text[start:end].translate(_STANDARD)
        # Words and hexadecimal have letters in one case only.
        if run.upper() != run != run.lower() and _is_text(run[:_HEAD]):
            plain = _decoded(run)
            shape = next(shapes_in(plain), None)
            if shape is not None:
                padded = end + len(text[end : end + 2]) - len(text[end : end + 2].lstrip("="))
                yield Packed(start, padded, shape.looks_like, plain[shape.start : shape.end])
        start = letters.find(_LONG, end)


def _end(letters: bytes, text: str, start: int) -> int:
    """Return where a run ends, which goes on in the next line if its line has the length of one in MIME or PEM."""
    end = letters.find(b" ", start)
    while end - start in _LINES and (gap := _LINE_END.match(text, end)) and letters.startswith(b"x", gap.end()):
        start = gap.end()
        end = letters.find(b" ", start)
    return end


def _is_text(run: str) -> bool:
    """Tell whether the beginning of a run is text: a character may be cut at its end."""
    return not _CONTROLS.search(_decoded(run)[:-3])


def _decoded(run: str) -> str:
    whole = run[: len(run) - (len(run) % 4 == 1)]
    content = binascii.a2b_base64(f"{whole}==")  # Padding that is not needed is ignored.
    return content.decode("utf-8", "surrogateescape")


_STANDARD = str.maketrans("-_", "+/", "\r\n")
