"""Nothing gets into another test's record, and memory stays flat, over thousands of tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = 2000


def test_soak(tmp_path: Path) -> None:
    """2,000 tests with threads, pools, tasks, abandoned streams and late threads, shuffled, under `-n 2`.

    Each span and exchange carries its test's number, sums equal what was started, no test has a finding, and resident
    memory at the end is at most 1.05 times that after a fifth. (pytest itself keeps about 3 kB of reports a test.)
    """
    shutil.copy(HERE / "suite.py", tmp_path / "suite.py")
    shutil.copy(HERE / "child_conftest.py", tmp_path / "conftest.py")
    paths = [str(tmp_path), *([] if "LLMTRACE_TESTED" in os.environ else [str(HERE.parents[1])])]
    environment = {**os.environ, "SOAK_TESTS": str(TESTS), "PYTHONPATH": os.pathsep.join(paths)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ["-p", "xdist", "-p", "pytest_llmtrace.plugin"]
    options = [*plugins, "-n", "2", "-q", "-W", "error", "-o", "python_files=suite.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "suite.py"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert f"{TESTS} passed" in run.stdout
    reports = [json.loads(path.read_text()) for path in tmp_path.glob("report-*.json")]
    assert sum(report["tests"] for report in reports) == TESTS
    for report in reports:
        assert report["strangers"] == []
        assert report["different"] == []
        assert report["seen"] == report["started"] > TESTS / 2
        early, last = report["resident"]
        assert last <= 1.05 * early
