"""Number the tests, and write down what memory the process holds after test 400 of 1,000 and after the last one."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

TESTS = int(os.environ["BENCH_TESTS"])
seen: list[int] = []


def pytest_generate_tests(metafunc):
    metafunc.parametrize("number", range(TESTS))


def pytest_runtest_logfinish():
    seen.append(0)
    if len(seen) in {TESTS * 2 // 5, TESTS}:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        seen[-1] = pages * os.sysconf("SC_PAGE_SIZE")


def pytest_sessionfinish():
    Path("memory.json").write_text(json.dumps([held for held in seen if held]))
