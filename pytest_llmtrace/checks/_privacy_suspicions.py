"""A first look at all that carries texts out: which of it may hold what is looked for, and needs a closer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pytest_llmtrace.canaries import Glance, Search
from pytest_llmtrace.checks._privacy_texts import Carrier
from pytest_llmtrace.secrets.shapes import may_hold_shape

__all__ = ["Suspicion", "suspicions"]


class Suspicion(NamedTuple):
    """Of what a carrier may hold something; what it is not suspected of it holds for certain none of."""

    secrets: bool
    contents: bool


def suspicions(carriers: Iterable[Carrier], secrets: Search, contents: Search) -> Iterator[Suspicion]:
    """Look once at the texts of each carrier, for all searches; a key is looked at where it comes first."""
    known_keys: set[str] = set()
    for carrier in carriers:
        secret = content = False
        for seen in _looks(carrier, known_keys):
            secret = secret or may_hold_shape(seen.text, seen.runs) or secrets.may_be_in(seen)
            content = content or contents.may_be_in(seen)
        yield Suspicion(secret, content)


def _looks(carrier: Carrier, known_keys: set[str]) -> list[Glance]:
    """Look at the texts of a carrier, and at those of its keys that are not known yet."""
    texts, keys = carrier.strings(), carrier.keys(known_keys)
    looks = [_shared(tuple(texts)) if carrier.is_resource else Glance(texts)]
    if keys:
        looks.append(_shared(keys))
    return looks


def _shared(texts: tuple[str, ...]) -> Glance:
    """Look at what the traces of a process have in common, mostly: resources, and keys."""
    return _kept(texts) if len(texts) <= _MOST else Glance(texts)


_MOST = 128
"""Texts that are looked at once for all who have the same; OpenTelemetry's own limit of attributes."""
_kept = lru_cache(maxsize=256)(Glance)
