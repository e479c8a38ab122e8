"""`pytest-llmtrace doctor`."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace._lines import legible
from pytest_llmtrace.doctor._backend import Wait, backend
from pytest_llmtrace.doctor._diagnosis import Diagnosis, State
from pytest_llmtrace.doctor._exporters import exporters
from pytest_llmtrace.doctor._installed import instrumentors, names, of_openobserve, versions
from pytest_llmtrace.export import NAMES, read_env_file

__all__ = ["add_command"]

_ABOUT: Final = (
    "Look at the settings of --llmtrace-export in the environment and .env, connect to the back end, send it one span "
    "and read that back where its token may; look at distributions that share a name, at instrumentors that refuse the "
    "installed SDK, and at exporters of the app whose endpoint is down. A line each: ok, problem or unknown. Exit "
    "status: 0, 1 if there is a problem, 2 for wrong use."
)


def add_command(commands: Any) -> None:
    """Add the command to those of `pytest-llmtrace`."""
    parser = commands.add_parser("doctor", help="say why spans do not arrive", description=_ABOUT)
    parser.add_argument(
        "--export", choices=NAMES, action="append", help="only this back end, which must be set up; may be repeated"
    )
    parser.add_argument("--no-send", action="store_true", help="send no span")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one array, an entry each")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    found = []
    for diagnosis in _diagnoses(given.export or (), sends=not given.no_send):
        found.append(diagnosis)
        if given.format == "text":
            out(str(diagnosis))
    if given.format == "json":
        entries = [{key: legible(said) for key, said in asdict(diagnosis).items()} for diagnosis in found]
        out(json.dumps(entries, indent=1))
    return int(any(diagnosis.state is State.PROBLEM for diagnosis in found))


def _diagnoses(wanted: tuple[str, ...], *, sends: bool) -> Iterator[Diagnosis]:
    environ = {**read_env_file(Path(".env")), **os.environ}
    for name in dict.fromkeys(wanted or NAMES):
        yield from backend(name, environ, is_wanted=bool(wanted), sends=sends, wait=Wait())
    yield names(of_openobserve())
    yield from instrumentors()
    yield from exporters(environ, versions())
