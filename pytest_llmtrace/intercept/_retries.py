"""The sleep of an SDK between two attempts takes time as replies do: none, virtual, or real."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from pytest_llmtrace import clock
from pytest_llmtrace.intercept._ledger import current
from pytest_llmtrace.intercept._sdk_internals import SLEEPS

__all__ = ["calm"]


def calm(module: ModuleType) -> None:
    """Let a module of an SDK sleep by us, in threads and in tasks."""
    for name in SLEEPS:
        library = getattr(module, name, None)  # None while it is still being imported; patched when that is done.
        if isinstance(library, ModuleType):
            setattr(module, name, _StandIn(library, _sleep if name == "time" else _sleep_async))


class _StandIn:
    """A library whose `sleep` is ours; everything else is its own, also for whoever changes it.

    A `sleep` that the test has put there is the one that is called.
    """

    __slots__ = ("_library", "_original", "_sleep")

    def __init__(self, library: ModuleType, sleep: Any) -> None:
        for name, value in (("_library", library), ("_original", None), ("_sleep", sleep)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name)
        if name != "sleep" or not _is_plain(found):
            return found
        object.__setattr__(self, "_original", found)
        return self._sleep

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._library, name, self._original if value is self._sleep else value)

    def __delattr__(self, name: str) -> None:
        delattr(self._library, name)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # Where mocks look for what they replace.
        place: dict[str, Any] = vars(self._library)
        return place


def _is_plain(sleep: Any) -> bool:
    """Tell whether it is the library's own: `time` is built in, and what a function sees tells whose it is."""
    if type(sleep) is FunctionType:
        return str(sleep.__globals__.get("__name__")).startswith("anyio.")
    return type(sleep) is BuiltinFunctionType and sleep.__module__ == "time"


def _sleep(seconds: float) -> None:
    pace = _pace()
    pace.begin()
    try:
        pace.wait(clock.now() + seconds)
    finally:
        pace.leave()


async def _sleep_async(seconds: float) -> None:
    pace = _pace()
    pace.begin()
    try:
        await pace.wait_async(clock.now() + seconds)
    finally:
        pace.leave()


def _pace() -> clock.Pace:
    """Return how the running code waits: for real where nobody replays."""
    ledger = current()
    return clock.pace("real") if ledger is None or ledger.live else ledger.pace
