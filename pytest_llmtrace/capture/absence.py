"""Find out why nothing was captured. Each cause has its own sentence and next step."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from pytest_llmtrace.capture import instrumentors, platforms
from pytest_llmtrace.capture._watch import existing
from pytest_llmtrace.capture.instrumentors import Instrumentor, Switch
from pytest_llmtrace.model import Absence, Ambient, Call, Exchange

__all__ = ["Scene", "find", "find_for_calls", "hint_for", "judge"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything that the functions for the single causes look at.

    Attributes:
        environ: The environment variables.
        provider: The global tracer provider.
        ambients: The span and the context that were current when each request passed.
        products: The SDKs that made the requests, as far as these name them.
        sampler: The description of the global provider's sampler; empty if that is not an SDK provider.
        samplers: The descriptions of the samplers of all existing SDK providers, including those of earlier tests.
        instrumentors: The installed instrumentors.
        modules: The imported modules, by name.
    """

    environ: Mapping[str, str]
    provider: trace.TracerProvider
    ambients: tuple[Ambient, ...] = ()
    products: tuple[str, ...] = ()
    sampler: str = ""
    samplers: tuple[str, ...] = ()
    instrumentors: tuple[Instrumentor, ...] = ()
    modules: Mapping[str, Any] = field(default_factory=dict)


def find(exchanges: Iterable[Exchange], *, environ: Mapping[str, str] = os.environ) -> Absence | None:
    """Return the first cause that applies in this process; None if none is known."""
    exchanges = tuple(exchanges)
    provider = trace.get_tracer_provider()
    samplers = {name for provider in existing(TracerProvider) if (name := _sampler_of(provider))}
    return judge(
        Scene(
            environ=environ,
            provider=provider,
            ambients=tuple(exchange.ambient for exchange in exchanges),
            products=tuple(filter(None, [instrumentors.product(exchange.request) for exchange in exchanges])),
            sampler=_sampler_of(provider) if isinstance(provider, TracerProvider) else "",
            samplers=tuple(sorted(samplers)),
            instrumentors=instrumentors.installed(),
            modules=sys.modules,
        )
    )


def _sampler_of(provider: TracerProvider) -> str:
    """Return the description of a provider's sampler, or the name of its class if it fails to describe itself.

    Such a failure may go unnoticed, since nothing else asks for the description. Empty for a provider without a
    sampler, such as a suite's own one that never calls the SDK's constructor.
    """
    sampler: Any = getattr(provider, "sampler", None)
    try:
        said = "" if sampler is None else sampler.get_description()
    except Exception:  # noqa: BLE001 - an application's own, of this test or of an earlier one
        said = None
    return said if isinstance(said, str) else type(sampler).__name__


def find_for_calls(calls: Iterable[Call]) -> dict[int, Absence]:
    """Return why some calls have no span while others have one: they were suppressed, or sampled out.

    Returns:
        The causes by the index of the call's first exchange; a call whose cause is not known is left out.
    """
    lacking = [call.exchanges[0] for call in calls if not call.spans]
    lost = [one for one in lacking if one.ambient.suppressed or (one.ambient.span and not one.ambient.recording)]
    return {one.index: absence for one in lost if (absence := find([one]))}


def judge(scene: Scene) -> Absence | None:
    """Return the first cause that applies to a scene; None if none is known."""
    for cause in _CAUSES:
        absence = cause(scene)
        if absence is not None:
            return absence
    return None


def hint_for(error: BaseException) -> str | None:
    """Return the text that a report adds to an exception of the code under test; None if it explains itself.

    `openobserve_init()` sets process-wide providers, once; called in each test it raises from the second test on.
    """
    if isinstance(error, RuntimeError) and "openobserve_shutdown()" in str(error):
        return (
            "openobserve_init() works once per process: call it in a session-scoped fixture or where the app starts. "
            "The providers of the first call are still in place, and spans were still captured."
        )
    return None


def _disabled(scene: Scene) -> Absence | None:
    value = scene.environ.get("OTEL_SDK_DISABLED", "")
    if value.strip().lower() != "true":
        return None
    return Absence(
        cause="the OpenTelemetry SDK is disabled",
        why=f"OTEL_SDK_DISABLED={value} makes every SDK provider hand out tracers that record nothing",
        next="unset OTEL_SDK_DISABLED for the test run",
    )


def _no_op(scene: Scene) -> Absence | None:
    if not isinstance(scene.provider, trace.NoOpTracerProvider):
        return None
    asked = scene.environ.get("OTEL_PYTHON_TRACER_PROVIDER")
    by = f" (OTEL_PYTHON_TRACER_PROVIDER={asked})" if asked else ""
    return Absence(
        cause="the global tracer provider is a no-op",
        why=f"trace.get_tracer_provider() returns a NoOpTracerProvider{by}, whose tracers record nothing",
        next=f"unset OTEL_PYTHON_TRACER_PROVIDER for the test run, or {_SET_PROVIDER}" if asked else _SET_PROVIDER,
    )


def _foreign(scene: Scene) -> Absence | None:
    behind = getattr(scene.provider, "provider", None)  # Some foreign ones wrap an SDK provider, which is watched.
    if isinstance(scene.provider, TracerProvider | trace.ProxyTracerProvider) or isinstance(behind, TracerProvider):
        return None
    kind = type(scene.provider)
    return Absence(
        cause="the global tracer provider is not the SDK's",
        why=f"it is a {kind.__module__}.{kind.__qualname__}, whose spans do not pass through the OpenTelemetry SDK",
        next=_SET_PROVIDER,
    )


_SET_PROVIDER = "let the app set an opentelemetry.sdk.trace.TracerProvider in tests, or none at all"


def _suppressed(scene: Scene) -> Absence | None:
    if not any(ambient.suppressed for ambient in scene.ambients):
        return None
    return Absence(
        cause="instrumentation is suppressed",
        why="the call was made in a context in which instrumentation is suppressed, as by suppress_tracing() or "
        "suppress_instrumentation()",
        next="make the call outside that block, or end the block first",
    )


def _sampled_out(scene: Scene) -> Absence | None:
    asked = scene.environ.get("OTEL_TRACES_SAMPLER", "")
    drops_all = scene.sampler.startswith(_DROPS_ALL) or (not scene.sampler and asked.endswith("always_off"))
    if not drops_all and not any(ambient.span and not ambient.recording for ambient in scene.ambients):
        return None
    names = [name for name in (scene.sampler, *scene.samplers) if name and not name.startswith(_KEEPS_ALL)]
    names = names[:1] if scene.sampler in names else names
    asked = "" if asked.endswith("always_on") else asked  # Then it is the code that gives another sampler.
    by = f" (OTEL_TRACES_SAMPLER={asked})" if asked else ""
    return Absence(
        cause="the spans were sampled out",
        why=f"the sampler {' or '.join(names) or 'of the provider'}{by} dropped them",
        next="set OTEL_TRACES_SAMPLER=always_on for the test run; a sampler= that the code gives has precedence"
        if asked
        else "give the provider sampler=opentelemetry.sdk.trace.sampling.ALWAYS_ON in tests",
    )


def _late(scene: Scene) -> Absence | None:
    return platforms.langsmith_late(scene.environ, scene.modules) or platforms.litellm_late(scene.modules)


def _platform(scene: Scene) -> Absence | None:
    is_on = any(found.state is Switch.ON for found in scene.instrumentors)
    if is_on:
        return None
    return platforms.langfuse_off(scene.environ, scene.modules) or platforms.mlflow_failed(scene.modules)


def _refused(scene: Scene) -> Absence | None:
    refused = [found for found in scene.instrumentors if found.state is Switch.REFUSED and _is_needed(found, scene)]
    if not refused:
        return None
    first = refused[0]
    has = f"{first.found} is installed" if first.found else "it is not installed"
    return Absence(
        cause="an instrumentor refused to be switched on",
        why=f"{first.package} supports {first.needs}, but {has}: its instrument() logs this and does nothing",
        next=f"install {first.needs}, or a release of {first.package} that supports yours",
    )


def _is_needed(found: Instrumentor, scene: Scene) -> bool:
    """Tell whether an instrumentor may be meant for the requests: not if it is for one SDK, and others made them."""
    others = _SDKS - {instrumentors.distribution(found.needs)}
    by_others = [any(other in product for other in others) for product in scene.products]
    return len(others) == len(_SDKS) or not by_others or not all(by_others)


_SDKS = frozenset({"anthropic", "cohere", "google-genai", "groq", "mistralai", "openai"})
"""The SDKs that name themselves in their requests. An instrumentor of a framework may be meant for any of them."""


def _none_on(scene: Scene) -> Absence | None:
    if any(found.state is Switch.ON for found in scene.instrumentors):
        return None
    names = ", ".join(f"{found.name} ({found.package})" for found in scene.instrumentors)
    return Absence(
        cause="no instrumentor is switched on",
        why=f"installed but not switched on: {names}" if names else "none is installed, and the app started no span",
        next=f"{_SWITCH_ON if names else _INSTALL}; an app that is instrumented by hand must start a span around "
        "the call",
    )


_INSTALL = "install an instrumentor for the client's SDK and switch it on"
_SWITCH_ON = (
    "call instrument() of the one for the client's SDK before the client is created, or name it in the ini option "
    "llmtrace_instrument"
)


_KEEPS_ALL = ("AlwaysOn", "ParentBased{root:AlwaysOn")
_DROPS_ALL = ("AlwaysOff", "ParentBased{root:AlwaysOff", "TraceIdRatioBased{0.0}")
_CAUSES: tuple[Callable[[Any], Absence | None], ...] = (
    _disabled,
    _no_op,
    _foreign,
    _suppressed,
    _sampled_out,
    _late,
    _refused,
    _platform,
    _none_on,
)
