"""Do two texts have the same white space? At the ends of a text, and between its pieces, white space says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.reading import Joined

__all__ = ["are_alike", "bare", "begins", "is_respaced", "pieces_of"]

_SPACE = re.compile(r"\s*")


def bare(text: str) -> str:
    """Return a text without its white space, the form in which texts are looked up."""
    return "".join(_as_read(text).split())


def pieces_of(text: str) -> Sequence[str]:
    """Return the pieces in which the wire has a text."""
    return text.pieces if isinstance(text, Joined) else (text,)


def are_alike(mine: str, pieces: Sequence[str]) -> bool:
    """Tell whether a text is made of some pieces, each with the white space inside it.

    Instrumentations strip texts, and join pieces with nothing, with blanks or with line ends. JSON may be written anew.
    """
    if _left_of(mine, pieces) == "":
        return True
    whole, value = "".join(pieces), _parsed(mine)
    return value is not None and bare(mine) == bare(whole) and value == _parsed(whole)


def is_respaced(mine: str, pieces: Sequence[str]) -> bool:
    """Tell whether a text has the words of some pieces, but not their white space."""
    return bare(mine) == bare("".join(pieces)) and not are_alike(mine, pieces)


def begins(pieces: Sequence[str], beginning: str) -> bool:
    """Tell whether a text that is not empty is the beginning of some pieces, joined.

    White space at the cut may have been trimmed. That of JSON is not compared, since it may be written anew.
    """
    if beginning[:1] in ("{", "["):
        return bare("".join(pieces)).startswith(bare(beginning))
    return bool(beginning) and _left_of(beginning, pieces) is not None


def _left_of(mine: str, pieces: Sequence[str]) -> str | None:
    """Return what some pieces, each with its white space, have behind a text; None if it is not their beginning."""
    text, at = _as_read(mine).rstrip(), 0
    for number, piece in enumerate(pieces):
        at = _behind_space(text, at)
        inner = _as_read(piece).strip()
        if not text.startswith(inner, at):
            is_begun = inner.startswith(text[at:])
            return "".join((inner[len(text) - at :], *pieces[number + 1 :])).strip() if is_begun else None
        at += len(inner)
    return "" if at >= len(text) else None


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _as_read(text: str) -> str:
    """Return a text as it is read from JSON, with line feeds alone as its line ends."""
    # A server that streams UTF-16 may cut a character in two (surrogates); writing and reading it as JSON joins them.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\r\n", "\n")


def _parsed(text: str) -> Any:
    """Parse an object or a list; None if a text is neither."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
