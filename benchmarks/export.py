"""Exporting: what it adds to a suite, and how fast spans are sent."""

from __future__ import annotations

import functools
import gc
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import _material as material
from benchmarks import suite
from benchmarks._measure import (
    Cell,
    Plan,
    Result,
    Row,
    compared,
    environment,
    interleaved,
    multiples,
    one_processor,
    remote,
)

WITHOUT, KEPT, SENT = "llmtrace", "spans kept, back end down", "spans kept and sent"
PUSH = "push"
KEEPING, SENDING, PACE, MEMORY = 1.05, 1.10, 1.0, 1.5
ROUNDS = 3
"""How many times more rounds than for other suites: keeping spans costs less than two runs differ from each other."""
FASTEST = 20_000
"""The pace of sending that is wanted, in spans a second."""
A_TEST = 20
RESOURCE = {"service.name": "app", "telemetry.sdk.language": "python", "llmtrace.run.id": "run"}
ATTRIBUTES = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.provider": "openai",
    "llm.model_name": "gpt-4o-mini-2024-07-18",
    "llm.invocation_parameters": '{"model": "gpt-4o-mini", "temperature": 0.5}',
    "llm.input_messages.0.message.role": "user",
    "llm.output_messages.0.message.role": "assistant",
    "llm.token_count.prompt": 12,
    "llm.token_count.completion": 7,
    "llm.token_count.total": 19,
    "input.mime_type": "application/json",
    "output.mime_type": "application/json",
}
"""The attributes of a call by OpenInference, without request and reply."""

WHAT = """\
The first rows are the CPU time of [the suite](#a-suite) with one cassette per test:

- **llmtrace**: without export.
- **spans kept, back end down**: with `--llmtrace-export openobserve`, where nobody listens, so spans are only kept.
- **spans kept and sent**: the same, to a receiver in a process of its own.

The rows "time" include all processes that the run starts, also the one that sends (or tries to). The rows "time of \
pytest itself" are those of pytest's own process alone, which reads, encodes and keeps the spans of each test, and \
starts the other process. Targets: at most {keeping:.2f} times the time without export if spans are only kept, and \
{sending:.2f} times if they are sent. Medians of {suites} interleaved runs.

The other rows are of sending: {spans:,} spans of LLM calls, {a_test} per test and {size:.1f} kB each, are sent from \
the spool to that receiver, which parses and counts them.

- **sending**: the target is at most the time that {fastest:,} spans a second take, which is a ratio of 1.00.
- **memory, all to a tenth**: the peak of the process that sends, in multiples of its peak for a tenth of the spans. \
Target: at most {memory:.2f}.

Medians of {rounds} interleaved runs.
"""
WHY = """\
- **Keeping**: each test reads its spans once more, encodes them, and writes a line. At the end a process starts, \
which alone takes 1.5% of this suite.
- **Sending**: a span is sent as it was kept. The time goes into compressing, and into waiting for the receiver, which \
shares the machine.
"""


class Server:
    """A receiver in a process of its own."""

    def __init__(self) -> None:
        from tests.receiver import Receiver

        gc.disable()  # Collections would walk through all the spans that it keeps, again and again.
        self._receiver = Receiver()

    def environ(self) -> dict[str, str]:
        """Return the variables that make the export send to this receiver."""
        return self._receiver.environ

    def taken(self) -> tuple[int, int]:
        """Return how many spans it has received since the last call, and how many different ones."""
        counts = self._receiver.counts()
        self._receiver.spans.clear()
        return counts.total(), len(counts)

    def close(self) -> None:
        """Stop it."""
        self._receiver.close()


def measure(plan: Plan, folder: Path) -> Result:
    """Run the suite, then fill spools and send them."""
    suite.write(folder, plan.tests)
    with remote(Server) as ask:
        environ = ask("environ")
        down = {**environ, "OPENOBSERVE_URL": "http://127.0.0.1:9"}
        own: dict[str, list[float]] = {name: [] for name in (WITHOUT, KEPT, SENT)}
        exporting = ["--llmtrace-export=openobserve"]
        cells = {
            WITHOUT: functools.partial(_run, folder, plan.tests, environ, [], own[WITHOUT]),
            KEPT: functools.partial(_run, folder, plan.tests, down, exporting, own[KEPT]),
            SENT: functools.partial(_run, folder, plan.tests, environ, exporting, own[SENT]),
        }
        for name, cell in cells.items():  # The first run writes bytecode and caches.
            cell()
            own[name].clear()
        with one_processor():
            measured = interleaved(cells, ROUNDS * plan.rounds)
        rows = compared("time", measured, WITHOUT, {KEPT: KEEPING, SENT: SENDING}, _seconds)
        del own[SENT]
        rows += compared("time of pytest itself", own, WITHOUT, {KEPT: KEEPING}, _seconds)
        ask("taken")
        size, sending = _sending(plan, folder, environ, ask)
    what = WHAT.format(
        keeping=KEEPING,
        sending=SENDING,
        spans=2 * plan.items,
        a_test=A_TEST,
        size=size,
        fastest=FASTEST,
        memory=MEMORY,
        rounds=plan.rounds,
        suites=ROUNDS * plan.rounds,
    )
    return Result(name="export", title="Export", what=what, rows=(*rows, *sending), why=WHY)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _run(folder: Path, tests: int, environ: dict[str, str], options: list[str], own: list[float]) -> float:
    """Run the suite; return the CPU time of it and its child processes, and append pytest's own to `own`."""
    more = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "BENCH_TESTS": str(tests), **environ}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_llmtrace.plugin", *options, "test_ours.py"],
        cwd=folder, env=environment(folder, **more), capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert f"{tests} passed" in run.stdout, run.stdout[-5000:] + run.stderr
    shutil.rmtree(folder / ".pytest_cache" / "llmtrace", ignore_errors=True)
    own.append(json.loads((folder / "time.json").read_text()))
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# --- sending ---------------------------------------------------------------------------------------------------------


class Sender:
    """A process that sends a spool and watches itself."""

    def send(self, folder: Path, environ: dict[str, str]) -> tuple[float, int]:
        """Send a spool; return the seconds that it took, and the process's peak of memory in bytes."""
        from pytest_llmtrace.export import Push, Spool, destination

        start = time.perf_counter()
        outcome = Push(destination("openobserve", environ), Spool(folder), budget=600).run()
        took = time.perf_counter() - start
        assert not outcome.problems, outcome.problems
        return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def close(self) -> None:
        """Do nothing."""


def _sending(plan: Plan, folder: Path, environ: dict[str, str], ask: Cell) -> tuple[float, list[Row]]:
    """Send copies of a spool and of one of a tenth; return the size of a span in kB, and the rows of the table."""
    spans = 2 * plan.items
    for number in (spans // 10, spans):
        _fill(folder / f"spool-{number}", number)
    size = sum(path.stat().st_size for path in (folder / f"spool-{spans}").iterdir()) / spans / 1000
    paces, multiple = [], []
    for _ in range(plan.rounds):
        small, large = (_sent(folder, number, environ, ask) for number in (spans // 10, spans))
        paces.append(large[0] * FASTEST / spans)
        multiple.append(large[1] / small[1])
    shown = f"{FASTEST / statistics.median(paces):,.0f} spans/s"
    return size, [
        replace(multiples("sending", {PUSH: paces}, {PUSH: PACE})[0], value=shown),
        *multiples("memory, all to a tenth", {PUSH: multiple}, {PUSH: MEMORY}),
    ]


def _sent(folder: Path, spans: int, environ: dict[str, str], ask: Cell) -> tuple[float, int]:
    spool = folder / "sending"
    shutil.copytree(folder / f"spool-{spans}", spool)
    with remote(Sender) as send:
        measured: tuple[float, int] = send("send", spool, environ)
    assert ask("taken") == (spans, spans)
    shutil.rmtree(spool)
    return measured


def _fill(folder: Path, spans: int) -> None:
    from pytest_llmtrace.export import Encoder, Spool
    from pytest_llmtrace.model import SpanKey, SpanRecord

    spool, encoder, now = Spool(folder), Encoder(RESOURCE), time.time_ns()
    sent, reply = material.sent(stream=False).content.decode(), material.reply(0, stream=False).decode()
    attributes = {**ATTRIBUTES, "input.value": sent, "output.value": reply}
    for test in range(spans // A_TEST):
        keys = (SpanKey(test + 1, test * A_TEST + number + 1) for number in range(A_TEST))
        made = [
            SpanRecord(key=key, name="ChatCompletion", attributes=attributes, start_ns=now, end_ns=now + 10**8)
            for key in keys
        ]
        spool.put("run", encoder.request(made, {"test.case.name": f"test[{test}]"}))
