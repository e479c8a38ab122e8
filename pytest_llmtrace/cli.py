"""The command line `pytest-llmtrace ...`: parse the arguments, run a command, return its exit status."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmtrace import __version__, compare
from pytest_llmtrace._argtypes import seconds, source
from pytest_llmtrace._lines import legible
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.upkeep import PATH_HELP, add_commands, cassette_path

if TYPE_CHECKING:
    from pytest_llmtrace._playback import Result

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 if all is well, 1 if something is not (each command says what), 2 for wrong use, 130 if the
        command was interrupted.
    """
    if sys.stdout is None:  # Closed by `>&-`: only the exit status is wanted.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for as long as the process runs
    options = _parser().parse_args(arguments)
    _print_everything()
    try:
        status: int = options.run(options, print)
        sys.stdout.flush()
    except UsageError as error:
        print(f"pytest-llmtrace: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head`: the reader has seen enough; closing the output must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:  # By the user, who needs no traceback.
        print("pytest-llmtrace: interrupted", file=sys.stderr)
        return 130  # As shells report it: 128 plus the number of the signal.
    except OSError as error:  # A full disk, a file that may not be written
        print(f"pytest-llmtrace: {error}", file=sys.stderr)
        return 1
    return status


def _print_everything() -> None:
    """Let standard output escape what its encoding lacks: models answer in any script, and even in lone surrogates."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-llmtrace",
        description="Commands that need no test run: they look after cassettes, measure instrumentors, and compare and "
        "send the telemetry of runs. The options of a test run are in `pytest --help`. For more on a command, see "
        "COMMAND --help.",
    )
    parser.add_argument("--version", action="version", version=f"pytest-llmtrace {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_replay(commands)
    add_commands(commands)
    compare.add_command(commands)
    _add_diff(commands)
    _add_push(commands)
    _add_doctor(commands)
    _add_dashboard(commands)
    return parser


def _add_replay(commands: Any) -> None:
    replay = commands.add_parser(
        "replay",
        help="send cassettes their own requests, and check what they answer",
        description="Send the requests that each cassette holds once more, as plain HTTP and then, where they are LLM "
        "calls, through the real OpenAI and Anthropic SDKs under OpenInference; let the cassette answer them, and "
        "report what was served, captured and refused, and why. Nothing is sent to the network. Exit status: 1 if a "
        "file cannot be read, a request is refused, or an SDK cannot read a recorded reply.",
    )
    replay.add_argument("paths", nargs="+", type=cassette_path, metavar="PATH", help=PATH_HELP)
    replay.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: an array, one entry per interaction"
    )
    replay.add_argument(
        "-v", "--verbose", action="store_true", help="print a line for each interaction, not only for problems"
    )
    replay.set_defaults(run=_replay)


def _replay(given: argparse.Namespace, _: Callable[[str], None]) -> int:
    # It imports the SDKs' instrumentors and OpenTelemetry: a second for which the commands on files need not wait.
    from pytest_llmtrace._playback import Outcome, cassettes_in, drive

    results: list[Result] = []
    for path in cassettes_in(given.paths):
        found = drive(path)
        results += found
        if given.format == "text":
            print("\n".join(_lines(path, found, verbose=given.verbose)), flush=True)
    if given.format == "json":
        print(json.dumps([asdict(result) for result in results], indent=1))
    elif not results:
        print(f"no interactions in {', '.join(map(str, given.paths))}")
    else:
        print("\n" + "\n".join(_table(results)))
    return 1 if any(result.outcome in {Outcome.REFUSED, Outcome.UNREADABLE} for result in results) else 0


def _lines(path: Path, results: Sequence[Result], *, verbose: bool) -> Iterator[str]:
    from pytest_llmtrace._playback import Outcome

    counts = Counter(result.outcome.value for result in results)
    yield f"{path}: {', '.join(f'{number} {name}' for name, number in counts.items()) or 'no interactions'}"
    for result in results:
        if verbose or result.outcome not in {Outcome.CAPTURED, Outcome.SERVED}:
            where = "" if result.index is None else f"interaction {result.index}  {result.request}  "
            scopes = f"  ({', '.join(result.scopes)})" if result.scopes else ""
            yield f"  {where}{result.outcome.value}{scopes}"
            yield from (f"    {line}" for line in result.reason.splitlines())


def _table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of a table: how often each gateway had each outcome."""
    from pytest_llmtrace._playback import Outcome

    columns = [outcome for outcome in Outcome if any(result.outcome is outcome for result in results)]
    rows = Counter((result.gateway or "(no file)", result.outcome) for result in results)
    gateways = sorted({gateway for gateway, _ in rows})
    yield "  ".join([f"{'gateway':<15}", *(f"{column.value:>13}" for column in columns)])
    for gateway in gateways:
        yield "  ".join([f"{gateway:<15}", *(f"{rows[gateway, column]:>13}" for column in columns)])
    yield "  ".join([f"{'all':<15}", *(f"{sum(rows[g, column] for g in gateways):>13}" for column in columns)])


def _add_diff(commands: Any) -> None:
    diff = commands.add_parser(
        "diff",
        help="show what has changed in the telemetry between two runs",
        description="Compare two contracts, as `pytest --llmtrace-report contract=FILE` writes them. A change is "
        "breaking if something is gone, renamed or of another type. Exit status: 0; 1 if there are changes that "
        "--fail-on selects; 2 if a file is not a contract.",
    )
    diff.add_argument("old", type=source, metavar="OLD", help="the earlier contract, a JSON file")
    diff.add_argument("new", type=source, metavar="NEW", help="the later contract")
    diff.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="format of the output")
    diff.add_argument(
        "--fail-on",
        choices=("breaking", "any", "none"),
        default="breaking",
        help="which changes make the exit status 1; any: all except those of a scope's version (default: breaking)",
    )
    diff.set_defaults(run=_diff)


def _diff(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    from pytest_llmtrace.contract import FORMATS, Impact, Renames, changes, load
    from pytest_llmtrace.conventions import PROFILES, profile

    found = changes(load(given.old), load(given.new), Renames(map(profile, PROFILES)))
    out(FORMATS[given.format](found, str(given.old), str(given.new)))
    if given.fail_on == "any":
        return int(any(change.kind != "version" for change in found))
    return int(given.fail_on == "breaking" and any(change.impact is Impact.BREAKING for change in found))


def _add_dashboard(commands: Any) -> None:
    dashboard = commands.add_parser(
        "dashboard",
        help="run exported dashboards and alerts of OpenObserve on the spans of a suite",
        description="Report for each panel which columns do not exist, whether it stays empty, and whether its query "
        "fails. The spans are those that `pytest --llmtrace-report openobserve=FILE` writes. Exit status: 0; 1 if a "
        "panel fails; 2 if a file cannot be read. Needs the extra `sql`.",
    )
    dashboard.add_argument("files", nargs="+", type=source, metavar="FILE", help="an exported dashboard or alert")
    dashboard.add_argument(
        "--records", required=True, type=source, metavar="FILE", help="the file with the records of a run"
    )
    dashboard.add_argument("--format", choices=("text", "json"), default="text", help="format of the output")
    dashboard.set_defaults(run=_dashboard)


def _dashboard(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    from pytest_llmtrace.openobserve import dashboard, kept

    stored = kept.load(given.records)
    found = {str(path): [dashboard.judge(panel, stored) for panel in dashboard.panels(path)] for path in given.files}
    if given.format == "json":
        out(json.dumps({path: [asdict(one) for one in verdicts] for path, verdicts in found.items()}, indent=1))
    else:
        for path, verdicts in found.items():
            out(path)
            for one in verdicts:
                reasons = "; ".join(map(legible, one.reasons))
                out(f"  {one.state.value:<11}  {legible(str(one.title))}{': ' if reasons else ''}{reasons}")
    return int(any(one.state is dashboard.State.FAILS for verdicts in found.values() for one in verdicts))


def _add_push(commands: Any) -> None:
    push = commands.add_parser(
        "push",
        help="send the spans that a run could not send",
        description="Send the spans that runs with --llmtrace-export kept because they could not send them. Where they "
        "go is set in the environment or .env, as it was for the run. Spans that may have arrived already are looked "
        "up in OpenObserve, and only those that it does not have are sent. Exit status: 0; 1 if spans are left; 2 for "
        "a usage error.",
    )
    spool = Path(".pytest_cache/llmtrace/spool")
    push.add_argument(
        "--spool", type=source, default=spool, metavar="DIR", help=f"folder of the kept spans (default: {spool})"
    )
    push.add_argument(
        "--budget", type=seconds, default=300.0, metavar="SECONDS", help="stop after this time (default: 300)"
    )
    push.add_argument(
        "--in-doubt",
        choices=("look", "send", "drop"),
        default="look",
        help="what to do with spans that may have arrived: look them up (default), send them at the risk of "
        "duplicates, or drop them",
    )
    push.set_defaults(run=_push)


def _push(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    from pytest_llmtrace.export import run_push

    return run_push(given, out)


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="find out why spans do not arrive",
        description="Check the settings of --llmtrace-export in the environment and .env, connect to the back end, "
        "send it one span and read that back if the token allows it; look for distributions that share an import "
        "name, instrumentors that refuse the installed SDK, and exporters of the app whose endpoint is down. Each "
        "check prints one line: ok, problem or unknown. Exit status: 0; 1 if there is a problem; 2 for a usage error.",
    )
    doctor.add_argument(
        "--export",
        choices=("openobserve", "otlp"),
        action="append",
        help="check only this back end, which must be set up; repeatable",
    )
    doctor.add_argument("--no-send", action="store_true", help="do not send a span")
    doctor.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: an array, one entry per check"
    )
    doctor.set_defaults(run=_doctor)


def _doctor(given: argparse.Namespace, out: Callable[[str], None]) -> int:
    from pytest_llmtrace.doctor import run_doctor

    return run_doctor(given, out)


if __name__ == "__main__":
    sys.exit(main())
