"""Which fixtures may still make requests when their test is over: those of the suite with something to tear down."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

__all__ = ["forget", "may_play", "note"]

_SETUP_METHODS = "_pytest.python"
"""The module in which pytest makes a fixture of `setup_method` and `teardown_method`, which are the suite's code."""

_key = pytest.StashKey[bool]()
_plugins_key = pytest.StashKey[frozenset[str]]()


def note(item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> None:
    """Note a fixture that an item sets up, if it may have something to tear down.

    A fixture that yields has, and one that takes `request` may have added a finalizer.
    """
    function = fixturedef.func
    yields = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if (yields or "request" in fixturedef.argnames) and _is_of_suite(item.config, function.__module__):
        item.stash[_key] = True


def may_play(item: pytest.Item) -> bool:
    """Tell whether fixtures of an item may still make calls when they are torn down."""
    return item.stash.get(_key, False)


def forget(item: pytest.Item) -> None:
    """Forget what was noted of an item: it may be run again."""
    item.stash[_key] = False


def _is_of_suite(config: pytest.Config, module: str) -> bool:
    """Tell whether a fixture is the suite's own: those of pytest and of installed plugins call no model."""
    if _plugins_key not in config.stash:
        installed = (plugin for plugin, _ in config.pluginmanager.list_plugin_distinfo())
        names = (getattr(plugin, "__name__", type(plugin).__module__) for plugin in installed)
        config.stash[_plugins_key] = frozenset(
            {"_pytest", "pytest_llmtrace", *(name.partition(".")[0] for name in names)}
        )
    return module == _SETUP_METHODS or module.partition(".")[0] not in config.stash[_plugins_key]
