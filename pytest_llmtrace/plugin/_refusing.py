"""Refuse requests that belong to no trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from pytest_llmtrace import capture, intercept, ownership, replay
from pytest_llmtrace.plugin._options import hidden_by

__all__ = ["refusing"]

_NOBODY = (
    "nothing   requests of wider fixtures are answered only while these are set up, and only if the class or "
    "module is marked"
)


@contextmanager
def refusing(item: pytest.Item, *, allow_hosts: Sequence[str] = ()) -> Iterator[None]:
    """Refuse every request that belongs to no trace, for the length of a block.

    Args:
        item: The test that runs.
        allow_hosts: Hosts that may be reached.
    """
    label, why = _of(item)
    owner = ownership.Owner(label, stands_in=True)
    silence = replay.Silence(why)
    ledger = intercept.open_ledger(owner, answerer=silence, ambient=capture.ambient, allow_hosts=allow_hosts)
    try:
        with ownership.active(owner):
            yield
    finally:
        ledger.close()


def _of(item: pytest.Item) -> tuple[str, str]:
    """Say whose requests these are, and why nothing answers them."""
    hidden = hidden_by(item)
    return (item.name, f"hidden    {hidden}") if hidden else (f"the wider fixtures of {item.name}", _NOBODY)
