"""pytest's options, ini values and markers -> Settings. The command line wins over the environment, that over ini."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

from pytest_llmtrace import _environ, _hiding, _ini, _reports
from pytest_llmtrace._hiding import MARKER
from pytest_llmtrace.errors import UsageError

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace
    from pytest_llmtrace.model import Settings

__all__ = [
    "FIXTURE",
    "MARKER",
    "TRACE",
    "add_options",
    "check_markers",
    "check_options",
    "is_traced",
    "recorded_by",
    "settings_for",
    "wide_marker",
]

FIXTURE: Final = "llmtrace"
TRACE: Final[pytest.StashKey[LLMTrace]] = pytest.StashKey()
"""The trace of an item, from when it is opened to the end of the item's protocol."""

_RECORDED: Final = pytest.StashKey[set[Path]]()
_OF_RUN: Final = pytest.StashKey[Mapping[str, Any]]()
_MARKER_HELP: Final = (
    "llmtrace(cassette=, gateway=, ignore={id: reason}, known=[...], allow_unused=reason, allow_hosts=, "
    "timing=, conventions=, content=, verify='error'): "
    "replay, capture and verify the LLM calls of this test"
)
_ARGUMENTS: Final = (
    "allow_hosts",
    "allow_unused",
    "budget",
    "cassette",
    "content",
    "conventions",
    "gateway",
    "ignore",
    "known",
    "longest_attribute",
    "timing",
    "tool_repeats",
    "verify",
)
_MODES: Final = ("none", "once", "new", "all")


def add_options(parser: pytest.Parser) -> None:
    """Declare the command line options and ini values."""
    group = parser.getgroup("llmtrace", "LLM telemetry")
    group.addoption(
        "--llmtrace-record",
        choices=_MODES,
        help="reach the network and record it: once where there is no cassette, new what it lacks, all everything anew "
        "(default: none)",
    )
    group.addoption(
        "--llmtrace-played",
        type=Path,
        metavar="FILE",
        help="write down which cassettes were played, for `pytest-llmtrace cassettes lint --played FILE`",
    )
    group.addoption(
        "--llmtrace-strict", action="store_true", default=None, help="findings of severity warning fail too"
    )
    _hiding.add_options(group, parser)
    _reports.add_options(group, parser)
    parser.addini("llmtrace_strict", "findings of severity warning fail too", default="")
    parser.addini("llmtrace_record", "none (default), once, new or all: as --llmtrace-record", default="")
    parser.addini("llmtrace_cassette_dir", "where cassette names are looked for (default: cassettes beside the test)")
    parser.addini("llmtrace_app_exporters", "muted (default) or live: the application's own OTLP exporters", default="")
    parser.addini("llmtrace_conventions", "which conventions spans are to keep (default: what they claim)", default="")
    parser.addini("llmtrace_content", "captured, redacted or absent: what telemetry is to do with content", default="")
    parser.addini("llmtrace_timing", "instant (default), recorded or real: how replies take their time", default="")
    parser.addini("llmtrace_instrument", "OpenTelemetry instrumentors to switch on, by entry point name", default="")


def check_options(config: pytest.Config) -> None:
    """Declare the marker, and refuse option values that have no meaning.

    Raises:
        pytest.UsageError: There is one.
    """
    config.addinivalue_line("markers", _MARKER_HELP)
    try:
        _strict(config)
        _hiding.check_options(config)
        _reports.reports_of(config)
        _app_exporters(config)
        _timing(config)
        _conventions(config)
        _content(config)
        if _record(config) != "none" and _is_distributed(config):
            raise UsageError(
                "recording under xdist: two processes would write one cassette; record without -n, then replay with it"
            )
    except UsageError as error:
        raise pytest.UsageError(f"llmtrace: {error}") from None


def check_markers(item: pytest.Item) -> bool:
    """Tell whether an item has our marker.

    Raises:
        pytest.UsageError: A marker has an argument that is not known.
    """
    markers = list(item.iter_markers(MARKER))
    for marker in markers:
        try:
            _check_arguments(marker)
        except UsageError as error:
            raise pytest.UsageError(f"{item.nodeid}: llmtrace marker: {error}") from None
    return bool(markers)


def is_traced(node: object) -> bool:
    """Tell whether an item is known to use the fixture; one that asks for it at run time is not."""
    return FIXTURE in getattr(node, "fixturenames", ())


def wide_marker(item: pytest.Item) -> bool:
    """Tell whether a class or module asks for a trace, which then begins before its own fixtures."""
    return any(node is not item for node, _ in item.iter_markers_with_node(MARKER))


def settings_for(
    item: pytest.Item, *, own: Mapping[str, Any], vcr: Mapping[str, Any], default_cassette: Path | None
) -> Settings:
    """Merge all that is said about one test.

    Args:
        item: The test.
        own: The `llmtrace_config` fixture.
        vcr: The suite's `vcr_config` fixture, read where `own` is silent.
        default_cassette: The file that is used if it exists.

    Raises:
        UsageError: A name in `own` is not known.
    """
    from pytest_llmtrace.model import Settings

    marked = _merged(item, own)
    return Settings(
        label=item.name,
        seed=item.nodeid,
        cassette=marked.get("cassette"),
        default_cassette=None if item.get_closest_marker("vcr") else default_cassette,
        cassette_dirs=_cassette_dirs(
            _ini.text(item.config, "llmtrace_cassette_dir"), root=item.config.rootpath, module=item.path
        ),
        gateway=marked.get("gateway"),
        allow_unused=marked.get("allow_unused"),
        allow_hosts=_hosts(marked.get("allow_hosts", ())),
        replay=_replay(own, vcr),
        budget=marked.get("budget", {}),
        tool_repeats=marked.get("tool_repeats", 3),
        conventions=_absolute(marked.get("conventions") or _conventions(item.config), item.config.rootpath),
        timing=marked.get("timing", _timing(item.config)),
        content=marked.get("content", _content(item.config)),
        longest_attribute=marked.get("longest_attribute", 65_536),
        **_hiding.hiding(item, own, verify=marked.get("verify")),
        **_of_run(item.config),
    )


def _of_run(config: pytest.Config) -> Mapping[str, Any]:
    """Return those of the settings that are the same for all tests of a run, read once."""
    known = config.stash.get(_OF_RUN, None)
    if known is None:
        known = config.stash[_OF_RUN] = {
            "strict": _strict(config),
            "cache_dir": _cache_dir(config),
            "app_exporters": _app_exporters(config),
            "record": _record(config),
            "recorded": recorded_by(config),
            "reports": tuple(_reports.reports_of(config)),
            "instrument": tuple(_ini.text(config, "llmtrace_instrument").split()),
        }
    return known


def _replay(own: Mapping[str, Any], vcr: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the configurations of replay. `vcr_config` is somebody else's: its further keys are not ours to judge."""
    if not vcr and not own:
        return {}
    from pytest_llmtrace.replay import KNOWN_KEYS

    known = {key: value for key, value in vcr.items() if key in KNOWN_KEYS}
    return {**known, **{key: value for key, value in own.items() if key not in _ARGUMENTS}}


def _merged(item: pytest.Item, own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge marker arguments: the closest wins."""
    merged = {key: own[key] for key in _ARGUMENTS if key in own}
    for name in ("content", "conventions", "longest_attribute", "timing", "verify"):
        if name in merged:
            _check_value(name, merged[name])
    for marker in reversed(list(item.iter_markers(MARKER))):
        merged.update(marker.kwargs)
    return merged


def _check_arguments(marker: pytest.Mark) -> None:
    if marker.args:
        raise UsageError(
            f"takes keyword arguments only, got {marker.args[0]!r}; did you mean cassette={marker.args[0]!r}?"
        )
    for name, value in marker.kwargs.items():
        if name not in _ARGUMENTS:
            raise UsageError.unknown("argument", name, _ARGUMENTS)
        _check_value(name, value)


def _check_value(name: str, value: Any) -> None:
    if name == "verify" and value not in ("error", "warn", False):
        raise UsageError.unknown("value of verify=", value, ("error", "warn", "False"))
    if name == "timing":
        _check_timing(value)
    if name == "conventions":
        _check_conventions(value)
    if name in {"content", "longest_attribute"}:
        _check_content(name, value)
    if name == "ignore":
        _hiding.check_waivers(value)
    if name == "known":
        _hiding.check_known(value)
    if name in {"budget", "tool_repeats"}:
        _check_limit(name, value)
    if name == "allow_unused" and not (isinstance(value, str) and value.strip()):
        raise UsageError("allow_unused= wants a reason in words")


def _check_timing(value: Any) -> None:
    from pytest_llmtrace.clock import refuse_timing

    refuse_timing(value)


def _check_conventions(value: Any) -> None:
    from pytest_llmtrace.conventions import refuse_conventions

    refuse_conventions(value)


def _check_content(name: str, value: Any) -> None:
    from pytest_llmtrace.checks import refuse_content

    refuse_content(**{name: value})


def _check_limit(name: str, value: Any) -> None:
    from pytest_llmtrace.checks import refuse_limits

    refuse_limits(**{name: value})


def _hosts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@functools.cache
def _cassette_dirs(configured: str, *, root: Path, module: Path) -> tuple[Path, ...]:
    if configured:
        return (root / configured,)
    return (module.parent / "cassettes", root / "cassettes")


def _cache_dir(config: pytest.Config) -> Path | None:
    cache = getattr(config, "cache", None)  # Absent under -p no:cacheprovider.
    return None if cache is None else cache.mkdir("llmtrace")


def _strict(config: pytest.Config) -> bool:
    if config.getoption("--llmtrace-strict"):
        return True
    return _environ.flag("llmtrace_strict", _ini.text(config, "llmtrace_strict"))


def _app_exporters(config: pytest.Config) -> Literal["muted", "live"]:
    value = _ini.text(config, "llmtrace_app_exporters") or "muted"
    known: dict[str, Literal["muted", "live"]] = {"muted": "muted", "live": "live"}
    if value not in known:
        raise UsageError.unknown("value of llmtrace_app_exporters", value, known)
    return known[value]


def _timing(config: pytest.Config) -> Any:
    value = _ini.text(config, "llmtrace_timing")
    if value not in {"", "instant"}:
        _check_timing(value)
    return value or "instant"


def _conventions(config: pytest.Config) -> tuple[str, ...]:
    said = _ini.text(config, "llmtrace_conventions").split()
    if not said:
        return ()
    from pytest_llmtrace.conventions import named

    _check_conventions(said)
    found = _absolute(said, config.rootpath)
    named(found)  # What cannot be read is one error of the run, and not one of each test.
    return found


def _absolute(said: Any, root: Path) -> tuple[str, ...]:
    if not said:
        return ()
    from pytest_llmtrace.conventions import absolute

    return absolute(said, root)


def _content(config: pytest.Config) -> Any:
    value = _ini.text(config, "llmtrace_content") or None
    if value is not None:
        _check_content("content", value)
    return value


def recorded_by(config: pytest.Config) -> set[Path]:
    """Return the files that this run has recorded; to be added to."""
    return config.stash.setdefault(_RECORDED, set())


def _record(config: pytest.Config) -> Any:
    value = config.getoption("--llmtrace-record") or _ini.text(config, "llmtrace_record") or "none"
    if value not in _MODES:
        raise UsageError.unknown("value of llmtrace_record", value, _MODES)
    return value


def _is_distributed(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput") or bool(
        config.getoption("numprocesses", None) or config.getoption("tx", None)
    )
