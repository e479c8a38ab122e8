"""A canary that a test has put anywhere is in none of the files that the run writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.canaries import Canaries

REPORTS = {"contract": "contract.json", "coverage": "coverage.md", "coverage-json": "coverage.json", "weaver": "w.json"}
FILES = (*REPORTS.values(), "baseline.txt", "cassettes", "junit.xml", "played.json", "terminal")
OPTIONS = (
    "-v",
    "-rA",
    "--llmtrace-record=all",
    "--llmtrace-baseline=baseline.txt",
    "--llmtrace-write-baseline",
    "--llmtrace-played=played.json",
    *(f"--llmtrace-report={form}={path}" for form, path in REPORTS.items()),
)
OUT = (
    "attribute", "attribute_key", "name", "operation", "model", "event_name", "event_attribute", "exception", "status",
    "link", "log_body", "log_event", "log_attribute", "metric_name", "metric_attribute", "scope",
)  # fmt: skip
CARRIED = ("request_header", "response_header", "query", "request_field", "response_field", "answer", "stream")
KINDS = ("api_key", "cookie", "prompt", "user_id")


@pytest.fixture
def done(run_suite: Callable[..., Any]) -> Any:
    """The result of the suite; all of its tests have placed their canaries and passed."""
    done = run_suite("canaries.py", options=OPTIONS)
    assert set(done.outcomes.values()) == {"passed"}, done.out
    return done


def written(done: Any, file: str) -> str:
    if file == "terminal":
        return str(done.out)
    path: Path = done.folder / file
    files = [path] if path.is_file() else sorted(path.rglob("*.yaml"))
    text = "".join(one.read_text(encoding="utf-8") for one in files)
    assert text, f"nothing was written to {path}"
    return text


def canaries(done: Any, function: str, kind: str) -> list[str]:
    tests = [name for name in done.reports if re.match(rf"{function}(\[|$)", name)]
    assert tests, function
    return [Canaries(f"test_canaries.py::{name}").give(kind) for name in tests]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("place", CARRIED)
def test_of_a_call_that_is_recorded(done: Any, place: str, file: str) -> None:
    """Wherever in a request or a reply a secret is, no file has the part of it that would give it away."""
    found = canaries(done, f"test_{place}", "cookie")
    text = written(done, file)
    assert [canary for canary in found if canary[-24:] in text] == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", OUT)
def test_of_telemetry(done: Any, place: str, kind: str, file: str) -> None:
    """Wherever in telemetry an instrumentation has put a canary, no file has it."""
    name = f"test_telemetry[{place}-{kind}]"
    assert name in done.reports
    assert Canaries(f"test_canaries.py::{name}").give(kind)[-24:] not in written(done, file)
