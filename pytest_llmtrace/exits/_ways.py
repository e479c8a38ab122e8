"""The ways to leave a stream, as data: what goes wrong on the server's side, and what the consumer does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pytest_llmtrace.errors import UsageError

__all__ = ["ASYNC_WAYS", "WAYS", "Way", "way_of"]

_MOMENT: Final = 0.001  # seconds: long enough for a cancellation to arrive, too short for any timeout


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A way to leave a stream.

    Attributes:
        name: What the test's id shows.
        leave: What the consumer does.
        fault: The fault on the server's side; empty if there is none.
        options: The options of the fault.
        breaks: Whether the client may raise, and the application may turn its error into any other.
    """

    name: str
    leave: Literal["drain", "break", "close", "drop", "raise", "wrap", "cancel"] = "drain"
    fault: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    breaks: bool = False


_ALL: Final[Mapping[str, Way]] = {
    way.name: way
    for way in (
        Way(name="drained"),
        Way(name="break", leave="break"),
        Way(name="close", leave="close"),
        Way(name="dropped", leave="drop"),
        Way(name="consumer-raises", leave="raise"),
        Way(name="wrapper-closed", leave="wrap"),
        Way(name="cancelled", leave="cancel", fault="stall", options={"seconds": _MOMENT, "after": 0}),
        Way(name="read-timeout", fault="read-timeout", options={"after": 3}, breaks=True),
        Way(name="truncated", fault="truncate", breaks=True),
        Way(name="disconnected", fault="disconnect", breaks=True),
    )
}

ASYNC_WAYS: Final = tuple(_ALL)
"""The names of all ways, as an asynchronous stream may be left."""

WAYS: Final = tuple(name for name, way in _ALL.items() if way.leave != "cancel")
"""The names of the ways to leave a synchronous stream, which cannot be cancelled."""


def way_of(name: str) -> Way:
    """Return a way by its name.

    Raises:
        UsageError: If there is no such way.
    """
    if name not in _ALL:
        raise UsageError.unknown("way to leave a stream", name, _ALL)
    return _ALL[name]
