"""Spans in a file: a line for each test, each an OTLP request in its JSON form (OpenTelemetry's file format)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pytest_llmtrace.export._otlp import as_bytes

__all__ = ["Lines"]


class Lines:
    """A file of spans, written by one process or several.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self) -> None:
        """Begin it anew.

        Raises:
            OSError: It cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")

    def put(self, run: str, resources: list[dict[str, Any]]) -> None:  # noqa: ARG002  # As the spool's.
        """Add the spans of a test, in one go, so that lines of several processes are not mixed.

        Raises:
            OSError: It cannot be written.
        """
        line = as_bytes({"resourceSpans": resources}) + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            os.write(file, line)
        finally:
            os.close(file)
