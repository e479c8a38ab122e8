"""The findings of either tool on spans of real instrumentors, each run in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS

__all__ = ["played", "real_rows"]

_KINDS: Final[Mapping[str, tuple[str, str | None]]] = {
    r"missing required attribute (\S+)(?: for .*)?": ("`{}` is missing", "convention/required"),
    r"(\S+) must be an? .*|(\S+) must contain only strings": ("`{}` has the wrong type", "convention/type"),
    r"(\S+) has invalid value ('.*?'); .*": ("`{}` has a value that is not well-known: {}", None),
    r"span kind must be .* got (\S+)": ("the span kind {} is wrong", "convention/span-kind"),
    r"span name .* should start with ('.*?') .*": ("the span name does not begin with {}", "convention/span-name"),
}
"""Patterns of pytest-genai-semconv's violations, with our wording, and our check for the same.

The check is None where the convention has no rule that would support the violation.
"""


def played(name: str) -> list[dict[str, Any]]:
    """Play all cases under an instrumentor, and return the results of each."""
    environ = {**os.environ, **INSTRUMENTORS[name].environ}
    command = (sys.executable, "-W", "ignore", "-m", "tests.neighbours.semconv._worker", name)
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, timeout=600)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def real_rows(cases: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the tables of an instrumentor: the neighbour's violations, how many calls have them, and our findings."""
    found, shared, mine = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for case in cases:
        checks = {check for _, check in case["ours"]}
        mine.update({(severity, check) for severity, check in case["ours"]})
        for said, check in dict.fromkeys(_read(text) for texts in case["theirs"] for text in texts):
            found[said] += 1
            shared[said] += check in checks
    yield "| pytest-genai-semconv says | calls | of these, also found by pytest-llmtrace |"
    yield "| --- | --- | --- |"
    for said, number in sorted(found.items()):
        yield f"| {said} | {number} | {shared[said]} |"
    yield ""
    yield "| pytest-llmtrace says | severity | calls |"
    yield "| --- | --- | --- |"
    for (severity, check), number in sorted(mine.items()):
        yield f"| `{check}` | {severity} | {number} |"


def _read(text: str) -> tuple[str, str | None]:
    for pattern, (said, check) in _KINDS.items():
        match = re.fullmatch(pattern, text)
        if match:
            return said.format(*filter(None, match.groups())), check
    raise AssertionError(f"a violation in words that are not known: {text}")
