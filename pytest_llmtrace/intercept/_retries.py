"""Make an SDK's sleep between two attempts take time as replies do: none, virtual, or real."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from pytest_llmtrace import clock
from pytest_llmtrace.intercept._ledger import current
from pytest_llmtrace.intercept._sdk_internals import SLEEPS

__all__ = ["calm"]


def calm(module: ModuleType) -> None:
    """Replace the sleep that a module of an SDK uses, in threads and in tasks, with ours."""
    for name in SLEEPS:
        library = getattr(module, name, None)  # None while the module is still being imported; patched after that.
        if isinstance(library, ModuleType):
            setattr(module, name, _StandIn(library, _sleep if name == "time" else _sleep_async))


class _StandIn:
    """A stand-in for a library: its `sleep` is ours, everything else is read from and written to the library.

    If the test has replaced the library's `sleep`, the test's is called.
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
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # Mocks look here for the function to replace.
        place: dict[str, Any] = vars(self._library)
        return place


def _is_plain(sleep: Any) -> bool:
    """Tell whether a `sleep` is the library's own: a builtin for `time`; for anyio, its globals name the module."""
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
    """Return the pace of the running code: real time where nothing is replayed."""
    ledger = current()
    return clock.pace("real") if ledger is None or ledger.live else ledger.pace
