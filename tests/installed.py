"""Which packages are installed beside this one: tests that need a missing one are left out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

__all__ = ["has", "only_with"]


def has(*modules: str) -> bool:
    """Tell whether modules can be imported, without importing a plugin or its package."""
    return all(map(_is_installed, modules))


def only_with(module: str) -> Callable[[Callable[..., None]], Callable[..., None] | None]:
    """Leave a test out where the module that it is about is missing; another test notices if too much is missing."""
    return lambda test: test if has(module) else None


def _is_installed(module: str) -> bool:
    package, _, name = module.rpartition(".")
    if name in {"plugin", "pytest_plugin"}:  # Looking for it would import the package that contains it.
        module = package
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # The parent package is missing.
        return False
