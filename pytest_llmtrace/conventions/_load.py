"""The shipped packs (each one version of a convention, as JSON), and how they are loaded by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.conventions._profile import (
    Attribute,
    EventType,
    Level,
    MetricType,
    Profile,
    Rename,
    SpanType,
    Wanted,
)
from pytest_llmtrace.errors import UsageError

__all__ = ["GENAI", "PROFILES", "SHIPPED", "profile"]

GENAI = ("genai-2026-10", "genai-2026-08", "core-1.41.1", "core-1.36")
"""OpenTelemetry's conventions for generative AI, the newest first."""

PROFILES = (*GENAI, "openinference", "openllmetry", "test-cicd-vcs")

SHIPPED = frozenset({"otel-genai", "openinference", "openllmetry", "otel-core"})
"""The conventions of the shipped packs; a registry of the user's own has another name."""

_PACKS: Final = Path(__file__).with_name("packs")
_READER: Final = SourceFileLoader(__name__, __file__)

# Attributes that the registries require on each call, although only some calls can have them -> the condition for that.
_IF_USED = {"aws.bedrock.guardrail.id": "if the request names a guardrail"}


@cache
def profile(name: str) -> Profile:
    """Return a shipped convention.

    Raises:
        UsageError: If there is no convention of that name.
    """
    if name not in PROFILES:
        raise UsageError.unknown("convention", name, PROFILES)
    # Read as Python reads modules: a test may have replaced `open` by a mock, or the file system by a fake one, or let
    # no file be found. (Not by this module's own loader: pytest's, which rewrites asserts, calls `open`.)
    return _profile(json.loads(_READER.get_data(str(_PACKS / f"{name}.json"))))


def _profile(pack: Mapping[str, Any]) -> Profile:
    return Profile(
        name=pack["name"],
        convention=pack["convention"],
        source=pack["source"],
        namespaces=tuple(pack["namespaces"]),
        attributes={name: _attribute(name, stated) for name, stated in pack["attributes"].items()},
        span_types={name: _span_type(name, stated) for name, stated in pack["span_types"].items()},
        metrics={name: _metric(name, stated) for name, stated in pack["metrics"].items()},
        events={name: EventType(name=name, attributes=_all_wanted(stated)) for name, stated in pack["events"].items()},
        renames={name: Rename(**stated) for name, stated in pack["renames"].items()},
        metric_renames={name: Rename(**stated) for name, stated in pack["metric_renames"].items()},
        event_renames={name: Rename(**stated) for name, stated in pack["event_renames"].items()},
        patterns=tuple(pack["patterns"]),
    )


def _attribute(name: str, stated: Mapping[str, Any]) -> Attribute:
    return Attribute(
        name=name,
        types=tuple(stated["types"]),
        values=frozenset(stated["values"]),
        is_open=stated["open"],
        is_family=stated["family"],
    )


def _span_type(name: str, stated: Mapping[str, Any]) -> SpanType:
    key, values = stated["when"]
    return SpanType(
        id=name,
        kinds=tuple(stated["kinds"]),
        names=tuple(stated["names"]),
        attributes=_all_wanted(stated),
        unused=frozenset(stated["unused"]),
        when=(key, frozenset(values)),
        provider=stated["provider"],
    )


def _metric(name: str, stated: Mapping[str, Any]) -> MetricType:
    return MetricType(
        name=name,
        instrument=stated["instrument"],
        unit=stated["unit"],
        buckets=tuple(stated["buckets"]),
        attributes=_all_wanted(stated),
        moved=stated["moved"],
    )


def _all_wanted(stated: Mapping[str, Any]) -> Mapping[str, Wanted]:
    return {name: _wanted(name, *said) for name, said in stated["attributes"].items()}


def _wanted(name: str, level: str, condition: str = "") -> Wanted:
    if name in _IF_USED:
        return Wanted(level=Level.CONDITIONALLY_REQUIRED, condition=_IF_USED[name])
    return Wanted(level=Level[level.upper()], condition=condition)
