"""What a span around a call lacks to be read as its LLM span."""

from __future__ import annotations

from pytest_llmtrace import dialects
from pytest_llmtrace.checks._check import Evidence, title_of_span
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._words import dropped
from pytest_llmtrace.model import Exchange

__all__ = ["nearly"]

_MARKS = ("gen_ai.operation.name", "gen_ai.request.model", "openinference.span.kind")
"""Attributes that make a span an LLM span."""


def nearly(evidence: Evidence, exchange: Exchange) -> str:
    """Say what a span around a call lacks to be read as its LLM span; empty if none there is known to lack anything.

    Some instrumentors set the kind and the model first and then each message of the prompt: a long prompt drives out
    what their spans are recognised by.
    """
    for around in evidence.lineage(exchange.ambient.span):
        if dialects.is_llm(around):
            continue
        if step := dropped(around):
            return f"if {title_of_span(around)} is meant to describe this call, {step}"
        if lacking := dialects.lacking(around):
            how = or_rename(lacking, around.attributes, [_MARKS])
            return f"if {title_of_span(around)} is meant to describe this call, make it an LLM span: {how}"
    return ""
