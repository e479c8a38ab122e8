"""Frameworks that make their spans after the call, in a thread or task of their own, which a test may not wait for.

Measured with langsmith 0.15.1 and litellm 1.110.2, see docs/real-input.md. Neither is an instrumentor with an entry
point, so that none would seem to be on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.model import Absence

__all__ = ["langsmith_late", "litellm_late"]

_LITELLM_OTEL = "litellm.integrations.opentelemetry"


def langsmith_late(environ: Mapping[str, str], modules: Mapping[str, Any]) -> Absence | None:
    """Tell of LangSmith where it traces, by its environment variables, and sends OpenTelemetry's spans."""
    if "langsmith" not in modules or not _said(environ, "TRACING_V2", "TRACING"):
        return None
    mode = environ.get("LANGSMITH_TRACING_MODE", "").lower()
    if not (mode in {"otel", "hybrid"} if mode else _said(environ, "OTEL_ENABLED", "OTEL_ONLY")):
        return None
    return Absence(
        cause="LangSmith's spans may not have been made in time",
        why="langsmith makes its OpenTelemetry spans after the call, in a thread of its client, which belongs to no "
        "test or to that in which the client was made",
        next="make the client before the tests (langchain_core.tracers.langchain.get_client()), and call "
        "wait_for_all_tracers() of that module at the end of each",
    )


def _said(environ: Mapping[str, str], *names: str) -> bool:
    prefixed = (f"{prefix}_{name}" for name in names for prefix in ("LANGSMITH", "LANGCHAIN"))
    return any(environ.get(name, "").lower() in {"true", "1"} for name in prefixed)


def litellm_late(modules: Mapping[str, Any]) -> Absence | None:
    """Tell of LiteLLM where its callback `otel` is on."""
    callbacks = getattr(modules.get("litellm"), "callbacks", None)
    if not isinstance(callbacks, list):
        return None
    if not any(one == "otel" or type(one).__module__ == _LITELLM_OTEL for one in callbacks):
        return None
    return Absence(
        cause="LiteLLM's spans may not have been made in time",
        why="litellm's callback 'otel' is on, and makes the spans of asynchronous calls in a task of its own, which "
        "ends with the event loop",
        next="end the coroutine with await GLOBAL_LOGGING_WORKER.flush(), of litellm.litellm_core_utils.logging_worker",
    )
