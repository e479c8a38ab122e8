"""Refuse what belongs to no trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pytest_llmtrace import capture, intercept, ownership, replay

__all__ = ["refusing"]

_NOBODY = "nothing   only a marker of their class or module answers wider fixtures, while they are set up"


@contextmanager
def refusing(label: str, *, allow_hosts: Sequence[str] = ()) -> Iterator[None]:
    """Refuse every request that belongs to no trace, for the length of a block.

    Args:
        label: Whose requests these are, in words.
        allow_hosts: Hosts that may be reached.
    """
    owner = ownership.Owner(label, stands_in=True)
    silence = replay.Silence(_NOBODY)
    ledger = intercept.open_ledger(owner, answerer=silence, ambient=capture.ambient, allow_hosts=allow_hosts)
    try:
        with ownership.active(owner):
            yield
    finally:
        ledger.close()
