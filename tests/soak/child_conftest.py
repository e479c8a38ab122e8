"""Shuffles the soak's tests, waives the spans that it abandons on purpose, and writes a report for each process."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import sys
from pathlib import Path

import pytest

resident: list[int] = []
give_back = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)  # glibc has it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    random.Random(7).shuffle(items)  # noqa: S311
    for item in items:
        number = item.callspec.params["number"]  # type: ignore[attr-defined]
        if number % 5 == 3:
            item.add_marker(pytest.mark.llmtrace(ignore={"structure/span-never-ended": "abandoned on purpose"}))


def pytest_runtest_teardown() -> None:
    if not resident:
        # Where a span is open, garbage is collected before a test is verified; frozen objects (the SDK's modules, 2,000
        # items) are not walked through each time. Objects that the tests make are not frozen, except the first test's.
        gc.collect()
        gc.freeze()
    if len(resident) % 50 == 0:
        gc.collect()  # Garbage is not a leak,
        give_back(0)  # nor is freed memory that the C library still holds.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident.append(pages * os.sysconf("SC_PAGE_SIZE"))


def pytest_sessionfinish() -> None:
    if not resident:  # The controller runs no test.
        return
    suite = sys.modules.get("suite")
    report = {
        **(suite.summary() if suite else {}),
        "tests": len(resident),
        "resident": [resident[len(resident) // 250 * 50], resident[-1 - (len(resident) - 1) % 50]],
    }
    Path(f"report-{os.getpid()}.json").write_text(json.dumps(report))
