"""The built-in dialects, the more specific ones first: the first that recognises a span names its reading."""

from __future__ import annotations

from functools import cache

from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._genai import GENAI
from pytest_llmtrace.dialects._handwritten import ANTHROPIC_NATIVE, HANDWRITTEN, PYDANTIC_AI
from pytest_llmtrace.dialects._langfuse import LANGFUSE
from pytest_llmtrace.dialects._litellm import LITELLM
from pytest_llmtrace.dialects._logfire import LOGFIRE, LOGFIRE_AGENTS, LOGFIRE_ANTHROPIC, NOTES
from pytest_llmtrace.dialects._mlflow import MLFLOW
from pytest_llmtrace.dialects._openinference import OPENINFERENCE
from pytest_llmtrace.dialects._openllmetry import OPENLLMETRY

__all__ = ["BUILT_IN", "COUNTS", "NOTES", "other_names"]

BUILT_IN: tuple[Dialect, ...] = (
    OPENINFERENCE,
    ANTHROPIC_NATIVE,
    LOGFIRE,
    LOGFIRE_AGENTS,
    LOGFIRE_ANTHROPIC,
    LANGFUSE,
    MLFLOW,
    LITELLM,
    PYDANTIC_AI,
    OPENLLMETRY,
    HANDWRITTEN,
    GENAI,
)

COUNTS = Dialect(
    name="counts",
    facts={
        fact: tuple(
            dict.fromkeys(
                place for dialect in (OPENINFERENCE, OPENLLMETRY) for name, place in dialect.places if name == fact
            )
        )
        for fact in ("input_tokens", "output_tokens", "total_tokens")
    },
)
"""Reads the token counts of any span, call or not: by OpenInference's names, and all of GenAI's and OpenLLMetry's."""


@cache
def other_names(name: str) -> frozenset[str]:
    """Return the other attributes that state the same fact as this one, in any built-in dialect; empty if none do."""
    places = [place for dialect in BUILT_IN for place in dialect.places]
    facts = {fact for fact, place in places if name in place.keys}
    return frozenset(key for fact, place in places if fact in facts for key in place.keys) - {name}
