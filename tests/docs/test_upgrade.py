"""The diff on docs/conventions.md is what `pytest-llmtrace diff` prints for a real upgrade."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_llmtrace.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "conventions.md"
SHOWN = re.compile(r"(?<=^\$ pytest-llmtrace diff before\.json after\.json\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)


def test_the_page_shows_the_upgrade(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The text on the page is the command's output for the two recorded contracts; breaking changes make it fail."""
    monkeypatch.chdir(Path(__file__).parent / "upgrade")
    assert main(["diff", "before.json", "after.json"]) == 1
    printed = capsys.readouterr().out
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("LLMTRACE_WRITE_DOCS"):
        PAGE.write_text(SHOWN.sub(lambda _: printed, text), encoding="utf-8")
    else:
        [shown] = SHOWN.findall(text)
        assert shown == printed
