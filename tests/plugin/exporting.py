"""The suite that the tests of the export run, and functions that read the output of its run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

__all__ = ["BROKEN", "SUITE", "WAYS", "made", "said"]

WAYS = pytest.mark.parametrize(
    ("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"]
)
SUITE = """
import pytest
from child import span

@pytest.mark.parametrize("number", range(6))
def test_chat(llmtrace, number):
    with span("outer", llm=False), span("inner", llm=False):
        pass
    assert number != 5
"""

BROKEN = (
    SUITE
    + """
@pytest.fixture(scope="session", autouse=True)
def broken():
    yield
    import os, socket, sys, time
    def guard(*args, **kwargs):
        raise RuntimeError("no network here")
    socket.socket = socket.create_connection = socket.getaddrinfo = guard
    time.time = time.monotonic = lambda: 0.0
    sys.modules["grpc"] = None
    os.environ["http_proxy"] = "http://127.0.0.1:9"
"""
)
"""The suite, with a fixture that leaves mocks behind when the run is over."""


def made(folder: Path) -> Counter[str]:
    """Count the spans in the file of the run by their ids."""
    lines = (folder / "spans.jsonl").read_text(encoding="utf-8").splitlines()
    resources = [resource for line in lines for resource in json.loads(line)["resourceSpans"]]
    return Counter(span["spanId"] for each in resources for scope in each["scopeSpans"] for span in scope["spans"])


def said(done: Any, url: str, folder: Path) -> list[str]:
    """Return the summary's lines about the export, without the links."""
    section = done.out.partition("= llmtrace export =")[2].splitlines()[1:]
    found = [line for line in section if line.startswith("  ") and not line.startswith("  trace ")]
    return [line.replace(url, "URL").replace(str(folder), "DIR") for line in found]
