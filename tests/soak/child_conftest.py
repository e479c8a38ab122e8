"""Shuffle the soak's tests, waive what it leaves behind on purpose, and write down what each process saw."""

from __future__ import annotations

import gc
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import suite  # type: ignore[import-not-found]  # Beside this file in the child.

resident: list[int] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    random.Random(7).shuffle(items)  # noqa: S311
    for item in items:
        number = item.callspec.params["number"]  # type: ignore[attr-defined]
        if number % 5 == 3:
            item.add_marker(pytest.mark.llmtrace(ignore={"structure/span-never-ended": "abandoned on purpose"}))


def pytest_runtest_teardown() -> None:
    if len(resident) % 50 == 0:
        gc.collect()  # What is garbage by then is no leak.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident.append(pages * os.sysconf("SC_PAGE_SIZE"))


def pytest_sessionfinish(session: Any) -> None:
    if not resident:  # The controller runs no test.
        return
    suite.settle(0)
    suite.pool.shutdown()
    report = {
        "tests": len(resident),
        "strangers": suite.strangers,
        "started": sum(suite.started.values()),
        "seen": sum(suite.seen.values()),
        "different": [n for n in suite.started if suite.started[n] != suite.seen[n]],
        "resident": [resident[len(resident) // 250 * 50], resident[-1 - (len(resident) - 1) % 50]],
    }
    Path(f"report-{os.getpid()}.json").write_text(json.dumps(report))
