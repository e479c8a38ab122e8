"""A suite of tests with one replayed call each, against fixtures written by hand and against pytest-recording."""

from __future__ import annotations

import functools
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks import _material as material
from benchmarks._measure import Plan, Result, compared, environment, interleaved, multiples

SUITES = Path(__file__).parent / "suites"
HAND, RECORDING = "fixtures by hand", "pytest-recording, and these"
ANEW = "fixtures by hand, made anew for each test"
COLD, WARM, GATEWAY = "llmtrace, a cassette a test, first run", "llmtrace, a cassette a test", "llmtrace, a gateway"
UNVERIFIED = "llmtrace, a cassette a test, not verified"
AT_MOST, FLAT = 1.25, 1.05

WHAT = """\
Measured: the CPU time of the whole of `python -m pytest` on {tests} tests (nothing waits). Each test makes one call \
through the SDK, under OpenInference, and asserts text and span. One client serves all tests. Only the plugins that a \
suite needs are loaded.

- **fixtures by hand**: a `MockTransport` whose reply is a constant, and an `InMemorySpanExporter` that is cleared. \
This is the least that fixtures can do; nothing of pytest-llmtrace is imported.
- **fixtures by hand, made anew for each test**: the same transport, but each test has its own exporter, provider and \
instrumentation, as in most of the suites with which OpenInference's and OpenTelemetry's instrumentations are tested.
- **pytest-recording, and these**: one cassette per test; the spans come from the exporter of the fixtures by hand.
- **llmtrace, a cassette a test**: the bare fixture, one cassette per test, with all checks.
- **... first run**: the same when nothing is cached.
- **... not verified**: the same with `llmtrace_verify = off`. This is what replay and capture cost without the \
checks, although each call is still read for the summary.
- **llmtrace, a gateway**: no cassette, but `gateway="openai"` for the whole module.

Targets for the time: at most {at_most:.2f} times that of fixtures by hand (rows "time"), and of those made anew (rows \
"time, made anew"); with a cassette, less than pytest-recording takes (rows "time, recorded").

Memory is what the process holds after the last test, as a multiple of what it holds after {early} tests, both after a \
collection; the target is at most {flat:.2f}. pytest keeps its own reports: the growth with fixtures by hand shows how \
much that is. Medians of {rounds} interleaved runs.
"""
WHY = """\
Why llmtrace takes longer than fixtures by hand:

- Each test opens and closes two ledgers, which note its requests (one of them is for its wider fixtures), reads its \
settings and its cassette, and is verified. Fixtures by hand do nothing of this.
- The checks are about a quarter of this: compare the rows "not verified".
- Each part takes longer here than in a loop of its own, as the sections above measure it: whatever runs in between \
displaces it from the processor's caches.
- The first traced test imports the modules that capture, replay and verify: some 320 of ours, and OpenTelemetry's \
metrics and logs. Ours take four fifths of that time.
"""


class Suite(NamedTuple):
    """A file of tests, the plugins that it needs, whether its cache is dropped before, and what findings do."""

    file: str
    plugins: tuple[str, ...] = ()
    cold: bool = False
    verify: str = "error"


OURS = ("pytest_llmtrace.plugin",)
ALL = {
    HAND: Suite("test_hand.py"),
    ANEW: Suite("test_anew.py"),
    RECORDING: Suite("test_recording.py", ("pytest_recording.plugin",)),
    COLD: Suite("test_ours.py", OURS, cold=True),
    WARM: Suite("test_ours.py", OURS),
    UNVERIFIED: Suite("test_ours.py", OURS, verify="off"),
    GATEWAY: Suite("test_gateway.py", OURS),
}


def measure(plan: Plan, folder: Path) -> Result:
    """Run all suites."""
    write(folder, plan.tests)
    growth: dict[str, list[float]] = {name: [] for name in ALL}
    cells = {name: functools.partial(_run, folder, suite, plan.tests, growth[name]) for name, suite in ALL.items()}
    for name, cell in cells.items():  # The first run writes bytecode and caches.
        cell()
        growth[name].clear()
    measured = interleaved(cells, plan.rounds)
    ours = (COLD, WARM, UNVERIFIED, GATEWAY)
    rows = compared("time", measured, HAND, dict.fromkeys(ours, AT_MOST), _seconds)
    rows += compared("time, made anew", _only(measured, ANEW, *ours), ANEW, dict.fromkeys(ours, AT_MOST), _seconds)
    played = (COLD, WARM)
    rows += compared(
        "time, recorded",
        _only(measured, RECORDING, *played),
        RECORDING,
        dict.fromkeys(played, 1.0),
        _seconds,
        below=played,
    )
    growth = _only(growth, HAND, RECORDING, WARM, GATEWAY)
    rows += multiples("memory, at the end to early", growth, dict.fromkeys((WARM, GATEWAY), FLAT))
    early = plan.tests * 2 // 5
    what = WHAT.format(tests=f"{plan.tests:,}", at_most=AT_MOST, flat=FLAT, early=early, rounds=plan.rounds)
    return Result(name="suite", title="A suite", what=what, rows=tuple(rows), why=WHY)


def _only(measured: dict[str, list[float]], *names: str) -> dict[str, list[float]]:
    return {name: measured[name] for name in names}


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def write(folder: Path, tests: int) -> None:
    for path in SUITES.glob("*.py"):
        shutil.copy(path, folder)
    reply = {"headers": material.headers(stream=False), "body": material.reply(0, stream=False).decode()}
    (folder / "reply.json").write_text(json.dumps(reply), encoding="utf-8")
    for module in ("test_recording", "test_ours"):
        for number in range(tests):
            name = f"cassettes/{module}/test_call[{number}]"
            material.cassette(folder, 1, stream=False, number=number, name=name)


def _run(folder: Path, suite: Suite, tests: int, growth: list[float]) -> float:
    if suite.cold:
        shutil.rmtree(folder / ".pytest_cache", ignore_errors=True)
    plugins = [text for name in suite.plugins for text in ("-p", name)]
    more = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "BENCH_TESTS": str(tests),
        "LLMTRACE_VERIFY": suite.verify,
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, suite.file],
        cwd=folder, env=environment(folder, **more), capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert f"{tests} passed" in run.stdout, run.stdout[-5000:] + run.stderr
    early, last = json.loads((folder / "memory.json").read_text())
    growth.append(last / early)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
