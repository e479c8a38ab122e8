"""Files that a neighbour has put or played somewhere else, and configurations with words of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PLAYED_BY_VCRPY = """
import vcr
from app import answer

def test_it(llmtrace):
    with vcr.use_cassette("cassettes/test_answers/test_it.yaml", record_mode="none"):
        answer("May I return this?")
"""

OTHER_FOLDER = """
import pytest
from app import answer

@pytest.fixture(scope="module")
def vcr_cassette_dir(request):
    return str(request.path.parent / "recordings")

def test_it(llmtrace):
    answer("May I return this?")
"""

OTHER_NAME = """
import pytest
from app import answer

@pytest.fixture
def default_cassette_name():
    return "by_fixture"

def test_it(llmtrace):
    answer("May I return this?")
"""

BELOW = """
import pytest
from app import answer

@pytest.mark.default_cassette("below/chosen")
def test_it(llmtrace):
    answer("May I return this?")
"""

KEY_OF_CASSETTER = """
import pytest
from app import answer

@pytest.fixture(scope="module")
def vcr_config():
    return {"filter_replacement": "gone"}

@pytest.mark.vcr
def test_it(llmtrace):
    answer("May I return this?")
"""

# What it is: module, plugin, source, and where the recording is.
FOUND = {
    "played by vcrpy": ("vcr", "", PLAYED_BY_VCRPY, "cassettes/test_answers/test_it.yaml"),
    "another folder": (
        "pytest_recording", "pytest_recording.plugin", OTHER_FOLDER, "recordings/test_it.yaml"
    ),
    "another name": (
        "pytest_recording", "pytest_recording.plugin", OTHER_NAME,
        "cassettes/test_answers/by_fixture.yaml",
    ),
    "a folder in the marker": (
        "pytest_recording", "pytest_recording.plugin", BELOW,
        "cassettes/test_answers/below/chosen.yaml",
    ),
    "a key of cassetter": (
        "cassetter", "cassetter.pytest_plugin", KEY_OF_CASSETTER,
        "cassettes/test_answers/test_it.yaml",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_what_the_neighbour_has_is_found(run: Any, page: Any, installed: Callable[..., None], case: str) -> None:
    """The suite passes: the recording is where the neighbour says, and what is the neighbour's own is left to it."""
    module, plugin, source, recording = FOUND[case]
    installed(module)
    files = {**page.files("vcrpy", "before"), "test_answers.py": source}
    files[recording] = files.pop("cassettes/return.yaml")
    result = run(files, plugins=[plugin] if plugin else [])
    assert result.outcomes == {"test_it": "call passed"}, result.out
