"""The commands `pytest-llmtrace cassettes ...` and `read`: parse the arguments, print lines, return the exit status."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pytest_llmtrace._argtypes import days, source
from pytest_llmtrace.errors import CassetteError, UsageError
from pytest_llmtrace.model import Severity
from pytest_llmtrace.upkeep._kinds import KINDS

__all__ = ["PATH_HELP", "add_commands", "cassette_path"]

Say = Callable[[str], None]
_BUILTIN = "builtin:NAME is one that ships with this package"
PATH_HELP = f"a cassette, or a folder of them; {_BUILTIN}"


def cassette_path(text: str) -> Path:
    """Read an argument of the command line: a path, or `builtin:` and the name of a cassette that ships.

    Raises:
        argparse.ArgumentTypeError: If no such cassette ships, or reading the path may never end.
    """
    if not text.startswith("builtin:"):
        return source(text)
    from pytest_llmtrace import replay

    try:
        return replay.resolve(text, dirs=())
    except CassetteError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_commands(commands: Any) -> None:
    """Add `cassettes` with its three commands, and `read`, to a parser's commands.

    Each sets `run`: it takes the parsed arguments and a function that prints a line, and returns the exit status.
    """
    cassettes = commands.add_parser(
        "cassettes", help="look after cassette files", description="Look after cassette files. Nothing is sent."
    )
    inner = cassettes.add_subparsers(required=True, metavar="COMMAND")
    _add_lint(inner)
    _add_scrub(inner)
    _add_show(inner)
    _add_read(commands)


def _add_lint(commands: Any) -> None:
    lint = commands.add_parser(
        "lint",
        help="report what is wrong with them",
        description="Look for secrets, personal data, values that are new on every run, files that cannot be read, "
        "duplicates, old recordings, and recordings that no test plays. Exit status: 1 if there is an error.",
    )
    lint.add_argument("paths", nargs="+", type=cassette_path, metavar="PATH", help=PATH_HELP)
    lint.add_argument("--format", choices=("text", "json"), default="text", help="format of the output")
    lint.add_argument("--strict", action="store_true", help="exit with status 1 on warnings, too")
    lint.add_argument("-v", "--verbose", action="store_true", help="show findings of severity info, too")
    lint.add_argument(
        "--ignore",
        action="append",
        default=[],
        choices=sorted(KINDS),
        metavar="KIND",
        help=f"do not report findings of this kind: {', '.join(KINDS)}; repeatable",
    )
    lint.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="REGEX",
        help="do not report values that match this as a whole; repeatable",
    )
    lint.add_argument("--max-age", type=days, metavar="DAYS", help="report recordings that are older")
    lint.add_argument(
        "--played",
        action="append",
        type=source,
        metavar="FILE",
        help="a file that a run wrote by --llmtrace-played=FILE; cassettes in none of these are orphans; repeatable",
    )
    lint.add_argument(
        "--rootdir",
        type=source,
        default=Path(),
        metavar="DIR",
        help="pytest's rootdir, to which the names of files and tests are relative (default: the current folder)",
    )
    lint.set_defaults(run=_lint)


def _add_scrub(commands: Any) -> None:
    scrub = commands.add_parser(
        "scrub",
        help="remove secrets from them",
        description="Show what would change, with the secrets masked, and ask before writing. Only values that "
        "matching leaves out are removed, so that requests still find their recordings. Exit status: 1 if a secret is "
        "left, or a file cannot be read or written.",
    )
    scrub.add_argument("paths", nargs="+", type=source, metavar="PATH", help="a cassette, or a folder of them")
    how = scrub.add_mutually_exclusive_group()
    how.add_argument("-y", "--yes", action="store_true", help="write without asking")
    how.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something would change")
    scrub.set_defaults(run=_scrub)


def _add_show(commands: Any) -> None:
    show = commands.add_parser(
        "show",
        help="print exchanges in a readable form",
        description="Print each exchange of a cassette in a readable form: streams put together, JSON indented, "
        "secrets masked, long values cut.",
    )
    show.add_argument("path", type=cassette_path, metavar="PATH", help=f"a cassette; {_BUILTIN}")
    show.add_argument("number", nargs="?", type=int, metavar="N", help="one interaction, counted from 0; default: all")
    show.add_argument(
        "--raw", action="store_true", help="print bodies as they are, with only their content encoding removed"
    )
    show.add_argument("--full", action="store_true", help="do not cut long values")
    show.set_defaults(run=_show)


def _add_read(commands: Any) -> None:
    read = commands.add_parser(
        "read",
        help="print what the bytes of recorded LLM calls say",
        description="Read each interaction of cassettes as an LLM call, and print its facts, with the place of each, "
        "and what could not be read, and why. Nothing is sent. Exit status: 1 if a file that is named cannot be read.",
    )
    read.add_argument("paths", nargs="+", type=cassette_path, metavar="PATH", help=PATH_HELP)
    read.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: an array, one entry per interaction"
    )
    read.set_defaults(run=_read)


def _read(options: argparse.Namespace, say: Say) -> int:
    from pytest_llmtrace.upkeep._read import as_json, as_text, read_files

    entries = list(read_files(options.paths))
    nothing = f"no interactions in {', '.join(map(str, options.paths))}"
    if options.format == "json":
        say(as_json(entries))
    else:
        for line in as_text(entries) if entries else (nothing,):
            say(line)
    return 1 if any(entry.failed for entry in entries) else 0


def _lint(options: argparse.Namespace, say: Say) -> int:
    from pytest_llmtrace.upkeep._lint import LintSettings, lint
    from pytest_llmtrace.upkeep._played import played_files
    from pytest_llmtrace.upkeep._report import json_of, text_of_report

    settings = LintSettings(
        ignore=frozenset(options.ignore),
        allow=tuple(map(_pattern, options.allow)),
        max_age_days=options.max_age,
        played=None if options.played is None else played_files(options.played, options.rootdir),
        root=options.rootdir,
    )
    report = lint(options.paths, settings)
    if options.format == "json":
        say(json_of(report))
    else:
        for line in text_of_report(report, verbose=options.verbose):
            say(line)
    failing = report.count(Severity.ERROR) + (report.count(Severity.WARNING) if options.strict else 0)
    return 1 if failing else 0


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"--allow {text!r} is not a valid regular expression: {error}") from None


def _scrub(options: argparse.Namespace, say: Say) -> int:
    from pytest_llmtrace.upkeep._scrub_many import scrub_all

    mode: Literal["ask", "check", "yes"] = "check" if options.check else "yes" if options.yes else "ask"
    asking = _ask if sys.stdin is not None and sys.stdin.isatty() else None
    return scrub_all(options.paths, mode=mode, say=say, ask=asking)


def _ask(question: str) -> bool:
    return input(question).strip().lower() in {"y", "yes"}


def _show(options: argparse.Namespace, say: Say) -> int:
    from pytest_llmtrace.replay.cassette import load
    from pytest_llmtrace.upkeep._show import ShowSettings, shown_cassette

    if options.path.is_dir():
        raise UsageError(f"{options.path} is a folder; show prints one cassette")
    try:
        cassette = load(options.path)
    except CassetteError as error:
        raise UsageError(str(error)) from None
    number, known = options.number, len(cassette.recordings)
    if number is not None and not 0 <= number < known:
        raise UsageError(f"{cassette.label} has no interaction {number}: it has {known}, counted from 0")
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in shown_cassette(cassette, number, ShowSettings(raw=options.raw, full=options.full, colour=colour)):
        say(line)
    return 0
