"""pytest's ini values and their environment twins, as text. The environment wins."""

from __future__ import annotations

import os
import re

import pytest

from pytest_llmtrace import _environ
from pytest_llmtrace.errors import UsageError

__all__ = ["lines", "text", "words"]


def text(config: pytest.Config, name: str) -> str:
    """Return a value; empty where nobody has set it.

    Raises:
        UsageError: It is to be a yes or no in pytest's terms, and is neither.
    """
    from_environ = _environ.text(os.environ, name)
    if from_environ is not None:
        return from_environ
    try:
        return str(config.getini(name) or "")
    except ValueError as error:
        raise UsageError(f"{name}: {error}: write true or false") from None


def lines(config: pytest.Config, name: str) -> list[str]:
    """Return the lines of a value that are not empty; in the environment `;` parts them as well."""
    from_environ = _environ.text(os.environ, name)
    found = re.split(r"[;\n]", from_environ) if from_environ is not None else config.getini(name)
    return [line.strip() for line in found if line.strip()]


def words(config: pytest.Config, name: str) -> list[str]:
    """Return the words of a value that lists names: parted by spaces and lines, or a list in TOML."""
    return " ".join(lines(config, name)).split()
