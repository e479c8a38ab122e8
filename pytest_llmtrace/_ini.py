"""pytest's ini values and their environment twins, as text. The environment wins."""

from __future__ import annotations

import os
import re

import pytest

from pytest_llmtrace import _environ

__all__ = ["lines", "text"]


def text(config: pytest.Config, name: str) -> str:
    """Return a value; empty where nobody has set it."""
    from_environ = _environ.text(os.environ, name)
    return from_environ if from_environ is not None else str(config.getini(name) or "")


def lines(config: pytest.Config, name: str) -> list[str]:
    """Return the lines of a value that are not empty; in the environment `;` parts them as well."""
    from_environ = _environ.text(os.environ, name)
    found = re.split(r"[;\n]", from_environ) if from_environ is not None else config.getini(name)
    return [line.strip() for line in found if line.strip()]
