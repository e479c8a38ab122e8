"""Lay out JSON for people, with every number and escape as it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, pairwise

from pytest_llmtrace._stdlib import json, re

__all__ = ["laid_out"]

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_INDENT = "  "
_OPENING = {"{": "}", "[": "]"}
_PORTION = 10_000


def laid_out(text: str) -> str:
    """Return a JSON document with one value per line; a text that is not a JSON object or array is returned as it is.

    Tokens are not converted to values and back: 1.0 stays 1.0, and an escaped character stays escaped.
    """
    if text.lstrip()[:1] not in _OPENING:
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    words = _lines(found[0] for found in _TOKEN.finditer(text))
    # Joined in portions: in memory, the tokens of a large document are many times its size.
    return "".join(iter(lambda: "".join(islice(words, _PORTION)), ""))


def _lines(tokens: Iterator[str]) -> Iterator[str]:
    depth = 0
    previous = ""
    for word, after in pairwise(chain(tokens, [""])):
        if word in {"}", "]"}:
            depth -= 1
            if previous not in _OPENING:
                yield _break(depth)
            yield word
        elif word in _OPENING:
            depth += 1
            yield word
            if after != _OPENING[word]:
                yield _break(depth)
        elif word == ",":
            yield "," + _break(depth)
        else:
            yield ": " if word == ":" else word
        previous = word


def _break(depth: int) -> str:
    return "\n" + _INDENT * depth
