"""Each cause of "nothing captured" has its own message, as a failure of the test that made the call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

SUITE = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
SETUP

@pytest.mark.llmtrace(gateway="openai")
def test_it(llmtrace):
    AROUND
        spanned()
    assert all(span.status == "OK" for span in llmtrace.spans())
"""
FOREIGN = """
class Provider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs): return trace.NoOpTracer()
trace.set_tracer_provider(Provider())
"""
SUPPRESSED = """
from opentelemetry import context
import contextlib

@contextlib.contextmanager
def suppressed():
    token = context.attach(context.set_value("suppress_instrumentation", True))
    yield
    context.detach(token)

def spanned(): return call()
"""


@pytest.mark.parametrize(
    ("setup", "around", "environ", "cause"),
    [
        ("", "if True:", {"OTEL_SDK_DISABLED": "true"}, "the OpenTelemetry SDK is disabled"),
        (
            "trace.set_tracer_provider(trace.NoOpTracerProvider())",
            "if True:",
            {},
            "the global tracer provider is a no-op",
        ),
        (FOREIGN, "if True:", {}, "the global tracer provider is not the SDK's"),
        ("trace.set_tracer_provider(TracerProvider(sampler=ALWAYS_OFF))", "if True:", {}, "the spans were sampled out"),
        (SUPPRESSED, "with suppressed():", {}, "instrumentation is suppressed"),
        ("spanned = call", "if True:", {}, "no instrumentor is on"),
    ],
    ids=["disabled", "no-op", "foreign", "sampled out", "suppressed", "none on"],
)
def test_causes(run: Callable[..., Any], setup: str, around: str, environ: dict[str, str], cause: str) -> None:
    """A call without any span fails with the one cause, though `all(...)` over no spans is true."""
    done = run(SUITE.replace("SETUP", setup).replace("AROUND", around), **environ)
    assert done.outcomes == {"test_it": "failure"}
    assert re.findall(r"^error  (.*)$", done.section("test_it"), re.MULTILINE) == [
        f"capture/nothing  1 LLM call, no span: {cause}"
    ]
    assert "\n       next   " in done.section("test_it")
