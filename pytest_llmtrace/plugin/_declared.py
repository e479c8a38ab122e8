"""What the plugin declares to pytest (options, ini values, marker), and the questions that hooks ask about every test.

A run that does not use the plugin imports only this module, `plugin` and `_stdlib`, so it imports no other of ours.
"""

from __future__ import annotations

import os
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llmtrace.harness import LLMTrace

__all__ = [
    "COLLECTED",
    "COPIED",
    "EARLY",
    "ENVIRON",
    "FIXTURE",
    "INI_NAMES",
    "MARKER",
    "MISMARKED",
    "MODES",
    "OPTION_NAMES",
    "PARTIAL",
    "TRACE",
    "UNREADABLE",
    "UNSERVED",
    "declare",
    "declare_marker",
    "id_of",
    "is_copy",
    "is_distributed",
    "is_exporting",
    "is_grouped",
    "is_listing",
    "is_marked",
    "is_marked_late",
    "is_said",
    "is_traced",
    "strange_marks",
    "strange_names",
    "wide_marker",
]

FIXTURE: Final = "llmtrace"
EARLY: Final = "_llmtrace_early"
"""The fixture that opens a trace before the fixtures of classes and modules."""
MARKER: Final = "llmtrace"
TRACE: Final[pytest.StashKey[LLMTrace]] = pytest.StashKey()
"""The trace of an item, from when it is opened to the end of the item's protocol."""
PARTIAL: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""Whether tests of a run were left out: deselected, taken out by a plugin, or passed over as no last failures."""
COPIED: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""Whether an item runs in a copy of the run, as `is_copy` tells when the item's protocol begins. A child that a plugin
forks to run one test (pytest-forked) begins within that protocol, and is not such a copy."""
MISMARKED: Final[pytest.StashKey[str]] = pytest.StashKey()
"""What is wrong with a marker of an item; such an item is not traced."""
UNSERVED: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""Whether an item has our marker and cannot use the fixture, as items of another kind than functions and doctests."""
COLLECTED: Final[pytest.StashKey[set[str]]] = pytest.StashKey()
"""The ids of the tests that the run has collected, including those that it then deselected."""
ENVIRON: Final[pytest.StashKey[Mapping[str, str]]] = pytest.StashKey()
"""The variables `LLMTRACE_*` when the run began; a fixture may empty the environment for the tests that follow."""
_PROCESS: Final[pytest.StashKey[int]] = pytest.StashKey()
MODES: Final = ("none", "once", "new", "all")
UNREADABLE: Final = (TypeError, ValueError, pytest.UsageError)
"""What `getini` raises for a value of the wrong type: until pytest 9.1 one of the first two, since then the last."""

_MARKER_HELP: Final = (
    "llmtrace(cassette=, gateway=, ignore={id: reason}, known=[...], allow_unused=reason, allow_hosts=, budget=, "
    "tool_repeats=, timing=, conventions=, content=, longest_attribute=, openobserve=, openobserve_columns=, "
    "verify='error'): "
    "replay, capture and verify the LLM calls of this test"
)
_STRICT: Final = "let findings of severity warning fail tests, too"
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "record": {
        "choices": MODES,
        "help": "reach the network and record: once, if there is no cassette; new, what the cassette lacks; all, "
        "everything anew (default: none)",
    },
    "played": {
        "type": Path,
        "metavar": "FILE",
        "help": "write to FILE which cassettes were played, for `pytest-llmtrace cassettes lint --played FILE`",
    },
    "strict": {"action": "store_true", "default": None, "help": _STRICT},
    "baseline": {
        "metavar": "FILE",
        "help": (
            "the file of the findings that this suite already has; only others fail (relative to the root directory)"
        ),
    },
    "write-baseline": {
        "action": "store_true",
        "help": "write the findings of this run into the baseline, and let none of them fail a test",
    },
    "report": {
        "action": "append",
        "default": [],
        "metavar": "FORMAT=PATH",
        "help": "write a report on the spans of the run: contract (names and types, for `pytest-llmtrace diff`), "
        "coverage or coverage-json (which attributes of conventions were seen), openobserve (the records that "
        "OpenObserve would store, for `pytest-llmtrace dashboard`), weaver (in the form of Weaver's live check); "
        "FORMAT=- prints it",
    },
    "export": {
        "action": "append",
        "default": [],
        "metavar": "WHERE",
        "help": "send the spans of traced tests to openobserve, to otlp, or to a file (file=PATH) when the tests are "
        "over; the addresses are set in the environment or .env",
    },
}
_INI: Final = {
    "llmtrace_baseline": "the file of the findings that this suite already has, as for --llmtrace-baseline",
    "llmtrace_verify": "what findings do unless a marker says otherwise: error (default), warn or off",
    "llmtrace_record": "none (default), once, new or all, as for --llmtrace-record",
    "llmtrace_cassette_dir": "the folder in which cassettes are looked up by name (default: cassettes beside the test, "
    "then in the root directory)",
    "llmtrace_app_exporters": "what the application's own OTLP exporters are: muted (default) or live",
    "llmtrace_content": "what telemetry must do with content: captured, redacted or absent (default: not judged)",
    "llmtrace_export_budget": "how many seconds sending spans may take at the end of a run (default: 10)",
    "llmtrace_spool": (
        "the folder in which spans are kept until they are sent (default: llmtrace/spool in pytest's cache)"
    ),
    "llmtrace_longest_attribute": "how many characters an attribute may have (default: 65536)",
    "llmtrace_openobserve": "the releases of OpenObserve that spans go to, such as 0.92: what it will show is "
    "judged (default: not judged)",
    "llmtrace_timing": "how much time replies take: instant (default), recorded or real",
}
_LINES: Final = {
    "llmtrace_conventions": "which conventions spans must keep (default: those that they claim)",
    "llmtrace_openobserve_columns": "the columns of OpenObserve that the team's dashboards name",
    "llmtrace_instrument": "OpenTelemetry instrumentors to switch on, by entry point name",
    "llmtrace_ignore": "waivers for all tests, one per line: check id: reason",
    "llmtrace_export": "openobserve, otlp or file=PATH, one per line, as for --llmtrace-export",
    "llmtrace_report": "FORMAT=PATH, one per line, as for --llmtrace-report",
}

OPTION_NAMES: Final = tuple(f"--llmtrace-{name}" for name in _OPTIONS)
INI_NAMES: Final = (*_INI, *_LINES, "llmtrace_strict")
"""The ini values; each has a twin in the environment, in capitals."""


def declare(parser: pytest.Parser) -> None:
    """Declare the command line options and ini values."""
    group = parser.getgroup("llmtrace", "LLM telemetry")
    for name, how in _OPTIONS.items():
        group.addoption(f"--llmtrace-{name}", **how)
    for name, what in _INI.items():
        parser.addini(name, what, default="")
    parser.addini("llmtrace_strict", _STRICT, type="bool", default=False)
    for name, what in _LINES.items():
        parser.addini(name, what, type="linelist")


def declare_marker(config: pytest.Config) -> None:
    """Declare the marker, and note the process in which the run begins and our variables in its environment."""
    config.stash[ENVIRON] = {name: value for name, value in os.environ.items() if name.startswith("LLMTRACE_")}
    config.stash[COLLECTED] = set()
    config.stash[_PROCESS] = getpid()
    config.addinivalue_line("markers", _MARKER_HELP)


def strange_names(config: pytest.Config, args: Sequence[str]) -> list[str]:
    """Return the options and ini names that resemble ours but are not among them.

    pytest 9 keeps the ini names under a private name, and the former one is deprecated; there is no other way to get
    them.
    """
    options = (text.partition("=")[0] for text in map(str, args) if text.startswith("--"))  # A caller may give paths.
    found = getattr(config, "_inicfg", None)
    overridden = (said.partition("=")[0] for said in config.known_args_namespace.override_ini or ())
    names = dict.fromkeys((*options, *(config.inicfg if found is None else found), *overridden))
    return [name for name in names if "llm" in name and name not in OPTION_NAMES and name not in INI_NAMES]


def is_said(config: pytest.Config) -> bool:
    """Tell whether any option, ini value or environment variable of ours is set, so that it must be checked."""
    options = (config.getoption(f"--llmtrace-{name}") for name in _OPTIONS)
    return bool(config.stash[ENVIRON]) or any(options) or any(_is_set(config, name) for name in INI_NAMES)


def _is_set(config: pytest.Config, name: str) -> bool:
    try:
        return bool(config.getini(name))
    except UNREADABLE:  # It is set; whoever reads it reports the wrong type.
        return True


def is_exporting(config: pytest.Config) -> bool:
    """Tell whether spans are to be sent anywhere."""
    said = config.getoption("--llmtrace-export") or _is_set(config, "llmtrace_export")
    return bool(said or config.stash[ENVIRON].get("LLMTRACE_EXPORT"))


def is_distributed(config: pytest.Config) -> bool:
    """Tell whether the tests of a run are spread over several processes, of which this is one."""
    return hasattr(config, "workerinput") or bool(
        config.getoption("numprocesses", None) or config.getoption("tx", None)
    )


def is_grouped(config: pytest.Config) -> bool:
    """Tell whether this process is an xdist worker under `--dist=loadgroup`, where one worker gets a whole group."""
    return hasattr(config, "workerinput") and bool(config.getoption("loadgroup", None))


def is_copy(config: pytest.Config) -> bool:
    """Tell whether this process is a child that a test forked and let return, so that it runs the remaining tests too.

    It is not to write or send anything: its parent does so.
    """
    return getpid() != config.stash[_PROCESS]


def is_listing(config: pytest.Config) -> bool:
    """Tell whether a run that reaches its test loop only lists tests or shows their fixtures, without running any."""
    return bool(config.getoption("collectonly", None) or config.getoption("setuponly", None))


def id_of(item: pytest.Item) -> str:
    """Return the id of a test, which is the same in every run.

    Under `--dist=loadgroup` xdist adds the test's group to the node id, until pytest 9.1; later versions forbid it.
    """
    if not is_grouped(item.config):
        return item.nodeid
    marks = item.iter_markers("xdist_group")
    groups = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in marks}
    return item.nodeid.removesuffix(f"@{'_'.join(sorted(groups))}")


def is_marked(item: pytest.Item) -> bool:
    """Tell whether an item has our marker."""
    return item.get_closest_marker(MARKER) is not None


def strange_marks(items: Iterable[pytest.Item]) -> Iterator[tuple[pytest.Item, str]]:
    """Yield the names of marks that resemble that of ours but are another, each with an item that has it."""
    seen: set[object] = set()
    for item in items:
        node: Any = item
        while node is not None and node not in seen:
            seen.add(node)
            for mark in node.own_markers:
                if mark.name not in seen and mark.name != MARKER and ("llm" in mark.name or "trace" in mark.name):
                    seen.add(mark.name)
                    yield item, mark.name
            node = node.parent


def is_marked_late(item: pytest.Item) -> bool:
    """Tell whether an item that could use the fixture was marked only when it was about to run, and does not use it."""
    return is_marked(item) and hasattr(item, "fixturenames") and TRACE not in item.stash


def is_traced(node: object) -> bool:
    """Tell whether an item is known to use the fixture; one that asks for it at run time is not."""
    is_wrong = isinstance(node, pytest.Item) and MISMARKED in node.stash
    return not is_wrong and FIXTURE in getattr(node, "fixturenames", ())


def wide_marker(item: pytest.Item) -> bool:
    """Tell whether the class or module of an item has our marker: the trace then begins before its fixtures."""
    return any(node is not item for node, _ in item.iter_markers_with_node(MARKER))
