"""The command `pytest-llmtrace push`: send the spans that a run could not send."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.export._destination import Destination
from pytest_llmtrace.export._outcome import Outcome
from pytest_llmtrace.export._push import Push
from pytest_llmtrace.export._readback import present
from pytest_llmtrace.export._settings import NAMES, destination, read_nearest_env_file
from pytest_llmtrace.export._spool import Batch, Spool

if TYPE_CHECKING:
    import argparse

__all__ = ["run_push"]


def run_push(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    """Run `pytest-llmtrace push`.

    Args:
        given: The options: `spool`, a folder; `budget` in seconds; `in_doubt`: `look`, `send` or `drop`.
        out: Called with each line of the output.

    Returns:
        The exit status: 0, or 1 if spans are left: waiting, in doubt, or in a damaged file.

    Raises:
        UsageError: If there is no spool, or the environment does not say where its spans go.
    """
    environ = {**read_nearest_env_file(Path.cwd()), **os.environ}
    spools = {name: Spool(given.spool / name) for name in NAMES}
    full = {name: spool for name, spool in spools.items() if spool.waiting() or spool.in_doubt()}
    if not full:
        if not given.spool.is_dir():
            raise UsageError(f"there is no spool {given.spool}; name one with --spool")
        out(f"no spans are waiting in {given.spool}")
    return max([_emptied(spool, name, environ, given, out) for name, spool in full.items()], default=0)


def _emptied(
    spool: Spool, name: str, environ: Mapping[str, str], given: argparse.Namespace, out: Callable[[str], None]
) -> int:
    to = destination(name, environ)
    push = Push(to, spool, budget=given.budget)
    tells = bool(to.search_url)
    try:
        if given.in_doubt == "look":
            tells &= push.resolve(lambda resources: present(to, resources))
        else:
            batch = Batch(tuple(spool.claim_doubtful()))
            batch.release() if given.in_doubt == "send" else batch.remove()
        push.run()
    except KeyboardInterrupt:
        push.outcome.problems["sending was interrupted"] = None
        raise
    finally:  # A user who interrupts the push wants to know, too, what was sent until then.
        for line in _said(push.outcome, to, spool, tells=tells):
            out(line)
    return int(bool(spool.waiting() or spool.in_doubt() or push.outcome.damaged))


def _said(outcome: Outcome, to: Destination, spool: Spool, *, tells: bool) -> Iterator[str]:
    from pytest_llmtrace._lines import counted  # It loads the patterns of secrets, which sending alone does not need.

    yield f"sent {counted(outcome.sent, 'span')} to {to.label}"
    if outcome.arrived:
        yield f"found {counted(outcome.arrived, 'span')} there that had been in doubt"
    for reason, number in outcome.rejected.items():
        yield f"rejected {counted(number, 'span')}: {reason}"
    for path in outcome.damaged:
        yield f"damaged: {path} cannot be read, and was put aside; repair it and rename it to .json, or delete it"
    if spool.waiting():
        yield f"not sent {counted(spool.waiting(), 'span')}: {'; '.join(outcome.problems)}"
    doubtful = sum(kept.spans for kept in spool.doubtful())
    if doubtful:
        asking = (
            f"{to.name} does not tell; look for their llmtrace.run.id there, then push with --in-doubt send or drop"
        )
        yield (
            f"in doubt {counted(doubtful, 'span')}: {''.join(f'{why}; ' for why in outcome.problems)}they may have "
            f"arrived, and {f'{to.name} has not been asked since; push again' if tells else asking}"
        )
    if spool.in_doubt() > doubtful:
        under_way = counted(spool.in_doubt() - doubtful, "span")
        yield f"under way {under_way}: another process is sending them, or was stopped; push again in a few minutes"
