"""How a spool keeps spans on disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_llmtrace.export import Encoder, Lines, Spool
from pytest_llmtrace.export._spool import Batch, key_of, keys_of
from pytest_llmtrace.export._spool import spans_of as flat
from pytest_llmtrace.model import SpanRecord

RequestOf = Callable[..., bytes]


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.path.iterdir() if path.name != ".gitignore")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a file, and with it a request, to two spans."""
    monkeypatch.setattr("pytest_llmtrace.export._spool.MOST_SPANS", 2)


def numbers_of(batch: Batch) -> list[list[int]]:
    """Return the numbers of the spans, test by test."""
    return [[int(span["spanId"], 16) - 100 for span in flat(test)] for kept in batch.files for test in kept.tests()]


def test_a_test_is_a_line(spool: Spool, request_of: RequestOf) -> None:
    """Each process has a file, whose name contains the run; each test is a line in it, which is an OTLP request."""
    spool.put("run-1", request_of(0, 1))
    spool.put("run-1", request_of(2))
    spool.put("run-2", request_of(3))
    assert names(spool) == ["run-1-000000.json", "run-2-000001.json"]
    lines = (spool.path / names(spool)[0]).read_bytes().splitlines()
    assert lines == [request_of(0, 1), request_of(2)]
    assert (spool.path / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert (spool.waiting("run-1"), spool.waiting(), spool.in_doubt()) == (3, 4, 0)


def test_spans_are_counted_by_what_no_text_has(
    spool: Spool, request_of: RequestOf, make_span: Callable[..., SpanRecord]
) -> None:
    """Texts in a span that look like the JSON of a span are not counted as spans."""
    said = {'"startTimeUnixNano":': '"startTimeUnixNano":"1"', "startTimeUnixNano": '\\"startTimeUnixNano\\":'}
    span = make_span(attributes=said, name='"startTimeUnixNano":')
    spool.put("run", Encoder(said).request([span], {}))
    assert spool.waiting() == 1


@pytest.mark.usefixtures("small")
def test_a_file_is_no_larger_than_a_request(spool: Spool, request_of: RequestOf) -> None:
    """A file that is full is followed by another; the spans of one test are not split."""
    for numbers in ((0,), (1,), (2,), (3, 4, 5), (6,)):
        spool.put("run", request_of(*numbers))
    assert names(spool) == [f"run-{number:06d}.json" for number in range(4)]
    assert [numbers_of(batch) for batch in spool.claim()] == [[[0], [1]], [[2]], [[3, 4, 5]], [[6]]]


def test_half_a_line_does_not_count(spool: Spool, request_of: RequestOf) -> None:
    """A line that was not written to its end is not sent; it is removed once no process can still be writing it."""
    spool.put("run", request_of(0))
    whole = spool.path / "run-000000.json"
    half = spool.path / "run-000001.json"
    half.write_bytes(whole.read_bytes()[:-1])
    whole.write_bytes(whole.read_bytes() + half.read_bytes())
    assert spool.waiting() == 1
    [batch] = spool.claim()
    assert numbers_of(batch) == [[0]]
    assert half.exists()
    os.utime(half, (0, 0))
    assert list(spool.claim()) == []
    batch.remove()
    assert names(spool) == []


def test_a_disk_that_is_full_leaves_whole_lines(
    spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that cannot be written to its end is taken back, and the next one goes into another file."""
    spool.put("run", request_of(0))
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, line: write(file, line[:10]))
        with pytest.raises(OSError, match="No space left on device"):
            spool.put("run", request_of(1))
    spool.put("run", request_of(2))
    assert [[numbers_of(Batch((kept,))) for kept in batch.files] for batch in spool.claim()] == [[[[0]], [[2]]]]


def test_a_disk_that_is_full_keeps_no_empty_files(
    spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that could not be written leaves no empty file behind."""
    spool.put("run", request_of(0))
    monkeypatch.setattr(os, "write", lambda *_: 0)
    for test in range(2):
        with pytest.raises(OSError, match="No space left on device"):
            spool.put("run", request_of(test))
    assert names(spool) == ["run-000000.json"]


def test_a_disk_that_was_full_when_the_folder_was_made(
    spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git never sees the spans: `.gitignore` is written before they are, as soon as there is room."""
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: 0)
        with pytest.raises(OSError, match="No space left on device"):
            spool.put("run", request_of(0))
    assert list(spool.path.iterdir()) == []
    (spool.path / ".gitignore").touch()
    spool.put("run", request_of(1))
    assert (spool.path / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert spool.waiting() == 1


def test_a_file_that_may_not_grow(spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """If files have a limit (`RLIMIT_FSIZE`), a line that does not fit into one file goes into the next."""
    write, limit = os.write, len(request_of(0)) + 10
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[: limit - os.fstat(file).st_size]))
    for test in range(3):
        spool.put("run", request_of(test))
    assert [[numbers_of(Batch((kept,))) for kept in batch.files] for batch in spool.claim()] == [[[[0]], [[1]], [[2]]]]


def test_a_file_of_spans_has_no_half_line(
    tmp_path: Path, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, the file that `file=PATH` names keeps whole lines only, and the error is raised."""
    file = Lines(tmp_path / "spans.jsonl")
    file.start()
    file.put("run", request_of(0))
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, line: write(file, line[:10]))
        with pytest.raises(OSError, match="No space left on device"):
            file.put("run", request_of(1))
    file.put("run", request_of(2))
    assert file.path.read_bytes().splitlines() == [request_of(0), request_of(2)]


def test_what_is_written_while_it_is_sent(spool: Spool, request_of: RequestOf) -> None:
    """The spans of a test that ends while the file of its process is sent go into another file."""
    spool.put("run", request_of(0))
    [batch] = spool.claim()
    spool.put("run", request_of(1))
    batch.remove()
    assert [numbers_of(batch) for batch in spool.claim()] == [[[1]]]


def test_what_is_written_too_late(spool: Spool, request_of: RequestOf) -> None:
    """A line that is written after its file was claimed is not lost: it waits for the next request."""
    spool.put("run", request_of(0))
    [batch] = spool.claim()
    sent = batch.body()
    path = batch.files[0].path
    path.write_bytes(path.read_bytes() + request_of(1) + b"\n")
    assert batch.body() == sent
    batch.remove()
    assert [numbers_of(batch) for batch in spool.claim()] == [[[1]]]


def test_files_are_joined(spool: Spool, request_of: RequestOf) -> None:
    """One request has the spans that several processes have kept."""
    for number in range(3):
        spool.put(f"run-{number}", request_of(2 * number, 2 * number + 1))
    [batch] = spool.claim("run")
    assert batch.spans == 6
    spans = flat(json.loads(batch.body())["resourceSpans"])
    assert [int(span["spanId"], 16) for span in spans] == [100, 101, 102, 103, 104, 105]


def test_whoever_is_first_has_it(spool: Spool, request_of: RequestOf) -> None:
    """A file that one process has claimed cannot be claimed by another, until it is put back."""
    spool.put("run", request_of(0))
    [batch] = spool.claim()
    assert (list(spool.claim()), list(spool.doubtful()), spool.in_doubt()) == ([], [], 1)
    batch.release()
    [batch] = spool.claim()
    batch.remove()
    assert names(spool) == []


@pytest.mark.usefixtures("small")
def test_what_is_taken_while_a_claim_goes_on(spool: Spool, request_of: RequestOf) -> None:
    """Two processes that claim at the same time share the files between them."""
    for number in range(8):
        spool.put("run", request_of(number))
    first = spool.claim()
    next(first)
    assert [batch.spans for batch in spool.claim()] == [2, 2, 2]
    assert list(first) == []


@pytest.mark.usefixtures("small")
def test_doubt(spool: Spool, request_of: RequestOf) -> None:
    """Files that were put aside, or left under way long ago, are doubtful; a file that is under way now is not."""
    for number in range(3):
        spool.put("run", request_of(2 * number, 2 * number + 1))
    first, second, third = spool.claim()
    first.doubt()
    os.utime(second.files[0].path, (0, 0))
    assert [kept.path.name for kept in spool.doubtful()] == ["run-000000.json.doubt", "run-000001.json.sending"]
    assert spool.in_doubt() == 6
    assert third.files[0].path.exists()
    spool.abandon("run")
    assert [kept.path.name for kept in spool.doubtful()] == [f"run-00000{n}.json.doubt" for n in range(3)]


@pytest.mark.parametrize("gone", [(0,), (0, 2), (0, 1, 2)], ids=str)
def test_spans_are_taken_out(spool: Spool, request_of: RequestOf, gone: tuple[int, ...]) -> None:
    """Spans that were accepted are taken out of their own test, and not out of another with the same ids."""
    spool.put("run", request_of(0, 1, 2))
    spool.put("run", request_of(0, 1))
    [batch] = spool.claim()
    left = batch.files[0].without([(0, key_of(span)) for span in flat(json.loads(request_of(*gone))["resourceSpans"])])
    assert left is not None
    assert (left.spans, spool.in_doubt()) == (5 - len(gone), 5 - len(gone))
    assert numbers_of(Batch((left,))) == [[number for number in range(3) if number not in gone], [0, 1]]
    spans = flat(json.loads(Batch((left,)).body())["resourceSpans"])
    assert len(list(spans)) == 5 - len(gone)
    assert left.without(keys_of(left.tests())) is None
    assert names(spool) == []


def test_what_has_waited_does_not_look_left_behind(
    spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a file has waited, it does not count as left behind once somebody has claimed it."""
    seen: list[str] = []
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        seen.extend(kept.path.name for kept in spool.doubtful())
        return moved

    spool.put("run", request_of(0))
    os.utime(spool.path / "run-000000.json", (0, 0))
    monkeypatch.setattr(Path, "rename", renamed)
    assert [batch.spans for batch in spool.claim()] == [1]
    assert seen == []


def test_what_is_in_doubt_is_asked_for_by_one(spool: Spool, request_of: RequestOf) -> None:
    """Of two processes only one asks what became of a file; the other may ask if the first is long gone."""
    spool.put("run", request_of(0))
    [batch] = spool.claim()
    batch.doubt()
    [kept] = spool.claim_doubtful()
    assert (list(spool.claim_doubtful()), spool.in_doubt(), spool.waiting()) == ([], 1, 0)
    os.utime(kept.path, (0, 0))
    assert [again.path.name for again in spool.claim_doubtful()] == ["run-000000.json.asked"]


def test_a_clock_that_was_set_back(
    spool: Spool, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    """A file that was held by the old clock is held as long by the new one, since its process may still be at work."""
    spool.put("run", request_of(0))
    [batch] = spool.claim()
    batch.hold(100)
    clock[0] -= 3 * 3600
    stat = Path.stat

    def by_the_system(path: Path, **how: bool) -> object:
        """Return a file's status with the test's `st_ctime`, since the system's clock cannot be changed here."""
        found = stat(path, **how)
        return SimpleNamespace(st_mtime=found.st_mtime, st_mode=found.st_mode, st_size=found.st_size, st_ctime=made[0])

    made = [time.time()]
    monkeypatch.setattr(Path, "stat", by_the_system)
    assert list(spool.doubtful()) == []
    made[0] += clock[0]
    for later, found in ((159, []), (2, ["run-000000.json.sending"])):
        clock[0] += later
        assert [kept.path.name for kept in spool.doubtful()] == found
    assert (spool.in_doubt(), spool.waiting()) == (1, 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that can be set: how far it is ahead of the real one, in seconds."""
    ahead, real = [0.0], time.time
    monkeypatch.setattr("pytest_llmtrace.export._spool.time", SimpleNamespace(time=lambda: real() + ahead[0]))
    return ahead
