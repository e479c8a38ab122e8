"""The suites of docs/migrate.md pass as printed there: before, with `llmtrace` added, and after.

To rewrite the terminal's outputs: `LLMTRACE_WRITE_DOCS=1 pytest tests/neighbours`, then read the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.neighbours.conftest import STAGES

# Section -> what it needs beside vcrpy, which this package installs: modules to import, and pytest plugins.
NEEDS: dict[str, tuple[list[str], list[str]]] = {
    "A hand-made exporter": ([], []),
    "vcrpy": ([], []),
    "pytest-recording": (["pytest_recording"], ["pytest_recording.plugin"]),
    "cassetter": (["cassetter"], ["cassetter.pytest_plugin"]),
    "respx": (["respx"], ["respx.plugin"]),
    "pytest-httpx": (["pytest_httpx"], ["pytest_httpx"]),
    "pytest-httpx2": (["pytest_httpx2"], ["pytest_httpx2"]),
    "logfire's capfire": (["logfire"], ["logfire.testing"]),
}

# Modules that a suite may still need in its last stage, and the text that shows that it uses them.
USED_AFTER = {"respx": "llmtrace.router", "logfire": "import logfire"}


def _asynchronous(app: str) -> str:
    """Return an application that makes its call with an asynchronous client."""
    app = app.replace("import openai\n", "import asyncio\n\nimport openai\n", 1)
    app = app.replace("openai.OpenAI(", "openai.AsyncOpenAI(").replace("httpx.Client(", "httpx.AsyncClient(")
    app = app.replace("def answer(", "async def _answer(").replace("= client.chat", "= await client.chat")
    return f"{app}\n\ndef answer(question):\n    return asyncio.run(_answer(question))\n"


@pytest.fixture
def plugins(section: str, installed: Callable[..., None]) -> list[str]:
    modules, plugins = NEEDS[section]
    installed(*modules)
    return plugins


def test_every_section_is_tested(page: Any) -> None:
    """Each section of the page is tested here at all stages and with all its code; one more, without code, is not.

    That one is about conflicts, see test_conflicts.py. The recipe is run by test_recorded.py.
    """
    *sections, conflicts = page.sections
    assert (sections, conflicts) == ([*NEEDS], "When both want to answer")
    assert page.fences(conflicts) == []
    recipes = []
    for section in sections:
        used = {f"{stage}/{name}" for stage in STAGES for name in page.files(section, stage)}
        assert {f"{stage}/test_answers.py" for stage in STAGES} <= used, section
        assert all(page.terminal(section, stage) for stage in ("added", "after")), section
        told = page.fences(section)
        recipes += [info for info in told if info.startswith("recipe/")]
        assert {*told} <= {*used, "added/terminal", "after/terminal", *recipes}, section
    assert recipes == ["recipe/llmtrace_config"]


@pytest.mark.parametrize("section", NEEDS)
def test_adding_changes_nothing_else(
    page: Any, run: Any, fingerprint: Callable[[], dict[str, str]], section: str, plugins: list[str], correct_page: Any
) -> None:
    """With `llmtrace` added, outcomes and cassettes stay the same, and the terminal shows what was counted.

    The neighbour's own counts (calls, plays, requests) are asserted by the suites themselves, before and after alike.
    """
    before = run(page.files(section, "before"), plugins=plugins, traced=False)
    cassettes = fingerprint()
    assert before.code == 0, before.out
    assert before.terminal == ""
    added = run(page.files(section, "added"), plugins=plugins)
    assert added.outcomes == before.outcomes, added.out
    assert fingerprint() == cassettes
    _compare(page, section, "added", added, correct_page)


@pytest.mark.parametrize("section", [section for section in NEEDS if section != "A hand-made exporter"])
def test_adding_changes_nothing_for_asynchronous_clients(page: Any, run: Any, section: str, plugins: list[str]) -> None:
    """The same holds for the suites with an asynchronous application."""
    files = page.files(section, "added")
    files["app.py"] = _asynchronous(files["app.py"])
    result = run(files, plugins=plugins)
    assert result.code == 0, result.out
    assert result.terminal == page.terminal(section, "added")


@pytest.mark.parametrize("section", NEEDS)
def test_after(
    page: Any,
    run: Any,
    fingerprint: Callable[[], dict[str, str]],
    section: str,
    installed: Callable[..., None],
    correct_page: Any,
) -> None:
    """Without the exporter or the neighbour's plugin the suite passes, and no cassette is changed."""
    files = page.files(section, "after")
    written = "".join(files.values())
    assert "InMemorySpanExporter" not in written
    installed(*(module for module, used in USED_AFTER.items() if used in written))
    result = run(files)
    _compare(page, section, "after", result, correct_page)
    assert {*fingerprint()} == {name for name in files if name.endswith(".yaml")}


def _compare(page: Any, section: str, stage: str, result: Any, correct_page: Any) -> None:
    assert result.code == 0, result.out
    if correct_page:
        correct_page(page.with_terminal(section, stage, result.terminal))
    else:
        assert result.terminal == page.terminal(section, stage)
