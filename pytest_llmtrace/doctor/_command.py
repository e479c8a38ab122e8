"""The command `pytest-llmtrace doctor`: run the diagnoses and print them."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from pytest_llmtrace._lines import legible
from pytest_llmtrace.doctor._backend import Wait, backend
from pytest_llmtrace.doctor._diagnosis import Diagnosis, State
from pytest_llmtrace.doctor._exporters import exporters
from pytest_llmtrace.doctor._installed import instrumentors, names, of_openobserve, versions
from pytest_llmtrace.export import NAMES, read_nearest_env_file

__all__ = ["run_doctor"]


def run_doctor(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    """Run all diagnoses, print them, and return the exit status: 1 if there is a problem, else 0."""
    found = []
    for diagnosis in _diagnoses(given.export or (), sends=not given.no_send):
        found.append(diagnosis)
        if given.format == "text":
            out(str(diagnosis))
    if given.format == "json":
        entries = [{key: legible(said) for key, said in asdict(diagnosis).items()} for diagnosis in found]
        out(json.dumps(entries, indent=1))
    return int(any(diagnosis.state is State.PROBLEM for diagnosis in found))


def _diagnoses(wanted: Sequence[str], *, sends: bool) -> Iterator[Diagnosis]:
    environ = {**read_nearest_env_file(Path.cwd()), **os.environ}
    for name in dict.fromkeys(wanted or NAMES):
        yield from backend(name, environ, is_wanted=bool(wanted), sends=sends, wait=Wait())
    yield names(of_openobserve())
    yield from instrumentors()
    yield from exporters(environ, versions())
