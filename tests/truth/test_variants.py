"""Whatever conventions leave open is not a finding, whichever way an instrumentation chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from pytest_llmtrace import wire
from pytest_llmtrace.compare._cases import Case, every_case
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Settings
from tests.truth._answer import Answer, Asked
from tests.truth._calls import Caller, Instrumentation
from tests.truth._dialects import DIALECTS, Attributes

# Some cassettes name models that are deprecated now.
pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

CASES: Final = tuple(case for case in every_case() if case.id.startswith(("scripted:openai/", "scripted:anthropic/")))


def written(change: Callable[[Attributes], object]) -> Mapping[str, Any]:
    """Return a variant that changes the attributes of an answer."""
    return {"miswrite": change}


def _as_floats(attributes: Attributes) -> None:
    counts = {key: value for key, value in attributes.items() if type(value) is int}
    attributes.update({key: float(value) for key, value in counts.items()})


def _masked(attributes: Attributes) -> None:
    texts = [key for key in attributes if key.endswith((".content", ".arguments", "message_content.text"))]
    attributes.update(dict.fromkeys(texts, "__REDACTED__"))


def _without_content(attributes: Attributes) -> None:
    for key in [key for key in attributes if key == "gen_ai.output.messages" or key.startswith("gen_ai.completion.")]:
        del attributes[key]


def _tools_twice(attributes: Attributes) -> None:
    """Repeat tool calls in the contents of the message, as OpenInference does for Anthropic."""
    for key, value in list(attributes.items()):
        if ".tool_calls." in key:
            attributes[key.replace(".tool_calls.", ".contents.")] = value


def _priced(attributes: Attributes) -> None:
    attributes.setdefault("llm.cost.total", 0.0123)


def _requested(**arguments: Any) -> Mapping[str, Any]:
    """Return a variant that states arguments which its API assumes if they are not given."""

    def misheard(told: Asked) -> None:
        told.arguments = {**arguments, **told.arguments}

    return {"misheard": misheard}


def _with_provider(told: Asked) -> None:
    told.arguments["model"] = f"{told.system}/{told.model}"


def _lists_reordered(answer: Answer) -> None:
    """Write parallel tool calls in another order, and their arguments with other white space and order of keys."""
    for choice in answer.in_order:
        choice.tool_calls.reverse()
        for call in choice.tool_calls:
            value = json.loads(call.arguments or "{}")
            call.arguments = json.dumps(dict(reversed(value.items())), indent=2)


OI, GENAI, OLLM = "openinference", "otel-genai", "openllmetry"
VARIANTS: Final[Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]]] = {
    "status OK on success": (GENAI, {}, {"says_ok": True}),
    "status left alone on success": (OI, {}, {"says_ok": False}),
    "exception event beside error.type": (GENAI, {}, {"has_event": True}),
    "another word for the kind of error": (GENAI, {}, {"failed": lambda _: {"error.type": "_OTHER"}}),
    "content masked": (OI, written(_masked), {}),
    "content left out": (GENAI, written(_without_content), {}),
    "completions left out": (OLLM, written(_without_content), {}),
    "tool calls in two places": (OI, written(_tools_twice), {}),
    "cost from a price list": (OI, written(_priced), {}),
    "one choice, in so many words": (OI, _requested(n=1), {}),
    "no stream, in so many words": (OI, _requested(stream=False), {}),
    "model with its provider": (GENAI, {"misheard": _with_provider}, {}),
    "tool calls in another order": (GENAI, {"misread": _lists_reordered}, {}),
    "flat tool calls in another order": (OI, {"misread": _lists_reordered}, {}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_finding(variant: str) -> None:
    """Each variant is as true as the spans of the other tests."""
    dialect, how, writes = VARIANTS[variant]
    caller = Caller(asynchronous=False)
    instrumentation = Instrumentation(writer=replace(DIALECTS[dialect], **writes), **how)
    for case in CASES:
        # An embedding has neither choices nor a stream.
        if "so many words" not in variant or wire.identify(case.request) != "embeddings":
            assert report(caller, instrumentation, case) == ""
    caller.close()


def test_counts_as_floats() -> None:
    """12.0 for 12 is the right count, but it is not an int, which is the type that the convention asks for."""
    caller, found = Caller(asynchronous=False), set[str]()
    for case in CASES:
        with LLMTrace(settings=Settings(label=case.id, verify=False)) as trace, case.prepare(trace):
            caller.call(Instrumentation(writer=DIALECTS[OI], **written(_as_floats)), case.request)
            found |= {finding.check for finding in trace.findings()}
    caller.close()
    assert found == {"convention/type"}


def report(caller: Caller, instrumentation: Instrumentation, case: Case) -> str:
    """Make one call, and return the report if there is any finding."""
    with LLMTrace(settings=Settings(label=case.id, verify=False)) as trace, case.prepare(trace):
        caller.call(instrumentation, case.request)
        return trace.report() if trace.findings() else ""


@pytest.mark.parametrize("limit", [30, 45, 250])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_texts_that_the_sdk_cuts(monkeypatch: pytest.MonkeyPatch, dialect: str, limit: int) -> None:
    """A provider may cut texts of attributes to any length: a text that was cut is not a wrong text."""
    provider = TracerProvider(span_limits=SpanLimits(max_span_attribute_length=limit), shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    caller, writer = Caller(asynchronous=False), DIALECTS[dialect]
    for case in CASES:
        if wire.identify(case.request) in writer.apis:
            assert report(caller, Instrumentation(writer=writer), case) == ""
    caller.close()
