"""The forms in which conventions may be named, and the errors about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmtrace import LLMTrace
from pytest_llmtrace.conventions import absolute, named
from pytest_llmtrace.errors import UsageError


def test_names_and_files(tmp_path: Path) -> None:
    """A name stands for a shipped convention; anything that looks like a file is one."""
    (tmp_path / "house.yaml").write_text("groups: []\n", encoding="utf-8")
    said = absolute(("openinference", "house.yaml"), tmp_path)
    assert [kept.name for kept in named(said)] == ["openinference", "house"]
    assert absolute((tmp_path / "house.yaml",), tmp_path) == said[1:]
    assert absolute("genai-2026-10", tmp_path) == ("genai-2026-10",)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is reported when it is read."""
    with pytest.raises(UsageError, match=r"no such file: .*nowhere\.yaml$"):
        named(absolute("nowhere.yaml", tmp_path))


def test_outside_pytest() -> None:
    """Outside pytest the same names are refused."""
    with pytest.raises(UsageError, match="unknown convention 'openinferense'"):
        LLMTrace(conventions="openinferense")
    with pytest.raises(UsageError, match=r"two versions of one convention: core-1\.36 and core-1\.41\.1"):
        LLMTrace(conventions=("core-1.36", "core-1.41.1"))
