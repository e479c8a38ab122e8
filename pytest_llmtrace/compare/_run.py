"""Run every instrumentor over every case, with either client of the SDK, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace import _sdks
from pytest_llmtrace._lines import counted
from pytest_llmtrace.compare._instrumentors import CLIENTS, SDKS, Instrumentation, asked_for
from pytest_llmtrace.errors import LLMTraceError

__all__ = ["Result", "left_out", "printed", "run", "sdk_versions"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one instrumentor made of all cases.

    Attributes:
        name: The instrumentor.
        versions: The versions of its packages.
        clients: What its process printed for each client, `sync` or `async`: one mapping per case, in the same order.
        left_out: How many cases cannot be made here, and what they need; empty if all can.
    """

    name: str
    versions: tuple[str, ...]
    clients: Mapping[str, tuple[dict[str, Any], ...]]
    left_out: str = ""

    def anchor(self, check: str) -> str:
        """Return the anchor on the page for the findings of a check."""
        return f"{self.name}-{check.replace('/', '-')}"


def run(only: Sequence[str] = (), cases: Iterable[str] = (), clients: Sequence[str] = CLIENTS) -> tuple[Result, ...]:
    """Run the cases under each instrumentor, and return the results.

    Args:
        only: The names of instrumentors; all that are installed if none is given.
        cases: The ids of cases, or their beginnings; all if none is given.
        clients: The clients that make the calls.

    Raises:
        UsageError: If an instrumentor is not known or not installed, or no case begins with an id or can be made here.
        LLMTraceError: If the process of an instrumentor failed.
    """
    present = asked_for(only)
    from pytest_llmtrace.compare._cases import chosen, lacking, refuse

    prefixes = tuple(cases)
    refuse(prefixes)
    needed = lacking(chosen(prefixes)).items()
    said = "; ".join(f"Left out: {counted(count, 'case')}, since {_sdks.advice(package)}" for package, count in needed)
    return tuple(replace(_result(one, prefixes, clients), left_out=said) for one in present)


def _result(instrumentation: Instrumentation, cases: tuple[str, ...], clients: Sequence[str]) -> Result:
    name, environ = instrumentation.name, {**os.environ, **instrumentation.environ}
    # A process for each client: recordings have the same response ids in both, and some instrumentors keep answers by
    # these ids.
    played = {client: printed("_worker", name, client, *cases, environ=environ) for client in clients}
    return Result(name=name, versions=instrumentation.versions(), clients=played)


def printed(worker: str, name: str, *arguments: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """Run an instrumentor in a worker, a process of its own, and return the results that it has printed.

    Raises:
        LLMTraceError: If the process failed.
    """
    command = [sys.executable, "-m", f"pytest_llmtrace.compare.{worker}", name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)  # noqa: S603
    if done.returncode != 0:
        raise LLMTraceError(f"{name} could not be run:\n{done.stderr.strip()}")
    return tuple(json.loads(done.stdout))


def left_out(results: Iterable[Result]) -> tuple[str, ...]:
    """Return the sentences about cases that could not be made, each once."""
    return tuple(dict.fromkeys(result.left_out for result in results if result.left_out))


def sdk_versions(*besides: str) -> tuple[str, ...]:
    """Return the installed SDKs and the other packages named, with their versions."""
    return tuple(f"{sdk} {version}" for sdk in (*SDKS, *besides) if (version := _sdks.installed(sdk)))
