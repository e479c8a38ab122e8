"""Push spans from a process of its own.

There, neither mocks and guards that tests have left behind nor a frozen clock can get in its way, and it can be
stopped, whatever it waits for. It reads its instructions from its standard input: a token has no place in a command
line.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.export._destination import GRPC, Destination
from pytest_llmtrace.export._outcome import Outcome
from pytest_llmtrace.export._spool import Spool

__all__ = ["main", "push"]

_CODE: Final = "import sys; sys.path.insert(0, {path!r}); from pytest_llmtrace.export._process import main; main()"
_ROOT: Final = str(Path(__file__).parents[2])
_MARGIN: Final = 0.5
"""Seconds of the budget, at most half of it, that are kept for the process to start and to end by itself."""


def push(
    destination: Destination,
    spool: Spool,
    *,
    run: str,
    budget: float,
    environ: Mapping[str, str],
    tell: Callable[[int], None],
) -> Outcome:
    """Push the spans that a run has put into a spool, and return what became of them.

    Args:
        destination: Where the spans are sent.
        spool: The spool.
        run: The id of the run.
        budget: Seconds that the push may take; then it is stopped, and the files that it was sending are put aside.
        environ: Environment variables for the process, as they were before tests changed them: they name proxies, CAs.
        tell: Called with the number of spans that have been sent so far.

    Raises:
        OSError: If the process cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603  # Ourselves.
        [sys.executable, "-I", "-c", _CODE.format(path=_ROOT)],
        env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
    )  # fmt: skip
    inner = budget - min(_MARGIN, budget / 2)
    order = {
        "destination": asdict(destination),
        "folder": str(spool.path),
        "run": run,
        "budget": inner,
        "path": sys.path if destination.protocol == GRPC else [],
    }
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        process.kill()

    timer = threading.Timer(budget, stop)
    with process:
        timer.start()
        try:
            outcome = _followed(process, json.dumps(order), tell)
        except BaseException:
            process.kill()
            process.wait()
            spool.abandon(run)
            raise
        finally:
            timer.cancel()
    if process.returncode:
        spool.abandon(run)
        why = f"sending failed (exit status {process.returncode})"
        outcome.problems[f"the budget of {budget:g} s was used up" if is_late.is_set() else why] = None
    return outcome


def _followed(process: subprocess.Popen[str], order: str, tell: Callable[[int], None]) -> Outcome:
    """Give the process its instructions, wait until it ends, and return the last outcome that it has reported."""
    outcome = Outcome()
    if process.stdin is None or process.stdout is None:
        return outcome
    process.stdin.write(order)
    process.stdin.close()
    for line in process.stdout:
        outcome = Outcome(**json.loads(line))
        tell(outcome.sent)
    process.wait()
    return outcome


def main() -> None:
    """Run the push in the new process: instructions come on standard input, outcomes go to standard output."""
    from pytest_llmtrace.export._push import Push  # The process that waits does not need the code that sends.

    order = json.load(sys.stdin)
    sys.path += order["path"]  # gRPC may be installed in a folder that only the tests' path has.
    spool = Spool(Path(order["folder"]))
    push = Push(Destination(**order["destination"]), spool, budget=order["budget"], tell=_tell)
    _tell(push.run(order["run"]))


def _tell(outcome: Outcome) -> None:
    print(json.dumps(asdict(outcome)), flush=True)  # The process that waits reads it.
