"""Whether a test that a recording names is no more: what a run has collected knows that best."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import pytest

from pytest_llmtrace.plugin._declared import COLLECTED
from pytest_llmtrace.replay import recorded_by

__all__ = ["is_gone"]

_FUNCTIONS: Final = pytest.StashKey[AbstractSet[str]]()


def is_gone(config: pytest.Config, test: str) -> bool:
    """Tell whether a test is no more; where that is not certain, it is there.

    Of a function that was collected all parameters were, and of others its module may tell.

    Args:
        config: The run's.
        test: As pytest names it: `tests/test_chat.py::TestTools::test_one[sync]`.
    """
    if test.partition("[")[0] in _functions(config):
        return test not in config.stash[COLLECTED]
    return recorded_by.is_gone(test, config.rootpath)


def _functions(config: pytest.Config) -> AbstractSet[str]:
    """Return the functions all of whose tests were collected, without those of their parameters."""
    if _FUNCTIONS not in config.stash:
        # Neither a single parameter was asked for, nor only what has failed.
        whole = not config.getoption("lf", default=False) and not any("[" in argument for argument in config.args)
        tests = config.stash[COLLECTED] if whole else ()
        config.stash[_FUNCTIONS] = frozenset(test.partition("[")[0] for test in tests)
    return config.stash[_FUNCTIONS]
