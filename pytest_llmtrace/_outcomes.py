"""What findings make of a test: the exception that it fails with."""

from __future__ import annotations

import pytest

from pytest_llmtrace._pytest_internals import failure_of_testcase, forget_failure_of_testcase
from pytest_llmtrace.errors import VerificationError

__all__ = ["Failed", "failure_of", "is_unexpected_success"]


class Failed(VerificationError, pytest.fail.Exception):  # type: ignore[misc,name-defined]  # mypy takes it for no class
    """The findings of a test, as pytest's own failure without a traceback, and as an AssertionError.

    So `xfail(raises=...)` may name `AssertionError`, `VerificationError` or `pytest.fail.Exception`.
    """

    __module__ = "builtins"  # pytest prints its own failure so.

    def __init__(self, report: str) -> None:
        pytest.fail.Exception.__init__(self, report, pytrace=False)


def failure_of(item: pytest.Item, report: str) -> BaseException:
    """Return what an item is to raise for its findings.

    A `unittest.TestCase` that is expected to fail, and has not by itself, now has.
    """
    if not is_unexpected_success(item):
        return Failed(report)
    forget_failure_of_testcase(item)
    return pytest.xfail.Exception(report.partition("\n")[0])


def is_unexpected_success(item: pytest.Item) -> bool:
    """Tell whether an item has failed only since `unittest.expectedFailure` wants it to, and it has not."""
    failure = failure_of_testcase(item)
    return isinstance(failure, pytest.fail.Exception) and failure.msg == "Unexpected success"
