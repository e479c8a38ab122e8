"""The columns of a span that holds the result of an evaluation, as releases from 0.80 on read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmtrace.openobserve._values import number

__all__ = ["evaluated", "is_evaluation"]

_SPELT = ("llm.evaluation.", "evaluation_", "llm_evaluation_")
_COLUMN = "llm_evaluation_"
_OVERALL, _DURATION = "quality_score", "duration_ms"
_SCORES = ("relevance", "completeness", "tool_effectiveness", "groundedness", "safety")
_TYPES = {"human": "human", "model": "model", "llm": "model"}


def is_evaluation(keys: Iterable[str]) -> bool:
    """Tell whether attributes with these names may hold the result of an evaluation."""
    return any(key.startswith(_SPELT) for key in keys)


def evaluated(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that the server computes: scores as numbers, and the evaluator; none without a score.

    Args:
        attributes: The attributes of the span, as they arrive at the server.
    """
    scores = {name: _score(attributes, name) for name in (_OVERALL, *_SCORES, _DURATION)}
    found: dict[str, Any] = {f"{_COLUMN}{name}": score for name, score in scores.items() if score is not None}
    if found.keys() <= {f"{_COLUMN}{_DURATION}"}:
        return {}
    for name in ("evaluation.commentary", "evaluator.name", "evaluator.version"):
        text = _text(attributes, name)
        found |= {} if text is None else {_column(name): text}
    kind = _text(attributes, "evaluator.type") or ""
    return {**found, "llm_evaluator_type": _TYPES.get(kind.lower(), "deterministic")}


def _score(attributes: Mapping[str, Any], name: str) -> float | None:
    spelt = _SPELT if name in _SCORES else (_SPELT[0], _SPELT[2])
    values = (attributes.get(f"{prefix}{name}") for prefix in spelt)
    return next((score for value in values if isinstance(value, str) and (score := number(value)) is not None), None)


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(f"llm.{name}", attributes.get(_column(name)))
    return value if isinstance(value, str) else None


def _column(name: str) -> str:
    return f"llm_{name}".replace(".", "_")
