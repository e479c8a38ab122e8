"""What one trace has recorded, and into which cassettes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_llmtrace.canaries import Sought
from pytest_llmtrace.model import Exchange

if TYPE_CHECKING:
    from pytest_llmtrace.record import Written

__all__ = ["save"]


def save(exchanges: Sequence[Exchange], known: Iterable[Sought]) -> tuple[Written, ...]:
    """Write each cassette once, however many blocks have recorded into it.

    Args:
        exchanges: Those of a trace; each names its recorder.
        known: What is secret in it.

    Raises:
        CassetteError: One could not be written.
    """
    of: dict[Any, list[Exchange]] = {}
    for exchange in exchanges:
        if exchange.recorder is not None:
            of.setdefault(exchange.recorder, []).append(exchange)
    secrets = tuple(known)
    found = [recorder.save(recorded, secrets) for recorder, recorded in of.items()]
    return tuple(written for written in found if written is not None)
