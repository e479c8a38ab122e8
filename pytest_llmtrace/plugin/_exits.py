"""The fixture `llmtrace_exits`: it runs a test once for each way to leave a stream, and the test must leave one."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.plugin._items import has_run

if TYPE_CHECKING:
    from pytest_llmtrace.exits import Exits
    from pytest_llmtrace.harness import LLMTrace

__all__ = ["exits", "parametrize_exits"]

_EXITS = "llmtrace_exits"
_NOTHING = (
    "llmtrace: this test requests llmtrace_exits but has run nothing with it, so it shows nothing: call "
    "llmtrace_exits.run(stream_chat), or await llmtrace_exits.arun(stream_chat)"
)


def parametrize_exits(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test by all ways to leave a stream, unless it names its own; a coroutine can be cancelled too."""
    from pytest_llmtrace.exits import ASYNC_WAYS, WAYS

    for marker in metafunc.definition.iter_markers("parametrize"):
        named = marker.args[0] if marker.args else marker.kwargs.get("argnames", ())
        if _EXITS in (named.replace(" ", "").split(",") if isinstance(named, str) else named):
            return
    ways = ASYNC_WAYS if inspect.iscoroutinefunction(metafunc.function) else WAYS
    metafunc.parametrize(_EXITS, ways, indirect=True)


@contextlib.contextmanager
def exits(request: pytest.FixtureRequest, trace: LLMTrace) -> Iterator[Exits]:
    """Yield the `Exits` for the way that a test's parameter names; fail a test that ends well without using it."""
    from pytest_llmtrace.exits import Exits

    try:
        made = Exits(trace, request.param)
    except UsageError as error:
        raise pytest.fail.Exception(f"llmtrace: {error}", pytrace=False) from None
    yield made
    if has_run(request.node) and not made.is_used:
        raise pytest.fail.Exception(_NOTHING, pytrace=False)
