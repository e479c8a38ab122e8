"""Refuse what belongs to no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_llmtrace import capture, intercept, ownership, replay

__all__ = ["refusing"]


@contextmanager
def refusing(label: str) -> Iterator[None]:
    """Refuse every request that belongs to no trace, for the length of a block.

    Args:
        label: Whose requests these are, in words.
    """
    owner = ownership.Owner(label, stands_in=True)
    ledger = intercept.open_ledger(owner, answerer=replay.Silence(), ambient=capture.ambient)
    try:
        with ownership.active(owner):
            yield
    finally:
        ledger.close()
