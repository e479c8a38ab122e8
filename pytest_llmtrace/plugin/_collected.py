"""Whether a test that a recording names no longer exists, judged first by the tests that the run has collected."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import pytest

from pytest_llmtrace.plugin._declared import COLLECTED
from pytest_llmtrace.replay import recorded_by

__all__ = ["is_gone"]

_FUNCTIONS: Final = pytest.StashKey[AbstractSet[str]]()


def is_gone(config: pytest.Config, test: str) -> bool:
    """Tell whether a test no longer exists; if that is not certain, it is taken to exist.

    If a function was collected, so were all its parameters; for any other function the text of its module decides.

    Args:
        config: The configuration of the run.
        test: The test as pytest names it: `tests/test_chat.py::TestTools::test_one[sync]`.
    """
    if test.partition("[")[0] in _functions(config):
        return test not in config.stash[COLLECTED]
    return recorded_by.is_gone(test, config.rootpath)


def _functions(config: pytest.Config) -> AbstractSet[str]:
    """Return the ids, without parameters, of the functions all of whose tests were collected."""
    if _FUNCTIONS not in config.stash:
        # A run of a single parameter, or of the last failures (`--lf`), may collect only some tests of a function.
        whole = not config.getoption("lf", default=False) and not any("[" in argument for argument in config.args)
        tests = config.stash[COLLECTED] if whole else ()
        config.stash[_FUNCTIONS] = frozenset(test.partition("[")[0] for test in tests)
    return config.stash[_FUNCTIONS]
