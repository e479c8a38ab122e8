"""A first look at all carriers of texts: which of them may hold what is looked for, and need a closer look?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from pytest_llmtrace.canaries import Glance, Search
from pytest_llmtrace.checks._privacy_texts import Carrier

__all__ = ["Suspicion", "suspicions"]


class Suspicion(NamedTuple):
    """Whether a carrier may hold secrets, or content; if not suspected of it, a carrier certainly holds none."""

    secrets: bool
    contents: bool


_NONE = Suspicion(secrets=False, contents=False)
_LARGEST = 65_536
"""How many characters are looked at together at most, since they are copied for that."""


def suspicions(carriers: Sequence[Carrier], secrets: Search, contents: Search) -> Iterator[Suspicion]:
    """Yield one suspicion per carrier, by its texts, and by its keys where no earlier carrier had them.

    Nearly always there is nothing to be found, so many carriers are looked at as if they were one.
    """
    known_keys: set[str] = set()
    looks = [_Look(carrier.strings(), carrier.keys(known_keys)) for carrier in carriers]
    for batch in _batches(looks):
        suspicion = _suspicion(batch, secrets, contents)
        if suspicion is _NONE or len(batch) == 1:
            yield from [suspicion] * len(batch)
        else:
            yield from [_suspicion([look], secrets, contents) for look in batch]


class _Look(NamedTuple):
    """The parts of a carrier to look at: its texts, and those of its keys that no earlier carrier had."""

    texts: list[str]
    keys: tuple[str, ...]


def _suspicion(looks: Sequence[_Look], secrets: Search, contents: Search) -> Suspicion:
    secret = content = False
    texts = Glance([text for look in looks for text in look.texts])
    for seen in (texts, *[_glance(look.keys) for look in looks if look.keys]):
        secret = secret or seen.may_hold_shape or (len(secrets) > 0 and secrets.may_be_in(seen))
        content = content or (len(contents) > 0 and contents.may_be_in(seen))
    return Suspicion(secret, content) if secret or content else _NONE


def _glance(keys: tuple[str, ...]) -> Glance:
    """Return a glance at some keys; it is cached, since most traces of a process have the same keys."""
    return _kept(keys) if len(keys) <= _MOST else Glance(keys)


_MOST = 128
"""The glance at up to this many keys is cached; it is OpenTelemetry's own limit of attributes."""
_kept = lru_cache(maxsize=256)(Glance)


def _batches(looks: Sequence[_Look]) -> Iterator[Sequence[_Look]]:
    """Yield the looks in batches that are small enough to be taken together, of at least one look each."""
    start = size = 0
    for index, look in enumerate(looks):
        more = sum(map(len, look.texts))
        if size and size + more > _LARGEST:
            yield looks[start:index]
            start, size = index, 0
        size += more
    if start < len(looks):
        yield looks[start:]
