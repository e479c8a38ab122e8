"""A first look at all that carries texts out: which of it may hold what is looked for, and needs a closer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        seen = Glance(carrier.strings(known_keys))
        shaped = may_hold_shape(seen.text, seen.words)
        yield Suspicion(secrets=shaped or secrets.may_be_in(seen), contents=contents.may_be_in(seen))
