"""Attributes that are too large, and names of spans and attributes of metrics that are different on every call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.model import Finding, MetricPoint, Severity, SpanRecord

__all__ = ["HIGH_CARDINALITY", "OVERSIZED"]

_LONGEST_LABEL = 256
"""How many characters an attribute of a metric, or the name of a span, may have."""
_SHORTEST_CONTENT = 16
# A fingerprint (`fp_...`) names a configuration of the provider's, which many calls share.
_ID = re.compile(
    r"(?i)(?<![0-9a-z])(?<!fp_)(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[a-f]*[0-9])[0-9a-f]{16,})(?![0-9a-z])"
)


def _oversized(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    limit = evidence.longest_attribute
    for span in evidence.spans:
        sizes = [
            (key, size)
            for key, value in span.attributes.items()
            if (size := len(value) if type(value) is str else _size(value)) > limit
        ]
        if sizes:
            lines = "\n".join(f"attribute {key}: {size:,} characters, more than {limit:,}" for key, size in sizes[:8])
            yield check.finding(span, ("span", lines))
        else:
            yield None


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, list | tuple):
        return sum(len(item) if isinstance(item, str | bytes) else 8 for item in value)
    return 0


def _high_cardinality(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    told = {span.key for call in evidence.calls for span in call.spans}  # structure/span-name judges those.
    tools = _names_of_tools(evidence)
    for span in evidence.spans:
        if span.key not in told:
            found = _of_one_call(span.name, evidence, tools)
            yield _found(check, span, f"its name contains {found}") if found else None
    said: set[tuple[str, str, str]] = set()  # Such a metric has a point for each call; the fault is reported once.
    for point in evidence.metrics:
        lines = "\n".join(
            f"attribute {key} contains {found}"
            for key, value in point.attributes.items()
            if isinstance(value, str) and (found := _of_one_call(value, evidence, tools))
        )
        is_news = bool(lines) and (point.scope, point.name, lines) not in said
        said.add((point.scope, point.name, lines))
        yield _found(check, point, lines) if is_news else None


def _found(check: Check, subject: SpanRecord | MetricPoint, lines: str) -> Finding:
    if isinstance(subject, SpanRecord):
        return check.finding(subject, ("span", lines))
    return check.finding(f"metric {subject.name!r} ({subject.scope})", ("metric", lines))


def _names_of_tools(evidence: Evidence) -> frozenset[str]:
    """Return the names of the tools that were offered or called: a kind of call, even where a prompt has them too."""
    facts = [truth.fact(name) for call in evidence.calls for truth in call.truths for name in ("tools", "tool_calls")]
    return frozenset(str(tool["name"]) for fact in facts for tool in fact.value or ())


def _of_one_call(text: str, evidence: Evidence, tools: frozenset[str]) -> str | None:
    """Name what ties a text to a single call: an id, content, its length; None if nothing does."""
    if _ID.search(text):
        return "an id"
    ids = evidence.ids.within(text)
    if ids:
        return ids[0].what
    within = evidence.contents.within(text) if len(text) >= _SHORTEST_CONTENT else ()
    known = [one for one in within if one.value not in tools]
    if known:
        return known[0].what
    return f"{len(text):,} characters" if len(text) > _LONGEST_LABEL else None


OVERSIZED = Check(
    id="privacy/oversized",
    title="No attribute is larger than a limit",
    why="back ends cut or drop what is too large, often the whole span, and store the rest at its price",
    next="cut it, or leave it out; longest_attribute= sets another limit",
    look=_oversized,
    severity=Severity.WARNING,
    compares="The length of each attribute of a span, in characters, with the limit: 65,536, or what "
    "`longest_attribute=` says. The texts of a list count together.",
)

HIGH_CARDINALITY = Check(
    id="privacy/high-cardinality",
    title="Span names and metric attributes name kinds of calls, not single calls",
    why="each value makes a series or a name of its own: dashboards cannot group by it, and metrics get expensive",
    next="put it into an attribute of the span, and leave it out of names and metrics",
    look=_high_cardinality,
    source="OpenTelemetry specification, trace API: a span name identifies a class of spans, and has low cardinality",
    severity=Severity.WARNING,
    compares="The attributes of metrics, and the names of spans that describe no LLM call (`structure/span-name` "
    "judges those that do). They must not contain ids (UUIDs, hexadecimal numbers, and those of the exchanges' "
    "responses, requests and tool calls) or content of the exchanges, nor be longer than 256 characters.",
)
