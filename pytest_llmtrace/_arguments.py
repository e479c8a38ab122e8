"""The arguments of the marker, which `llmtrace_config` and `LLMTrace(...)` take as well, and the check of their values.

The modules that know what a value means are imported only if there is a value, since markers are read at collection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pytest_llmtrace.errors import UsageError

if TYPE_CHECKING:
    from pytest_llmtrace.model import Settings

__all__ = ["ARGUMENTS", "RecordMode", "here", "hosts_of", "merged", "refuse"]

ARGUMENTS: Final = (
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
    "openobserve",
    "openobserve_columns",
    "timing",
    "tool_repeats",
    "verify",
)
RecordMode = Literal["none", "once", "new", "all"]


def refuse(name: str, value: Any) -> None:
    """Refuse a value that has no meaning for an argument. Whether a cassette exists is checked when it is opened.

    Raises:
        UsageError: If the value has no meaning; the text names the nearest valid one.
    """
    if name in _REFUSE:
        _REFUSE[name](value)


def merged(base: Settings, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that arguments change; waivers, hosts, limits and known faults are added to those of `base`.

    Raises:
        UsageError: As for `refuse`.
    """
    from pytest_llmtrace.conventions import absolute
    from pytest_llmtrace.waivers import known_of

    for name, value in said.items():
        refuse(name, value)
    added: dict[str, Callable[[Any], object]] = {
        "ignore": lambda value: {**base.ignore, **value},
        "allow_hosts": lambda value: (*base.allow_hosts, *hosts_of(value)),
        "budget": lambda value: {**base.budget, **value},
        "known": lambda value: (*base.known, *known_of(value)),
        "conventions": lambda value: absolute(value, here()),
    }
    return {name: added[name](value) if name in added else value for name, value in said.items()}


def here() -> Path:
    """Return the current folder; if it was removed, a relative path, below which nothing is found."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


def hosts_of(value: Any) -> tuple[str, ...]:
    """Read `allow_hosts=`: one host, or several.

    Raises:
        UsageError: If the value is neither.
    """
    hosts = (value,) if isinstance(value, str) else value
    if not isinstance(hosts, Collection) or not all(isinstance(host, str) and _is_host(host) for host in hosts):
        raise UsageError(
            f"allow_hosts= takes hosts without scheme or path, such as ['localhost:4000', '*.internal'], not {value!r}"
        )
    return tuple(hosts)


def _is_host(text: str) -> bool:
    return bool(text) and not any(char in "/," or char.isspace() for char in text)


def _refuse_unused(value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise UsageError(f"allow_unused= takes a reason in words, not {value!r}")


def _refuse_verify(value: Any) -> None:
    if value is not False and value not in ("error", "warn"):
        raise UsageError.unknown("value of verify=", value, ("error", "warn", "False"))


def _refuse_record(value: Any) -> None:
    if value not in get_args(RecordMode):
        raise UsageError.unknown("value of record=", value, get_args(RecordMode))


def _refuse_cassette(value: Any) -> None:
    from pytest_llmtrace.replay import refuse_name

    if value is not None:
        refuse_name(value)


def _refuse_gateway(value: Any) -> None:
    from pytest_llmtrace.replay.gateways import profile

    if value is not None:
        profile(value)


def _refuse_waivers(value: Any) -> None:
    from pytest_llmtrace.checks import refuse_unknown

    if not isinstance(value, Mapping):
        raise UsageError(f"ignore= takes {{check id: reason}}, not {value!r}")
    refuse_unknown(value)


def _refuse_known(value: Any) -> None:
    from pytest_llmtrace.waivers import known_of

    known_of(value)


def _refuse_timing(value: Any) -> None:
    from pytest_llmtrace.clock import refuse_timing

    refuse_timing(value)


def _refuse_conventions(value: Any) -> None:
    from pytest_llmtrace.conventions import refuse_conventions

    refuse_conventions(value)


def _by_checks(name: str) -> Callable[[Any], object]:
    """Return a function that lets the checks, which the argument is for, refuse a value."""

    def refuse_value(value: Any) -> None:
        from pytest_llmtrace import checks

        getattr(checks, _CHECKED[name])(**{name: value})

    return refuse_value


_CHECKED: Final = {
    "budget": "refuse_limits",
    "content": "refuse_content",
    "longest_attribute": "refuse_content",
    "openobserve": "refuse_backend",
    "openobserve_columns": "refuse_backend",
    "tool_repeats": "refuse_limits",
}
_REFUSE: Final[Mapping[str, Callable[[Any], object]]] = {
    "allow_hosts": hosts_of,
    "allow_unused": _refuse_unused,
    "cassette": _refuse_cassette,
    "conventions": _refuse_conventions,
    "gateway": _refuse_gateway,
    "ignore": _refuse_waivers,
    "known": _refuse_known,
    "record": _refuse_record,
    "timing": _refuse_timing,
    "verify": _refuse_verify,
    **{name: _by_checks(name) for name in _CHECKED},
}
