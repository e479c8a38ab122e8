"""Runs a foreign server for the length of a block, on a port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE = 180
_LEFT_OUT = ("LLMTRACE_", "OPENAI_", "ANTHROPIC_", "LITELLM_", "MLFLOW_", "OTEL_", "PHOENIX_", "PYTHON", "PYTEST_")


def environ(**more: str) -> dict[str, str]:
    """Return an environment in which only the given variables configure a server."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}, **more}


@contextmanager
def running(command: list[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the length of a block."""
    process: subprocess.Popen[bytes] = subprocess.Popen(command, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    try:
        with process:
            try:
                yield process
            finally:
                process.terminate()
                process.wait(20)
    finally:
        process.kill()


def free_port() -> int:
    """Return a port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait(name: str, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, which takes about half a minute."""
    for _ in range(PATIENCE):
        try:
            with urllib.request.urlopen(url, timeout=10):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError):
            if has_ended(process, within=1):
                break
    pytest.fail(f"{name} did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def has_ended(process: subprocess.Popen[bytes], *, within: float) -> bool:
    """Wait up to `within` seconds for a process to end, and tell whether it has."""
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True
