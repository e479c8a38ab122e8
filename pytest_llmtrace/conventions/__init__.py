"""The conventions at named commits, as tables of attributes, types of spans, metrics and events, apart from any trace.

The tables are written by `tools/conventions/generate.py` from extracts of the conventions' own sources; `from_registry`
reads a registry of the user's own.
"""

from pytest_llmtrace.conventions._claims import claims, event_claims, metric_claims, own, span_type, versions_of_event
from pytest_llmtrace.conventions._load import PROFILES, SHIPPED, profile
from pytest_llmtrace.conventions._named import absolute, named, refuse_conventions
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
from pytest_llmtrace.conventions._registry import from_registry
from pytest_llmtrace.conventions._types import has_type, is_number, type_of

__all__ = [
    "PROFILES",
    "SHIPPED",
    "Attribute",
    "EventType",
    "Level",
    "MetricType",
    "Profile",
    "Rename",
    "SpanType",
    "Wanted",
    "absolute",
    "claims",
    "event_claims",
    "from_registry",
    "has_type",
    "is_number",
    "metric_claims",
    "named",
    "own",
    "profile",
    "refuse_conventions",
    "span_type",
    "type_of",
    "versions_of_event",
]
