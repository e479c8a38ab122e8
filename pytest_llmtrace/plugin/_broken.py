"""What is said of a test on which this package breaks, where the test has replaced what this package needs as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_llmtrace._stdlib import replaced
from pytest_llmtrace.errors import LLMTraceError

__all__ = ["cause_of", "naming_mocks"]

_SHOWN = 5
"""How many names are told; freezegun and pyfakefs replace many."""


def cause_of(error: BaseException) -> str:
    """Say in a sentence why this package broke: what was replaced, and still is; empty where nothing was."""
    names = replaced()
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"llmtrace: {type(error).__name__}: {error}, at the end of this test: it has replaced "
        f"{', '.join(names[:_SHOWN])}{more}, which is needed to judge it; let that end within the test, as with "
        "unittest.mock.patch in a with block"
    )


@contextmanager
def naming_mocks() -> Iterator[None]:
    """Fail a test with that sentence, where what is done in the block breaks on what the test has replaced."""
    try:
        yield
    except LLMTraceError:
        raise
    except Exception as error:
        cause = cause_of(error)
        if not cause:
            raise
        raise pytest.fail.Exception(cause, pytrace=False) from None
