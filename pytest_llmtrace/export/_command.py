"""`pytest-llmtrace push`: send what a run could not."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace._lines import counted
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.export._push import Outcome, Push
from pytest_llmtrace.export._readback import present
from pytest_llmtrace.export._settings import NAMES, Destination, destination, read_env_file
from pytest_llmtrace.export._spool import Batch, Spool

__all__ = ["add_command"]

_SPOOL: Final = Path(".pytest_cache/llmtrace/spool")
_ABOUT: Final = (
    "Send the spans that runs with --llmtrace-export have kept since they could not send them. Where to is said by the "
    "environment or .env, as it was for the run. Spans of which nobody learned whether they have arrived are looked up "
    "in OpenObserve, and only those that it does not have are sent. Exit status: 0, 1 if spans are left, 2 for wrong "
    "use."
)


def add_command(commands: Any) -> None:
    """Add the command to those of `pytest-llmtrace`."""
    parser = commands.add_parser("push", help="send the spans that a run could not send", description=_ABOUT)
    parser.add_argument("--spool", type=Path, default=_SPOOL, metavar="DIR", help=f"where they are (default: {_SPOOL})")
    parser.add_argument("--budget", type=float, default=300.0, metavar="SECONDS", help="stop after that (default: 300)")
    parser.add_argument(
        "--in-doubt",
        choices=("look", "send", "drop"),
        default="look",
        help="spans that may have arrived: look them up (default), send them and risk to have them twice, or drop them",
    )
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    environ = {**read_env_file(Path(".env")), **os.environ}
    spools = {name: Spool(given.spool / name) for name in NAMES}
    full = {name: spool for name, spool in spools.items() if spool.waiting() or spool.in_doubt()}
    if not full:
        if not given.spool.is_dir():
            raise UsageError(f"there is no spool {given.spool}; name one with --spool")
        out(f"nothing waits in {given.spool}")
    return max([_emptied(spool, name, environ, given, out) for name, spool in full.items()], default=0)


def _emptied(
    spool: Spool, name: str, environ: Mapping[str, str], given: argparse.Namespace, out: Callable[[str], None]
) -> int:
    to = destination(name, environ)
    push = Push(to, spool, budget=given.budget)
    if given.in_doubt == "look":
        push.resolve(lambda resources: present(to, resources))
    else:
        batch = Batch(tuple(spool.doubtful()))
        batch.release() if given.in_doubt == "send" else batch.remove()
    outcome = push.run()
    for line in _said(outcome, to, spool):
        out(line)
    return int(bool(spool.waiting() or spool.in_doubt()))


def _said(outcome: Outcome, to: Destination, spool: Spool) -> Iterator[str]:
    yield f"sent {counted(outcome.sent, 'span')} to {to.label}"
    if outcome.arrived:
        yield f"found {counted(outcome.arrived, 'span')} there that had been in doubt"
    for reason, number in outcome.rejected.items():
        yield f"rejected {counted(number, 'span')}: {reason}"
    if spool.waiting():
        yield f"not sent {counted(spool.waiting(), 'span')}: {'; '.join(outcome.problems)}"
    doubtful = sum(kept.spans for kept in spool.doubtful())
    if doubtful:
        yield (
            f"in doubt {counted(doubtful, 'span')}: they may have arrived, and {to.name} does not tell; look for their "
            "llmtrace.run.id there, then --in-doubt send or drop"
        )
    if spool.in_doubt() > doubtful:
        under_way = counted(spool.in_doubt() - doubtful, "span")
        yield f"under way {under_way}: another process sends them, or was stopped; ask again in a minute"
