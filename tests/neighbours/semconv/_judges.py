"""The findings of either tool on the same spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest_genai_semconv as neighbour
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from pytest_llmtrace import LLMTrace, checks, conventions
from tests.neighbours.semconv._specimens import Specimen

__all__ = ["is_of_genai", "judged", "ours", "theirs"]

_OF_METRICS = "convention/metric"  # The neighbour checks spans only.
_HELPERS: Mapping[str, Callable[..., Any]] = {
    "chat": neighbour.assert_chat_span,
    "execute_tool": neighbour.assert_execute_tool_span,
    "invoke_agent": neighbour.assert_invoke_agent_span,
    "plan": neighbour.assert_plan_span,
}


def theirs(span: ReadableSpan) -> tuple[str, ...]:
    """Return the violations that pytest-genai-semconv finds: generic ones, and those of the operation's helper."""
    operation = (span.attributes or {}).get("gen_ai.operation.name")
    found: dict[str, None] = {}
    for check in (neighbour.assert_genai_span_compliant, _HELPERS.get(str(operation))):
        try:
            if check is not None:
                check(span)
        except neighbour.GenAISpanComplianceError as error:
            found.update(dict.fromkeys(error.violations))
    return tuple(found)


def is_of_genai(span: ReadableSpan) -> bool:
    """Tell whether a span has an attribute that pytest-genai-semconv checks."""
    return any(name.startswith("gen_ai.") for name in span.attributes or {})


def judged(specimen: Specimen) -> tuple[Sequence[str], Sequence[tuple[str, str]]]:
    """Make a specimen's span; return the neighbour's violations, and our findings as severity and check."""
    with LLMTrace(verify=False) as llmtrace:
        tracer = trace.get_tracer("specimen", tracer_provider=TracerProvider())
        span = tracer.start_span(specimen.name, kind=SpanKind[specimen.kind.upper()])
        for name, value in specimen.attributes.items():
            span.set_attribute(name, value)
        if specimen.failed:
            span.set_status(StatusCode.ERROR)
        span.end()
        [made] = llmtrace.exporter.get_finished_spans()
        return (theirs(made) if is_of_genai(made) else ()), ours(llmtrace, specimen.profile)


def ours(llmtrace: LLMTrace, profile: str) -> tuple[tuple[str, str], ...]:
    """Return severity and check of our findings on spans, against the convention that is named."""
    evidence = replace(llmtrace.judge()[0], profiles=(conventions.profile(profile),))
    found = ((finding.severity.value, finding.check) for finding in checks.verify(evidence, {}).findings)
    return tuple(one for one in found if one[1].startswith("convention/") and not one[1].startswith(_OF_METRICS))
