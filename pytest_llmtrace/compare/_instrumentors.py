"""The compared instrumentors. Each runs in a process of its own, since they patch the same methods of the same SDKs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pytest_llmtrace import _sdks
from pytest_llmtrace.capture.instrumentors import switch_on
from pytest_llmtrace.errors import UsageError

__all__ = ["CLIENTS", "INSTRUMENTORS", "SDKS", "Instrumentation", "asked_for"]

CLIENTS = ("sync", "async")
SDKS = ("openai", "anthropic")


@dataclass(frozen=True, kw_only=True)
class Instrumentation:
    """An instrumentor, or anything else that makes LLM spans.

    Attributes:
        name: Its name on the page and for `--only`.
        packages: For each SDK that it covers, the distribution that must be installed.
        environ: The environment variables with which it writes everything that it can (content is off by default).
        start: Switches it on for an SDK.
        native: Whether the SDK's own spans stay on.
    """

    name: str
    packages: Mapping[str, str]
    environ: Mapping[str, str] = field(default_factory=dict)
    start: Callable[[Instrumentation, str], None]
    native: bool = False

    def version(self, sdk: str) -> str | None:
        """Return `package version` of its part for an SDK; None if it has no such part, or that is not installed."""
        package = self.packages.get(sdk)
        version = None if package is None else _sdks.installed(package)
        return None if version is None else f"{package} {version}"

    def versions(self) -> tuple[str, ...]:
        """Return `package version` of its parts for all SDKs, each once; empty if none is installed."""
        return tuple(dict.fromkeys(version for sdk in SDKS if (version := self.version(sdk))))


def _entry_point(instrumentation: Instrumentation, sdk: str) -> None:
    switch_on([instrumentation.packages[sdk]])


def _by_hand(_instrumentation: Instrumentation, _sdk: str) -> None:
    from pytest_llmtrace.compare._by_hand import instrument  # Needs the SDK.

    instrument()


def _nothing(_instrumentation: Instrumentation, _sdk: str) -> None:
    """Do nothing: the SDK makes spans by itself."""


def _langfuse(_instrumentation: Instrumentation, _sdk: str) -> None:
    importlib.import_module("langfuse.openai")  # Wraps the SDK's own methods.


def _logfire(_instrumentation: Instrumentation, sdk: str) -> None:
    logfire = importlib.import_module("logfire")
    logfire.configure(send_to_logfire=False, console=False)
    getattr(logfire, f"instrument_{sdk}")()


def _mlflow(_instrumentation: Instrumentation, sdk: str) -> None:
    importlib.import_module(f"mlflow.{sdk}").autolog(silent=True)


_NOWHERE = "http://127.0.0.1:9"  # Nothing is sent there: exporters are muted.

_OTEL_CONTENT = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
}

INSTRUMENTORS: Mapping[str, Instrumentation] = {
    one.name: one
    for one in (
        Instrumentation(
            name="openinference",
            packages={
                "openai": "openinference-instrumentation-openai",
                "anthropic": "openinference-instrumentation-anthropic",
            },
            start=_entry_point,
        ),
        Instrumentation(
            name="traceloop",
            packages={
                "openai": "opentelemetry-instrumentation-openai",
                "anthropic": "opentelemetry-instrumentation-anthropic",
            },
            environ={"TRACELOOP_TRACE_CONTENT": "true"},
            start=_entry_point,
        ),
        Instrumentation(
            name="otel-genai",
            packages={
                "openai": "opentelemetry-instrumentation-genai-openai",
                "anthropic": "opentelemetry-instrumentation-genai-anthropic",
            },
            environ=_OTEL_CONTENT,
            start=_entry_point,
        ),
        Instrumentation(
            name="native-anthropic",
            packages={"anthropic": "anthropic"},
            environ={"ANTHROPIC_OPEN_TELEMETRY": "true", "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"},
            start=_nothing,
            native=True,
        ),
        Instrumentation(
            name="langfuse",
            packages={"openai": "langfuse"},
            environ={"LANGFUSE_PUBLIC_KEY": "pk-compare", "LANGFUSE_SECRET_KEY": "sk-compare"},
            start=_langfuse,
        ),
        Instrumentation(name="logfire", packages={"openai": "logfire", "anthropic": "logfire"}, start=_logfire),
        Instrumentation(
            name="mlflow",
            packages={"openai": "mlflow-tracing", "anthropic": "mlflow-tracing"},
            environ={
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_TRACKING_URI": _NOWHERE,
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{_NOWHERE}/v1/traces",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            start=_mlflow,
        ),
        Instrumentation(name="by-hand", packages={"anthropic": "anthropic"}, start=_by_hand),
    )
}
"""All instrumentors by name, in the order of the page."""


def asked_for(names: Iterable[str]) -> list[Instrumentation]:
    """Return the instrumentors of the given names; all that are installed if no name is given.

    Raises:
        UsageError: If a name is not known, or names an instrumentor that is not installed, or if none is installed.
    """
    wanted = tuple(names)
    for name in wanted:
        if name not in INSTRUMENTORS:
            raise UsageError.unknown("instrumentor", name, INSTRUMENTORS)
        if not INSTRUMENTORS[name].versions():
            raise UsageError(f"{name} is not installed: pip install {' '.join(INSTRUMENTORS[name].packages.values())}")
    found = [INSTRUMENTORS[name] for name in wanted] or [one for one in INSTRUMENTORS.values() if one.versions()]
    if not found:
        raise UsageError(
            f"none of these is installed: {', '.join(INSTRUMENTORS)}; "
            "for the first: pip install openai openinference-instrumentation-openai"
        )
    return found
