"""Read pytest's options, ini values and markers into `Settings`: command line first, then environment, then ini."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

from pytest_llmtrace import _arguments
from pytest_llmtrace._arguments import ARGUMENTS, hosts_of
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.plugin import _hiding, _ini, _matchers, _reports
from pytest_llmtrace.plugin._declared import FIXTURE, MARKER, MODES, id_of, is_distributed
from pytest_llmtrace.plugin._pytest_internals import hiding_fixture

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace
    from pytest_llmtrace.model import Settings

__all__ = [
    "check_markers",
    "check_options",
    "hidden_by",
    "marked_hosts",
    "recorded_by",
    "settings_for",
    "take_added",
]

_FIXTURES: Final = "pytest_llmtrace.plugin"
"""The module of our fixtures."""
_RECORDED: Final = pytest.StashKey[dict[Path, bytes | None]]()
_OF_RUN: Final = pytest.StashKey[Mapping[str, Any]]()
_OWN: Final = pytest.StashKey[Mapping[str, Any]]()
"""The `llmtrace_config` with which the trace of an item was opened."""
_READ: Final = pytest.StashKey["tuple[pytest.Mark, ...]"]()
"""The markers of an item that were read last."""
_ADDED: Final = "marker added at run time"
_AT_THE_BEGINNING: Final = {
    "allow_hosts": "",
    "cassette": ', or call llmtrace.replay("...") in the test',
    "gateway": ", or call llmtrace.gateway(...) in the test",
    "timing": "",
}
"""The arguments that have no effect once a trace is open, each with what else a test may do."""


def check_options(config: pytest.Config) -> None:
    """Refuse option values that have no meaning.

    Raises:
        pytest.UsageError: If an option value has no meaning, or if the run is to record under xdist.
    """
    try:
        _ini.refuse_misspelt(config)
        _strict(config)
        _hiding.check_options(config)
        _reports.reports_of(config)
        _app_exporters(config)
        _timing(config)
        _conventions(config)
        _said(config, "content")
        _longest_attribute(config)
        _said(config, "openobserve")
        _openobserve_columns(config)
        _cassette_dir(config)
        _instrument(config)
        if _record(config) != "none" and is_distributed(config):
            raise UsageError(
                "cannot record under xdist: two processes could write one cassette; record without -n, then replay "
                "with it"
            )
    except UsageError as error:
        raise pytest.UsageError(f"llmtrace: {error}") from None


def check_markers(item: pytest.Item) -> None:
    """Refuse markers of an item that have no meaning.

    Raises:
        pytest.UsageError: If a marker has an unknown argument or a value without meaning, or if another fixture hides
            the one that it implies.
    """
    item.stash[_hiding.COLLECTED] = item.stash[_READ] = tuple(item.iter_markers(MARKER))
    for marker in item.stash[_READ]:
        try:
            _check_arguments(marker)
        except UsageError as error:
            raise pytest.UsageError(f"{item.nodeid}: llmtrace marker: {error}") from None
    hidden = hidden_by(item)
    if hidden:
        raise pytest.UsageError(f"{item.nodeid}: llmtrace marker: {hidden}")


def hidden_by(item: pytest.Item) -> str:
    """Return a sentence that says which fixture of the suite hides ours; empty if none does."""
    module = hiding_fixture(item, FIXTURE, of=_FIXTURES)
    if module is None:
        return ""
    return f"the fixture {FIXTURE} of {module} hides this plugin's: rename it, or let it take {FIXTURE} as its argument"


def settings_for(
    item: pytest.Item,
    *,
    own: Mapping[str, Any],
    vcr: Mapping[str, Any],
    default_cassette: Path | None,
    default_is_shared: bool = False,
) -> Settings:
    """Return the settings of one test, merged from all that configures it.

    Args:
        item: The test.
        own: The `llmtrace_config` fixture.
        vcr: The suite's `vcr_config` fixture, read where `own` is silent.
        default_cassette: The file that is used if it exists.
        default_is_shared: Whether other tests may have that file, too.

    Raises:
        UsageError: If `own` is not a mapping, if a name in it is not known, or if a marker that was added since the
            collection has no meaning.
    """
    from pytest_llmtrace.model import Settings
    from pytest_llmtrace.plugin._collected import is_gone

    if not isinstance(own, Mapping):
        raise UsageError(
            f"the fixture llmtrace_config must return a mapping, such as {{'gateway': 'openai'}}, not {own!r}"
        )
    _check_added(item)
    item.stash[_OWN] = own
    marked, test = _merged(item, own), id_of(item)
    return Settings(
        label=item.name,
        seed=test,
        test=test,
        is_gone=functools.partial(is_gone, item.config),
        cassette=marked.get("cassette"),
        default_cassette=None if item.get_closest_marker("vcr") else default_cassette,
        default_is_shared=default_is_shared,
        cassette_dirs=_cassette_dirs(_cassette_dir(item.config), root=item.config.rootpath, module=item.path),
        gateway=marked.get("gateway"),
        allow_hosts=hosts_of(marked.get("allow_hosts", ())),
        replay=_matchers.with_registered(item.config, _replay(own, vcr)),
        timing=marked.get("timing", _timing(item.config)),
        **_of_judgement(item, own, marked),
        **_of_run(item.config),
    )


def _of_judgement(item: pytest.Item, own: Mapping[str, Any], marked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one test that have no effect before it is judged."""
    return {
        "allow_unused": marked.get("allow_unused"),
        "budget": marked.get("budget") or {},
        "tool_repeats": marked.get("tool_repeats", 3),
        "conventions": _absolute(marked.get("conventions") or _conventions(item.config), item.config.rootpath),
        "content": marked.get("content", _said(item.config, "content")),
        "longest_attribute": marked.get("longest_attribute", _longest_attribute(item.config)),
        "openobserve": marked.get("openobserve", _said(item.config, "openobserve")),
        "openobserve_columns": marked.get("openobserve_columns", _openobserve_columns(item.config)),
        **_hiding.hiding(item, own, verify=marked.get("verify")),
    }


def take_added(item: pytest.Item, trace: LLMTrace) -> str:
    """Let the markers that a test was given while it ran take part in its judgement; return what is wrong with them.

    A fixture may give a marker (`request.applymarker`), and so may the test itself (`request.node.add_marker`).
    """
    try:
        added = _check_added(item)
        for name in (name for marker in added for name in marker.kwargs if name in _AT_THE_BEGINNING):
            raise UsageError(
                f"{_ADDED}: {name}= came too late: it has an effect from the beginning of a test only\n"
                f"next: give it to the test's own marker{_AT_THE_BEGINNING[name]}"
            )
        if added:
            own = item.stash[_OWN]
            trace.judge_by(replace(trace.settings, **_of_judgement(item, own, _merged(item, own))))
    except (UsageError, pytest.UsageError) as error:
        return f"llmtrace: {error}"
    return ""


def _check_added(item: pytest.Item) -> list[pytest.Mark]:
    """Return the markers of an item that were added since they were last read; refuse those that have no meaning."""
    marks, known = tuple(item.iter_markers(MARKER)), item.stash.get(_READ, ())
    added = [mark for mark in marks if not any(mark is one for one in known)]
    for mark in added:
        try:
            _check_arguments(mark)
        except UsageError as error:
            raise UsageError(f"{_ADDED}: {error}") from None
    item.stash[_READ] = marks
    return added


def marked_hosts(item: pytest.Item) -> tuple[str, ...]:
    """Return the hosts that the markers of an item let through; the closest marker that has `allow_hosts` wins."""
    return next(
        (hosts_of(mark.kwargs["allow_hosts"]) for mark in item.iter_markers(MARKER) if "allow_hosts" in mark.kwargs), ()
    )


def _of_run(config: pytest.Config) -> Mapping[str, Any]:
    """Return the settings that are the same for all tests of a run; they are read once."""
    known = config.stash.get(_OF_RUN, None)
    if known is None:
        known = config.stash[_OF_RUN] = {
            "strict": _strict(config),
            "cache_dir": _cache_dir(config),
            "app_exporters": _app_exporters(config),
            "record": _record(config),
            "recorded": recorded_by(config),
            "reports": tuple(dict.fromkeys(name for name, _ in _reports.reports_of(config))),
            "instrument": _instrument(config),
        }
    return known


def _replay(own: Mapping[str, Any], vcr: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the configurations of replay. Unknown keys of `vcr_config` are ignored: other plugins may read them."""
    if not vcr and not own:
        return {}
    from pytest_llmtrace.replay import KNOWN_KEYS, READ_KEYS

    known = {key: value for key, value in vcr.items() if key in KNOWN_KEYS}
    of_replay = {key: value for key, value in own.items() if key not in ARGUMENTS}
    for key in of_replay:
        if key not in KNOWN_KEYS:
            raise _unknown("key of llmtrace_config", key, (*ARGUMENTS, *READ_KEYS))
    return {**known, **of_replay}


def _merged(item: pytest.Item, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `llmtrace_config` and of the markers, merged: the closest wins."""
    merged = {key: own[key] for key in ARGUMENTS if key in own}
    for name, value in merged.items():
        _arguments.refuse(name, value)
    for marker in reversed(list(item.iter_markers(MARKER))):
        merged.update(marker.kwargs)
    return merged


def _check_arguments(marker: pytest.Mark) -> None:
    if marker.args:
        raise UsageError(
            f"takes keyword arguments only, got {marker.args[0]!r}; did you mean cassette={marker.args[0]!r}?"
        )
    for name, value in marker.kwargs.items():
        if name not in ARGUMENTS:
            raise _unknown("argument", name, ARGUMENTS)
        _arguments.refuse(name, value)


def _unknown(kind: str, name: object, known: Iterable[str]) -> UsageError:
    if name == "record":  # Only `LLMTrace(...)` takes it: pytest's options do not reach that.
        other = "to record, run pytest with --llmtrace-record=once, or use llmtrace.record(name, 'once') in a test"
        return UsageError(f"unknown {kind} 'record': {other}")
    return UsageError.unknown(kind, name, known)


def _cassette_dir(config: pytest.Config) -> str:
    return _ini.text(config, "llmtrace_cassette_dir")


@functools.cache
def _cassette_dirs(configured: str, *, root: Path, module: Path) -> tuple[Path, ...]:
    if configured:
        return (root / configured,)
    return (module.parent / "cassettes", root / "cassettes")


def _cache_dir(config: pytest.Config) -> Path | None:
    cache = getattr(config, "cache", None)  # Absent under -p no:cacheprovider.
    try:
        return None if cache is None else cache.mkdir("llmtrace")
    except OSError:  # On a disk that cannot be written, parsed cassettes are not kept.
        return None


def _strict(config: pytest.Config) -> bool:
    return bool(config.getoption("--llmtrace-strict")) or _ini.flag(config, "llmtrace_strict")


def _app_exporters(config: pytest.Config) -> Literal["muted", "live"]:
    value = _ini.text(config, "llmtrace_app_exporters") or "muted"
    known: dict[str, Literal["muted", "live"]] = {"muted": "muted", "live": "live"}
    if value not in known:
        raise UsageError.unknown(f"value of {_ini.place(config, 'llmtrace_app_exporters')}", value, known)
    return known[value]


def _timing(config: pytest.Config) -> Any:
    value = _ini.text(config, "llmtrace_timing")
    if value not in {"", "instant"}:
        _ini.refuse(config, "timing", value)
    return value or "instant"


def _conventions(config: pytest.Config) -> tuple[str, ...]:
    said = _ini.words(config, "llmtrace_conventions")
    if not said:
        return ()
    from pytest_llmtrace.conventions import named

    _ini.refuse(config, "conventions", said)
    found = _absolute(said, config.rootpath)
    named(found)  # Read here, so that a file that cannot be read is one error of the run, not one of each test.
    return found


def _absolute(said: Any, root: Path) -> tuple[str, ...]:
    if not said:
        return ()
    from pytest_llmtrace.conventions import absolute

    return absolute(said, root)


def _said(config: pytest.Config, argument: str) -> Any:
    """Return the ini value for an argument of the marker; `None` if it is not set."""
    value = _ini.text(config, f"llmtrace_{argument}") or None
    if value is not None:
        _ini.refuse(config, argument, value)
    return value


def _longest_attribute(config: pytest.Config) -> int:
    value = _ini.text(config, "llmtrace_longest_attribute").replace("_", "")
    if not value:
        return 65_536
    limit = int(value) if value.isdecimal() else value
    _ini.refuse(config, "longest_attribute", limit)
    return int(limit)


def _openobserve_columns(config: pytest.Config) -> tuple[str, ...]:
    return tuple(_ini.words(config, "llmtrace_openobserve_columns"))


def _instrument(config: pytest.Config) -> tuple[str, ...]:
    names = tuple(_ini.words(config, "llmtrace_instrument"))
    if names:
        from pytest_llmtrace import capture

        try:
            for name in names:
                capture.named(name)  # An unknown instrumentor is one error of the run, not one of each test.
        except UsageError as error:
            raise UsageError(f"{_ini.place(config, 'llmtrace_instrument')}: {error}") from None
    return names


def recorded_by(config: pytest.Config) -> dict[Path, bytes | None]:
    """Return the files that this run has recorded, with what each held before; the caller may add to them."""
    return config.stash.setdefault(_RECORDED, {})


def _record(config: pytest.Config) -> Any:
    value = config.getoption("--llmtrace-record") or _ini.text(config, "llmtrace_record") or "none"
    if value not in MODES:
        raise UsageError.unknown(f"value of {_ini.place(config, 'llmtrace_record')}", value, MODES)
    return value
