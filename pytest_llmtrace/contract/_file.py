"""Contracts as files: written in a fixed order, and checked when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace._argtypes import read_json
from pytest_llmtrace._lines import legible
from pytest_llmtrace._stdlib import json
from pytest_llmtrace.contract._brief import in_full
from pytest_llmtrace.contract._contract import FORMAT, VERSION
from pytest_llmtrace.errors import UsageError

__all__ = ["as_json", "load"]


def as_json(content: Mapping[str, Any]) -> str:
    """Return plain data as JSON, in one order whatever that of the run, so that files can be compared line by line."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)


def load(path: Path) -> Mapping[str, Any]:
    """Return the scopes of the contract in a file.

    Raises:
        UsageError: If the file cannot be read, or is not a contract.
    """
    content = read_json(path)
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise UsageError(f"{path} is not a contract; pytest --llmtrace-report contract={path} writes one")
    if content.get("version") not in tuple(_FORMS):
        raise UsageError(
            f"{path} is a contract of version {content.get('version')!r}, but this pytest-llmtrace reads versions "
            f"{' and '.join(map(str, _FORMS))}; write both files with the same release of it"
        )
    wrong = _wrong(content.get("scopes"), _FORMS[content["version"]], "scopes")
    if wrong:
        raise UsageError(f"{path} is a damaged contract: {legible(wrong)}")
    return {name: in_full(scope) for name, scope in content["scopes"].items()}


@dataclass(frozen=True)
class _Maybe:
    """The form of a field that may be left out."""

    form: Any


@dataclass(frozen=True)
class _Each:
    """The form of a mapping by name whose values all have one form."""

    form: Any


_WORDS: Final = [str]


def _scopes(attribute: Mapping[str, Any]) -> _Each:
    """Return the form of the scopes of a contract, by that of an attribute."""
    seen = {"seen": int, "attributes": _Each(attribute)}
    return _Each(
        {
            "versions": _WORDS,
            "spans": _Each({**seen, "names": _WORDS, "kinds": _WORDS, "statuses": _WORDS, "events": _Each(seen)}),
            "logs": _Each({**seen, "bodies": _WORDS, "severities": _WORDS}),
            "metrics": _Each({**seen, "units": _WORDS, "kinds": _WORDS}),
        }
    )


_FORMS: Final[Mapping[Any, _Each]] = {
    1: _scopes({"seen": int, "types": _WORDS}),
    VERSION: _scopes({"seen": _Maybe(int), "without": _Maybe(int), "types": _WORDS}),
}
"""The forms by version; version 1 had a count for each attribute."""


def _wrong(value: Any, form: Any, place: str) -> str:
    """Say where a value does not have the form that it should have; empty if it has."""
    if isinstance(form, _Maybe):
        return _wrong(value, form.form, place)
    if form is int:
        return "" if type(value) is int and value >= 0 else f"{place} is not a count"
    if form is _WORDS:
        is_right = isinstance(value, list) and all(isinstance(word, str) for word in value)
        return "" if is_right else f"{place} is not a list of strings"
    if not isinstance(value, Mapping):
        return f"{place} is not an object"
    fields = dict.fromkeys(value, form.form) if isinstance(form, _Each) else form
    there = [(name, inner) for name, inner in fields.items() if name in value or not isinstance(inner, _Maybe)]
    found = (_wrong(value.get(name), inner, f"{place}.{name}") for name, inner in there)
    return next(filter(None, found), "")
