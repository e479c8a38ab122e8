"""The scalars of YAML 1.1, as PyYAML and so vcrpy read them; timestamps stay text."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from pytest_llmtrace._stdlib import base64

__all__ = ["CONVERTERS", "CORE", "PYTHON", "plain"]

CORE = "tag:yaml.org,2002:"
PYTHON = f"{CORE}python/"
LONGEST_NUMBER = 100
"""Scalars with more characters are text; otherwise a base-60 number of YAML 1.1 with a million parts is computed."""

_RESOLVERS: dict[str | None, list[tuple[str, Any]]] = yaml.SafeLoader.yaml_implicit_resolvers
_FIRST = frozenset(_RESOLVERS)
_numbers = SafeConstructor()


def plain(value: str) -> Any:
    """Return the value of an unquoted scalar."""
    if value[:1] not in _FIRST or len(value) > LONGEST_NUMBER:
        return value
    return _resolved(value)


@functools.lru_cache(maxsize=4096)
def _resolved(value: str) -> Any:
    for tag, pattern in _RESOLVERS.get(value[:1], ()):
        if pattern.match(value) and tag in CONVERTERS:
            with contextlib.suppress(ValueError):  # `0x_` looks like a number but is not one
                return CONVERTERS[tag](value)
    return value


def _number(kind: str) -> Callable[[str], Any]:
    construct = getattr(_numbers, f"construct_yaml_{kind}")
    return lambda value: construct(yaml.ScalarNode(f"{CORE}{kind}", value))


def _binary(value: str) -> bytes:
    return base64.b64decode("".join(value.split()), validate=True)  # Else damaged parts are skipped.


def _text(value: str) -> str:
    return value


CONVERTERS: dict[str, Callable[[str], Any]] = {
    f"{CORE}null": lambda _: None,
    f"{CORE}bool": lambda value: SafeConstructor.bool_values[value.lower()],
    f"{CORE}int": _number("int"),
    f"{CORE}float": _number("float"),
    f"{CORE}timestamp": _text,
    f"{CORE}binary": _binary,
    f"{PYTHON}bytes": _binary,
}
