"""Starting pytest with the plugin installed and not used."""

from __future__ import annotations

import functools
import resource
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

from benchmarks._measure import Plan, Result, compared, environment, interleaved

WITHOUT, WITH = "-p no:llmtrace", "with pytest-llmtrace"
AT_MOST = 1.02

WHAT = """\
Measured: the whole of `python -m pytest` on one test that does nothing, in wall clock and in CPU time. The plugin is \
installed and not used, or it is blocked with `-p no:llmtrace`. All other installed plugins are blocked in both runs, \
so the time that the plugin is compared with is that of pytest alone.

Target: at most {at_most:.2f} times the time without the plugin. Medians of {starts} interleaved starts each.
"""
WHY = """\
The time goes into the plugin's entry point and the one module that it imports, through pytest's assertion rewriting, \
and into the work that pytest does for each option, hook and fixture.
"""


def _start(folder: Path, option: list[str], used: list[float]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *_without_others(), *option, "test_nothing.py"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=True,
    )  # fmt: skip
    took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "1 passed" in run.stdout, run.stdout
    return took


def _without_others() -> list[str]:
    names = sorted({point.name for point in entry_points(group="pytest11")} - {"llmtrace"})
    return [text for name in names for text in ("-p", f"no:{name}")]


def measure(plan: Plan, folder: Path) -> Result:
    """Start pytest many times."""
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    options = {WITHOUT: ["-p", "no:llmtrace"], WITH: []}
    used: dict[str, list[float]] = {name: [] for name in options}
    cells = {name: functools.partial(_start, folder, option, used[name]) for name, option in options.items()}
    for name, cell in cells.items():  # The first start writes bytecode.
        cell()
        used[name].clear()
    measured = interleaved(cells, plan.starts)
    wall = compared("wall clock", measured, WITHOUT, {WITH: AT_MOST}, _shown)
    cpu = compared("CPU time", used, WITHOUT, {WITH: AT_MOST}, _shown)
    what = WHAT.format(at_most=AT_MOST, starts=plan.starts)
    return Result(name="idle", title="Idle", what=what, rows=(*wall, *cpu), why=WHY)


def _shown(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f} ms"
