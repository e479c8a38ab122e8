"""Run every instrumentor in each of its content modes, each in its own process; judge what each mode promises."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.compare._instrumentors import CLIENTS, Instrumentation, asked_for
from pytest_llmtrace.compare._modes import MODES, Mode
from pytest_llmtrace.compare._privacy_calls import PLACES
from pytest_llmtrace.compare._run import printed

__all__ = ["Made", "Privacy", "Row", "broken", "idle", "named", "run_modes"]

_SWITCHES = (
    "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE",
    "OPENINFERENCE_HIDE_",
    "OTEL_INSTRUMENTATION_GENAI_",
    "TRACELOOP_TRACE_CONTENT",
)


Made = Mapping[str, Any]
"""The result of a call, as a process has printed it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One mode of an instrumentor, and the results of its calls.

    Attributes:
        mode: The mode.
        calls: The results that its process printed, one per call and client.
    """

    mode: Mode
    calls: tuple[Made, ...]

    def places(self, place: str) -> dict[str, list[Made]]:
        """Return where the canary of a place came out, each with the calls in which it did."""
        found: dict[str, list[Made]] = {}
        for call in self.calls:
            for where in call["found"][place]:
                found.setdefault(where, []).append(call)
        return found


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """All modes of one instrumentor.

    Attributes:
        name: The instrumentor.
        versions: The versions of its packages.
        rows: Its modes, the default first.
    """

    name: str
    versions: tuple[str, ...]
    rows: tuple[Row, ...]


def run_modes(only: Sequence[str] = ()) -> tuple[Privacy, ...]:
    """Run the content modes of the instrumentors that are installed, and return what came out.

    Args:
        only: The names of instrumentors; all that are installed if none is given.

    Raises:
        UsageError: If an instrumentor is not known or not installed.
        LLMTraceError: If the process of an instrumentor failed.
    """
    return tuple(_privacy(one) for one in asked_for(only))


def _privacy(instrumentation: Instrumentation) -> Privacy:
    rows = tuple(Row(mode=mode, calls=_played(instrumentation, mode)) for mode in MODES[instrumentation.name])
    return Privacy(name=instrumentation.name, versions=instrumentation.versions(), rows=rows)


def _played(instrumentation: Instrumentation, mode: Mode) -> tuple[Made, ...]:
    own = {key: value for key, value in instrumentation.environ.items() if not _is_switch(key)}
    environ = {key: value for key, value in os.environ.items() if not _is_switch(key)}
    return printed("_privacy_worker", instrumentation.name, environ={**environ, **own, **mode.environ})


def _is_switch(name: str) -> bool:
    return name.startswith(_SWITCHES)


def broken(row: Row) -> Iterator[str]:
    """Yield a line for each place in which a mode breaks its promise; none if the mode keeps it."""
    for place in sorted(row.mode.hides):
        for where, calls in row.places(place).items():
            if re.match(row.mode.where, where):
                yield f"{PLACES[place]}: in {where} ({named(calls)})"
    for channel, places in row.mode.shows.items():
        for place in sorted(places):
            lost = [call for call in row.calls if not _came_out(call, place, channel)]
            if lost:
                yield f"{PLACES[place]}: in no {channel} ({named(lost)})"
    if row.mode.logs is not None:
        other = [call for call in row.calls if _is_answered(call) and bool(call["logs"]) is not row.mode.logs]
        if other:
            yield f"{'no log record' if row.mode.logs else 'a log record'} ({named(other)})"


def idle(row: Row, rows: Sequence[Row]) -> frozenset[str]:
    """Return the places that a mode hides and no mode shows: that nothing comes out there is not this mode's doing.

    Args:
        row: The mode.
        rows: All modes of its instrumentor.
    """

    def is_shown(place: str) -> bool:
        return any(re.match(row.mode.where, where) for other in rows for where in other.places(place))

    return frozenset(place for place in row.mode.hides if not is_shown(place))


def named(calls: Sequence[Made]) -> str:
    """Return the names of calls, with the client if only one client has made such a call."""
    clients: dict[str, list[str]] = {}
    for call in calls:
        clients.setdefault(call["call"], []).append(call["client"])
    return "; ".join(name if len(by) == len(CLIENTS) else f"{name}, {by[0]} only" for name, by in clients.items())


def _came_out(call: Made, place: str, channel: str) -> bool:
    """Tell whether the canary of a place came out in a channel, or could not: a call that failed has no answer."""
    is_there = place in call["put"] and _is_conversation(call)
    is_lost = call["raised"] is not None and place in {"called", "output"}
    return not is_there or is_lost or any(where.startswith(f"{channel} ") for where in call["found"][place])


def _is_conversation(call: Made) -> bool:
    return bool(call["spans"]) and call["call"] != "embeddings"


def _is_answered(call: Made) -> bool:
    return _is_conversation(call) and call["raised"] is None
