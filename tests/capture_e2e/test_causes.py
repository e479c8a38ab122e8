"""If nothing was captured, a test that made an LLM call fails, with a message of its own for each cause."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest

RunPytest = Callable[..., Any]

TESTS = """
import app

def test_judged(llmtrace):
    llmtrace.gateway("openai").chat(text="hi")
    assert app.{call} == "hi"
    assert all(span.attributes["gen_ai.request.model"] == "gpt-4o" for span in llmtrace.spans())

def test_selected(llmtrace):
    llmtrace.gateway("openai").chat(text="hi")
    assert app.{call} == "hi"
    llmtrace.span(name="chat")

def test_no_call(llmtrace):
    assert llmtrace.spans() == ()
"""

JUDGED = """\
llmtrace: 1 finding in test_judged (1 exchange, 0 LLM spans, <n> checks)

error  capture/nothing  1 LLM call, no span: {cause}
       wire   POST /v1/chat/completions  (exchange 0)
       why    {why}
       next   {next}, or waive: @pytest.mark.llmtrace(ignore={{"capture/nothing": "reason"}})

POST /v1/chat/completions  200  (exchange 0)"""

SELECTED = """\
test_app.py:12: in test_selected
    llmtrace.span(name="chat")
E   pytest_llmtrace.errors.SelectionError: expected exactly one span with name='chat', found none among 0
E   nothing was captured: {why}
E   next: {next}"""

NO_OP = """
from opentelemetry import trace
trace.set_tracer_provider(trace.NoOpTracerProvider())
"""
FOREIGN = """
from opentelemetry import trace

class Foreign(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return trace.NoOpTracer()

trace.set_tracer_provider(Foreign())
"""
GLOBAL_SAMPLER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider, sampling
trace.set_tracer_provider(TracerProvider(sampler=sampling.{}))
"""
PRIVATE_SAMPLER = """
import app
from opentelemetry.sdk.trace import TracerProvider, sampling
app.tracer = TracerProvider(sampler=sampling.ALWAYS_OFF).get_tracer("app")
"""
# Sets the context key that `suppress_instrumentation()` and `suppress_tracing()` set, and that instrumentors look at.
SUPPRESSED = """
import app
from opentelemetry import context

def quiet():
    token = context.attach(context.set_value("suppress_instrumentation", True))
    try:
        return app.ask()
    finally:
        context.detach(token)

app.quiet = quiet
"""
SDK_PROVIDER = "let the app set an opentelemetry.sdk.trace.TracerProvider in tests, or none at all"
ALWAYS_ON = "give the provider sampler=opentelemetry.sdk.trace.sampling.ALWAYS_ON in tests"
# Cause, reason and next step.
SAMPLED_OUT = (
    "the spans were sampled out", "the sampler AlwaysOffSampler dropped them", ALWAYS_ON
)  # fmt: skip
KEPT_QUIET = (
    "instrumentation is suppressed",
    (
        "the call was made in a context in which instrumentation is suppressed, as by suppress_tracing() or "
        "suppress_instrumentation()"
    ),
    "make the call outside that block, or end the block first",
)


def to_do() -> str:
    """Return the next step that the message names: one that is installed has to be switched on."""
    if not entry_points(group="opentelemetry_instrumentor"):
        return "install an instrumentor for the client's SDK and switch it on"
    return (
        "call instrument() of the one for the client's SDK before the client is created, or name it in the ini option "
        "llmtrace_instrument"
    )


def installed() -> str:
    """Return the reason that names the installed instrumentors, none of which the app switches on."""
    points = [(point.name, point.dist.name) for point in entry_points(group="opentelemetry_instrumentor") if point.dist]
    names = ", ".join(f"{name} ({package})" for name, package in sorted(points))
    return f"installed but not switched on: {names}" if names else "none is installed, and the app started no span"


@pytest.mark.parametrize(
    ("conftest", "environ", "call", "cause", "why", "step"),
    [
        pytest.param(
            "",
            {"OTEL_SDK_DISABLED": "true"},
            "chat()",
            "the OpenTelemetry SDK is disabled",
            "OTEL_SDK_DISABLED=true makes every SDK provider hand out tracers that record nothing",
            "unset OTEL_SDK_DISABLED for the test run",
            id="disabled",
        ),
        pytest.param(
            NO_OP,
            {},
            "chat()",
            "the global tracer provider is a no-op",
            "trace.get_tracer_provider() returns a NoOpTracerProvider, whose tracers record nothing",
            SDK_PROVIDER,
            id="no-op",
        ),
        pytest.param(
            FOREIGN,
            {},
            "chat()",
            "the global tracer provider is not the SDK's",
            "it is a conftest.Foreign, whose spans do not pass through the OpenTelemetry SDK",
            SDK_PROVIDER,
            id="foreign",
        ),
        pytest.param(
            "",
            {"OTEL_TRACES_SAMPLER": "always_off"},
            "chat()",
            "the spans were sampled out",
            "the sampler AlwaysOffSampler (OTEL_TRACES_SAMPLER=always_off) dropped them",
            "set OTEL_TRACES_SAMPLER=always_on for the test run; a sampler= that the code gives has precedence",
            id="sampled-out-by-environment",
        ),
        pytest.param(
            GLOBAL_SAMPLER.format("TraceIdRatioBased(0.0)"),
            {},
            "chat()",
            "the spans were sampled out",
            "the sampler TraceIdRatioBased{0.0} dropped them",
            ALWAYS_ON,
            id="sampled-out-by-the-global-provider",
        ),
        pytest.param(
            PRIVATE_SAMPLER,
            {},
            "chat(app.tracer)",
            *SAMPLED_OUT,
            id="sampled-out-by-a-private-provider",
        ),
        pytest.param(
            SUPPRESSED,
            {},
            "quiet()",
            *KEPT_QUIET,
            id="suppressed",
        ),
        pytest.param(
            "",
            {},
            "ask()",
            "no instrumentor is switched on",
            installed(),
            f"{to_do()}; an app that is instrumented by hand must start a span around the call",
            id="no-instrumentor-on",
        ),
    ],
)
def test_each_cause_has_its_message(
    conftest: str, environ: dict[str, str], call: str, cause: str, why: str, step: str, run_pytest: RunPytest
) -> None:
    """An LLM call without any span fails its test with this cause, although `all()` over no spans was true.

    A selection fails with the same cause, stated once; in a test without an LLM call nothing is missing.
    """
    run = run_pytest(TESTS.format(call=call), conftest=conftest, **environ)
    assert run.failure("test_judged") == JUDGED.format(cause=cause, why=why, next=step)
    assert run.failure("test_selected") == SELECTED.format(why=why, next=step)
    assert "2 failed, 1 passed" in run.text


@pytest.mark.parametrize(
    ("conftest", "call", "cause", "why", "step"),
    [
        pytest.param(
            SUPPRESSED,
            "quiet()",
            *KEPT_QUIET,
            id="suppressed",
        ),
        pytest.param(
            PRIVATE_SAMPLER,
            "chat(app.tracer)",
            *SAMPLED_OUT,
            id="sampled-out",
        ),
    ],
)
def test_the_cause_of_one_call_among_others(
    conftest: str, call: str, cause: str, why: str, step: str, run_pytest: RunPytest
) -> None:
    """If other spans were captured, the call without one still reports why it has none."""
    tests = f"""
import app
from opentelemetry import trace

def test_one(llmtrace):
    llmtrace.gateway("openai").chat(text="hi")
    with trace.get_tracer("other").start_as_current_span("step"):
        pass
    assert app.{call} == "hi"
"""
    failure = run_pytest(tests, conftest=conftest).failure("test_one")
    assert f"structure/exchange-without-span  POST /v1/chat/completions  (exchange 0): {cause}\n" in failure
    assert f"       why    {why}\n" in failure
    assert f"       next   {step}, or waive: " in failure
