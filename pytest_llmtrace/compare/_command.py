"""The command `pytest-llmtrace compare`: run the comparison and print or write its page."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmtrace.errors import UsageError

if TYPE_CHECKING:
    from pytest_llmtrace.compare._run import Result

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    compare = commands.add_parser(
        "compare",
        help="compare the installed instrumentors with what is on the wire",
        description="Play every built-in recording and scripted reply to the real SDKs under each installed "
        "instrumentor, and report which facts on its spans are right, wrong and absent. Nothing is sent to the "
        "network. Without --only and --case this takes many minutes.",
    )
    compare.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="compare only this instrumentor; repeatable"
    )
    compare.add_argument(
        "--case", action="append", default=[], metavar="ID", help="run only cases whose id begins with this; repeatable"
    )
    for client, kind in (("sync", "synchronous"), ("async", "asynchronous")):
        compare.add_argument(
            f"--{client}",
            dest="clients",
            action="append_const",
            const=client,
            help=f"use the {kind} client (default: both clients)",
        )
    compare.add_argument(
        "--format",
        choices=sorted(_FORMATS),
        help="format of the output; text (the default): each call and its report",
    )
    compare.add_argument(
        "--output",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="write to this file instead, in the format of its suffix (.md, .json, .txt); repeatable",
    )
    compare.add_argument(
        "--privacy",
        action="store_true",
        help="report instead where secrets and content come out, in each content mode, as Markdown (the default) or "
        "JSON; takes no cases and no clients",
    )
    compare.set_defaults(run=_compare)


def _compare(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    from pytest_llmtrace.compare._instrumentors import CLIENTS
    from pytest_llmtrace.compare._run import run

    # Before the work, so that a wrong name is refused at once.
    formats = [_format_of(path, privacy=given.privacy) for path in given.output]
    if given.privacy:
        return _compare_privacy(given, formats, out)
    results = run(given.only, given.case, given.clients or CLIENTS)
    for path, form in zip(given.output, formats, strict=True):
        path.write_text(_FORMATS[form](results) + "\n", encoding="utf-8")
    if not given.output:
        out(_FORMATS[given.format or "text"](results))
    return 0


def _compare_privacy(given: argparse.Namespace, formats: Sequence[str], out: Callable[[str], None]) -> int:
    from pytest_llmtrace.compare import _privacy_page
    from pytest_llmtrace.compare._privacy_run import run_modes
    from pytest_llmtrace.compare._run import sdk_versions

    if given.case or given.clients:
        raise UsageError("--privacy makes its own calls, with both clients: leave out --case, --sync and --async")
    if given.format == "text":
        raise UsageError.unknown("value of --format with --privacy", given.format, _PRIVACY)
    results = run_modes(given.only)
    said = {
        "json": json.dumps([asdict(one) for one in results], indent=1, default=sorted),
        "markdown": _privacy_page.page(results, sdk_versions()),
    }
    for path, form in zip(given.output, formats, strict=True):
        path.write_text(said[form] + "\n", encoding="utf-8")
    if not given.output:
        out(said[given.format or "markdown"])
    return 0


def _format_of(path: Path, *, privacy: bool) -> str:
    known = {suffix: form for suffix, form in _SUFFIXES.items() if not privacy or form in _PRIVACY}
    if path.suffix not in known:
        where = "--output with --privacy" if privacy else "--output"
        raise UsageError.unknown(f"suffix of {where}", path.suffix or path.name, known)
    return known[path.suffix]


def _markdown(results: Sequence[Result]) -> str:
    from pytest_llmtrace.compare._page import page
    from pytest_llmtrace.compare._run import sdk_versions

    return page(results, sdk_versions("botocore"))


def _json(results: Sequence[Result]) -> str:
    return json.dumps([asdict(result) for result in results], indent=1)


def _text(results: Sequence[Result]) -> str:
    from pytest_llmtrace.compare._clients import side_by_side
    from pytest_llmtrace.compare._run import left_out

    said = [
        _said(f"{result.name}  {' and '.join(clients)}", case)
        for result in results
        for clients, case in side_by_side(result.clients)
    ]
    return "\n".join([*said, *left_out(results)])


_FORMATS: Mapping[str, Callable[[Sequence[Result]], str]] = {"json": _json, "markdown": _markdown, "text": _text}
_PRIVACY = ("json", "markdown")
_SUFFIXES = {".json": "json", ".md": "markdown", ".txt": "text"}


def _said(name: str, case: dict[str, Any]) -> str:
    cells: defaultdict[str, list[str]] = defaultdict(list)
    for check, cell in case["facts"].items():
        cells[cell].append(check.removeprefix("wire/"))
    lines = [f"{name}  {case['case']}  {'; '.join(case['spans']) or 'no span'}"]
    lines += [f"  {cell:<9} {', '.join(checks)}" for cell, checks in cells.items()]
    if case["raised"]:
        lines.append(f"  raised {case['raised']}")
    lines += [f"  {line}" for line in case["report"].splitlines()]
    return "\n".join(lines)
