"""Over thousands of tests nothing gets into another test's record, and memory stays flat."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = 2000


def run_suite(folder: Path, suite: str, environ: dict[str, str], *, said: str) -> list[dict[str, Any]]:
    """Run 2,000 tests in a process of their own under `-n 2`; return the report of each worker.

    Args:
        folder: The folder to run in.
        suite: The name of the file with the tests.
        environ: The environment of the run.
        said: A text that pytest's output must contain.
    """
    shutil.copy(HERE / suite, folder / suite)
    shutil.copy(HERE / "child_conftest.py", folder / "conftest.py")
    plugins = ["-p", "xdist", "-p", "pytest_llmtrace.plugin"]
    options = [*plugins, "-n", "2", "-q", "-W", "error", "-o", f"python_files={suite}"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, suite],
        cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert f"{TESTS} passed" in run.stdout
    assert said in run.stdout
    return [json.loads(path.read_text()) for path in folder.glob("report-*.json")]


def test_soak(tmp_path: Path, child_environ: Callable[..., dict[str, str]]) -> None:
    """2,000 tests with threads, pools, tasks, abandoned streams and late threads, shuffled, under `-n 2`.

    Each span and exchange carries its test's number, totals equal the number of started spans, each span is there when
    its own test is verified unless it was abandoned on purpose, no test has a finding (nor an unused waiver), and
    resident memory at the end is at most 1.05 times that after a fifth of the tests.
    """
    calls = TESTS // 5 * 7  # Four of five tests make calls: 1, 2, 3 and 1 of them.
    abandoned = TESTS // 5  # Streams left open, whose findings are waived.
    said = f"{TESTS} tests, {calls} exchanges, {calls} LLM spans, 0 findings, {abandoned} waived\n"
    # One arena, since the memory that the C library reserves for each of hundreds of threads is not ours to measure.
    environ = child_environ(tmp_path, SOAK_TESTS=str(TESTS), MALLOC_ARENA_MAX="1")
    reports = run_suite(tmp_path, "suite.py", environ, said=said)
    assert sum(report["tests"] for report in reports) == TESTS
    for report in reports:
        assert report["strangers"] == []
        assert report["different"] == []
        assert report["seen"] == report["started"] > TESTS / 2
        early, last = report["resident"]
        assert last <= 1.05 * early
