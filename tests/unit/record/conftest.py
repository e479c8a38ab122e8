"""Fixtures shared by the record tests: exchanges as the port notes them, and a recorder for a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.model import Ambient, Exchange, Outcome, Request, Response, StreamEnd
from pytest_llmtrace.record import Recorder
from pytest_llmtrace.replay import read_config

URL = "https://api.openai.com/v1/chat/completions"
JSON = (("content-type", "application/json"),)


def exchange(
    body: bytes = b'{"model":"m"}',
    *chunks: bytes,
    url: str = URL,
    headers: Any = JSON,
    answer: Any = JSON,
    index: int = 0,
    **changes: Any,
) -> Exchange:
    """Make an exchange that went to the network and was read to its end."""
    offsets = tuple(float(number + 1) for number in range(len(chunks)))
    fields: dict[str, Any] = {
        "index": index,
        "request": Request(method="POST", url=url, headers=headers, body=body),
        "response": Response(status=200, headers=answer, chunks=chunks, offsets=offsets, reason="OK"),
        "outcome": Outcome.OBSERVED,
        "origin": "the network (recording)",
        "ambient": Ambient(),
        "started": 1,
        "stream_end": StreamEnd.EXHAUSTED,
        "live": True,
    }
    return Exchange(**{**fields, **changes})


@pytest.fixture
def made() -> Callable[..., Exchange]:
    return exchange


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[..., Recorder]:
    """Return a function that makes a recorder for `chat.yaml` in the test's folder."""

    def recorder(mode: Any = "all", name: str = "chat.yaml", **config: Any) -> Recorder:
        return Recorder(tmp_path / name, mode=mode, settings=read_config(config), config=config)

    return recorder
