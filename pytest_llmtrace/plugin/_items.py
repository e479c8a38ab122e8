"""What happens to a pytest item that is traced. Heavy modules are imported only when the first such item runs."""

from __future__ import annotations

import contextlib
import functools
import traceback
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmtrace.errors import CassetteError, LLMTraceError, UsageError
from pytest_llmtrace.plugin import _beside, _broken, _declared, _options, _order, _teardown, _totals
from pytest_llmtrace.plugin._coroutines import coroutine_watched
from pytest_llmtrace.plugin._declared import COPIED, EARLY, FIXTURE, PARTIAL, TRACE
from pytest_llmtrace.plugin._outcomes import failure_of, has_failed_part, is_unexpected_success, watch_parts
from pytest_llmtrace.plugin._pytest_internals import (
    excinfo_of_testcase,
    failure_of_testcase,
    is_expected_to_fail,
    list_fixture,
    skipped_testcase,
)
from pytest_llmtrace.plugin._tracebacks import locate, shortened

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace

__all__ = [
    "guarding",
    "has_run",
    "judged",
    "let_go",
    "open_early",
    "reported",
    "take_up",
    "traced",
    "verified",
]

_ran_key = pytest.StashKey[bool]()
_unseen_key = pytest.StashKey[set[str]]()
_reason_key = pytest.StashKey[str]()


# --- the trace of an item --------------------------------------------------------------------------------------------


def take_up(item: pytest.Item) -> None:
    """Check the markers of an item, and let it use the fixture."""
    try:
        _options.check_markers(item)
    except pytest.UsageError as error:
        if not hasattr(item.config, "workerinput"):
            raise
        # If a worker stops, xdist's controller says only that it crashed; so the test fails instead of the run.
        item.stash[_declared.MISMARKED] = str(error)
    else:
        _ask_for_fixture(item)


def _ask_for_fixture(item: pytest.Item) -> None:
    """Let a marked item use the fixture, and open its trace before all other fixtures if its class or module is marked.

    Only functions and doctests can: other items that plugins collect have no fixtures. Whoever marks a whole folder
    marks them too, so this is no error, but it is said at the end of the run.

    What `unittest` skips is marked `skip` here; pytest would learn of it only when the fixtures are set up.
    """
    names = getattr(item, "fixturenames", None)  # Variants of one test share this list: it is copied, not changed.
    if names is None:
        item.stash[_declared.UNSERVED] = True
        _totals.register(item.config)
        return
    why = skipped_testcase(item)
    if why is not None and item.config.pluginmanager.hasplugin("skipping"):  # Else the mark is unknown.
        item.add_marker(pytest.mark.skip(reason=why))
    if not _declared.is_traced(item):
        names = [*names, FIXTURE]
        list_fixture(item, FIXTURE)
    early = [EARLY] if _declared.wide_marker(item) else []
    item.fixturenames = [*early, *names]  # type: ignore[attr-defined]


@contextlib.contextmanager
def guarding(item: pytest.Item) -> Iterator[None]:
    """Refuse the requests of wider fixtures, before the item's own trace is open and after it is closed.

    Wider fixtures are those of a class, a module, a package or the session. They may reach the hosts that the markers
    let through: a fixture may wait for a server that it starts.
    """
    from pytest_llmtrace.plugin._refusing import refusing

    item.stash[COPIED] = _declared.is_copy(item.config)
    try:
        with refusing(item, allow_hosts=_options.marked_hosts(item)):
            yield
    finally:
        let_go(item)


def let_go(item: pytest.Item) -> None:
    """Close the trace of an item, in case its fixture was never set up to do so, and forget it.

    Items live as long as the run, but their traces do not have to.
    """
    trace = item.stash.get(TRACE, None)
    if trace is not None:
        trace.close()
        del item.stash[TRACE]


def open_early(request: pytest.FixtureRequest) -> None:
    """Open the trace of a class or module marker, before wider fixtures; what these start belongs to no single test."""
    _opened(request, own=request.getfixturevalue("llmtrace_config"))
    _order.begin_anew(request.node)  # `llmtrace` itself is set up later, before other function fixtures.


@contextlib.contextmanager
def traced(request: pytest.FixtureRequest, own: Mapping[str, Any]) -> Iterator[LLMTrace]:
    """Run the `llmtrace` fixture: open the trace, close it, and judge what other fixtures did after the test."""
    item = request.node
    trace = item.stash.get(TRACE, None)
    if trace is None or not trace.is_open:
        trace = _opened(request, own=own)
    else:
        trace.begin_fixtures()
    if not _declared.is_traced(item):  # The test asked for it at run time: it has begun.
        trace.begin_test()
    try:
        with trace.belonging():
            yield trace
    finally:
        with _broken.naming_mocks():
            trace.close()
        _order.begin_anew(item)  # The item may be run again.
        _teardown.forget(item)
    with _broken.naming_mocks():
        _save(item, trace)
        verdict, late = trace.late_report()
    _beside.keep_late(item, verdict, late)


def _save(item: pytest.Item, trace: LLMTrace) -> None:
    """Write what was recorded, calls of fixtures included, if the code under test ran to its end."""
    said = item.config.stash.setdefault(_totals.SAID_OF_RECORDINGS, [])
    if item.stash.get(COPIED, False) or trace.is_copy:
        return
    said += trace.unrecorded(item.nodeid)
    if not trace.is_recording:
        return
    if not has_run(item):
        said.append(f"not written, since the test did not pass: the recording of {item.nodeid}")
        return
    try:
        written = trace.save()
    except LLMTraceError as error:
        raise pytest.fail.Exception(f"llmtrace: {error}", pytrace=False) from None
    said += map(str, written)
    recorded = _options.recorded_by(item.config)
    for one in written:
        if one.recordings:
            recorded.setdefault(one.path, one.before)


def _opened(request: pytest.FixtureRequest, *, own: Mapping[str, Any]) -> LLMTrace:
    from pytest_llmtrace.harness import LLMTrace

    item = request.node
    let_go(item)  # If this is a rerun, an attempt whose setup failed before our fixture left its trace open.
    _beside.forget(item)
    item.stash[_reason_key] = ""
    watch_parts(item)
    try:
        vcr = _vcr_config(request)
        default, is_shared = _default_cassette(item, request, vcr)
        settings = _options.settings_for(item, own=own, vcr=vcr, default_cassette=default, default_is_shared=is_shared)
        trace = LLMTrace(settings=settings)
        trace.open()  # An instrumentor that is switched on may raise; a trace that never opened is not kept.
    except (CassetteError, UsageError) as error:
        raise pytest.fail.Exception(f"llmtrace: {error}", pytrace=False) from None
    item.stash[TRACE] = trace
    return trace


def _default_cassette(item: pytest.Item, request: pytest.FixtureRequest, vcr: Mapping[str, Any]) -> tuple[Path, bool]:
    """Return the file that pytest-recording would use, to find existing cassettes; and whether other tests may have it.

    They may if the suite has named it, or if its name is not all of the test's: it has other characters, or the class
    is inside of another. The fixtures `vcr_cassette_dir` and `default_cassette_name` are used if they exist, whether
    they are pytest-recording's own or the suite's.
    """
    from pytest_llmtrace.replay import default_name, default_path

    cls = getattr(item, "cls", None)
    own_name = default_name(item.name, cls=None if cls is None else cls.__name__)
    is_whole = own_name == (item.name if cls is None else f"{cls.__qualname__}.{item.name}")
    own_folder = _default_folder(item.path)
    marker = item.get_closest_marker("default_cassette")
    name = str(marker.args[0]) if marker is not None and marker.args else own_name
    name = str(_fixture(request, "default_cassette_name") or name)
    named = _fixture(request, "vcr_cassette_dir")
    folder = Path(named) if named else own_folder
    is_shared = not is_whole or name != own_name or folder != own_folder
    return default_path(folder, name, serializer=vcr.get("serializer")), is_shared


@functools.cache
def _default_folder(module: Path) -> Path:
    return module.parent / "cassettes" / module.stem


def _vcr_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    found = _fixture(request, "vcr_config")
    if found is not None and not isinstance(found, Mapping):
        kind = type(found).__name__  # Its value may have keys of an API in it.
        raise UsageError(
            f"the fixture vcr_config must return a mapping, such as {{'match_on': ['method', 'uri']}}, not a {kind}"
        )
    return found or {}


def _fixture(request: pytest.FixtureRequest, name: str) -> Any:
    """Return the value of a fixture that pytest-recording or the suite may have, `None` if there is none.

    A fixture that one test of a class or module does not see is not looked up again: the other tests do not see it.
    """
    parent = request.node.parent
    unseen = parent.stash.setdefault(_unseen_key, set())
    if name in unseen:
        return None
    try:
        return request.getfixturevalue(name)
    except pytest.FixtureLookupError as error:
        if error.argname == name:
            unseen.add(name)
        return None


# --- its call phase --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def verified(item: pytest.Item) -> Iterator[None]:
    """Verify what the call phase does, and fail the test on findings."""
    trace = item.stash.get(TRACE, None)
    if trace is not None and trace.is_open:
        trace.begin_test()
    with judged(item), coroutine_watched(item):
        yield


@contextlib.contextmanager
def judged(item: pytest.Item) -> Iterator[None]:
    """Judge the trace when the block ends, and fail on findings."""
    item.stash[_ran_key] = False
    try:
        yield
    except BaseException as failure:  # pytest.fail() is not an Exception.
        _end_time(item)
        _beside.explain(item, failure)
        raise
    _end_time(item)
    trace = item.stash.get(TRACE, None)  # The test may have asked for it at run time.
    if trace is None or not trace.is_open:
        return
    failed = failure_of_testcase(item)
    item.stash[_ran_key] = failed is None and not has_failed_part(item)
    if failed is None or is_unexpected_success(item):
        with _broken.naming_mocks():
            _judge(item, trace)
    else:
        _beside.explain(item, failed)


def has_run(item: pytest.Item) -> bool:
    """Tell whether the code of a test has run to its end, whatever was then found."""
    return item.stash.get(_ran_key, False)


def _end_time(item: pytest.Item) -> None:
    """Let virtual time end with the test: pytest's own clock is real."""
    trace = item.stash.get(TRACE, None)
    if trace is not None:
        trace.clock.stop()


def _judge(item: pytest.Item, trace: LLMTrace) -> None:
    wrong = _options.take_added(item, trace)
    if wrong:
        failure = pytest.fail.Exception(wrong, pytrace=False)
        _beside.explain(item, failure)
        raise failure
    if trace.settings.verify is False:
        return
    # A test that is expected to fail must fail here: after its teardown its call already counts as passed.
    to_be_called = _teardown.may_play(item) and not is_expected_to_fail(item)
    waived = {"replay/unplayed", "replay/*"} & trace.settings.ignore.keys()
    _, verdict = trace.judge(to_be_called=to_be_called, to_be_played=to_be_called and not waived)
    _beside.note(item, verdict)
    if trace.fails(verdict):
        raise failure_of(item, trace.report(), verdict)


# --- its report ------------------------------------------------------------------------------------------------------


def reported(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a failure be shown at its place, and put what the trace saw on the reports of call and teardown."""
    excinfo = excinfo_of_testcase(item) or call.excinfo
    if excinfo is None:
        report = yield
    else:
        if call.when == "setup":
            _beside.explain(item, excinfo.value, "setup")
        with shortened(excinfo, item.config):
            report = yield
        locate(report, excinfo, item)
    trace = item.stash.get(TRACE, None)  # A trace that could not be opened is not kept.
    told = _beside.unseen(item, report)
    if trace is not None and call.when != "setup":
        _annotate(item, trace, report, told)
    return report


def _annotate(item: pytest.Item, trace: LLMTrace, report: pytest.TestReport, told: str) -> None:
    """Put on a report what the trace saw; xdist carries the attributes of a report to the controller.

    It is one string, and a short one: pytest keeps its reports for the whole run.
    """
    try:
        account = {**trace.account(), "partial": item.config.stash.get(PARTIAL, False)}
        account["remark"] = "\n\n".join(filter(None, (told, account["remark"])))
        _totals.register(item.config)
        report.llmtrace = _totals.written(account)  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001 - in a hook it would end the run, and lose what all other tests have said
        reason = _broken.reason_of(error)
        if not reason or reason != item.stash.get(_reason_key, ""):  # The teardown does not repeat what the call says.
            _break(report, reason or f"{_broken.INTERNAL}\n{traceback.format_exc()}")
        item.stash[_reason_key] = reason


def _break(report: pytest.TestReport, why: str) -> None:
    """Fail a test because this package broke on it; if it has failed already, add that to its report."""
    if report.passed:
        report.outcome = "failed"
        report.longrepr = why
    elif why.removeprefix("llmtrace: ") not in report.longreprtext and not any(
        why in text for _, text in report.sections
    ):
        report.sections.append((FIXTURE, why))
