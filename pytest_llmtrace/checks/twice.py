"""Each call is counted once: it is not reported twice, by one scope or by two."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_llmtrace.checks._check import Check, Evidence, maker_of, title_of_exchange, title_of_span
from pytest_llmtrace.checks._said import counts, llm_spans, said, stated
from pytest_llmtrace.model import Call, Finding, Reading, Severity, SpanKey, SpanRecord, Stray
from pytest_llmtrace.tree import Ancestry

__all__ = ["CHECKS", "COUNTED_TWICE", "REPORTED_TWICE", "told_again"]

_Looks = tuple[str, str, SpanKey | None, str, str | None]
"""The scope, name, parent, status and status description of a span."""

# Attributes of a span that stands for one call to a model; the name of a model alone may be on any span.
_OPERATION_KEYS = (
    *("gen_ai.operation.name", "openinference.span.kind", "llm.request.type"),
    *("langfuse.observation.type", "mlflow.spanType"),
)


def told_again(evidence: Evidence) -> Iterator[tuple[Stray, Call, str]]:
    """Yield the strays that report a call which a span of their scope reports, with the call and how that is known."""
    strays = {stray.span.key: stray for stray in evidence.strays}
    if not strays:
        return
    inside = _calls_inside(evidence, strays)
    by_id = {
        (span.scope, reading.response_id): (call, span)
        for call, span, reading in llm_spans(evidence.calls)
        if isinstance(reading.response_id, str) and reading.response_id
    }
    alike = _by_looks(evidence)
    for key, stray in strays.items():
        named = stray.reading.response_id
        again = by_id.get((stray.span.scope, named)) if isinstance(named, str) else None
        within = _answered(inside.get(key, []))
        if len(within) == 1 and _is_the_same_call(stray, *within[0]):
            yield stray, within[0][0], f"is around {title_of_span(within[0][1])}, which reports the same call"
        elif again is not None and _overlap(stray.span, again[1]):
            yield stray, again[0], f"names the response {named!r}, as does {title_of_span(again[1])}"
        elif (twin := _twin(stray, alike.get(_looks(stray.span), ()))) is not None:
            yield stray, twin[0], f"repeats all attributes of {title_of_span(twin[1])}, which was open at the same time"


def _by_looks(evidence: Evidence) -> dict[_Looks, list[tuple[Call, SpanRecord]]]:
    found: dict[_Looks, list[tuple[Call, SpanRecord]]] = {}
    for call, span, _ in llm_spans(evidence.calls):
        found.setdefault(_looks(span), []).append((call, span))
    return found


def _looks(span: SpanRecord) -> _Looks:
    return span.scope, span.name, span.parent, span.status, span.status_description


def _twin(stray: Stray, alike: Sequence[tuple[Call, SpanRecord]]) -> tuple[Call, SpanRecord] | None:
    """Return the span of a call that says exactly what a stray says, as when an instrumentation is on twice.

    The id of the response does not always tell: many conventions have no place for it, and a call that failed has none.
    """
    span = stray.span
    return next((one for one in alike if one[1].attributes == span.attributes and _overlap(span, one[1])), None)


def _calls_inside(evidence: Evidence, strays: dict[SpanKey, Stray]) -> dict[SpanKey, list[tuple[Call, SpanRecord]]]:
    """Return for each stray the calls whose span is inside of it, with no other LLM span of that scope between them."""
    llm = {span.key for _, span, _ in llm_spans(evidence.calls)} | set(strays)
    ancestry = Ancestry(evidence.spans, lambda span: span.key in llm)
    inside: dict[SpanKey, list[tuple[Call, SpanRecord]]] = {}
    for call, span, _ in llm_spans(evidence.calls):
        outer = ancestry.around(span.parent).get(span.scope)
        if outer is None or outer.key not in strays:
            continue
        within = inside.setdefault(outer.key, [])
        if all(known is not span for _, known in within[-1:]):  # A turn's span has all its calls.
            within.append((call, span))
    return inside


def _answered(inside: list[tuple[Call, SpanRecord]]) -> list[tuple[Call, SpanRecord]]:
    """Return the calls without those that failed before a wrapper fell back to another; all, if none succeeded."""
    return [within for within in inside if within[0].truths and within[0].truths[-1].error is None] or inside


def _is_the_same_call(stray: Stray, call: Call, span: SpanRecord) -> bool:
    """Tell whether a stray around a span of its scope reports the same call, not just a step of the application."""
    reading = call.readings[call.spans.index(span)]
    if stray.reading.response_id and stray.reading.response_id == reading.response_id:
        return True
    if counts(stray.reading) and counts(reading):
        return True
    return any(key in stray.span.attributes and key in span.attributes for key in _OPERATION_KEYS)


def _overlap(one: SpanRecord, other: SpanRecord) -> bool:
    """Tell whether two spans were open at the same time. A span that reports an answer later has it from a cache."""
    ticks = (other.ended is None or one.started <= other.ended) and (one.ended is None or other.started <= one.ended)
    return ticks or (other.end_ns is not None and one.start_ns < other.end_ns and other.started <= one.started)


def _reported_twice(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    yield from (None for call in evidence.calls if call.spans)
    for stray, call, how in told_again(evidence):
        here, there = bool(counts(stray.reading)), any(map(counts, call.readings))
        counted = here and there
        why = "" if counted else _NO_TOKENS if here or there else _TIME_ALONE
        found = check.finding(stray.span, ("span", how), ("wire", said(call)), why=why)
        yield found if counted else replace(found, severity=Severity.WARNING)


def _counted_twice(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    """Yield a finding for each set of scopes, however many calls they count: one switch mends them all."""
    by_scopes: dict[tuple[str, ...], list[_Counted]] = {}
    for call in evidence.calls:
        counting = [
            (span, reading) for span, reading in zip(call.spans, call.readings, strict=False) if counts(reading)
        ]
        if len(counting) > 1:
            by_scopes.setdefault(tuple(sorted(span.scope for span, _ in counting)), []).append((call, counting))
        elif counting:
            yield None
    for counted in by_scopes.values():
        yield from (None for _ in counted[1:])
        yield _counted_by(check, counted)


_Counted = tuple[Call, list[tuple[SpanRecord, Reading]]]
"""A call, with the spans that count it and what they say."""
_SHOWN = 3
"""How many calls of a finding are shown."""


def _counted_by(check: Check, counted: list[_Counted]) -> Finding:
    (call, counting), more = counted[0], len(counted) - _SHOWN
    lines = [
        f"{span.name!r} ({span.scope}): {stated(reading)}" for _, spans in counted[:_SHOWN] for span, reading in spans
    ]
    wire = [said(one) for one, _ in counted[:_SHOWN]]
    if more > 0:
        lines.append(f"and those of {more} more call{'s' if more > 1 else ''}")
    switches = dict.fromkeys(_switch(span.scope) for span, _ in counting)
    return check.finding(
        title_of_exchange(call.exchanges[-1]) if len(counted) == 1 else f"{len(counted)} calls",
        ("span", "\n".join(lines)),
        ("wire", "\n".join(wire)),
        next=f"turn one of them off: {'; or '.join(switches)}",
        makers=dict.fromkeys(maker_of(span) for _, spans in counted for span, _ in spans),
    )


_INSTRUMENTORS = {
    "anthropic": "AnthropicInstrumentor",
    "bedrock": "BedrockInstrumentor",
    "dspy": "DSPyInstrumentor",
    "groq": "GroqInstrumentor",
    "haystack": "HaystackInstrumentor",
    "litellm": "LiteLLMInstrumentor",
    "llama_index": "LlamaIndexInstrumentor",
    "llamaindex": "LlamaIndexInstrumentor",
    "mistralai": "MistralAiInstrumentor",
    "openai": "OpenAIInstrumentor",
    "openai_agents": "OpenAIAgentsInstrumentor",
    "openai_v2": "OpenAIInstrumentor",
    "openinference.instrumentation.langchain": "LangChainInstrumentor",
    "opentelemetry.instrumentation.langchain": "LangchainInstrumentor",
    "smolagents": "SmolagentsInstrumentor",
}


# Scope -> how to turn it off; the same goes for the scopes below it, as Anthropic's clients for the clouds have them.
_OF_SCOPE = {
    "com.anthropic.sdk.python": "Anthropic's own span with ANTHROPIC_OPEN_TELEMETRY=false in the environment, or "
    "open_telemetry=False",
    "langfuse-sdk": "Langfuse's by importing OpenAI from openai, not from langfuse.openai, or by making no generation "
    "around the call",
    "litellm": "LiteLLM's callback by taking 'otel' out of litellm.callbacks",
    "mlflow.tracing.provider": "MLflow's by not calling autolog(), or with autolog(disable=True)",
    "pydantic-ai": "Pydantic AI's span by not calling Agent.instrument_all() or logfire.instrument_pydantic_ai()",
}


@functools.cache
def _switch(scope: str) -> str:
    """Say how to turn off the instrumentation of a scope."""
    own = next((how for name, how in _OF_SCOPE.items() if f"{scope}.".startswith(f"{name}.")), None)
    if own is not None:
        return own
    if scope.startswith("logfire."):
        return f"logfire's span by not calling logfire.instrument_{scope.removeprefix('logfire.')}()"
    family, _, rest = scope.partition(".instrumentation.")
    if family not in {"openinference", "opentelemetry"} or not rest:
        return f"the instrumentation that reports as {scope!r}"
    package = rest.split(".")[0]
    module = f"{family}.instrumentation.{package}"
    if rest.startswith("genai."):  # OTel GenAI's packages: opentelemetry.instrumentation.genai.openai
        module, package = f"{module}.{rest.split('.')[1]}", rest.split(".")[1]
    name = _INSTRUMENTORS.get(module) or _INSTRUMENTORS.get(package)
    if name is None:
        return f"{module} by not calling its instrumentor's instrument()"
    return f"{module} by not calling {name}().instrument(), or with {name}().uninstrument()"


_TIME_ALONE = "a back end counts this call twice, and the time that it took"
_NO_TOKENS = f"{_TIME_ALONE}; tokens are stated only once"

REPORTED_TWICE = Check(
    id="structure/reported-twice",
    title="One scope reports one call once",
    why="a back end counts this call, its tokens and its cost twice",
    next="make one span per call: in the wrapper or in what it calls, not in both; and switch an instrumentation on "
    "once",
    look=_reported_twice,
    compares="The LLM spans of one scope with each other.\n"
    "  - A span around the span of a single call is a second report of that call if both count tokens, both name the "
    "same response, or both name an operation (as `gen_ai.operation.name` does).\n"
    "  - Another span that was open at the same time is a second report if it names the same response, or has the "
    "same parent, name, status and attributes.\n"
    "\n"
    "  It is an error if both spans count tokens. Otherwise it is a warning, since some frameworks write a span "
    "without tokens around the call's own.",
)

COUNTED_TWICE = Check(
    id="structure/counted-twice",
    title="Two scopes do not both count one call",
    why="a back end that sums tokens or cost over all spans counts this call once for each of them",
    next="turn one of them off",
    look=_counted_twice,
    compares="The spans of one call, of which each scope has one. At most one of them may state token counts.",
)

CHECKS: tuple[Check, ...] = (REPORTED_TWICE, COUNTED_TWICE)
