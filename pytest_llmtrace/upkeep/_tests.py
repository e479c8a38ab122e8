"""Whether a test that a recording names is still there, as its module says: nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["gone_tests"]


def gone_tests(tests: Iterable[str], root: Path) -> frozenset[str]:
    """Return those of some tests that are no more; where that is not certain, they are there.

    A test may be inherited, imported or made by a call: so its name must not even occur in the module. A module that is
    not there says nothing, unless another one is that the same cassette names: the folder may not be pytest's rootdir.

    Args:
        tests: As pytest names them, relative to its rootdir: `tests/test_chat.py::TestTools::test_one[sync]`.
        root: That rootdir.
    """
    modules = {test: root / test.partition("::")[0] for test in tests}
    knows_root = any(module.is_file() for module in modules.values())
    return frozenset(
        test
        for test, module in modules.items()
        if module.suffix == ".py" and (_lacks(module, test) if module.is_file() else knows_root)
    )


def _lacks(module: Path, test: str) -> bool:
    *classes, name = test.partition("[")[0].split("::")[1:] or [""]
    text, inheriting = _read(module)
    return bool(name and text) and inheriting.isdisjoint(classes) and not re.search(rf"\b{re.escape(name)}\b", text)


@cache
def _read(module: Path) -> tuple[str, frozenset[str]]:
    """Return the text of a module and its classes that inherit; no text where names may come from anywhere."""
    try:
        text = module.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text)))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return "", frozenset()
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
        return "", frozenset()
    return text, frozenset(node.name for node in nodes if isinstance(node, ast.ClassDef) and node.bases)
