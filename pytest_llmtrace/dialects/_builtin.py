"""The dialects that are built in: the more particular ones first, since the first that recognises a span names it."""

from __future__ import annotations

from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._genai import GENAI
from pytest_llmtrace.dialects._handwritten import ANTHROPIC_NATIVE, HANDWRITTEN, PYDANTIC_AI
from pytest_llmtrace.dialects._langfuse import LANGFUSE
from pytest_llmtrace.dialects._litellm import LITELLM
from pytest_llmtrace.dialects._logfire import LOGFIRE, LOGFIRE_ANTHROPIC, NOTES
from pytest_llmtrace.dialects._mlflow import MLFLOW
from pytest_llmtrace.dialects._openinference import OPENINFERENCE
from pytest_llmtrace.dialects._openllmetry import OPENLLMETRY

__all__ = ["BUILT_IN", "NOTES"]

BUILT_IN: tuple[Dialect, ...] = (
    OPENINFERENCE,
    ANTHROPIC_NATIVE,
    LOGFIRE,
    LOGFIRE_ANTHROPIC,
    LANGFUSE,
    MLFLOW,
    LITELLM,
    PYDANTIC_AI,
    OPENLLMETRY,
    HANDWRITTEN,
    GENAI,
)
