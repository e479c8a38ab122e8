"""The peak of memory while a large cassette is loaded and played."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import _material as material
from benchmarks._measure import Plan, Result, Row, interleaved, multiples, remote
from benchmarks.load import COLD, WARM, Loader

AT_MOST = 2.0
SMALL = 10

WHAT = """\
Measured: the highest resident memory of a fresh process while it loads a cassette of {size:,} interactions \
({megabytes:.1f} MB in vcrpy's form), less what it held before, in multiples of the file's size. Before that, the \
process has done the same with a cassette of {small} interactions.

- **load**: until the first request is answered.
- **load and play**: all interactions are played, one after the other, in one `with LLMTrace(...)`, which keeps an \
exchange of each. The HTTP client sends them, with the headers and bodies of the SDK, to save the time of the SDK.

Cold is without a cache, warm is from it. Target: at most {at_most:.2f} times the file's size. Medians of {rounds} \
interleaved processes.
"""
WHY = """\
A file is read bit by bit. What stays in memory is the recordings with their index, and an exchange of each call that \
was played.
"""


class Process:
    """A process that measures its own memory."""

    def __init__(self, subject: str, folder: Path) -> None:
        self.loader = Loader(subject, folder)
        self.cache = folder / "cache" if subject == WARM else None
        self.before = 0

    def load(self, small: Path, large: Path) -> float:
        """Load a cassette; return how far the peak of memory was above the memory before, in bytes."""
        self.loader.prepare(small)
        return self._above(small, large, self.loader.read)

    def play(self, small: Path, large: Path) -> float:
        """Load a cassette and play all of it; return the same measure."""
        return self._above(small, large, self._played)

    def close(self) -> None:
        """Do nothing."""

    def _above(self, small: Path, large: Path, act: Callable[[Path], Any]) -> float:
        act(small)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # Resets the peak to the memory that is held now.
        before = _peak()
        kept = act(large)
        peak = _peak()
        del kept
        return peak - before

    def _played(self, path: Path) -> None:
        from pytest_llmtrace import LLMTrace
        from pytest_llmtrace.model import Settings

        settings = Settings(cassette=str(path), cassette_dirs=(path.parent,), cache_dir=self.cache, verify=False)
        size, sent = int(path.stem.partition("-")[0]), material.sent(stream=False)
        with LLMTrace(settings=settings), material.LIBRARY.Client() as client:
            for number in range(size):
                body = material.numbered(sent.content.decode(), number)
                reply = client.post(sent.url, headers=sent.headers, content=body)
                assert f"Reply{number:05}" in reply.text


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this system does not tell the peak of memory")


def _measured(folder: Path, subject: str, method: str, small: Path, large: Path, unit: int) -> float:
    with remote(Process, subject, folder) as ask:
        taken: float = ask(method, small, large)
    return taken / unit


def measure(plan: Plan, folder: Path) -> Result:
    """Measure loading, and loading and playing."""
    small = material.cassette(folder, SMALL, stream=False)
    large = material.cassette(folder, plan.memory_size, stream=False)
    size = large.stat().st_size
    for path in (small, large):
        Loader(WARM, folder).prepare(path)
    ways = [("load", COLD), ("load", WARM), ("play", COLD), ("play", WARM)]
    cells = {
        (method, subject): functools.partial(_measured, folder, subject, method, small, large, size)
        for method, subject in ways
    }
    measured = interleaved(cells, plan.rounds)
    rows: list[Row] = []
    for (method, subject), values in measured.items():
        targets = {COLD: AT_MOST, WARM: AT_MOST}
        rows += multiples("load" if method == "load" else "load and play", {subject: values}, targets)
    megabytes = size / 1e6
    what = WHAT.format(size=plan.memory_size, megabytes=megabytes, small=SMALL, at_most=AT_MOST, rounds=plan.rounds)
    return Result(name="memory", title="Memory", what=what, rows=tuple(rows), why=WHY)
