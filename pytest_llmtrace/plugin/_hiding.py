"""Read from pytest's options, ini values and markers what hides findings: waivers, known faults, a baseline."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.plugin import _ini
from pytest_llmtrace.plugin._declared import MARKER, id_of
from pytest_llmtrace.plugin._pytest_internals import is_expected_to_fail

if TYPE_CHECKING:
    from pytest_llmtrace.plugin._baseline import Baseline

__all__ = [
    "COLLECTED",
    "baseline_of",
    "check_options",
    "hiding",
]

COLLECTED: Final = pytest.StashKey["tuple[pytest.Mark, ...]"]()
"""The markers that an item had when the collection was complete."""
_BASELINE: Final = pytest.StashKey["Baseline | None"]()
_IGNORE: Final = pytest.StashKey[Mapping[str, str]]()
_VERIFY: Final[Mapping[str, Literal["error", "warn", False]]] = {"error": "error", "warn": "warn", "off": False}


def check_options(config: pytest.Config) -> None:
    """Check the options that are the same for all tests, by reading them.

    Raises:
        UsageError: If an option has no meaning.
    """
    _verify_of(config)
    baseline_of(config)
    _ignore_of(config)


def _verify_of(config: pytest.Config) -> Literal["error", "warn", False]:
    """Return what findings do to a test whose markers do not say so."""
    value = _ini.text(config, "llmtrace_verify") or "error"
    if value not in _VERIFY:
        raise UsageError.unknown(f"value of {_ini.place(config, 'llmtrace_verify')}", value, _VERIFY)
    return _VERIFY[value]


def baseline_of(config: pytest.Config) -> Baseline | None:
    """Return the baseline of a run, read once."""
    if _BASELINE not in config.stash:
        config.stash[_BASELINE] = _opened(config)
    return config.stash[_BASELINE]


def hiding(item: pytest.Item, own: Mapping[str, Any], *, verify: str | bool | None) -> dict[str, Any]:
    """Return the settings of one test that say which findings are hidden, and what the others do.

    Args:
        item: The test.
        own: The `llmtrace_config` fixture.
        verify: The `verify=` of its markers or of `llmtrace_config`, `None` if they say nothing.
    """
    said = {
        **_waivers(item, own),
        "known": _known(item, own),
        "verify": _verify_of(item.config) if verify is None else verify,
    }
    baseline = baseline_of(item.config)
    # A test that is expected to fail may do so by its findings: if the baseline hid them, it would pass unexpectedly.
    if baseline is None or said["verify"] is False or is_expected_to_fail(item):
        return said
    if baseline.writing:
        return {**said, "adopting": True}
    from pytest_llmtrace.plugin._baseline import name_of

    return {**said, "expected": baseline.entries.get(name_of(id_of(item)), {})}


# --- waivers ---------------------------------------------------------------------------------------------------------


def _waivers(item: pytest.Item, own: Mapping[str, Any]) -> dict[str, Any]:
    """Unite the waivers of a test; if several name one check, the closest hides its findings and gives the reason."""
    ignore: dict[str, str] = {}
    shared: dict[str, str] = {}
    for place, waivers in _by_place(item, own):
        for wider in [name for name in ignore if name in waivers or f"{name.partition('/')[0]}/*" in waivers]:
            del ignore[wider]
            shared.pop(wider, None)
        ignore.update(waivers)
        shared.update(dict.fromkeys(waivers, place) if place else {})
    return {"ignore": ignore, "shared": shared}


def _by_place(item: pytest.Item, own: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield waivers from the widest to the closest, each with its place, which is empty if only this test has it."""
    yield "llmtrace_ignore", _ignore_of(item.config)
    if "ignore" in own:
        yield "llmtrace_config", own["ignore"]
    for node, marker in reversed(list(item.iter_markers_with_node(MARKER))):
        yield _place(item, node, marker), marker.kwargs.get("ignore", {})


def _place(item: pytest.Item, node: Any, marker: pytest.Mark) -> str:
    """Name the place of a marker that several tests may share; empty for others.

    Such markers are those of a class, a module or a parametrised function, and those that a fixture gives.
    """
    if node is not item:
        return f"the marker of {node.nodeid}"
    if not any(marker is mark for mark in item.stash.get(COLLECTED, ())):
        return "a marker that was added after the collection"
    call = getattr(item, "callspec", None)
    if call is None or any(marker is mark for mark in call.marks):
        return ""
    return f"the marker of {item.nodeid.partition('[')[0]}"


def _ignore_of(config: pytest.Config) -> Mapping[str, str]:
    if _IGNORE not in config.stash:
        config.stash[_IGNORE] = _read_ignore(config)
    return config.stash[_IGNORE]


def _read_ignore(config: pytest.Config) -> Mapping[str, str]:
    waivers = {}
    for line in _ini.lines(config, "llmtrace_ignore"):
        name, _, reason = (part.strip() for part in line.partition(":"))
        if not reason:
            place = _ini.place(config, "llmtrace_ignore")
            raise UsageError(f"{place}: {line!r} gives no reason; write '{name}: reason'")
        waivers[name] = reason
    if waivers:
        _ini.refuse(config, "ignore", waivers)
    return waivers


def _known(item: pytest.Item, own: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the known faults of a test, united from `llmtrace_config` and all markers."""
    given = [own.get("known", ()), *(marker.kwargs.get("known", ()) for marker in item.iter_markers(MARKER))]
    if not any(given):
        return ()
    from pytest_llmtrace.waivers import known_of

    return tuple(dict.fromkeys(one for several in given for one in known_of(several)))


# --- the baseline ----------------------------------------------------------------------------------------------------


def _opened(config: pytest.Config) -> Baseline | None:
    option = config.getoption("--llmtrace-baseline")
    label = option or _ini.text(config, "llmtrace_baseline")
    writing = bool(config.getoption("--llmtrace-write-baseline"))
    if not label:
        if writing:
            raise UsageError(
                "--llmtrace-write-baseline needs --llmtrace-baseline=FILE, or the ini option llmtrace_baseline"
            )
        return None
    from pytest_llmtrace.plugin._baseline import opened

    command = shlex.join(("pytest", *([f"--llmtrace-baseline={label}"] if option else []), "--llmtrace-write-baseline"))
    return opened(config.rootpath / Path(label), label=label, command=command, writing=writing)
