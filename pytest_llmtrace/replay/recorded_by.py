"""Whether the test that has recorded something is still there, as its module says: nothing is imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from pytest_llmtrace._stdlib import is_file, open_file, re

__all__ = ["is_gone", "module_of"]


def module_of(test: str, root: Path) -> Path:
    """Return the module of a test.

    Args:
        test: As pytest names it, relative to its rootdir: `tests/test_chat.py::TestTools::test_one[sync]`.
        root: That rootdir.
    """
    return root / test.partition("::")[0]


def is_gone(test: str, root: Path) -> bool:
    """Tell whether a test is no more; where that is not certain, it is there.

    It may be inherited, imported or made by a call: so its name must not even occur in the module.

    Args:
        test: As for `module_of`.
        root: Likewise.
    """
    module = module_of(test, root)
    if module.suffix != ".py" or not is_file(module):
        return module.suffix == ".py"
    *classes, name = test.partition("[")[0].split("::")[1:] or [""]
    text, inheriting = _read(module)
    return bool(name and text) and inheriting.isdisjoint(classes) and not re.search(rf"\b{re.escape(name)}\b", text)


@cache
def _read(module: Path) -> tuple[str, frozenset[str]]:
    """Return the text of a module and its classes that inherit; no text where names may come from anywhere."""
    try:
        with open_file(module, encoding="utf-8") as file:
            text = file.read()
        nodes = list(ast.walk(ast.parse(text)))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return "", frozenset()
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
        return "", frozenset()
    return text, frozenset(node.name for node in nodes if isinstance(node, ast.ClassDef) and node.bases)
