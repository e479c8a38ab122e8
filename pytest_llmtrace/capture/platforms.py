"""Platforms that trace by an SDK of their own, which is no instrumentor with an entry point: why one made no span.

Measured with langfuse 5.0.4 and mlflow 3.17.2, see docs/real-input.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace.model import Absence

__all__ = ["langfuse_off", "mlflow_failed"]

_KEYS = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")


def langfuse_off(environ: Mapping[str, str], modules: Mapping[str, Any]) -> Absence | None:
    """Tell of Langfuse where it is imported, and its environment variables keep it from making spans."""
    if "langfuse" not in modules:
        return None
    if environ.get("LANGFUSE_TRACING_ENABLED", "").lower() == "false":
        return Absence(
            cause="Langfuse is switched off",
            why="LANGFUSE_TRACING_ENABLED=false: its client makes no span",
            next="unset LANGFUSE_TRACING_ENABLED for the test run",
        )
    missing = " and ".join(key for key in _KEYS if not environ.get(key))
    if not missing:
        return None
    return Absence(
        cause="Langfuse may be off for want of a key",
        why=f"langfuse is imported, without {missing} in the environment: a client that the code gives none either "
        "makes no span",
        next=f"set {' and '.join(_KEYS)} for the test run, to any text: its exporter is muted",
    )


_INTEGRATIONS = frozenset({"mlflow.anthropic", "mlflow.openai"})


def mlflow_failed(modules: Mapping[str, Any]) -> Absence | None:
    """Tell of MLflow where one of its integrations is imported: what keeps it from making a span it only logs."""
    if _INTEGRATIONS.isdisjoint(modules):
        return None
    return Absence(
        cause="MLflow may have failed to start its spans",
        why="its integration is imported; where its tracking store cannot be used it logs `Failed to start span` and "
        "the reason, and makes none",
        next="look at what it has logged, and call autolog() before the call; for the test run MLFLOW_TRACKING_URI may "
        "name a file (sqlite:///traces.db, which needs the whole mlflow)",
    )
