"""How a test fails on findings: the exception that it raises; and whether it has failed by itself without raising."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pytest

from pytest_llmtrace.errors import VerificationError
from pytest_llmtrace.finding import Severity
from pytest_llmtrace.plugin._pytest_internals import failure_of_testcase, forget_failure_of_testcase

if TYPE_CHECKING:
    from pytest_llmtrace.checks import Verdict

__all__ = ["Failed", "failure_of", "has_failed_part", "is_unexpected_success", "watch_parts"]

_failed_parts = pytest.StashKey[set[str]]()


class Failed(VerificationError, pytest.fail.Exception):  # type: ignore[misc,name-defined]  # mypy sees no class
    """The findings of a test, as pytest's own failure without a traceback, and as an AssertionError.

    So `xfail(raises=...)` may name `AssertionError`, `VerificationError` or `pytest.fail.Exception`.

    Attributes:
        line: The ids of the checks, for where there is room for one line.
    """

    __module__ = "builtins"  # As in pytest's own failure, so that it is printed as `Failed`.
    line = ""

    def __init__(self, report: str) -> None:
        pytest.fail.Exception.__init__(self, report, pytrace=False)

    @classmethod
    def of(cls, report: str, verdict: Verdict) -> Self:
        """Make the failure of a report on a verdict."""
        failure = cls(report)
        found = [finding.check for finding in verdict.findings if finding.severity is not Severity.INFO]
        failure.line = f"llmtrace: {', '.join(dict.fromkeys(found))}"
        return failure


def failure_of(item: pytest.Item, report: str, verdict: Verdict) -> BaseException:
    """Return the exception that an item is to raise for its findings.

    For a `unittest.TestCase` that is expected to fail, and has not failed by itself, it is an expected failure.
    """
    if not is_unexpected_success(item):
        return Failed.of(report, verdict)
    forget_failure_of_testcase(item)
    return pytest.xfail.Exception(report.partition("\n")[0])


def is_unexpected_success(item: pytest.Item) -> bool:
    """Tell whether an item has failed only because `unittest.expectedFailure` expects a failure, and none came."""
    failure = failure_of_testcase(item)
    return isinstance(failure, pytest.fail.Exception) and failure.msg == "Unexpected success"


def watch_parts(item: pytest.Item) -> None:
    """Begin to note the failed subtests of an item, since a subtest that fails does not raise."""
    stash = item.config.stash
    if _failed_parts not in stash:
        stash[_failed_parts] = set()
        item.config.pluginmanager.register(_Parts(stash[_failed_parts]))
    stash[_failed_parts].discard(item.nodeid)  # The item may be run again.


def has_failed_part(item: pytest.Item) -> bool:
    """Tell whether a subtest of an item has failed; to be asked before the item's own report is made."""
    return item.nodeid in item.config.stash[_failed_parts]


class _Parts:
    """Notes the tests with a failed report: while a test is running, that can only be the report of a subtest."""

    def __init__(self, failed: set[str]) -> None:
        self._failed = failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the test of a failed report."""
        if report.failed:
            self._failed.add(report.nodeid)
