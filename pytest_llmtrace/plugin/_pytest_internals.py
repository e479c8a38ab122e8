"""Private names of pytest, each with its reason and the condition for its removal.

`TestCaseFunction._excinfo` (pytest 8 and 9): a failed `unittest.TestCase` does not raise through `pytest_runtest_call`;
pytest keeps the failure here until it makes the report. To be removed when a failed TestCase raises, or when pytest
offers the outcome of a call to `pytest_runtest_call` wrappers. Guarded by tests/plugin/test_unittest.py.

`_pytest.skipping.evaluate_xfail_marks` (pytest 8 and 9): whether a test is expected to fail, its conditions evaluated,
before it is set up. To be removed when pytest offers that. Guarded by tests/plugin/test_baseline.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["failure_of_testcase", "forget_failure_of_testcase", "is_expected_to_fail", "skipped_testcase"]

_UNITTEST_XFAIL = "__unittest_expecting_failure__"
"""What `unittest.expectedFailure` sets on a function or class."""
_UNITTEST_SKIP = "__unittest_skip__"
"""What `unittest.skip` sets on a function or class, and with `_why__` at its end the reason."""


def failure_of_testcase(item: pytest.Item) -> BaseException | None:
    """Return what a `unittest.TestCase` item has failed or skipped with, None for all others."""
    failures = getattr(item, "_excinfo", None)
    return failures[0].value if failures else None


def forget_failure_of_testcase(item: pytest.Item) -> None:
    """Take back what a `unittest.TestCase` item has failed with, so that what is raised now counts."""
    item._excinfo.pop(0)  # type: ignore[attr-defined]


def is_expected_to_fail(item: pytest.Item) -> bool:
    """Tell whether an item is marked `xfail`, under a condition that holds, and the option is not `--runxfail`.

    Or with `unittest.expectedFailure`, which that option does not turn off.
    """
    from _pytest.skipping import evaluate_xfail_marks

    if any(
        getattr(marked, _UNITTEST_XFAIL, False) for marked in (getattr(item, "obj", None), getattr(item, "cls", None))
    ):
        return True
    # Without pytest's plugin `skipping` there is no such option, and nobody heeds the mark.
    return not item.config.getoption("runxfail", default=True) and evaluate_xfail_marks(item) is not None


def skipped_testcase(item: pytest.Function) -> str | None:
    """Return the reason for which `unittest.skip` skips an item or its class, None if neither is skipped."""
    own = item.function if item.cls is None else getattr(item.cls, item.originalname or item.name, None)
    for marked in (item.cls, own):
        if getattr(marked, _UNITTEST_SKIP, False):
            return str(getattr(marked, "__unittest_skip_why__", ""))
    return None
