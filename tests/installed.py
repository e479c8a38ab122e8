"""What is installed beside the package: tests of a neighbour that is not there are left out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

__all__ = ["has", "only_with"]


def has(*modules: str) -> bool:
    """Tell whether modules can be imported, without importing a plugin or its package."""
    return all(map(_is_installed, modules))


def only_with(module: str) -> Callable[[Callable[..., None]], Callable[..., None] | None]:
    """Leave a test out where what it is about is not installed; a test of the same module watches over it."""
    return lambda test: test if has(module) else None


def _is_installed(module: str) -> bool:
    package, _, name = module.rpartition(".")
    if name in {"plugin", "pytest_plugin"}:  # To find it would import the package that it is in.
        module = package
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # Its parent is not.
        return False
