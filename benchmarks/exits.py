"""One streaming function under every way to leave its stream: the time of all these tests together."""

from __future__ import annotations

import functools
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks._measure import Plan, Result, Row, environment, interleaved
from pytest_llmtrace.exits import ASYNC_WAYS, WAYS

SUITE = Path(__file__).parent / "suites" / "exits" / "test_exits.py"
MATRICES = {"sync": ("test_sync", WAYS), "async": ("test_async", ASYNC_WAYS)}
SECONDS = 2.0

WHAT = """\
Measured: the tests that `llmtrace_exits` makes of one streaming function, one for each way to leave its stream, under \
OpenInference with a scripted reply. Set-up and verification are included. The tests run in a fresh `python -m \
pytest`, so the first of them also imports the modules that capture, replay and verify.

The time is wall clock: the times of the tests in pytest's JUnit file, added up. Target: below {seconds:g} s, which is \
a ratio of 1.00. Medians of {rounds} runs.
"""
WHY = """\
The heap is collected after each way: once by the way itself, and again where a span is still open. With the SDK \
loaded, this takes tens of milliseconds.
"""


def measure(plan: Plan, folder: Path) -> Result:
    """Run both matrices."""
    shutil.copy(SUITE, folder)
    cells = {name: functools.partial(_run, folder, *matrix) for name, matrix in MATRICES.items()}
    for cell in cells.values():  # The first run writes bytecode.
        cell()
    rows = tuple(_row(name, seconds) for name, seconds in interleaved(cells, plan.rounds).items())
    what = WHAT.format(seconds=SECONDS, rounds=plan.rounds)
    return Result(name="exits", title="Ways to leave a stream", what=what, rows=rows, why=WHY)


def _row(name: str, seconds: list[float]) -> Row:
    ratios = [one / SECONDS for one in seconds]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
    return Row(
        case=f"{name}, {len(MATRICES[name][1])} ways", subject="pytest-llmtrace",
        value=f"{statistics.median(seconds):.2f} s", ratio=statistics.median(ratios),
        spread=(quartiles[0], quartiles[-1]), target=1.0, below=True,
    )  # fmt: skip


def _run(folder: Path, test: str, ways: tuple[str, ...]) -> float:
    more = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_llmtrace.plugin", "--junitxml=junit.xml", "-k", test]
    run = subprocess.run(
        command, cwd=folder, env=environment(folder, **more), capture_output=True, text=True, check=False
    )
    assert f"{len(ways)} passed" in run.stdout, run.stdout[-5000:] + run.stderr
    cases = ET.parse(folder / "junit.xml").getroot().iter("testcase")
    return sum(float(case.attrib["time"]) for case in cases)
