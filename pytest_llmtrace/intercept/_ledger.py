"""The record of who made which requests: a ledger for each owner."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from pytest_llmtrace import clock, ownership
from pytest_llmtrace.errors import BlockedConnection, UnmatchedRequest
from pytest_llmtrace.intercept import _refusal
from pytest_llmtrace.intercept._children import Children
from pytest_llmtrace.intercept._hosts import Hosts
from pytest_llmtrace.intercept._passage import Passage
from pytest_llmtrace.model import Ambient, Answer, Answerer, Exchange, Request

__all__ = ["Ledger", "add", "current", "nobody", "note_fork", "watching"]

_lock = threading.Lock()
_open: tuple[Ledger, ...] = ()
_of_owner: weakref.WeakKeyDictionary[ownership.Owner, Ledger] = weakref.WeakKeyDictionary()


def nobody() -> None:
    """Return None: nothing records."""


class Ledger:
    """The requests of one owner, and what answers them.

    Once closed, it answers nothing more but still notes late requests. It holds no reference to its owner.
    """

    def __init__(
        self,
        label: str,
        *,
        answerer: Answerer,
        ambient: Callable[[], Ambient],
        allow_hosts: Iterable[str],
        recorder: Callable[[], object | None],
        timing: clock.Timing,
        of_block: bool = False,
    ) -> None:
        self.label = label
        self.timing = timing
        self.pace = clock.pace(timing)
        self.children = Children()
        self.hosts = Hosts(allow_hosts)
        self._never_recorded = Hosts(allow_hosts)
        self._of_block = of_block
        self._recorder = recorder
        self._answerer: Answerer | None = answerer
        self._ambient = ambient
        self._lock = threading.Lock()
        self._passages: list[Passage] = []
        self._blocked: dict[str, None] = {}
        self._unrecorded: list[frozenset[str]] = []

    def exchanges(self, *, since: int = 0) -> tuple[Exchange, ...]:
        """Return the exchanges so far (from an index on), in the order in which their requests passed."""
        with self._lock:
            passages = tuple(self._passages[since:])
        return tuple(passage.snapshot() for passage in passages)

    def blocked(self) -> tuple[str, ...]:
        """Return the connections that were refused: `host:port (calling package)`, each once.

        Connections on behalf of a request that became an exchange are not among them.
        """
        with self._lock:
            return tuple(self._blocked)

    def unrecorded(self) -> tuple[str, ...]:
        """Return the hosts that clients could reach because a recorder is on, though it does not see those clients."""
        with self._lock:
            return tuple(" or ".join(sorted(names)) for names in self._unrecorded)

    def close(self) -> None:
        """Answer nothing more. A request that passes from here on is refused while any other ledger is open."""
        global _open  # noqa: PLW0603
        with _lock:
            _open = tuple(ledger for ledger in _open if ledger is not self)
        self._recorder = nobody
        self._answerer = None
        self._ambient = Ambient

    def begin(self, request: Request, *, library: str, source: object = None, patience: float | None = None) -> Passage:
        """Note a request that is about to be sent, and return its passage."""
        ambient, recorder = self._ambient(), self._recorder()
        with self._lock:
            passage = Passage(
                ledger=self,
                index=len(self._passages),
                request=request,
                ambient=ambient,
                recorder=recorder,
                library=library,
                source=source,
                patience=patience,
            )
            self._passages.append(passage)
        return passage

    def answer(self, request: Request) -> Answer | None:
        """Return the answer to a request; None if nothing answers it."""
        return self._answerer.answer(request) if self._answerer is not None else None

    @property
    def is_open(self) -> bool:
        """Whether the ledger still answers."""
        return self._answerer is not None

    @property
    def live(self) -> bool:
        """Whether the requests of the running code go to the network, to be recorded."""
        return self._recorder() is not None

    def never_records(self, request: Request) -> bool:
        """Tell whether a request goes to a host of `allow_hosts`, which may be reached without recording."""
        url = urlsplit(request.url)
        return self._never_recorded.allow(url.hostname or "", url.port)

    def refusal(self, passage: Passage, why: str = "") -> UnmatchedRequest:
        """Return the error for a request that nothing answered; the answerers say why, unless it is given."""
        why = why or self._why_not(passage.request)
        return _refusal.unmatched(
            passage.request,
            why=why,
            label=self.label,
            library=passage.library,
            of_block=self._of_block,
            is_late=not self.is_open,
        )

    def _why_not(self, request: Request) -> str:
        return "it came after the end of its test" if self._answerer is None else self._answerer.explain(request)

    def block(self, host: str, port: int | None, *, noted: bool = True) -> BlockedConnection:
        """Return the error for a connection that is refused, and note the connection unless an exchange reports it."""
        error, note = _refusal.blocked(host, port, label=self.label)
        if noted:
            self.note(note)
        return error

    def note(self, blocked: str) -> None:
        """Note a connection that was refused."""
        with self._lock:
            self._blocked[blocked] = None

    def note_unrecorded(self, names: frozenset[str]) -> None:
        """Note a host that a client reached unrecorded, by all names that it may have; once for any of the names."""
        with self._lock:
            if all(names.isdisjoint(known) for known in self._unrecorded):
                self._unrecorded.append(names)


def add(owner: ownership.Owner, ledger: Ledger) -> None:
    """Open a ledger as the ledger of an owner."""
    global _open  # noqa: PLW0603
    with _lock:
        _of_owner[owner] = ledger
        _open = (*_open, ledger)


def watching() -> bool:
    """Tell whether any ledger is open: every patch asks this before anything else."""
    return bool(_open)


def current() -> Ledger | None:
    """Return the ledger that the running code's requests belong to; None if they pass untouched."""
    opened = _open
    if not opened:
        return None
    owner = ownership.current()
    ledger = _of_owner.get(owner) if owner is not None else None
    return ledger or opened[-1]


def note_fork() -> None:
    """Note in the current ledger that the running code has forked."""
    ledger = current()
    if ledger is not None:
        ledger.children.has_forked = True
        ledger.children.are_unrecorded |= ledger.live
