"""All settings are in the guide, and the marker's arguments in pytest's list of markers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmtrace._arguments import ARGUMENTS
from pytest_llmtrace.plugin import _declared

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")


def test_all_arguments_of_the_marker_are_named(pytestconfig: pytest.Config) -> None:
    """All arguments are in `pytest --markers`, and in the guide's section on the marker."""
    [printed] = [line for line in pytestconfig.getini("markers") if line.startswith("llmtrace(")]
    described = next(line for line in GUIDE.splitlines() if line.startswith("`@pytest.mark.llmtrace(cassette=, "))
    for where in (printed, described):
        assert [name for name in ARGUMENTS if f"{name}=" not in where] == []


def test_all_ini_values_are_in_the_guide() -> None:
    """Each ini value is in one table, with its environment variable."""
    names = [*_declared._INI, *_declared._LINES, "llmtrace_strict"]
    assert [name for name in names if f"| `{name}`" not in GUIDE or f"`{name.upper()}`" not in GUIDE] == []
