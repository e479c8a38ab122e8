"""Names that are nearly those of a convention: what somebody has misspelt, or has remembered nearly."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pytest_llmtrace import conventions, dialects
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._lexicon import lexicon
from pytest_llmtrace.conventions import Profile

__all__ = ["nearly", "or_rename"]

_LOOKED_UP = 8
"""How many known names that are like a name as a whole are compared with it word by word."""

_MOST = 128
"""How many attributes of a span are compared with a name; it is OpenTelemetry's own limit for a span."""

_WORDS = re.compile(r"[._]")
_BETWEEN = re.compile(r"[._-]")


def or_rename(
    next_step: str,
    there: Iterable[str],
    lacks: Iterable[Iterable[str]],
    *,
    own: Iterable[Profile] = (),
    holder: str = "the span",
) -> str:
    """Return what to do about attributes that are missing: to rename those that are there under nearly their names.

    This is asked only when something is missing, so it costs nothing where nothing is.

    Args:
        next_step: What to do about those that are not there under any name.
        there: The names of the attributes that are there.
        lacks: For each attribute that is missing the names that it may have.
        own: Registries of the user's own, whose names are not misspelt.
        holder: What has the attributes.
    """
    wanted = [frozenset(names) for names in lacks]
    left = [name for name in there if _may_be_misspelt(name, own)][:_MOST] if wanted else []
    found = {name: meant for names in wanted if (pair := _nearest(left, names)) for name, meant in [pair]}
    renaming = [f"{holder} has {name}: rename it {meant}" for name, meant in found.items()]
    return "; ".join([*renaming, *([next_step] if len(found) < len(wanted) else [])])


def _may_be_misspelt(name: str, own: Iterable[Profile]) -> bool:
    """Tell whether neither a convention nor a dialect knows a name: one that is known was meant as it stands."""
    known = (*own, *map(conventions.profile, conventions.PROFILES))
    return not dialects.other_names(name) and not any(lexicon(profile).knows(name) for profile in known)


def _nearest(there: Iterable[str], names: frozenset[str]) -> tuple[str, str] | None:
    """Return the first name that is there and is nearly one of some names, and the one that it is nearly."""
    for name in there:
        if near := nearly(name, sorted(names)):
            return name, near[0]
    return None


def nearly(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that a name is nearly: the same but for case and separators, or alike word by word."""
    known, bare = list(known), _bare(name)
    same = [one for one in known if _bare(one) == bare]
    return same or [
        one
        for one in difflib.get_close_matches(name, known, n=_LOOKED_UP, cutoff=0.85)
        if _has_words_of(one, name) and _has_words_of(name, one)
    ]


def _bare(name: str) -> str:
    return _BETWEEN.sub("", name).lower()


def _has_words_of(one: str, other: str) -> bool:
    """Tell whether each word of `other` is a word of `one`, or nearly so: `read` is not nearly `write`."""
    words = _WORDS.split(one)
    return all(difflib.get_close_matches(word, words, n=1, cutoff=0.7) for word in _WORDS.split(other))
