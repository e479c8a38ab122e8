"""The pytest plugin: hooks, marker and fixtures.

This module is imported in every pytest run, so it imports neither OpenTelemetry nor any HTTP library, nor the modules
that handle traced items. `_part` imports those when they are first needed, and only once: a running test may have
replaced Python's import by its own.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pytest_llmtrace import _stdlib  # noqa: F401 - before any test can mock what it keeps
from pytest_llmtrace._collector import uncollected
from pytest_llmtrace.plugin import _declared

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType
    from typing import Any

    from pytest_llmtrace.exits import Exits
    from pytest_llmtrace.harness import LLMTrace


_LATE = (
    "llmtrace: this test got its marker too late for the fixture: it would run untraced, and reach the network\n"
    "next: mark it in pytest_collection_modifyitems, or let it request the fixture llmtrace"
)


_parts: dict[str, ModuleType] = {}


@uncollected  # What modules define is kept.
def _imported(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


def _part(name: str) -> ModuleType:
    if name not in _parts:
        _parts[name] = _imported(name)
    return _parts[name]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options and ini values."""
    _declared.declare(parser)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: Sequence[str]
) -> Generator[None, Any, Any]:
    """Refuse options and ini names that are nearly ours, once the conftest files have declared theirs."""
    result = yield
    strange = _declared.strange_names(early_config, args)
    if strange:
        _part("_misspelt").refuse(early_config, parser, args, strange)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and check the options once, so that a wrong value stops the run."""
    _declared.declare_marker(config)
    if _declared.is_said(config) or _declared.is_distributed(config):
        _part("_options").check_options(config)
        _part("_totals").register(config)
    if _declared.is_exporting(config):
        _part("_exporting").register(config)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note the id of a test that was collected."""
    item.config.stash[_declared.COLLECTED].add(item.nodeid)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note that tests were deselected: something that does not occur in this run may occur in them."""
    for item in items:
        item.config.stash[_declared.PARTIAL] = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> Generator[None, Any, Any]:
    """Let the marker imply the fixture, also a marker that the suite adds in its own hook, even if that runs last.

    Note as well if tests were left out that no hook names as deselected: by a plugin that spreads a suite over machines
    (pytest-shard), or by `--lf`, which passes over tests before they are collected.
    """
    result = yield
    if len(items) < len(config.stash[_declared.COLLECTED]) or config.getoption("lf", default=False):
        config.stash[_declared.PARTIAL] = True
    _refuse_or_take_up(items)
    return result


def _refuse_or_take_up(items: Sequence[pytest.Item]) -> None:
    for item, name in _declared.strange_marks(items):
        _part("_misspelt").refuse_mark(item, name)
    for item in filter(_declared.is_marked, items):
        _part("_items").take_up(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose marker has no meaning, in an xdist worker, where the error could not stop the run."""
    if _declared.MISMARKED in item.stash:
        pytest.fail(item.stash[_declared.MISMARKED], pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test by the fixture that its marker implies, and `llmtrace_exits` by the ways to leave a stream."""
    if _declared.is_marked(metafunc.definition):
        _part("_pytest_internals").parametrize_by(metafunc, _declared.FIXTURE)
    if "llmtrace_exits" in metafunc.fixturenames:
        _part("_exits").parametrize_exits(metafunc)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Refuse the requests of wider fixtures before and after the test's own trace, and let the trace go at the end."""
    if _declared.is_traced(item):
        with _part("_items").guarding(item):
            return (yield)
    result = yield
    if _declared.TRACE in item.stash:  # The test asked for the fixture at run time.
        _part("_items").let_go(item)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Set up the trace of a test before its other function-scoped fixtures."""
    if fixturedef.scope == "function" and _declared.is_traced(request.node):
        _part("_order").set_up_first(request, fixturedef)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Verify at the end of the call phase, so that findings are failures of the test itself."""
    with _part("_items").verified(item) if _declared.is_traced(item) else _verified_if_asked_for(item):
        return (yield)


@contextmanager
def _verified_if_asked_for(item: pytest.Item) -> Iterator[None]:
    """Judge a test that asks for the fixture while it runs, fail one that was marked too late, and ignore others."""
    if _declared.is_marked_late(item):
        pytest.fail(_LATE, pytrace=False)
    try:
        yield
    except BaseException:
        with _judged(item):
            raise
    with _judged(item):
        if _declared.is_marked_late(item):  # By the test itself, or by a fixture that it asked for while it ran.
            pytest.fail(_LATE, pytrace=False)


def _judged(item: pytest.Item) -> AbstractContextManager[None]:
    return _part("_items").judged(item) if _declared.TRACE in item.stash else nullcontext()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail the teardown on what fixtures did after the test, once it is known whether that has failed it already."""
    if _declared.TRACE not in item.stash:
        return (yield)
    with _part("_beside").late_told(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Let a failure be shown at its place, and put what the trace saw on the reports of call and teardown."""
    if _declared.TRACE not in item.stash and not _may_be_ours(item, call):
        report = yield
    else:
        report = yield from _part("_items").reported(item, call)
    if _declared.UNSERVED in item.stash:
        report.llmtrace_unserved = True
    if _declared.is_grouped(item.config):
        report.llmtrace_test = _declared.id_of(item)
    return report


def _may_be_ours(item: pytest.Item, call: pytest.CallInfo[None]) -> bool:
    """Tell whether a failure without a trace may be one of ours: of a late marker, or of a wider fixture."""
    return call.excinfo is not None and ("_items" in _parts or _declared.is_marked(item))


@pytest.fixture(scope="session")
def llmtrace_config() -> Mapping[str, Any]:
    """Override this to configure `llmtrace`: a mapping of keys that `vcr_config` accepts and the marker's arguments."""
    return {}


@pytest.fixture
def llmtrace(request: pytest.FixtureRequest, llmtrace_config: Mapping[str, Any]) -> Iterator[LLMTrace]:
    """Replay, capture and verify the LLM calls of this test: an `LLMTrace` (see `help(pytest_llmtrace.LLMTrace)`)."""
    with _part("_items").traced(request, llmtrace_config) as trace:
        yield trace


@pytest.fixture
def _llmtrace_early(request: pytest.FixtureRequest) -> None:
    """Open the trace before fixtures of wider scope; used only by tests whose class or module has the marker."""
    _part("_items").open_early(request)


@pytest.fixture
def llmtrace_exits(request: pytest.FixtureRequest, llmtrace: LLMTrace) -> Iterator[Exits]:
    """Run a streaming function and leave its stream in one particular way; the test runs once for each way."""
    with _part("_exits").exits(request, llmtrace) as exits:
        yield exits
