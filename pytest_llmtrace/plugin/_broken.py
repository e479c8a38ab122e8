"""The messages for a test on which this package cannot report: by a mistake of the suite, or by its mocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_llmtrace._stdlib import replaced
from pytest_llmtrace.errors import LLMTraceError

__all__ = ["INTERNAL", "naming_mocks", "reason_of"]

INTERNAL = "llmtrace: internal error while it reported on this test; please report it"

_SHOWN = 5
"""How many replaced names the message lists; freezegun and pyfakefs replace many."""


def reason_of(error: BaseException) -> str:
    """Return a sentence on an error that is no fault of this package, so that nobody reports it; empty if it is one."""
    return f"llmtrace: {error}" if isinstance(error, LLMTraceError) else _cause_of(error)


def _cause_of(error: BaseException) -> str:
    """Return a sentence on why this package broke: what was replaced and not put back; empty if nothing was."""
    names = replaced()
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"llmtrace: {type(error).__name__}: {error}, at the end of this test: it has replaced "
        f"{', '.join(names[:_SHOWN])}{more}, which is needed to judge it; undo that within the test, for example by "
        "unittest.mock.patch in a with block"
    )


@contextmanager
def naming_mocks() -> Iterator[None]:
    """Fail the test with the sentence of `_cause_of` if the block raises while something is replaced."""
    try:
        yield
    except LLMTraceError:
        raise
    except Exception as error:
        cause = _cause_of(error)
        if not cause:
            raise
        raise pytest.fail.Exception(cause, pytrace=False) from None
