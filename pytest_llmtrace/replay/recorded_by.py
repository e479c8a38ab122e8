"""Tell whether the test that made a recording still exists, from the text of its module; nothing is imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from pytest_llmtrace._stdlib import is_file, open_file, re

__all__ = ["is_gone", "module_of"]


def module_of(test: str, root: Path) -> Path:
    """Return the module of a test.

    Args:
        test: The test's node id, relative to pytest's rootdir: `tests/test_chat.py::TestTools::test_one[sync]`.
        root: That rootdir.
    """
    return root / test.partition("::")[0]


def is_gone(test: str, root: Path) -> bool:
    """Tell whether a test no longer exists; if that is not certain, it exists.

    A test may be inherited, imported or made by a call, so it is gone only if its name does not occur in its module at
    all and none of its classes inherits.

    Args:
        test: As for `module_of`.
        root: As for `module_of`.
    """
    module = module_of(test, root)
    if module.suffix != ".py" or not is_file(module):
        return module.suffix == ".py"
    *classes, name = test.partition("[")[0].split("::")[1:] or [""]
    text, inheriting = _read(module)
    return bool(name and text) and inheriting.isdisjoint(classes) and not re.search(rf"\b{re.escape(name)}\b", text)


@cache
def _read(module: Path) -> tuple[str, frozenset[str]]:
    """Return a module's text and its classes that inherit; no text if it cannot be parsed or has a star import."""
    try:
        with open_file(module, encoding="utf-8") as file:
            text = file.read()
        nodes = list(ast.walk(ast.parse(text)))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return "", frozenset()
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
        return "", frozenset()
    return text, frozenset(node.name for node in nodes if isinstance(node, ast.ClassDef) and node.bases)
