"""Nothing gets into another test's record, and memory stays flat, over thousands of tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TESTS = 2000


def run_suite(folder: Path, suite: str, *, said: str) -> list[dict[str, Any]]:
    """Run 2,000 tests in a process of their own under `-n 2`; return what each worker wrote down.

    Args:
        folder: Where to run.
        suite: The file of tests.
        said: What pytest must have said.
    """
    shutil.copy(HERE / suite, folder / suite)
    shutil.copy(HERE / "child_conftest.py", folder / "conftest.py")
    paths = [str(folder), *([] if "LLMTRACE_TESTED" in os.environ else [str(HERE.parents[1])])]
    environment = {**os.environ, "SOAK_TESTS": str(TESTS), "PYTHONPATH": os.pathsep.join(paths)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ["-p", "xdist", "-p", "pytest_llmtrace.plugin"]
    options = [*plugins, "-n", "2", "-q", "-W", "error", "-o", f"python_files={suite}"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, suite],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert f"{TESTS} passed" in run.stdout
    assert said in run.stdout
    return [json.loads(path.read_text()) for path in folder.glob("report-*.json")]


@pytest.fixture
def kept_by_pytest(tmp_path: Path) -> int:
    """How much more pytest itself holds at the end than after a fifth of 2,000 empty tests: its reports, in bytes."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return max(
        int(report["resident"][1]) - int(report["resident"][0]) for report in run_suite(folder, "empty.py", said="")
    )


def test_soak(tmp_path: Path, kept_by_pytest: int) -> None:
    """2,000 tests with threads, pools, tasks, abandoned streams and late threads, shuffled, under `-n 2`.

    Each span and exchange carries its test's number, sums equal what was started, each is there when its own test
    is judged unless it was left behind on purpose, no test has a finding (nor a waiver that hides none), and resident
    memory at the end, less what pytest itself keeps, is at most 1.05 times that after a fifth.
    """
    calls = TESTS // 5 * 7  # Of five tests four make 1, 2, 3 and 1 of them.
    said = f"{TESTS} tests, {calls} exchanges, {calls} LLM spans, 0 findings\n"
    reports = run_suite(tmp_path, "suite.py", said=said)
    assert sum(report["tests"] for report in reports) == TESTS
    for report in reports:
        assert report["strangers"] == []
        assert report["different"] == []
        assert report["seen"] == report["started"] > TESTS / 2
        early, last = report["resident"]
        assert last - kept_by_pytest <= 1.05 * early
