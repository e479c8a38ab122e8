"""Patch functions once, for good, and restore patches that others have replaced."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

__all__ = ["Patches", "Watch", "is_plain", "patch", "repair"]

_MARK = "__llmtrace__"
_places: dict[tuple[Any, str], tuple[Any, Callable[[Any], Any]]] = {}
"""For each patched place, the function that was left there, to see whether it was replaced, and what makes ours."""


def patch(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a function of a class or module by one made from it, unless that has been done already.

    Our function carries a mark, which survives wrappers that others put around it. If somebody replaced ours altogether
    (a mock that was started before), theirs is wrapped too: it will put ours back when it stops.

    Args:
        owner: The class or module.
        name: The function's name.
        make: Makes the new function; it must keep the name and the parameters, since mocks look at both.
    """
    found = getattr(owner, name)
    if not hasattr(found, _MARK):
        found = make(found)
        setattr(found, _MARK, True)
        setattr(owner, name, found)
    _places[owner, name] = found, make


def repair() -> None:
    """Patch again whatever has been replaced since."""
    for (owner, name), (left, make) in tuple(_places.items()):
        if getattr(owner, name) is not left:
            patch(owner, name, make)


def is_plain(method: Any, package: str) -> bool:
    """Tell whether a bound method is a package's (or module's) own function, with no wrapper around it.

    Only the types and the function's own globals show it: wrappers copy `__module__` and names, proxies all other
    attributes.
    """
    if type(method) is not MethodType or type(function := method.__func__) is not FunctionType:
        return False
    module = str(function.__globals__.get("__name__"))
    return module == package or module.startswith(f"{package}.")


class Patches(NamedTuple):
    """How to patch one module.

    Attributes:
        sign: A name that the module has once it is imported as a whole.
        apply: Patches the module.
    """

    sign: str
    apply: Callable[[ModuleType], None]


class Watch(MetaPathFinder):
    """A finder that patches libraries as they are imported, however late.

    Args:
        patches: How to patch each module once it is imported, by the module's name.
    """

    def __init__(self, patches: Mapping[str, Patches]) -> None:
        self._patches = patches
        self._patched: dict[str, ModuleType] = {}

    def apply(self) -> None:
        """Patch the modules that have been imported, and have the others patched when they are imported."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        for name in self._patches:
            module = sys.modules.get(name)
            if module is not self._patched.get(name) and module is not None:
                self._patch(name, module)

    def _patch(self, name: str, module: ModuleType) -> None:
        sign, apply = self._patches[name]
        if hasattr(module, sign):  # Otherwise it is still being imported, and is patched when that is done.
            apply(module)
            self._patched[name] = module

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module with the other finders, and have it patched once it has been executed."""
        if fullname not in self._patches:
            return None
        finders = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        specs = (finder.find_spec(fullname, path, target) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            _after_execution(fullname, spec.loader, functools.partial(self._patch, fullname))
        return spec


def _after_execution(name: str, loader: Any, then: Callable[[ModuleType], None]) -> None:
    """Call a function once a loader has executed a module.

    The loader's `exec_module` is shadowed for that one execution, so that its class and its identity stay the same.
    """

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        loader.exec_module(module)
        if module.__name__ == name:  # a loader may serve several modules
            then(module)

    with contextlib.suppress(AttributeError):  # A loader without `__dict__`: patched when the next ledger opens.
        loader.exec_module = exec_module
