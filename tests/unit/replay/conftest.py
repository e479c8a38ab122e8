"""Fixtures shared by the replay tests: files to read, requests to send, cassettes to play."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.model import Cassette, Recording, Request, Response

CHAT = "https://openrouter.ai/api/v1/chat/completions"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Return a function that writes a file below the test's directory and returns its path."""

    def write(content: str | bytes, name: str = "tape.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def post() -> Any:
    """Return a function that makes a request; a body that is not bytes is sent as JSON."""

    def post(body: object = b"", url: str = CHAT, method: str = "POST", headers: Any = ()) -> Request:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Request(method=method, url=url, headers=tuple(headers), body=content)

    return post


@pytest.fixture
def tape() -> Any:
    """Return a function that makes a cassette of requests; the replies are `reply 0`, `reply 1`, ..."""

    def tape(*requests: Request, **changes: object) -> Cassette:
        plain = Recording(index=0, request=Request(method="GET", url=CHAT), response=None)
        recordings = []
        for index, request in enumerate(requests):
            fields: dict[str, Any] = {"response": Response(status=200, chunks=(b"reply %d" % index,)), **changes}
            recordings.append(dataclasses.replace(plain, index=index, request=request, **fields))
        return Cassette(label="tape.yaml", recordings=tuple(recordings))

    return tape
