"""The installed package is complete: cassettes, public names and entry points."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_llmtrace
from pytest_llmtrace import replay

CHECKOUT = Path(__file__).parents[1]
CASSETTES = sorted(path.relative_to(CHECKOUT / "cassettes") for path in (CHECKOUT / "cassettes").rglob("*.yaml"))
# The names of some recorded headers remain, with `[secret]` as their value.
SECRET = re.compile(
    r'(authorization|api-key|set-cookie|traceparent)\b(?!: \["\[secret\]"\]$)|sk-[A-Za-z0-9]{8}',
    re.IGNORECASE | re.MULTILINE,
)


def test_the_installed_package_is_tested() -> None:
    """Under tox the tests run against the wheel, not against the checkout."""
    package = Path(pytest_llmtrace.__file__).parent
    assert ("LLMTRACE_TESTED" in os.environ) is (package.parent != CHECKOUT)


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.with_suffix("").as_posix())
def test_cassettes_ship(path: Path) -> None:
    """Each cassette is reachable by name, loads, states its origin, and contains no secrets."""
    file = replay.resolve(f"builtin:{path.with_suffix('').as_posix()}", dirs=())
    cassette = replay.load(file)
    assert cassette.recordings
    assert cassette.origin["origin"] in {"written", "recorded"}
    assert cassette.origin["after" if cassette.origin["origin"] == "written" else "with"]
    assert not SECRET.search(file.read_text(encoding="utf-8"))


def test_each_gateway_has_the_five_kinds() -> None:
    """Each of the five gateways has the kinds plain, stream, tools, cached tokens and error."""
    kinds = {"chat", "stream", "tools", "cached", "error"}
    for gateway in ("openai", "openrouter", "anannas", "litellm"):
        assert kinds <= {path.stem for path in CASSETTES if path.parts[0] == gateway}
    assert kinds - {"chat"} | {"messages"} <= {path.stem for path in CASSETTES if path.parts[0] == "anthropic"}


@pytest.mark.parametrize("name", sorted(pytest_llmtrace.__all__))
def test_public_names_load(name: str) -> None:
    """Each public name exists, is loaded when it is first used, and is listed."""
    assert getattr(pytest_llmtrace, name) is not None
    assert name in dir(pytest_llmtrace)


def test_unknown_names_are_attribute_errors() -> None:
    """A name that is not public raises the same error as in any module."""
    with pytest.raises(AttributeError, match="module 'pytest_llmtrace' has no attribute 'LLMTrac'"):
        pytest_llmtrace.LLMTrac  # noqa: B018


def test_entry_points() -> None:
    """The entry points for pytest and for the command exist."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for reference in (*project["entry-points"]["pytest11"].values(), *project["scripts"].values()):
        module, _, name = reference.partition(":")
        loaded = importlib.import_module(module)
        assert not name or callable(getattr(loaded, name))
    assert project["version"] == pytest_llmtrace.__version__


@pytest.mark.parametrize("module", ["pytest_llmtrace", "pytest_llmtrace.cli"])
def test_the_command_is_a_module_too(module: str, child_environ: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    """`python -m` runs the command where no script is on the path, and exits with its status."""
    command = [sys.executable, "-m", module, "push", "--spool", "nowhere"]
    done = subprocess.run(command, env=child_environ(), cwd=tmp_path, capture_output=True, text=True, check=False)
    text = "pytest-llmtrace: there is no spool nowhere; name one with --spool\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)
