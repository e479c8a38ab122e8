"""Nothing was captured: each cause has its own message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from pytest_llmtrace import capture, ownership
from pytest_llmtrace.capture.absence import Scene, judge
from pytest_llmtrace.capture.instrumentors import Instrumentor, Switch
from pytest_llmtrace.model import Absence, Ambient, SpanKey

RunScript = Callable[..., CompletedProcess[str]]

ON = Instrumentor(name="openai", package="openinference-instrumentation-openai", state=Switch.ON)
OFF = replace(ON, state=Switch.OFF)
REFUSED = replace(ON, state=Switch.REFUSED, needs="openai>=2.8", found="openai 1.99")
MISSING = replace(REFUSED, found="")
NO_SPAN = Ambient()
DROPPED = Ambient(span=SpanKey(1, 2), recording=False)
SUPPRESSED = Ambient(suppressed=True)


class ForeignProvider(trace.TracerProvider):
    def get_tracer(self, *args: object, **kwargs: object) -> trace.Tracer:
        return trace.NoOpTracer()


class WrappingProvider(ForeignProvider):
    provider = TracerProvider(shutdown_on_exit=False)


def scene(**parts: object) -> Scene:
    """Return a scene in which all is well, except for these parts."""
    well = Scene(environ={}, provider=trace.ProxyTracerProvider(), ambients=(NO_SPAN,), instrumentors=(ON,))
    return replace(well, **parts)  # type: ignore[arg-type]


DISABLED = Absence(
    cause="the OpenTelemetry SDK is disabled",
    why="OTEL_SDK_DISABLED= True makes every SDK provider hand out tracers that record nothing",
    next="unset OTEL_SDK_DISABLED for the test run",
)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(scene(environ={"OTEL_SDK_DISABLED": " True"}), DISABLED, id="disabled"),
        pytest.param(
            scene(provider=trace.NoOpTracerProvider()),
            Absence(
                cause="the global tracer provider is a no-op",
                why="trace.get_tracer_provider() returns a NoOpTracerProvider, whose tracers record nothing",
                next="let the app set an opentelemetry.sdk.trace.TracerProvider in tests, or none at all",
            ),
            id="no-op",
        ),
        pytest.param(
            scene(
                provider=trace.NoOpTracerProvider(), environ={"OTEL_PYTHON_TRACER_PROVIDER": "default_tracer_provider"}
            ),
            Absence(
                cause="the global tracer provider is a no-op",
                why="trace.get_tracer_provider() returns a NoOpTracerProvider "
                "(OTEL_PYTHON_TRACER_PROVIDER=default_tracer_provider), whose tracers record nothing",
                next="unset OTEL_PYTHON_TRACER_PROVIDER for the test run, or let the app set an "
                "opentelemetry.sdk.trace.TracerProvider in tests, or none at all",
            ),
            id="no-op-by-environment",
        ),
        pytest.param(
            scene(provider=ForeignProvider()),
            Absence(
                cause="the global tracer provider is not the SDK's",
                why=f"it is a {__name__}.ForeignProvider, whose spans do not pass through the OpenTelemetry SDK",
                next="let the app set an opentelemetry.sdk.trace.TracerProvider in tests, or none at all",
            ),
            id="foreign",
        ),
        pytest.param(
            scene(ambients=(NO_SPAN, SUPPRESSED)),
            Absence(
                cause="instrumentation is suppressed",
                why="the call was made in a context in which instrumentation is suppressed, as by suppress_tracing() "
                "or "
                "suppress_instrumentation()",
                next="make the call outside that block, or end the block first",
            ),
            id="suppressed",
        ),
        pytest.param(
            scene(ambients=(DROPPED,), samplers=("AlwaysOnSampler", "TraceIdRatioBased{0.1}")),
            Absence(
                cause="the spans were sampled out",
                why="the sampler TraceIdRatioBased{0.1} dropped them",
                next="give the provider sampler=opentelemetry.sdk.trace.sampling.ALWAYS_ON in tests",
            ),
            id="sampled-out",
        ),
        pytest.param(
            scene(samplers=("AlwaysOffSampler", "AlwaysOnSampler"), environ={"OTEL_TRACES_SAMPLER": "always_off"}),
            Absence(
                cause="the spans were sampled out",
                why="the sampler AlwaysOffSampler (OTEL_TRACES_SAMPLER=always_off) dropped them",
                next="set OTEL_TRACES_SAMPLER=always_on for the test run; a sampler= that the code gives has "
                "precedence",
            ),
            id="sampled-out-by-environment",
        ),
        pytest.param(
            scene(sampler="AlwaysOffSampler", environ={"OTEL_TRACES_SAMPLER": "always_on"}),
            Absence(
                cause="the spans were sampled out",
                why="the sampler AlwaysOffSampler dropped them",
                next="give the provider sampler=opentelemetry.sdk.trace.sampling.ALWAYS_ON in tests",
            ),
            id="sampled-out-by-the-code-although-the-environment-keeps-all",
        ),
        pytest.param(
            scene(sampler="TraceIdRatioBased{0.0}", samplers=("AlwaysOffSampler", "TraceIdRatioBased{0.0}")),
            Absence(
                cause="the spans were sampled out",
                why="the sampler TraceIdRatioBased{0.0} dropped them",
                next="give the provider sampler=opentelemetry.sdk.trace.sampling.ALWAYS_ON in tests",
            ),
            id="sampled-out-by-the-global-provider",
        ),
        pytest.param(
            scene(instrumentors=(OFF, REFUSED)),
            Absence(
                cause="an instrumentor refused to be switched on",
                why="openinference-instrumentation-openai supports openai>=2.8, but openai 1.99 is installed: "
                "its instrument() logs this and does nothing",
                next="install openai>=2.8, or a release of openinference-instrumentation-openai that supports yours",
            ),
            id="refused",
        ),
        pytest.param(
            scene(instrumentors=(MISSING,)),
            Absence(
                cause="an instrumentor refused to be switched on",
                why="openinference-instrumentation-openai supports openai>=2.8, but it is not installed: "
                "its instrument() logs this and does nothing",
                next="install openai>=2.8, or a release of openinference-instrumentation-openai that supports yours",
            ),
            id="refused-for-what-is-missing",
        ),
        pytest.param(
            scene(instrumentors=(OFF, replace(OFF, name="httpx", package="opentelemetry-instrumentation-httpx"))),
            Absence(
                cause="no instrumentor is switched on",
                why="installed but not switched on: openai (openinference-instrumentation-openai), "
                "httpx (opentelemetry-instrumentation-httpx)",
                next="call instrument() of the one for the client's SDK before the client is created, or name it in "
                "the "
                "ini option llmtrace_instrument; an app that is instrumented by hand must start a span around the call",
            ),
            id="none-on",
        ),
        pytest.param(
            scene(instrumentors=()),
            Absence(
                cause="no instrumentor is switched on",
                why="none is installed, and the app started no span",
                next="install an instrumentor for the client's SDK and switch it on; "
                "an app that is instrumented by hand must start a span around the call",
            ),
            id="none-installed",
        ),
        pytest.param(scene(), None, id="no-known-cause"),
        pytest.param(scene(provider=WrappingProvider()), None, id="wrapped-sdk-provider"),
        pytest.param(scene(samplers=("AlwaysOffSampler",)), None, id="sampler-of-an-earlier-test"),
        pytest.param(scene(sampler="TraceIdRatioBased{0.1}"), None, id="sampler-that-dropped-nothing"),
        pytest.param(
            scene(environ={"OTEL_SDK_DISABLED": " True"}, provider=ForeignProvider(), ambients=(SUPPRESSED, DROPPED)),
            DISABLED,
            id="first-of-many",
        ),
    ],
)
def test_each_cause_has_its_message(seen: Scene, expected: Absence | None) -> None:
    """Of several causes the first is reported, since the others follow from it or cannot show."""
    assert judge(seen) == expected


LANGSMITH = {"LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "true"}
OTEL_CALLBACK = type("OpenTelemetry", (), {"__module__": "litellm.integrations.opentelemetry"})()


@pytest.mark.parametrize(
    ("environ", "modules", "cause"),
    [
        (LANGSMITH, ["langsmith"], "LangSmith's spans may not have been made in time"),
        (
            {"LANGCHAIN_TRACING_V2": "true", "LANGSMITH_TRACING_MODE": "otel"},
            ["langsmith"],
            "LangSmith's spans may not have been made in time",
        ),
        (LANGSMITH, [], "no instrumentor is switched on"),
        ({"LANGSMITH_TRACING": "true"}, ["langsmith"], "no instrumentor is switched on"),
        ({"LANGSMITH_OTEL_ENABLED": "true"}, ["langsmith"], "no instrumentor is switched on"),
        ({**LANGSMITH, "LANGSMITH_TRACING_MODE": "langsmith"}, ["langsmith"], "no instrumentor is switched on"),
    ],
    ids=["on", "by its mode", "not imported", "not by OpenTelemetry", "not traced", "its mode says no"],
)
def test_langsmith_may_be_late(environ: dict[str, str], modules: list[str], cause: str) -> None:
    """Where LangSmith traces by OpenTelemetry, its thread is the likely cause; anywhere else LangSmith is not named."""
    found = judge(scene(environ=environ, modules=dict.fromkeys(modules), instrumentors=(OFF,)))
    assert found is not None
    assert found.cause == cause


@pytest.mark.parametrize(
    ("callbacks", "cause"),
    [
        (["otel"], "LiteLLM's spans may not have been made in time"),
        ([OTEL_CALLBACK], "LiteLLM's spans may not have been made in time"),
        (["other", print], "no instrumentor is switched on"),
        ([], "no instrumentor is switched on"),
        (None, "no instrumentor is switched on"),
    ],
    ids=["by name", "as an object", "others", "none", "unknown"],
)
def test_litellm_may_be_late(callbacks: object, cause: str) -> None:
    """Where LiteLLM's callback is on, its task is the likely cause; anywhere else LiteLLM is not named."""
    found = judge(scene(modules={"litellm": SimpleNamespace(callbacks=callbacks)}, instrumentors=(OFF,)))
    assert found is not None
    assert found.cause == cause


KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}


@pytest.mark.parametrize(
    ("environ", "found", "cause"),
    [
        ({}, OFF, "Langfuse may be off because a key is missing"),
        ({"LANGFUSE_PUBLIC_KEY": "pk"}, OFF, "Langfuse may be off because a key is missing"),
        ({**KEYS, "LANGFUSE_TRACING_ENABLED": "False"}, OFF, "Langfuse is switched off"),
        (KEYS, OFF, "no instrumentor is switched on"),
        ({**KEYS, "LANGFUSE_TRACING_ENABLED": "true"}, OFF, "no instrumentor is switched on"),
        ({}, ON, None),
    ],
    ids=["no key", "one key", "off", "all well", "on", "another instrumentor"],
)
def test_langfuse_may_be_off(environ: dict[str, str], found: Instrumentor, cause: str | None) -> None:
    """Without its keys Langfuse makes no span; it is not an instrumentor, so it cannot be seen as one that is off."""
    absence = judge(scene(environ=environ, modules={"langfuse": None}, instrumentors=(found,)))
    assert (absence and absence.cause) == cause


def test_langfuse_may_miss_a_call() -> None:
    """Its wrapper of OpenAI's SDK traces some methods only, so that instrumentors which are off are not the cause."""
    absence = judge(scene(environ=KEYS, modules={"langfuse": None, "langfuse.openai": None}, instrumentors=(OFF,)))
    assert absence == Absence(
        cause="Langfuse's wrapper made no span",
        why="langfuse.openai is imported, which traces some of the methods of OpenAI's SDK (not "
        "with_streaming_response), and no other SDK",
        next="call a method that it traces, make a generation around the call, or switch on an instrumentor for its "
        "SDK",
    )


def test_langfuse_says_which_key_it_lacks() -> None:
    """The message names the keys to set, and says that nothing is sent with them."""
    absence = judge(scene(environ={"LANGFUSE_PUBLIC_KEY": "pk"}, modules={"langfuse": None}, instrumentors=()))
    assert absence == Absence(
        cause="Langfuse may be off because a key is missing",
        why="langfuse is imported, but the environment has no LANGFUSE_SECRET_KEY: a client that gets none from the "
        "code "
        "either makes no spans",
        next="set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY for the test run, to any value: its exporter is muted",
    )


@pytest.mark.parametrize(
    ("modules", "found", "cause"),
    [
        ({"mlflow.openai": None}, OFF, "MLflow may have failed to start its spans"),
        ({"mlflow.anthropic": None}, OFF, "MLflow may have failed to start its spans"),
        ({"mlflow": None}, OFF, "no instrumentor is switched on"),
        ({"mlflow.openai": None}, ON, None),
    ],
    ids=["openai", "anthropic", "no integration", "another instrumentor"],
)
def test_mlflow_may_have_failed(modules: dict[str, None], found: Instrumentor, cause: str | None) -> None:
    """MLflow only logs its failures, so an imported integration is a likely cause; `mlflow` without one is not."""
    absence = judge(scene(modules=modules, instrumentors=(found,)))
    assert (absence and absence.cause) == cause


@pytest.mark.parametrize(
    ("needs", "products", "cause"),
    [
        ("openai>=2.8", ("asyncopenai",), "an instrumentor refused to be switched on"),
        ("openai>=2.8", ("groq", "openai"), "an instrumentor refused to be switched on"),
        ("openai>=2.8", (), "an instrumentor refused to be switched on"),
        ("openai>=2.8", ("python-httpx2",), "an instrumentor refused to be switched on"),
        ("langchain_core>=1", ("groq",), "an instrumentor refused to be switched on"),
        ("openai>=2.8", ("groq",), None),
    ],
)
def test_what_another_sdk_lacks_is_no_cause(needs: str, products: tuple[str, ...], cause: str | None) -> None:
    """An instrumentor that refuses its SDK has nothing to do with the calls of another SDK; a framework's may have."""
    absence = judge(scene(instrumentors=(ON, replace(REFUSED, needs=needs)), products=products))
    assert (absence and absence.cause) == cause


SCRIPT = """
{set_up}
capture.install()
owner, book = open_test()
from pytest_llmtrace.model import Exchange, Outcome, Request
exchanges = []
with ownership.active(owner):
    with trace.get_tracer("app").start_as_current_span("chat"):
        request = Request(method="POST", url="https://api.openai.com/v1/chat/completions")
        ambient = capture.ambient()
        exchange = Exchange(
            index=0, request=request, response=None, outcome=Outcome.ANSWERED, origin="", ambient=ambient, started=1
        )
        exchanges.append(exchange)
print(book.absence(exchanges).cause)
"""
FOREIGN = """
class Foreign(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return trace.NoOpTracer()

trace.set_tracer_provider(Foreign())
"""
SAMPLING = """
from opentelemetry.sdk.trace import TracerProvider, sampling
trace.set_tracer_provider(TracerProvider(sampler=sampling.ALWAYS_OFF))
"""


@pytest.mark.parametrize(
    ("set_up", "environ", "cause"),
    [
        ("", {"OTEL_SDK_DISABLED": "true"}, "the OpenTelemetry SDK is disabled"),
        (
            "",
            {"OTEL_PYTHON_TRACER_PROVIDER": "default_tracer_provider"},
            "the global tracer provider is a no-op",
        ),
        ("trace.set_tracer_provider(trace.NoOpTracerProvider())", {}, "the global tracer provider is a no-op"),
        (FOREIGN, {}, "the global tracer provider is not the SDK's"),
        ("", {"OTEL_TRACES_SAMPLER": "always_off"}, "the spans were sampled out"),
        (SAMPLING, {}, "the spans were sampled out"),
    ],
)
def test_causes_in_a_process(set_up: str, environ: dict[str, str], cause: str, run_script: RunScript) -> None:
    """The cause is found from the real state of a process."""
    assert run_script(SCRIPT.format(set_up=set_up), **environ).stdout == f"{cause}\n"


UNDESCRIBED = """
from opentelemetry.sdk.trace import TracerProvider, sampling

class Keen(sampling.Sampler):
    def should_sample(self, *args, **kwargs):
        return sampling.SamplingResult(sampling.Decision.DROP)

    def get_description(self):
        {body}

trace.set_tracer_provider(TracerProvider(sampler=Keen()))
kept = TracerProvider()
"""


@pytest.mark.parametrize("body", ["pass", "raise NotImplementedError"])
def test_a_sampler_that_does_not_describe_itself(body: str, run_script: RunScript) -> None:
    """Nothing else calls `get_description`, so a broken one is not an error: the sampler is named by its class."""
    script = SCRIPT.format(set_up=UNDESCRIBED.format(body=body)).replace(".cause", ".why")
    assert run_script(script).stdout == "the sampler Keen dropped them\n"


def test_no_cause_where_there_is_a_span(
    provider: TracerProvider, owners: tuple[ownership.Owner, ...], books: tuple[capture.Book, ...]
) -> None:
    """With a span there is nothing to explain."""
    with ownership.belonging_to(owners[0]):
        provider.get_tracer("app").start_span("chat").end()
    disabled = {"OTEL_SDK_DISABLED": "true"}
    assert books[0].absence(environ=disabled) is None
    assert books[1].absence(environ=disabled) is not None


@pytest.mark.parametrize(
    ("error", "hinted"),
    [
        (RuntimeError("Traces already initialized. Call openobserve_shutdown() first."), True),
        (RuntimeError("Event loop is closed"), False),
        (ValueError("openobserve_shutdown()"), False),
    ],
)
def test_hint(error: Exception, hinted: bool) -> None:
    """The second `openobserve_init()` of a process raises; the report says what to do."""
    text = (
        "openobserve_init() works once per process: call it in a session-scoped fixture or where the app starts. "
        "The providers of the first call are still in place, and spans were still captured."
    )
    assert capture.hint_for(error) == (text if hinted else None)
