"""What all tests of a run have seen, added up: the lines of the terminal, and the files that are written at its end."""

from __future__ import annotations

import functools
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmtrace._stdlib import json
from pytest_llmtrace._written import write_text
from pytest_llmtrace.plugin import _hiding, _reports
from pytest_llmtrace.plugin._declared import FIXTURE, is_copy, is_listing

if TYPE_CHECKING:
    from pytest_llmtrace.plugin._baseline import Baseline, Entries

__all__ = ["SAID_OF_RECORDINGS", "Totals", "register", "written"]

SAID_OF_RECORDINGS: Final = pytest.StashKey[list[str]]()

_TOTALS: Final = pytest.StashKey["Totals"]()
_NOTHING: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("exchanges", "spans", "unread", "expected", "reports"), MappingProxyType({})),
    **dict.fromkeys(("findings", "gone", "shared", "watched"), ()),
    **dict.fromkeys(("waived", "known"), 0),
    **dict.fromkeys(("whole", "complete", "partial"), False),
    "remark": "",
}
"""The account of a test in which nothing happened."""
_SHOWN: Final = 20
"""How many findings that no longer occur are named."""


def register(config: pytest.Config) -> None:
    """Register the plugin that adds up the tests of a run, once; it is called when there may be something to add up."""
    if _TOTALS not in config.stash and not hasattr(config, "workerinput"):  # Under xdist the controller adds up.
        config.stash[_TOTALS] = totals = Totals(config)
        config.pluginmanager.register(totals)


def written(account: dict[str, Any]) -> str:
    """Return a test's account as JSON, without empty values. The text is interned: several reports hold the same."""
    return sys.intern(json.dumps({name: value for name, value in account.items() if value}, separators=(",", ":")))


def _briefly(report: str, test: str, first: dict[str, str]) -> str:
    """Return a test's report; only its headline if an earlier test's findings read the same, as those of a whole suite.

    Args:
        report: The headline, the findings and the tree, between empty lines.
        test: The test.
        first: The findings that were shown, with the test that they were shown for; it is kept up to date.
    """
    headline, *findings, _tree = report.split("\n\n")
    shown_for = first.setdefault("\n\n".join(findings), test)
    return report if shown_for == test else f"{headline}, the same as in {shown_for}"


def _read(text: str) -> dict[str, Any]:
    return {**_NOTHING, **json.loads(text)}


class Totals:
    """Adds up what all tests of a run have seen, as a plugin of its own: one per run, also under xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self._baseline = _hiding.baseline_of(config)
        self._by_test: dict[str, str] = {}
        self._reported: set[str] = set()
        self._untraced: set[str] = set()
        self._unserved: set[str] = set()
        self._said: list[str] = []
        self._writes = self._has_run = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Let files be written, since tests will run; a run that only lists tests keeps the files of an earlier run."""
        self._writes = not is_listing(session.config)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test's account; a test that is run again counts once."""
        self._has_run = True
        account = getattr(report, "llmtrace", None)
        test = getattr(report, "llmtrace_test", report.nodeid)
        if account is not None:
            self._by_test[test] = account
        if getattr(report, "llmtrace_unserved", False) and report.when == "call":
            self._unserved.add(test)
        if self._baseline:
            self._reported.add(test)
            if report.when == "call" and report.passed and account is None:
                self._untraced.add(test)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the run's files, and name the baseline entries, known faults, waivers and recordings without a use."""
        if is_copy(session.config):
            return
        accounts = {test: _read(account) for test, account in self._by_test.items()}
        is_empty = exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
        # A run whose tests could not be collected has reached its loop, and ended there.
        self._writes = self._writes and (self._has_run or is_empty)
        stopped = bool(session.shouldstop or session.shouldfail) or exitstatus > pytest.ExitCode.TESTS_FAILED
        whole = not stopped and not any(account["partial"] for account in accounts.values())
        if self._baseline and accounts and self._writes:
            self._end_baseline(session, self._baseline, accounts, whole=whole)
        gone = _gone(accounts, session.config.rootpath)
        self._said += _legible((*_marked_in_vain(sorted(self._unserved)), *_unused_known(accounts), *gone))
        if self._writes:
            self._write_reports(session, accounts, stopped=stopped and not is_empty)
            self._write_played(session, accounts)
        if whole and _is_of_folders(session.config):
            self._said += _legible(_unused_waivers(accounts))

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Say what was replayed, captured, found and recorded, and what was found in tests that passed."""
        if is_copy(config):
            return
        if not self._by_test and not self._said:
            return
        terminalreporter.section(FIXTURE)
        if self._by_test:
            for line in self._summed_up():
                terminalreporter.line(line)
        for said in config.stash.get(SAID_OF_RECORDINGS, []):
            terminalreporter.line(f"  recorded     {said}")
        for said in self._said:
            terminalreporter.line(said)

    def _summed_up(self) -> Iterator[str]:
        """Yield what was found in tests that passed, and the sums over all tests."""
        from pytest_llmtrace.report import totals

        exchanges, captured, findings, hid, unread = (Counter[str]() for _ in range(5))
        first: dict[str, str] = {}
        for test, account in ((test, _read(text)) for test, text in self._by_test.items()):
            exchanges.update(account["exchanges"])
            captured.update(account["spans"])
            findings.update(account["findings"])
            unread.update(account["unread"])
            hid.update(waived=account["waived"], known=account["known"], expected=sum(account["expected"].values()))
            if account["remark"]:
                yield f"{test}\n{_briefly(account['remark'], test, first)}\n"
        yield from totals(len(self._by_test), exchanges, captured, findings, hid, unread)

    def _write_played(self, session: pytest.Session, accounts: dict[str, Any]) -> None:
        """Write which files exchanges were played from, relative to the root directory."""
        config = session.config
        if not config.getoption("--llmtrace-played"):
            return
        began_in = config.invocation_params.dir
        path = began_in / config.getoption("--llmtrace-played")
        origins = {origin for account in accounts.values() for origin in account["exchanges"]}
        files = (began_in / origin for origin in origins)
        played = sorted(os.path.relpath(file, config.rootpath).replace(os.sep, "/") for file in files if file.is_file())
        content = json.dumps({"version": 1, "played": played}, indent=1)
        try:
            write_text(path, content)
        except OSError as error:
            self._said.append(self._not_written(session, "played", path, error))

    def _write_reports(self, session: pytest.Session, accounts: dict[str, Any], *, stopped: bool) -> None:
        failed = functools.partial(self._not_written, session, "report")
        self._said += _reports.write(session.config, accounts, stopped=stopped, failed=failed)

    def _not_written(self, session: pytest.Session, what: str, file: object, error: OSError) -> str:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        return f"  {what:<12} {file} could not be written: {error.strerror or error}"

    def _end_baseline(
        self, session: pytest.Session, baseline: Baseline, accounts: dict[str, Any], *, whole: bool
    ) -> None:
        from pytest_llmtrace.plugin import _baseline

        untraced: list[tuple[str, dict[str, int]]] = [(test, {}) for test in self._untraced]
        traced = [(test, account["expected"]) for test, account in accounts.items() if account["complete"]]
        ran = _baseline.by_name((*untraced, *traced))
        whole = whole and not any("::" in argument for argument in session.config.args)
        reported = set(map(_baseline.name_of, self._reported))
        without = _baseline.gone(baseline.entries, reported, root=session.config.rootpath, whole=whole)
        if not baseline.writing:
            missing = list(_baseline.missing(baseline.entries, ran, without))
            self._said += _legible(_no_longer(baseline, missing))
            return
        entries = _baseline.renewed(baseline.entries, ran, without)
        try:
            _baseline.write(baseline.path, entries)
        except OSError as error:
            self._said.append(self._not_written(session, "baseline", baseline.label, error))
        else:
            self._said.append(f"  baseline     wrote {baseline.label}: {_counted(entries)}")


def _legible(lines: Iterable[str]) -> Iterator[str]:
    """Make lines safe to print: names of spans and reasons of waivers are foreign text."""
    from pytest_llmtrace._lines import legible

    return map(legible, lines)


def _counted(entries: Entries) -> str:
    from pytest_llmtrace._lines import counted

    number = sum(sum(found.values()) for found in entries.values())
    return f"{counted(number, 'finding')} in {counted(len(entries), 'test')}"


def _no_longer(baseline: Baseline, missing: list[tuple[str, str, int]]) -> Iterator[str]:
    """Name the findings in the baseline that did not occur, and how to take them out."""
    if not missing:
        return
    from pytest_llmtrace._lines import counted

    number = sum(number for *_, number in missing)
    yield f"  baseline     {counted(number, 'finding')} of {baseline.label} no longer occur{'s' * (number == 1)}:"
    for test, found, number in missing[:_SHOWN]:
        yield f"                 {test}  {found}{f'  ({number} times)' if number > 1 else ''}"
    if len(missing) > _SHOWN:
        yield f"                 and {len(missing) - _SHOWN} more"
    yield f"               to remove them: {baseline.command}"


def _marked_in_vain(items: list[str]) -> Iterator[str]:
    """Say which items have the marker and ran without a trace, since they have no fixtures."""
    if items:
        more = f" and {len(items) - 1} more have" if len(items) > 1 else " has"
        yield f"  untraced     {items[0]}{more} the marker, but no fixtures: nothing answers or verifies their calls"
        yield "               give the marker to functions and doctests only, or open LLMTrace(...) where the item runs"


def _gone(accounts: dict[str, Any], root: Path) -> Iterator[str]:
    """Name the recordings, in files that were played, of tests that the run does not have.

    Recordings whose module does not exist either are left out: they may come from another root directory.
    """
    from pytest_llmtrace._lines import counted
    from pytest_llmtrace.secrets.shapes import masked

    said = {tuple(gone) for account in accounts.values() for gone in account["gone"]}
    found = sorted(gone for gone in said if (root / gone[1].partition("::")[0]).is_file())
    for file, test, number in found[:_SHOWN]:
        whose = f"{counted(number, 'recording')} of {masked(test)}, which this run does not have"
        yield f"  gone         {file}: {whose}; if that test is gone, record the file again (--llmtrace-record=all)"
    if len(found) > _SHOWN:
        yield f"  gone         {len(found) - _SHOWN} more like these: pytest-llmtrace cassettes lint"


def _unused_known(accounts: dict[str, Any]) -> Iterator[str]:
    """Name the known faults that did not occur although calls to which they apply were judged."""
    fired: dict[tuple[str, ...], bool] = {}
    for account in accounts.values():
        for known, has_fired in account["watched"]:
            key = (known["check"], known["instrumentor"], known["versions"], known["reason"])
            fired[key] = fired.get(key, False) or has_fired
    for check, instrumentor, versions, reason in sorted(key for key, has_fired in fired.items() if not has_fired):
        where = f"{instrumentor} {versions}".strip()
        yield f"  known        {check} of {where} did not occur, though its calls were judged; remove it ({reason})"


def _unused_waivers(accounts: dict[str, Any]) -> Iterator[str]:
    """Name the waivers that several tests share and that hid nothing in any of them."""
    used: dict[tuple[str, ...], bool] = {}
    for account in accounts.values():
        for place, name, reason, has_hidden in account["shared"]:
            # A test that did not run to its end might have used the waiver, so it counts as a use.
            used[place, name, reason] = used.get((place, name, reason), False) or has_hidden or not account["whole"]
    for place, name, reason in sorted(key for key, has_hidden in used.items() if not has_hidden):
        yield f"  unused       {name} in {place} hid nothing in this run; remove it ({reason})"


def _is_of_folders(config: pytest.Config) -> bool:
    """Tell whether whole folders were run, and not single files or tests."""
    return all((config.invocation_params.dir / Path(argument)).is_dir() for argument in config.args)
