"""The guide shows what `pytest-llmtrace diff` says of a real upgrade."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_llmtrace.cli import main

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
SHOWN = re.compile(r"(?<=^\$ pytest-llmtrace diff before\.json after\.json\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)


def test_the_guide_shows_the_upgrade(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The text in the guide is what the command prints of the two recorded contracts; it fails on the breaking ones."""
    monkeypatch.chdir(Path(__file__).parent / "upgrade")
    assert main(["diff", "before.json", "after.json"]) == 1
    printed = capsys.readouterr().out
    text = GUIDE.read_text(encoding="utf-8")
    if os.environ.get("LLMTRACE_WRITE_DOCS"):
        GUIDE.write_text(SHOWN.sub(lambda _: printed, text), encoding="utf-8")
    else:
        [shown] = SHOWN.findall(text)
        assert shown == printed
