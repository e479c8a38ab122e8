"""`pytest-llmtrace compare`."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

__all__ = ["add_command"]


def add_command(commands: Any) -> None:
    """Add the command to the parser of the command line."""
    compare = commands.add_parser(
        "compare",
        help="compare the installed instrumentors with what is on the wire",
        description="Send every built-in recording and scripted reply through the real SDKs under each installed "
        "instrumentor, and say which facts on its spans are right, wrong and absent. Nothing is sent to the network.",
    )
    compare.add_argument("--only", action="append", default=[], metavar="NAME", help="this instrumentor; repeatable")
    compare.add_argument(
        "--case", action="append", default=[], metavar="ID", help="cases whose id begins with this; repeatable"
    )
    compare.add_argument(
        "--format", choices=("text", "markdown", "json"), default="text", help="text: each report; default: text"
    )
    compare.add_argument("--output", type=Path, metavar="FILE", help="write to this file")
    compare.set_defaults(run=_compare)


def _compare(given: argparse.Namespace, out: Any) -> int:
    from pytest_llmtrace.compare._page import page
    from pytest_llmtrace.compare._run import run, sdk_versions

    results = run(given.only, given.case)
    if given.format == "json":
        text = json.dumps([asdict(result) for result in results], indent=1) + "\n"
    elif given.format == "markdown":
        text = page(results, sdk_versions())
    else:
        text = "\n".join(_said(result.name, case) for result in results for case in result.cases) + "\n"
    if given.output is None:
        out(text.removesuffix("\n"))
    else:
        given.output.write_text(text, encoding="utf-8")
    return 0


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
