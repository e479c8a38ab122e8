"""The export of spans to a back end: pytest keeps them as each test ends, and sends them when all tests have ended.

This module is imported only if spans are exported. Whatever goes wrong here is reported in the summary and changes no
outcome of a test.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from time import gmtime, perf_counter, strftime
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmtrace import export
from pytest_llmtrace._argtypes import checked_seconds
from pytest_llmtrace._lines import counted
from pytest_llmtrace._stdlib import json
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import SpanRecord
from pytest_llmtrace.plugin import _declared, _ini
from pytest_llmtrace.plugin._declared import COPIED, FIXTURE, TRACE
from pytest_llmtrace.plugin._items import let_go

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace

__all__ = ["Exporting", "register"]

_PROPERTY: Final = "llmtrace_trace"
_INPUT: Final = "llmtrace_export"
_SHOWN: Final = 5
"""How many traces of a test are linked."""
_SHOWN_TESTS: Final = 20
"""How many failed tests are linked in the summary."""
_REPORTS: Final = pytest.StashKey[list[pytest.TestReport]]()
"""The reports on a test, until it is over. pytest-retry changes the report of the call to that of the last attempt."""
_TROUBLES: Final = pytest.StashKey[list[str]]()
"""What went wrong when spans of a test were kept, earlier attempts included."""


def register(config: pytest.Config) -> None:
    """Register the plugin that exports the spans of a run.

    Raises:
        pytest.UsageError: If a setting of the export is missing or has no meaning.
    """
    try:
        config.pluginmanager.register(Exporting(config))
    except UsageError as error:
        raise pytest.UsageError(f"llmtrace: {error}") from None


class Exporting:
    """Exports the spans of a run, as a plugin of its own: in workers it keeps them, in the controller it sends them.

    Args:
        config: The configuration of the run.

    Raises:
        UsageError: If a destination is unknown, or a setting that locates it is missing or has no meaning.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._environ = dict(os.environ)  # Tests may change the environment, and not restore it.
        environ = {**export.read_env_file(config.rootpath / ".env"), **self._environ}
        folder, names = _wanted(config)
        self._budget = _budget(config)
        self._destinations = [export.destination(name, environ) for name in names if not name.startswith("file=")]
        root = _spool_folder(config)
        self._spools = {to.name: export.Spool(root / to.name) for to in self._destinations}
        self._files = [export.Lines(folder / name.removeprefix("file=")) for name in names if name.startswith("file=")]
        self._links: dict[str, list[str]] = {}
        self._troubles = Counter[str]()
        self._config = config
        self._exit_status: int | pytest.ExitCode = pytest.ExitCode.OK
        worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self._is_over = True  # Until the test loop begins; in workers for good: the controller sends.
        if worker is not None:
            self._shared = json.loads(worker[_INPUT])
            self._files = [export.Lines(Path(path)) for path in self._shared["files"]]
            self._name = f"{self._shared['run']}-{worker['workerid']}"
        else:
            self._start(config, environ)
        self._encoder = export.Encoder(self._shared["resource"])

    def _start(self, config: pytest.Config, environ: Mapping[str, str]) -> None:
        run = f"{strftime('%Y%m%dT%H%M%S', gmtime())}-{secrets.token_hex(4)}"
        resource = export.identify(environ, config.rootpath, run=run)
        self._shared = {"run": run, "resource": resource, "files": [str(file.path) for file in self._files]}
        self._name = f"{run}-main"
        for file in self._files:
            try:
                file.try_out()
            except OSError as error:
                raise UsageError(f"--llmtrace-export file={file.path}: {error.strerror or error}") from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give an xdist worker what the controller has found out: the run's id, its resource and its files."""
        node.workerinput[_INPUT] = json.dumps(self._shared)

    # --- each test ---

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Keep the spans of an attempt whose teardown was not reported, as with pytest-retry, before the next begins.

        Its trace is let go, so that its spans are not kept again if the next attempt opens no trace.
        """
        trace = item.stash.get(TRACE, None)
        if trace is not None and item.stash.get(_REPORTS, None):
            item.stash.setdefault(_TROUBLES, []).extend(self._keep(item, trace, trace.ended()))
            let_go(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the links to a test's traces on its report, and keep its spans when it is over."""
        spans: tuple[SpanRecord, ...] = ()
        trace = item.stash.get(TRACE, None)  # Absent if a test is not traced, or its setup failed before that.
        if trace is not None and call.when == "teardown":
            spans = trace.ended()
            self._link(item, spans)
        report = yield
        if trace is not None and report.failed:  # Perhaps without an exception, like a strict xfail that passes.
            links = self._link(item, trace.ended())
            if links:  # Add them to this report, and to those of the phases that follow.
                report.sections.append((f"Captured {FIXTURE} trace {call.when}", "\n".join(links)))
                item.add_report_section(call.when, f"{FIXTURE} trace", "\n".join(links))
        item.stash.setdefault(_REPORTS, []).append(report)
        if call.when == "teardown":
            troubles = item.stash.setdefault(_TROUBLES, [])
            if trace is not None:
                troubles += self._keep(item, trace, spans)
            if troubles:
                report.llmtrace_troubles = troubles  # type: ignore[attr-defined]
            del item.stash[_REPORTS], item.stash[_TROUBLES]
        return report

    def _link(self, item: pytest.Item, spans: Sequence[SpanRecord]) -> list[str]:
        """Put the addresses of a test's traces into the properties that JUnit shows, and return them."""
        item.user_properties[:] = (known for known in item.user_properties if known[0] != _PROPERTY)
        found = [link for to in self._destinations for link in export.links(to, spans)][:_SHOWN]
        item.user_properties.extend((_PROPERTY, link) for link in found)
        return found

    def _keep(self, item: pytest.Item, trace: LLMTrace, spans: Sequence[SpanRecord]) -> Iterator[str]:
        """Keep the spans of one attempt of a test; yield what went wrong, if anything."""
        if not spans or item.stash.get(COPIED, False) or trace.is_copy or _declared.is_listing(self._config):
            return
        attributes = {
            "test.case.name": _declared.id_of(item),
            "test.case.result.status": _status(item.stash[_REPORTS]),
            "test.suite.name": item.nodeid.partition("::")[0],
        }
        try:
            request = self._encoder.request(spans, attributes)
        except Exception as error:  # noqa: BLE001  # A value may do anything when it is asked for its text.
            yield f"a value that cannot be written ({type(error).__name__})"
            return
        sinks: list[export.Spool | export.Lines] = [*self._spools.values(), *self._files]
        for sink in sinks:
            try:
                sink.put(self._name, request)
            except OSError as error:  # A test does not fail because its spans cannot be kept.
                todo = "; llmtrace_spool may name another folder" if isinstance(sink, export.Spool) else ""
                yield f"{error.strerror or error} ({sink.path}){todo}"

    # --- the run ---

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Empty the files, since tests will run; a run that only lists tests leaves the files of an earlier run."""
        if hasattr(session.config, "workerinput") or _declared.is_listing(session.config):
            return
        self._is_over = False
        for file in self._files:
            with contextlib.suppress(OSError):  # `try_out` could write it; `_keep` reports what is wrong now.
                file.start()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take links and troubles from reports, also from those of workers."""
        if report.failed or report.nodeid in self._links:  # The teardown's report links all phases.
            self._links[report.nodeid] = [str(value) for name, value in report.user_properties if name == _PROPERTY]
        troubles = getattr(report, "llmtrace_troubles", None)
        if troubles:
            self._troubles.update(troubles)

    def pytest_sessionfinish(self, exitstatus: int | pytest.ExitCode) -> None:
        """Note how the run has ended."""
        self._exit_status = exitstatus

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Send the spans, show the progress, and say what became of them."""

        def tell(sent: int) -> None:
            if terminalreporter.isatty:
                terminalreporter.rewrite(f"llmtrace: {counted(sent, 'span')} sent", erase=True)

        lines = [*self._finish(tell), *self._linked()]
        if terminalreporter.isatty:
            terminalreporter.rewrite("", erase=True)
            terminalreporter.write("\r")
        if lines:
            terminalreporter.section(f"{FIXTURE} export")
            for line in lines:
                terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        """Send the spans if no terminal summary has done so."""
        list(self._finish(lambda _: None))

    def _finish(self, tell: Any) -> Iterator[str]:
        """Send the spans, once per run; yield what became of them, line by line."""
        if self._is_over or _declared.is_copy(self._config):
            return
        self._is_over = True
        for trouble, tests in self._troubles.items():
            yield f"  not kept     the spans of {counted(tests, 'test')}: {trouble}"
        for file in self._files:
            yield f"  exported     to {file.path}"
        for to in self._destinations:
            yield from self._sent(to, self._spools[to.name], tell)

    def _sent(self, to: export.Destination, spool: export.Spool, tell: Any) -> Iterator[str]:
        run = self._shared["run"]
        outcome = export.Outcome()
        if self._exit_status == pytest.ExitCode.INTERRUPTED:
            outcome.problems["the run was interrupted"] = None
        elif spool.waiting(run):
            began = perf_counter()
            try:
                outcome = export.push(to, spool, run=run, budget=self._budget, environ=self._environ, tell=tell)
            except KeyboardInterrupt:  # End the wait, not the run: the tests are over, and their report is yet to come.
                outcome.problems["sending was interrupted"] = None
                self._exit_status = pytest.ExitCode.INTERRUPTED
            except Exception as error:  # noqa: BLE001  # No run fails because its spans cannot be sent.
                outcome.problems[f"{type(error).__name__}: {error}"] = None
            # All destinations share one budget; 1 s is always left, so that the last of them can at least begin.
            self._budget = max(self._budget - (perf_counter() - began), 1.0)
        yield from _said(outcome, to, spool, run)

    def _linked(self) -> Iterator[str]:
        """Say where the traces of failed tests are."""
        linked = [(test, links) for test, links in self._links.items() if links]
        for test, links in linked[:_SHOWN_TESTS]:
            more = f"  (and {len(links) - 1} more in its report)" if len(links) > 1 else ""
            yield f"  trace        {test}  {links[0]}{more}"
        if len(linked) > _SHOWN_TESTS:
            yield f"  trace        {len(linked) - _SHOWN_TESTS} more tests have links in their reports"


def _said(outcome: export.Outcome, to: export.Destination, spool: export.Spool, run: str) -> Iterator[str]:
    """Say what became of the spans of a run, and what to do about those that were not accepted."""
    why = "; ".join(outcome.problems) or "not asked"
    waiting, doubtful = spool.waiting(run), spool.in_doubt(run)
    if outcome.sent or not (waiting or doubtful or outcome.rejected):
        yield f"  exported     {counted(outcome.sent, 'span')} to {to.label}"
    for reason, number in outcome.rejected.items():
        yield f"  rejected     {counted(number, 'span')} by {to.label}: {reason}"
    if waiting:
        what = counted(waiting, "span")
        yield f"  not sent     {what} to {to.label}: {why}; they are kept; to send them: {_push(spool)}"
    if doubtful:
        what = counted(doubtful, "span")
        yield f"  in doubt     {what} to {to.label}: {why}; to find out and send what is missing: {_push(spool)}"
    earlier = spool.waiting() + spool.in_doubt() - waiting - doubtful
    if earlier:
        yield f"  waiting      {counted(earlier, 'span')} of earlier runs in {spool.path}; to send them: {_push(spool)}"


def _push(spool: export.Spool) -> str:
    return f"pytest-llmtrace push --spool {shlex.quote(str(spool.path.parent))}"


def _status(reports: list[pytest.TestReport]) -> str:
    """Return the result of a test so far: `pass` or `fail`, as the convention says; else `skipped` or `xfailed`."""
    if any(report.failed for report in reports):
        return "fail"
    own = [report for report in reports if report.when != "teardown"] or reports
    last = own[-1]  # The last report is the test's; those before it are its subtests'.
    if last.skipped:
        return "xfailed" if hasattr(last, "wasxfail") else "skipped"
    return "pass"


def _wanted(config: pytest.Config) -> tuple[Path, list[str]]:
    """Return the destinations, each once, after the folder that the paths of files start from."""
    folder, said = _ini.base_and_lines(config, "llmtrace_export")
    if any(name == "file=" for name in said):
        raise UsageError("--llmtrace-export file= needs a path, such as file=spans.jsonl")
    return folder, list(dict.fromkeys(said))


def _budget(config: pytest.Config) -> float:
    name = "llmtrace_export_budget"
    return checked_seconds(_ini.place(config, name), _ini.text(config, name), 10)


def _spool_folder(config: pytest.Config) -> Path:
    """Return the folder where spans are kept: beside those that `--cache-clear` clears, so that spans are not lost."""
    said = _ini.text(config, "llmtrace_spool")
    if said:
        return config.rootpath / said
    folder = config.rootpath / ".pytest_cache"
    cache = getattr(config, "cache", None)  # Absent under -p no:cacheprovider.
    if cache is not None:
        with contextlib.suppress(OSError):  # Reported when a test has spans that cannot be written.
            folder = cache.mkdir(FIXTURE).parents[1]
    return folder / FIXTURE / "spool"
