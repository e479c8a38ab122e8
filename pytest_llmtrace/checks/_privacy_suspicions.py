"""A first look at all that carries texts out: which of it may hold what is looked for, and needs a closer one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from pytest_llmtrace.canaries import Glance, Search
from pytest_llmtrace.checks._privacy_texts import Carrier

__all__ = ["Suspicion", "suspicions"]


class Suspicion(NamedTuple):
    """Of what a carrier may hold something; what it is not suspected of it holds for certain none of."""

    secrets: bool
    contents: bool


_NONE = Suspicion(secrets=False, contents=False)
_LARGEST = 65_536
"""Characters that are looked at together: a copy of them is made."""


def suspicions(carriers: Sequence[Carrier], secrets: Search, contents: Search) -> Iterator[Suspicion]:
    """Look at the texts of all carriers, and at their keys where each comes first.

    Nearly always there is nothing to be found, so that many carriers are looked at as if they were one.
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
    """What is looked at of a carrier: its texts, and those of its keys that were not looked at yet."""

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
    """Look at keys, which most traces of a process have in common."""
    return _kept(keys) if len(keys) <= _MOST else Glance(keys)


_MOST = 128
"""Keys that are looked at once for all who have the same; OpenTelemetry's own limit of attributes."""
_kept = lru_cache(maxsize=256)(Glance)


def _batches(looks: Sequence[_Look]) -> Iterator[Sequence[_Look]]:
    """Yield as many as are not too much to be looked at together, and at least one."""
    start = size = 0
    for index, look in enumerate(looks):
        more = sum(map(len, look.texts))
        if size and size + more > _LARGEST:
            yield looks[start:index]
            start, size = index, 0
        size += more
    if start < len(looks):
        yield looks[start:]
