"""The public API as a type checker sees it; checked by mypy in strict mode, never run."""

from __future__ import annotations

from typing import assert_type

from pytest_llmtrace import (
    ExchangeView,
    Finding,
    LLMTrace,
    Reading,
    SpanTree,
    SpanView,
    assert_attributes,
)


def use(llmtrace: LLMTrace) -> None:
    """Use what the fixture offers, with the types that it must have."""
    span = llmtrace.llm_span(lambda span: span.ended, scope="app", attributes={"n": 1})
    assert_type(span, SpanView)
    assert_type(span.call, Reading | None)
    assert_type(span.duration, float | None)
    assert_type(llmtrace.exchanges(), tuple[ExchangeView, ...])
    assert_type(llmtrace.findings(), tuple[Finding, ...])
    assert_type(llmtrace.tree(), SpanTree[SpanView])
    tree: SpanTree = llmtrace.tree()
    assert_type(str(tree.one("chat")), str)
    assert_attributes(span, {"gen_ai.request.model": "m"})
    llmtrace.gateway("openai").chat(text="hi").error(429)
    llmtrace.gateway("openai").chat(first_token=0.8, tokens_per_second=40)
    with LLMTrace(timing="recorded") as timed:
        timed.clock.advance(1)
        assert_type(timed.clock.elapsed, float)
    with LLMTrace(gateway="anthropic", allow_hosts=["localhost:4000"], verify="warn") as inner:
        assert_type(inner, LLMTrace)
    if span.call is not None:
        assert_type(span.call.request_model, str | None)
        assert_type(span.call.streaming, bool | None)
