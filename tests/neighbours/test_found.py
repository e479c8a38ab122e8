"""Recordings that a neighbour keeps or plays in other places, and configurations with keys of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PLAYED_BY_VCRPY = """
import vcr
from app import answer

def test_played(llmtrace):
    with vcr.use_cassette("cassettes/test_played/test_played.yaml", record_mode="none"):
        answer("May I return this?")
"""

OTHER_FOLDER = """
import pytest
from app import answer

@pytest.fixture(scope="module")
def vcr_cassette_dir(request):
    return str(request.path.parent / "recordings")

def test_folder(llmtrace):
    answer("May I return this?")
"""

OTHER_NAME = """
import pytest
from app import answer

@pytest.fixture
def default_cassette_name():
    return "by_fixture"

def test_name(llmtrace):
    answer("May I return this?")
"""

BELOW = """
import pytest
from app import answer

@pytest.mark.default_cassette("below/chosen")
def test_marker(llmtrace):
    answer("May I return this?")
"""

KEY_OF_CASSETTER = """
import pytest
from app import answer

@pytest.fixture(scope="module")
def vcr_config():
    return {"filter_replacement": "gone"}

@pytest.mark.vcr
def test_key(llmtrace):
    answer("May I return this?")
"""

# By neighbour: its module, its plugin, and for each test the module's source and the place of the recording.
FOUND = {
    "vcrpy": ("vcr", "", {"test_played": (PLAYED_BY_VCRPY, "cassettes/test_played/test_played.yaml")}),
    "pytest-recording": (
        "pytest_recording",
        "pytest_recording.plugin",
        {
            "test_folder": (OTHER_FOLDER, "recordings/test_folder.yaml"),
            "test_name": (OTHER_NAME, "cassettes/test_name/by_fixture.yaml"),
            "test_marker": (BELOW, "cassettes/test_marker/below/chosen.yaml"),
        },
    ),
    "cassetter": (
        "cassetter",
        "cassetter.pytest_plugin",
        {"test_key": (KEY_OF_CASSETTER, "cassettes/test_key/test_key.yaml")},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_the_neighbour_has_is_found(run: Any, page: Any, installed: Callable[..., None], name: str) -> None:
    """The suite passes: each recording is found where the neighbour has it, and its own settings are left to it."""
    module, plugin, tests = FOUND[name]
    installed(module)
    files = page.files("vcrpy", "before")
    recording = files.pop("cassettes/return.yaml")
    del files["test_answers.py"]
    for test, (source, place) in tests.items():
        files[f"{test}.py"], files[place] = source, recording
    result = run(files, plugins=[plugin] if plugin else [])
    assert result.outcomes == dict.fromkeys(tests, "call passed"), result.out
