"""Private names of pytest, each with its reason and the condition for its removal.

`TestCaseFunction._excinfo` (pytest 8 and 9): a failed `unittest.TestCase` does not raise through `pytest_runtest_call`;
pytest keeps the failure here until it makes the report. To be removed when a failed TestCase raises, or when pytest
offers the outcome of a call to `pytest_runtest_call` wrappers. Guarded by tests/plugin/test_unittest.py.

`_pytest.skipping.evaluate_xfail_marks` (pytest 8 and 9): whether a test is expected to fail, its conditions evaluated,
before it is set up. To be removed when pytest offers that. Guarded by tests/plugin/test_baseline.py.

`Session._fixturemanager.getfixturedefs` (pytest 8 and 9; before 8.1 by the id of an item): which fixtures of a name an
item sees, so that the suite can be told if one hides ours. To be removed when pytest offers that. Guarded by
tests/plugin/test_fixtures.py.

`SubRequest._parent_request` (pytest 8 and 9): on behalf of which fixture another one is set up, since within a fixture
that overrides another, their common name means the overridden one. To be removed when pytest offers the stack of
fixtures. Guarded by tests/plugin/test_fixtures.py.

`Metafunc._arg2fixturedefs`, `Session._fixturemanager.getfixtureclosure` and `_get_direct_parametrize_args` (pytest 8
and 9): the fixtures by which a test is parametrised, so that the fixture that its marker implies is among them. To be
removed when a plugin can add a fixture to a test before the test is parametrised. Guarded by
tests/plugin/test_fixtures.py.

`Item._fixtureinfo.name2fixturedefs` (pytest 8 and 9): what `--fixtures-per-test` lists. To be removed when a fixture
that is added to `fixturenames` is listed. Guarded by tests/plugin/test_fixtures.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from _pytest.fixtures import _get_direct_parametrize_args
from _pytest.skipping import evaluate_xfail_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "being_set_up",
    "excinfo_of_testcase",
    "failure_of_testcase",
    "forget_failure_of_testcase",
    "hiding_fixture",
    "is_expected_to_fail",
    "list_fixture",
    "parametrize_by",
    "skipped_testcase",
]

_UNITTEST_XFAIL = "__unittest_expecting_failure__"
"""The attribute that `unittest.expectedFailure` sets on a function or class."""
_UNITTEST_SKIP = "__unittest_skip__"
"""The attribute that `unittest.skip` sets on a function or class; the reason is in `__unittest_skip_why__`."""


def excinfo_of_testcase(item: pytest.Item) -> pytest.ExceptionInfo[BaseException] | None:
    """Return the exception info with which a `unittest.TestCase` item failed or was skipped, `None` for other items."""
    failures = getattr(item, "_excinfo", None)
    return failures[0] if failures else None


def failure_of_testcase(item: pytest.Item) -> BaseException | None:
    """Return the exception with which a `unittest.TestCase` item failed or was skipped, `None` if there is none."""
    excinfo = excinfo_of_testcase(item)
    return excinfo.value if excinfo else None


def forget_failure_of_testcase(item: pytest.Item) -> None:
    """Drop the failure that pytest keeps for a `unittest.TestCase` item, so that the exception raised now counts."""
    item._excinfo.pop(0)  # type: ignore[attr-defined]


def is_expected_to_fail(item: pytest.Item) -> bool:
    """Tell whether an item is expected to fail: marked `xfail`, under a condition that holds, and without `--runxfail`.

    Or marked with `unittest.expectedFailure`, which that option does not turn off.
    """
    if any(
        getattr(marked, _UNITTEST_XFAIL, False) for marked in (getattr(item, "obj", None), getattr(item, "cls", None))
    ):
        return True
    # Without pytest's plugin `skipping` that option does not exist, and the mark has no effect.
    return not item.config.getoption("runxfail", default=True) and evaluate_xfail_marks(item) is not None


def hiding_fixture(item: pytest.Item, name: str, *, of: str) -> str | None:
    """Return the module whose fixture hides, from an item, the fixture `name` of the module `of`; `None` if none does.

    A fixture that takes an argument of its own name gets the fixture that it would hide, so it hides nothing; one that
    takes `request` may get it in the same way.
    """
    for known in reversed(_fixtures(item, name)):
        module = str(known.func.__module__)
        if module == of:
            return None
        if not {name, "request"} & {*known.argnames}:
            return module
    return None


def being_set_up(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the names of the fixtures that are being set up, the innermost first."""
    current: pytest.FixtureRequest | None = request
    while current is not None and current.fixturename:
        yield current.fixturename
        current = getattr(current, "_parent_request", None)


def list_fixture(item: pytest.Item, name: str) -> None:
    """Let `--fixtures-per-test` list a fixture that a function uses without naming it; doctests break that listing."""
    listing = item.config.getoption("show_fixtures_per_test", default=False)
    if listing and isinstance(item, pytest.Function):
        item._fixtureinfo.name2fixturedefs.setdefault(name, _fixtures(item, name))


def parametrize_by(metafunc: pytest.Metafunc, name: str) -> None:
    """Let a test be parametrised as if it named a fixture: by that fixture and by those that it needs."""
    test = metafunc.definition
    needed, found = test.session._fixturemanager.getfixtureclosure(
        parentnode=test, initialnames=(name,), ignore_args=_get_direct_parametrize_args(test)
    )
    metafunc.fixturenames += [one for one in needed if one not in metafunc.fixturenames]
    for one, fixtures in found.items():
        metafunc._arg2fixturedefs.setdefault(one, fixtures)


def _fixtures(item: pytest.Item, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """Return the fixtures of a name that an item sees, the closest last."""
    seen_by: Any = item if pytest.version_tuple >= (8, 1) else item.nodeid
    return item.session._fixturemanager.getfixturedefs(name, seen_by) or ()


def skipped_testcase(item: pytest.Item) -> str | None:
    """Return the reason for which `unittest.skip` skips an item or its class, None if neither is skipped."""
    if not isinstance(item, pytest.Function):
        return None
    own = item.function if item.cls is None else getattr(item.cls, item.originalname or item.name, None)
    for marked in (item.cls, own):
        if getattr(marked, _UNITTEST_SKIP, False):
            return str(getattr(marked, "__unittest_skip_why__", ""))
    return None
