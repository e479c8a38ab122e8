"""Options, ini names and markers that are nearly ours: they would have no effect, so they stop the run.

The error names the nearest name. Names that resemble none of ours are left to pytest: it refuses an unknown option, and
warns of an unknown ini name or marker.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Sequence

import pytest

from pytest_llmtrace._arguments import ARGUMENTS
from pytest_llmtrace.plugin._declared import INI_NAMES, MARKER, MISMARKED, OPTION_NAMES, id_of

__all__ = ["refuse", "refuse_mark"]

_LIKE = 0.6
"""How alike two names must be after the prefix that all of ours have."""
_LIKE_AS_A_WHOLE = 0.85
"""How alike two names must be, prefix included: it is long, so all names that have it look alike."""


def refuse(config: pytest.Config, parser: pytest.Parser, args: Sequence[str], strange: Iterable[str]) -> None:
    """Refuse the first of some names that is not declared and is nearly one of ours.

    Args:
        config: The configuration of the run, when all conftest files that pytest loads early are loaded.
        parser: The parser of the command line.
        args: The command line, with those options that an ini file or a variable adds.
        strange: Names of options and ini values that resemble ours.

    Raises:
        pytest.UsageError: If there is such a name.
    """
    _, unknown = parser.parse_known_and_unknown_args(list(args), copy.copy(config.option))
    unknown_options = {arg.partition("=")[0] for arg in unknown}
    for name in strange:
        if name.startswith("--"):
            hint = _nearest(name, OPTION_NAMES, "--llmtrace-") if name in unknown_options else ""
            kind = "option"
        else:
            hint = "" if _is_declared(config, name) else _ini_hint(name)
            kind = "ini option"
        if hint:
            raise pytest.UsageError(f"llmtrace: unknown {kind} {name}: {hint}")


def refuse_mark(item: pytest.Item, name: str) -> None:
    """Refuse a mark that is not declared and is nearly ours: the test would pass, and nothing would be verified.

    Raises:
        pytest.UsageError: If it is.
    """
    declared = {line.partition(":")[0].partition("(")[0].strip() for line in item.config.getini("markers")}
    hint = "" if name in declared else _mark_hint(name)
    if not hint:
        return
    yours = "declare it in the ini option markers if it is yours"
    said = f"{id_of(item)}: llmtrace: unknown marker {name} ({yours}): {hint}"
    if not hasattr(item.config, "workerinput"):
        raise pytest.UsageError(said)
    item.stash[MISMARKED] = said  # As for a marker of ours that has no meaning.


def _mark_hint(name: str) -> str:
    rest = name.removeprefix(f"{MARKER}_")
    if rest == name:
        return f"did you mean {MARKER}?" if difflib.get_close_matches(name, [MARKER], cutoff=_LIKE_MARKER) else ""
    near = difflib.get_close_matches(rest, [*ARGUMENTS, *_WAIVING], n=1, cutoff=_LIKE)
    argument = "ignore" if near and near[0] in _WAIVING else "".join(near)
    return f"{argument}= is an argument of the marker {MARKER}" if argument else ""


_LIKE_MARKER = 0.8
_WAIVING = ("waive", "waiver")


def _ini_hint(name: str) -> str:
    argument = name.removeprefix("llmtrace_")
    if argument != name and argument in ARGUMENTS:
        return f"{argument}= is an argument of the marker, and a key of llmtrace_config"
    return _nearest(name, INI_NAMES, "llmtrace_")


def _nearest(name: str, known: Sequence[str], prefix: str) -> str:
    rest = name.removeprefix(prefix)
    if rest == name:
        near = difflib.get_close_matches(name, known, n=1, cutoff=_LIKE_AS_A_WHOLE)
    else:
        rests = [other.removeprefix(prefix) for other in known]
        near = [f"{prefix}{other}" for other in difflib.get_close_matches(rest, rests, n=1, cutoff=_LIKE)]
    return f"did you mean {near[0]}?" if near else ""


def _is_declared(config: pytest.Config, name: str) -> bool:
    try:
        config.getini(name)
    except (KeyError, ValueError):
        return False
    return True
