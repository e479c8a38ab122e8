"""What one trace records, and into which cassettes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from pytest_llmtrace._desk import Desk
from pytest_llmtrace.canaries import Sought
from pytest_llmtrace.model import Exchange

if TYPE_CHECKING:
    from pytest_llmtrace.intercept import Ledger
    from pytest_llmtrace.record import Recorder, Written

__all__ = ["MODES", "RecordMode", "Recordings"]

RecordMode = Literal["none", "once", "new", "all"]
MODES: Final[tuple[RecordMode, ...]] = get_args(RecordMode)


class _Take(NamedTuple):
    """The exchanges of a block, by their index."""

    recorder: Recorder
    indices: range


class Recordings:
    """The cassette that a trace records from its start, and those of blocks within it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._takes: list[_Take] = []
        self._open: dict[object, Recorder | None] = {}

    @contextmanager
    def block(self, ledger: Ledger, cassette: str, mode: RecordMode) -> Iterator[None]:
        """Let a cassette answer for the length of a block, or be recorded, as the mode says."""
        with self._desk.recording(cassette, mode) as recorder:
            first, block = len(ledger.exchanges()), object()
            self._open[block] = recorder
            self._let_live(ledger)
            try:
                yield
            finally:  # Also where the block fails: a test that expects that passes, and one that fails writes nothing.
                del self._open[block]
                self._let_live(ledger)
                if recorder is not None:
                    self._takes.append(_Take(recorder, range(first, len(ledger.exchanges()))))

    def _let_live(self, ledger: Ledger) -> None:
        """Let requests reach the network if the block that began last records, else if the trace does."""
        ledger.live = next(reversed(self._open.values()), self._desk.recorder) is not None

    def save(self, exchanges: Sequence[Exchange], known: Iterable[Sought]) -> tuple[Written, ...]:
        """Write each cassette once, however many blocks have recorded into it.

        Args:
            exchanges: Those of the trace.
            known: What is secret in it.

        Raises:
            CassetteError: One could not be written.
        """
        recorders: dict[int, Recorder] = {}
        for take in self._takes:  # Of nested blocks the inner one ends first, and keeps what is its own.
            for index in take.indices:
                recorders.setdefault(index, take.recorder)
        of: dict[Recorder, list[Exchange]] = {}
        for exchange in exchanges:
            recorder = recorders.get(exchange.index, self._desk.recorder)
            if recorder is not None:
                of.setdefault(recorder, []).append(exchange)
        secrets = tuple(known)
        found = [recorder.save(recorded, secrets) for recorder, recorded in of.items()]
        return tuple(written for written in found if written is not None)
