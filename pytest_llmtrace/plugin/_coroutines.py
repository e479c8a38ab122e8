"""A coroutine test and its trace: what its task starts belongs to the trace, and its loop gets time to clean up."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmtrace.plugin._declared import TRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmtrace.harness import LLMTrace

__all__ = ["coroutine_watched"]


@contextlib.contextmanager
def coroutine_watched(item: pytest.Item) -> Iterator[None]:
    """Let the task of a coroutine test belong to its trace, and note the span left current in it before it is gone."""
    trace = item.stash.get(TRACE, None)
    function = getattr(item, "obj", None)
    if trace is None or not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(function):
        yield
        return
    item.obj = _watching(trace, function)
    try:
        yield
    finally:
        item.obj = function


def _watching(trace: LLMTrace, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with trace.belonging():
            with trace.watching_context():
                result = await function(*args, **kwargs)
            await _let_spans_end(trace)
            return result

    return run


async def _let_spans_end(trace: LLMTrace) -> None:
    """Let the loop close the asynchronous generators that the test has dropped, as it would if it ran on.

    A runner stops the loop when the test is over, and closes what is left of them with the loop, after the judgement.
    """
    if not trace.settings.verify:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # trio warns of them; at the end of its loop it does not.
        if trace.drop_garbage():
            from pytest_llmtrace.exits import take_turns

            await take_turns()
