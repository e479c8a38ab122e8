"""The order of fixtures: the trace of a test is set up before all its other function fixtures."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pytest_llmtrace.plugin import _teardown
from pytest_llmtrace.plugin._declared import EARLY, FIXTURE
from pytest_llmtrace.plugin._pytest_internals import being_set_up

__all__ = ["begin_anew", "set_up_first"]

_NEEDED: Final = frozenset({"llmtrace_config", "vcr_config", "vcr_cassette_dir", "default_cassette_name"})
"""Fixtures that ours asks for. While one of them is set up, ours would get the fixture that it overrides, or none."""

_begun_key = pytest.StashKey[bool]()


def begin_anew(item: pytest.Item) -> None:
    """Let the fixture be set up before the next function fixture of an item."""
    item.stash[_begun_key] = False


def set_up_first(request: pytest.FixtureRequest, fixturedef: pytest.FixtureDef[Any]) -> None:
    """Set up the `llmtrace` fixture when the first function fixture of a test is about to be set up.

    The fixtures that `llmtrace` needs come before it; while one of them is being set up, it waits for the next fixture.
    """
    stash = request.node.stash
    _teardown.note(request.node, fixturedef)
    begun = fixturedef.argname in {FIXTURE, EARLY} or stash.get(_begun_key, False)
    if not begun and _NEEDED & {*being_set_up(request)}:
        return
    stash[_begun_key] = True  # Set before the look-up, since fixtures that ours needs come through here too.
    if begun:
        return
    # An error raised here would leave the other fixture half set up. pytest raises it again when it comes to our
    # fixture, which is among the item's fixtures.
    try:
        request.getfixturevalue(FIXTURE)
    except (Exception, pytest.fail.Exception, pytest.skip.Exception):  # noqa: BLE001
        begin_anew(request.node)
