"""pytest's ini values and their environment twins, as text. The environment wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace import _arguments
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.plugin._declared import ENVIRON, INI_NAMES, UNREADABLE

__all__ = ["base_and_lines", "flag", "lines", "place", "refuse", "refuse_misspelt", "text", "words"]

_NEARLY = 0.9  # A high cutoff, since all names begin alike.
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


def text(config: pytest.Config, name: str) -> str:
    """Return a value as text; empty if it is not set.

    Raises:
        UsageError: If pytest expects a yes or no and the value is neither, or if it has the wrong type in TOML.
    """
    from_environ = config.stash[ENVIRON].get(name.upper())
    return from_environ if from_environ is not None else str(_value(config, name) or "")


def flag(config: pytest.Config, name: str) -> bool:
    """Return a value that must be a yes or no.

    Raises:
        UsageError: If the value is neither.
    """
    value = text(config, name)
    if value.strip().lower() in _TRUE:
        return True
    if value.strip().lower() in _FALSE:
        return False
    raise UsageError(f"{place(config, name)} is {value!r}: write true or false")


def lines(config: pytest.Config, name: str) -> list[str]:
    """Return the lines of a value that are not empty; in the environment `;` separates lines as well.

    Raises:
        UsageError: If the value has the wrong type in TOML.
    """
    from_environ = config.stash[ENVIRON].get(name.upper())
    found = re.split(r"[;\n]", from_environ) if from_environ is not None else _value(config, name)
    return [line.strip() for line in found if line.strip()]


def base_and_lines(config: pytest.Config, name: str) -> tuple[Path, list[str]]:
    """Return the lines that the command line or else the ini value has, after the folder that paths in them start from.

    On the command line a path is relative to the current folder, as for pytest's `--junitxml`, elsewhere to the
    rootdir.

    Raises:
        UsageError: If the value has the wrong type in TOML.
    """
    asked: list[str] = config.getoption(f"--{name.replace('_', '-')}")
    return (config.invocation_params.dir, asked) if asked else (config.rootpath, lines(config, name))


def words(config: pytest.Config, name: str) -> list[str]:
    """Return the words of a value that lists names: separated by spaces or line breaks, or a list in TOML."""
    return " ".join(lines(config, name)).split()


def place(config: pytest.Config, name: str) -> str:
    """Return the name under which a value is set: that of the variable in the environment, or that of the ini value."""
    return name.upper() if name.upper() in config.stash[ENVIRON] else name


def refuse(config: pytest.Config, argument: str, value: Any) -> None:
    """Refuse a value that has no meaning for an argument of the marker, and name the place where it is set.

    Raises:
        UsageError: If the value has no meaning.
    """
    name = f"llmtrace_{argument}"
    try:
        _arguments.refuse(argument, value)
    except UsageError as error:
        raise UsageError(f"{place(config, name)}: {error}") from None


def refuse_misspelt(config: pytest.Config) -> None:
    """Refuse an environment variable whose name is nearly one of ours: it would have no effect.

    Variables with other names may be the suite's own.

    Raises:
        UsageError: If there is such a variable.
    """
    known = [name.upper() for name in INI_NAMES]
    left = sorted(config.stash[ENVIRON].keys() - known)
    if left:
        import difflib  # Imported here, since few runs have an unknown variable.
    for name in left:
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY)
        if near:
            raise UsageError(f"unknown environment variable {name}: did you mean {near[0]}?")


def _value(config: pytest.Config, name: str) -> Any:
    try:
        return config.getini(name)
    except UNREADABLE as error:
        said = str(error)  # On a wrong type in TOML it names the option, on a wrong yes or no it does not.
        raise UsageError(said if name in said else f"{name}: {said}: write true or false") from None
