"""Spans reach a back end by gRPC from whole runs of pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.cli import main
from tests.grpc_receiver import GrpcReceiver
from tests.plugin.exporting import BROKEN, SUITE, WAYS, made, said
from tests.receiver import TOKEN

EXPORT = ["--llmtrace-export=otlp", "--llmtrace-export=file=spans.jsonl"]


@pytest.fixture
def server() -> Iterator[GrpcReceiver]:
    server = GrpcReceiver()
    yield server
    server.close()


@WAYS
def test_all_spans_arrive_once(
    run: Callable[..., Any], server: GrpcReceiver, tmp_path: Path, plugins: list[str], options: list[str]
) -> None:
    """The controller sends all in one push, despite the blocked sockets, frozen clock and mocks that tests left."""
    done = run(BROKEN, plugins=plugins, options=[*EXPORT, *options], **server.environ)
    assert done.code == 1, done.out
    assert said(done, server.url, tmp_path) == [
        "  exported     to DIR/spans.jsonl",
        "  exported     12 spans to OTLP by gRPC at URL",
    ]
    assert server.counts() == made(tmp_path)
    assert server.requests == [12]


def test_a_back_end_that_is_down(
    run: Callable[..., Any],
    server: GrpcReceiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The run's outcome stays the same, the spans are kept, `push` sends them, and the token is written nowhere."""
    down = GrpcReceiver()
    down.close()
    done = run(SUITE, options=EXPORT, **down.environ)
    assert done.code == 1, done.out
    line = said(done, down.url, tmp_path)[1]
    assert line.startswith("  not sent     12 spans to OTLP by gRPC at URL: it cannot be reached: ")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN.split()[1].encode() not in written + done.out.encode()
    monkeypatch.chdir(tmp_path)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["push"]) == 0
    assert capsys.readouterr().out == f"sent 12 spans to OTLP by gRPC at {server.url}\n"
    assert server.counts() == made(tmp_path)
