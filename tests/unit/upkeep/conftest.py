"""Fixtures shared by the upkeep tests: files in a folder of their own, and the command line for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmtrace.cli import main

Write = Callable[..., Path]
Tool = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes a file; the current folder is the test's own."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str]) -> Tool:
    """Return a function that runs `pytest-llmtrace cassettes` and returns what it prints."""

    def tool(*arguments: str, status: int = 0) -> str:
        assert main(["cassettes", *arguments]) == status
        said = capsys.readouterr()
        return said.err if status == 2 else said.out

    return tool
