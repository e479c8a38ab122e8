"""The pytest plugin: hooks, marker and fixtures.

Imported in every pytest run, so it imports neither OpenTelemetry nor any HTTP library, nor what is done with a traced
item; that happens when the first test asks for the fixture, and once: while a test runs, it may have put its own in the
place of Python's import.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pytest_llmtrace import _stdlib  # noqa: F401 - before any test puts a mock in the place of what it keeps
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
    "next: mark it in pytest_collection_modifyitems, or let it ask for the fixture llmtrace"
)


@cache
def _part(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options and ini values."""
    _declared.declare(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and read the options once, so that wrong ones stop the run."""
    _declared.declare_marker(config)
    if _declared.is_said(config) or _declared.is_distributed(config):
        _part("_options").check_options(config)
        _part("_totals").register(config)
    if _declared.is_exporting(config):
        _part("_exporting").register(config)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note which tests there are."""
    item.config.stash[_declared.COLLECTED].add(item.nodeid)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note that what a run did not see may be in what was left out."""
    for item in items:
        item.config.stash[_declared.PARTIAL] = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> Generator[None, Any, Any]:
    """Let the marker imply the fixture, also one that a suite has added to what was collected, however late."""
    result = yield
    for item in filter(_declared.is_marked, items):
        _part("_items").take_up(item)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose marker has no meaning, where that could not stop the run."""
    if _declared.MISMARKED in item.stash:
        pytest.fail(item.stash[_declared.MISMARKED], pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for the parameters of what its marker implies, and one that leaves a stream for each way to do so."""
    if _declared.is_marked(metafunc.definition):
        _part("_pytest_internals").parametrize_by(metafunc, _declared.FIXTURE)
    if "llmtrace_exits" in metafunc.fixturenames:
        _part("_exits").parametrize_exits(metafunc)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Refuse what wider fixtures ask for before and after the test's own trace, and forget that in the end."""
    if _declared.is_traced(item):
        with _part("_items").guarding(item):
            return (yield)
    result = yield
    if _declared.TRACE in item.stash:  # It was asked for at run time.
        _part("_items").let_go(item)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Set the trace up before any other function fixture of a test that has one."""
    if fixturedef.scope == "function" and _declared.is_traced(request.node):
        _part("_order").set_up_first(request, fixturedef)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Verify at the end of the call phase, so that findings are failures of the test itself."""
    with _part("_items").verified(item) if _declared.is_traced(item) else _verified_if_asked_for(item):
        return (yield)


@contextmanager
def _verified_if_asked_for(item: pytest.Item) -> Iterator[None]:
    """Judge a test that asks for the fixture while it runs, and leave all others alone."""
    if _declared.is_marked_late(item):
        pytest.fail(_LATE, pytrace=False)
    try:
        yield
    except BaseException:
        with _judged(item):
            raise
    with _judged(item):
        pass


def _judged(item: pytest.Item) -> AbstractContextManager[None]:
    return _part("_items").judged(item) if _declared.TRACE in item.stash else nullcontext()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put what was seen on the reports of call and teardown, and what is known of a failure on that of the setup."""
    if _declared.TRACE not in item.stash:
        report = yield
    else:
        report = yield from _part("_items").reported(item, call)
    if _declared.is_grouped(item.config):
        report.llmtrace_test = _declared.id_of(item)
    return report


@pytest.fixture(scope="session")
def llmtrace_config() -> Mapping[str, Any]:
    """Override this to configure `llmtrace`: what `vcr_config` accepts, and the marker's arguments."""
    return {}


@pytest.fixture
def llmtrace(request: pytest.FixtureRequest, llmtrace_config: Mapping[str, Any]) -> Iterator[LLMTrace]:
    """Replay, capture and verify the LLM calls of this test: an `LLMTrace`, of which `help()` tells more."""
    with _part("_items").traced(request, llmtrace_config) as trace:
        yield trace


@pytest.fixture
def _llmtrace_early(request: pytest.FixtureRequest) -> None:
    """Open the trace before wider fixtures; only tests whose class or module has the marker ask for it."""
    _part("_items").open_early(request)


@pytest.fixture
def llmtrace_exits(request: pytest.FixtureRequest, llmtrace: LLMTrace) -> Iterator[Exits]:
    """Run a streaming function and leave its stream in one way; the test runs once for each."""
    with _part("_exits").exits(request, llmtrace) as exits:
        yield exits
