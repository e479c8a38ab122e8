"""Install the port, and open it for an owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_llmtrace import clock, ownership
from pytest_llmtrace.intercept import _guard, _httpx_tap, _pool_tap, _retries
from pytest_llmtrace.intercept._children import tell_of_forks
from pytest_llmtrace.intercept._ledger import Ledger, add, nobody, note_fork
from pytest_llmtrace.intercept._patching import Patches, Watch, repair
from pytest_llmtrace.intercept._sdk_internals import SLEEPING_MODULES, SLEEPS
from pytest_llmtrace.model import Ambient, Answerer

__all__ = ["ensure", "install", "open_ledger"]

_watch = Watch(
    {
        "socket": Patches("getaddrinfo", _guard.guard_sockets),
        "httpx": Patches("AsyncClient", _httpx_tap.tap),
        "httpx2": Patches("AsyncClient", _httpx_tap.tap),
        "httpcore": Patches("TrioBackend", _pool_tap.tap),
        "httpcore2": Patches("TrioBackend", _pool_tap.tap),
        "aiohttp": Patches("BaseConnector", _guard.guard_aiohttp),
        "gevent.socket": Patches("create_connection", _guard.guard_gevent),
        "uvloop": Patches("Loop", _guard.guard_uvloop),
        **dict.fromkeys(SLEEPING_MODULES, Patches(SLEEPS[-1], _retries.calm)),
    }
)


def install() -> None:
    """Patch the HTTP libraries, including those that are imported later, and the sockets. Never undone.

    While no ledger is open, everything passes untouched.
    """
    ownership.carry_over_threads()
    tell_of_forks(note_fork)
    ensure()


def ensure() -> None:
    """Patch the libraries imported since the last call, and patch again whatever has been replaced since."""
    _watch.apply()
    repair()


def open_ledger(
    owner: ownership.Owner,
    *,
    answerer: Answerer,
    ambient: Callable[[], Ambient],
    allow_hosts: Iterable[str] = (),
    recorder: Callable[[], object | None] = nobody,
    timing: clock.Timing = "instant",
    of_block: bool = False,
) -> Ledger:
    """Open the ledger of an owner: from here on its requests are observed, and refused if nothing answers them.

    Args:
        owner: The owner of the requests. Requests without an owner go to the active owner's ledger, else to the
            ledger opened last.
        answerer: Answers the requests; called from any thread.
        ambient: Returns the span and the context that are current when a request passes.
        allow_hosts: Hosts that may be reached: `host`, `host:port` or `*.suffix`.
        recorder: Returns what records a request that passes now; None if it may not go to the network to be recorded.
        timing: Whether answers take no time, the recorded time on the virtual clock, or the recorded time for real.
        of_block: Whether the owner is a `with LLMTrace()` block, whose refusals name no marker.

    Returns:
        The ledger, to be closed by the caller.
    """
    install()
    ledger = Ledger(
        owner.label,
        answerer=answerer,
        ambient=ambient,
        allow_hosts=allow_hosts,
        recorder=recorder,
        timing=timing,
        of_block=of_block,
    )
    add(owner, ledger)
    return ledger
