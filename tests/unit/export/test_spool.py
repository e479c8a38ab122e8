"""Spans on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.export import Spool
from pytest_llmtrace.export._spool import Batch, key_of
from pytest_llmtrace.export._spool import spans_of as flat

SpansOf = Callable[..., list[dict[str, Any]]]


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.path.iterdir() if path.name != ".gitignore")


def claimed(spool: Spool, run: str = "", most: int = 100) -> list[Batch]:
    return list(spool.claim(run, most_spans=most, most_bytes=10**6))


def test_a_test_is_a_file(spool: Spool, spans_of: SpansOf) -> None:
    """Each test has a file that is an OTLP request; its name says the run, the order and the number of spans."""
    spool.put("run-1", spans_of(0, 1))
    spool.put("run-1", spans_of(2))
    assert names(spool) == ["run-1-000000.2.json", "run-1-000001.1.json"]
    assert json.loads((spool.path / names(spool)[1]).read_bytes()) == {"resourceSpans": spans_of(2)}
    assert (spool.path / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert (spool.waiting("run-1"), spool.waiting("run-2"), spool.in_doubt()) == (3, 0, 0)


def test_half_a_file_does_not_count(spool: Spool, spans_of: SpansOf) -> None:
    """What was not written to its end is not sent, and is gone when nobody can be writing it any more."""
    spool.put("run", spans_of(0))
    half = spool.path / "run-000001.1.json"
    half.write_bytes((spool.path / "run-000000.1.json").read_bytes()[:-1])
    assert [batch.spans for batch in claimed(spool)] == [1]
    assert half.exists()
    os.utime(half, (0, 0))
    assert claimed(spool) == []
    assert not half.exists()


def test_batches_are_joined_and_bounded(spool: Spool, spans_of: SpansOf) -> None:
    """A request has the spans of several tests, up to a number; a test is not parted."""
    for number in range(3):
        spool.put("run", spans_of(2 * number, 2 * number + 1))
    batches = claimed(spool, most=4)
    assert [batch.spans for batch in batches] == [4, 2]
    spans = list(flat(json.loads(batches[0].body())["resourceSpans"]))
    assert [int(span["spanId"], 16) for span in spans] == [100, 101, 102, 103]


def test_whoever_is_first_has_it(spool: Spool, spans_of: SpansOf) -> None:
    """What one process has claimed, no other can claim; what it puts back, it can."""
    spool.put("run", spans_of(0))
    [batch] = claimed(spool)
    assert (claimed(spool), list(spool.doubtful()), spool.in_doubt()) == ([], [], 1)
    batch.release()
    [batch] = claimed(spool)
    batch.remove()
    assert names(spool) == []


def test_what_is_taken_while_a_claim_goes_on(spool: Spool, spans_of: SpansOf) -> None:
    """Two processes that claim at the same time share the files out."""
    for number in range(4):
        spool.put("run", spans_of(number))
    first = spool.claim("", most_spans=1, most_bytes=10**6)
    next(first)
    others = claimed(spool)
    assert [batch.spans for batch in others] == [3]
    assert list(first) == []


def test_doubt(spool: Spool, spans_of: SpansOf) -> None:
    """What was put aside may have arrived; what was left under way long ago, too; what is under way now is not."""
    for number in range(3):
        spool.put("run", spans_of(number))
    first, second, third = claimed(spool, most=1)
    first.doubt()
    os.utime(second.files[0].path, (0, 0))
    assert [kept.path.name for kept in spool.doubtful()] == ["run-000000.1.json.doubt", "run-000001.1.json.sending"]
    assert spool.in_doubt() == 3
    assert third.files[0].path.exists()
    spool.abandon("run")
    assert [kept.path.name for kept in spool.doubtful()] == [f"run-00000{n}.1.json.doubt" for n in range(3)]


@pytest.mark.parametrize("gone", [(0,), (0, 2), (0, 1, 2)], ids=str)
def test_spans_are_taken_out(spool: Spool, spans_of: SpansOf, gone: tuple[int, ...]) -> None:
    """What was accepted of a test is taken out of its file, which is gone with the last span."""
    spool.put("run", spans_of(0, 1, 2))
    [batch] = claimed(spool)
    keys = {key_of(span) for span in flat(spans_of(*gone))}
    left = batch.files[0].without(keys)
    assert (left.spans if left else 0) == 3 - len(gone) == spool.in_doubt()
    if left:
        assert {int(span["spanId"], 16) - 100 for span in flat(left.read())} == {0, 1, 2} - set(gone)
