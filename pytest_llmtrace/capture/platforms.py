"""Platforms and frameworks that trace by themselves, without an instrumentor that has an entry point.

This module says why a platform made no span, or made it after the call, in a thread or task of its own, for which a
test may not wait; and where MLflow keeps its current span. Measured with langfuse 5.0.4, mlflow 3.17.2, langsmith
0.15.1 and litellm 1.110.2, see docs/real-input.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

from pytest_llmtrace.model import Absence

__all__ = ["langfuse_off", "langsmith_late", "litellm_late", "mlflow_failed", "own_context"]

_LITELLM_OTEL = "litellm.integrations.opentelemetry"
_KEYS = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")


def langfuse_off(environ: Mapping[str, str], modules: Mapping[str, Any]) -> Absence | None:
    """Return why Langfuse made no span, if it is imported: its environment, or a call that it misses; else None."""
    if "langfuse" not in modules:
        return None
    if environ.get("LANGFUSE_TRACING_ENABLED", "").lower() == "false":
        return Absence(
            cause="Langfuse is switched off",
            why="with LANGFUSE_TRACING_ENABLED=false, its client makes no spans",
            next="unset LANGFUSE_TRACING_ENABLED for the test run",
        )
    missing = " and no ".join(key for key in _KEYS if not environ.get(key))
    if not missing:
        return _MISSED if "langfuse.openai" in modules else None
    return Absence(
        cause="Langfuse may be off because a key is missing",
        why=f"langfuse is imported, but the environment has no {missing}: a client that gets none from the code "
        "either makes no spans",
        next=f"set {' and '.join(_KEYS)} for the test run, to any value: its exporter is muted",
    )


_MISSED = Absence(
    cause="Langfuse's wrapper made no span",
    why="langfuse.openai is imported, which traces some of the methods of OpenAI's SDK (not with_streaming_response), "
    "and no other SDK",
    next="call a method that it traces, make a generation around the call, or switch on an instrumentor for its SDK",
)


def own_context() -> Context | None:
    """Return the running code's context that MLflow keeps beside OpenTelemetry's; None if MLflow is not imported.

    MLflow starts each of its spans in it, unless MLFLOW_USE_DEFAULT_TRACER_PROVIDER=false (mlflow/tracing/provider.py).
    """
    kept = getattr(sys.modules.get("mlflow.tracing.provider"), "mlflow_runtime_context", None)
    return kept.get_current() if isinstance(kept, ContextVarsRuntimeContext) else None


_INTEGRATIONS = frozenset({"mlflow.anthropic", "mlflow.openai"})


def mlflow_failed(modules: Mapping[str, Any]) -> Absence | None:
    """Return the absence if an integration of MLflow is imported: it only logs why it could not start a span."""
    if _INTEGRATIONS.isdisjoint(modules):
        return None
    return Absence(
        cause="MLflow may have failed to start its spans",
        why="its integration is imported; if its tracking store cannot be used, it logs `Failed to start span` with "
        "the reason, and makes no spans; nor does it trace all methods (of Anthropic's SDK, not messages.stream)",
        next="look at its log, and call autolog() before the call; for the test run, MLFLOW_TRACKING_URI may name a "
        "file (sqlite:///traces.db, which needs the full mlflow package); start a span around methods that it misses",
    )


def langsmith_late(environ: Mapping[str, str], modules: Mapping[str, Any]) -> Absence | None:
    """Return the absence if LangSmith is imported and its environment makes it trace with OpenTelemetry, else None."""
    if "langsmith" not in modules or not _said(environ, "TRACING_V2", "TRACING"):
        return None
    mode = environ.get("LANGSMITH_TRACING_MODE", "").lower()
    if not (mode in {"otel", "hybrid"} if mode else _said(environ, "OTEL_ENABLED", "OTEL_ONLY")):
        return None
    return Absence(
        cause="LangSmith's spans may not have been made in time",
        why="langsmith makes its OpenTelemetry spans after the call, in a thread of its client; that belongs to no "
        "test, or to the test in which the client was made",
        next="make the client before the tests (langchain_core.tracers.langchain.get_client()), and call "
        "wait_for_all_tracers() of that module at the end of each test",
    )


def _said(environ: Mapping[str, str], *names: str) -> bool:
    prefixed = (f"{prefix}_{name}" for name in names for prefix in ("LANGSMITH", "LANGCHAIN"))
    return any(environ.get(name, "").lower() in {"true", "1"} for name in prefixed)


def litellm_late(modules: Mapping[str, Any]) -> Absence | None:
    """Return the absence if LiteLLM's callback `otel` is on, else None."""
    callbacks = getattr(modules.get("litellm"), "callbacks", None)
    if not isinstance(callbacks, list):
        return None
    if not any(one == "otel" or type(one).__module__ == _LITELLM_OTEL for one in callbacks):
        return None
    return Absence(
        cause="LiteLLM's spans may not have been made in time",
        why="litellm's callback 'otel' is on, and makes the spans of asynchronous calls in a task of its own, which "
        "ends with the event loop",
        next="end the coroutine with await GLOBAL_LOGGING_WORKER.flush(), from "
        "litellm.litellm_core_utils.logging_worker",
    )
