"""Loading a cassette until the first request can be answered, per interaction."""

from __future__ import annotations

import functools
import gc
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import _material as material
from benchmarks._measure import Plan, Result, Row, compared, interleaved, remote
from pytest_llmtrace import replay
from pytest_llmtrace.model import Request
from pytest_llmtrace.replay.cache import CassetteCache

COLD, COLD_WRITING, WARM = "pytest-llmtrace, cold", "pytest-llmtrace, cold, writes its cache", "pytest-llmtrace, warm"
VCRPY, CASSETTER, CASSETTER_VCR = "vcrpy", "cassetter, its own form", "cassetter, vcrpy's form"
AT_MOST = 1.0

WHAT = """\
Measured: the CPU time of reading one cassette until its first request is answered, divided by n, the number of its \
interactions. The process has loaded a cassette before. An interaction has {plain:.1f} kB in vcrpy's form, a streaming \
one {stream:.1f} kB.

- **vcrpy**: `Cassette.load` with libyaml, its default, and `play_response`.
- **cassetter**: `Cassette.load` and `play`.
- **pytest-llmtrace, cold**: without a cache.
- **pytest-llmtrace, cold, writes its cache**: as in the first run of a suite. A cassette of less than 8 KiB is \
written to the cache later, together with others: that is part of [the suite](#a-suite).
- **pytest-llmtrace, warm**: from the cache, in a process that does not know the file.

vcrpy and cassetter match method and URL, their default, which is less than pytest-llmtrace matches. A collection of \
the whole heap before each load leaves the processor's caches cold, as a test's own work does.

Targets: cold at most {at_most:.2f} times as long as vcrpy, warm at most {at_most:.2f} times as long as cassetter with \
its own form. Medians of {rounds} interleaved rounds.
"""
WHY = """\
A cassette of less than 8 KiB is a line in a cache file that all such cassettes share. What is done once for each file \
weighs most with one interaction: opening both files, computing the hash, making the player.
"""


class Loader:
    """Loads cassettes in one way."""

    def __init__(self, subject: str, folder: Path) -> None:
        self.subject = subject
        self.folder = folder
        self.ways: dict[str, Callable[[Path, Request], Any]] = {
            COLD: lambda path, first: _ours(path, first, None),
            COLD_WRITING: lambda path, first: _ours(path, first, self.cache),
            WARM: lambda path, first: _ours(path, first, self.cache),
            VCRPY: _vcrpy,
            CASSETTER: _cassetter,
            CASSETTER_VCR: _cassetter,
        }
        self.cache = folder / "cache"

    def prepare(self, path: Path) -> None:
        """Load a cassette once, for the imports and for the cache file that the warm way reads."""
        self.first = CassetteCache().load(path).recordings[0].request
        self.read(path)

    def read(self, path: Path) -> Any:
        """Load a cassette that begins with the prepared request, and answer that request."""
        return self.ways[self.subject](path, self.first)

    def load(self, path: Path) -> float:
        """Load a cassette; return the seconds that it took."""
        if self.subject == COLD_WRITING:
            self.cache = Path(tempfile.mkdtemp(dir=self.folder))
        if self.subject == CASSETTER:
            path = material.cassetter_form(path)
        gc.collect()
        start = time.process_time()
        loaded = self.read(path)
        took = time.process_time() - start
        del loaded
        return took

    def close(self) -> None:
        """Do nothing."""


def _ours(path: Path, first: Request, cache: Path | None) -> Any:
    loading = CassetteCache(cache)
    player = replay.Player(loading.load(path))
    assert player.answer(first)
    return loading, player  # Pending cache files are written once `loading` is released.


def _vcrpy(path: Path, first: Request) -> Any:
    from vcr.cassette import Cassette
    from vcr.persisters.filesystem import FilesystemPersister
    from vcr.request import Request as Asked
    from vcr.serializers import yamlserializer

    cassette = Cassette.load(path=str(path), serializer=yamlserializer, persister=FilesystemPersister)
    assert cassette.play_response(Asked(first.method, first.url, first.body, dict(first.headers)))
    return cassette


def _cassetter(path: Path, first: Request) -> Any:
    from cassetter import Cassette

    cassette = Cassette(path)
    cassette.load()
    assert cassette.play(first.method, first.url, {name: [value] for name, value in first.headers}, first.body)
    return cassette


def measure(plan: Plan, folder: Path) -> Result:
    """Measure all sizes."""
    subjects = (VCRPY, COLD, COLD_WRITING, CASSETTER, CASSETTER_VCR, WARM)
    cases = [(size, stream) for stream in (False, True) for size in plan.load_sizes]
    rows: list[Row] = []
    with ExitStack() as stack:
        loaders = {name: stack.enter_context(remote(Loader, name, folder)) for name in subjects}
        for size, stream in cases:
            path = material.cassette(folder, size, stream=stream)
            for ask in loaders.values():
                ask("prepare", path)
            cells = {name: functools.partial(ask, "load", path) for name, ask in loaders.items()}
            rows += _rows(size, interleaved(cells, plan.rounds), stream=stream)
    plain, streamed = (material.cassette(folder, 1, stream=kind).stat().st_size / 1e3 for kind in (False, True))
    what = WHAT.format(plain=plain, stream=streamed, at_most=AT_MOST, rounds=plan.rounds)
    return Result(name="load", title="Loading, per interaction", what=what, rows=tuple(rows), why=WHY)


def _rows(size: int, measured: dict[str, list[float]], *, stream: bool) -> list[Row]:
    """Compare the cold ways with vcrpy, the warm one with cassetter."""
    groups = (
        ("cold", VCRPY, {COLD: AT_MOST, COLD_WRITING: AT_MOST}),
        ("warm", CASSETTER, {WARM: AT_MOST}),
    )
    rows = []
    for what, floor, targets in groups:
        case = f"{what}, {'stream' if stream else 'plain'}, n = {size:,}"
        names = [floor, *targets, *([CASSETTER_VCR] if floor == CASSETTER else [])]
        chosen = {name: measured[name] for name in names}
        rows += compared(case, chosen, floor, targets, lambda seconds: f"{seconds / size * 1e6:,.0f} us")
    return rows
