"""Usage by the wire's own field names: checked when it is queued, completed when the reply is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace._argtypes import is_finite_number
from pytest_llmtrace.errors import UsageError

__all__ = ["check_usage", "merged", "priced", "total"]

_INPUT_DETAILS = {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "text_tokens": 0, "image_tokens": 0}
_OUTPUT_DETAILS = {
    "reasoning_tokens": 0,
    "audio_tokens": 0,
    "accepted_prediction_tokens": 0,
    "rejected_prediction_tokens": 0,
    "text_tokens": 0,
    "image_tokens": 0,
}
_COST = {
    "cost": 0.0,
    "is_byok": False,
    "cost_details": {
        "upstream_inference_cost": 0.0,
        "upstream_inference_prompt_cost": 0.0,
        "upstream_inference_completions_cost": 0.0,
    },
}

# The fields that each API's usage may have, with values of their types. Sources: the API references of OpenAI and
# Anthropic; OpenRouter's usage accounting.
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "chat": {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "prompt_tokens_details": {**_INPUT_DETAILS, "video_tokens": 0},
        "completion_tokens_details": _OUTPUT_DETAILS,
        **_COST,
    },
    "responses": {
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "input_tokens_details": _INPUT_DETAILS,
        "output_tokens_details": _OUTPUT_DETAILS,
        **_COST,
    },
    "embeddings": {"prompt_tokens": 0, "total_tokens": 0, "cost": 0.0},
    "messages": {
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "inference_geo": "global",
        "cost": 0.0,
    },
}


def check_usage(api: str, usage: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Check the usage that a test gave, and return it; an empty one for None.

    Raises:
        UsageError: If this is not a mapping, the API has no field of that name, or a value has a wrong type.
    """
    usage = {} if usage is None else usage
    if not isinstance(usage, Mapping):
        raise UsageError(
            f"usage takes counts by their names on the wire, such as {{{next(iter(_FIELDS[api]))!r}: 5}}, got {usage!r}"
        )
    _check(f"usage field of {api}", usage, _FIELDS[api])
    return usage


def _check(kind: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in known:
            raise UsageError.unknown(kind, name, known, meant=_as_others_call_it(name, known))
        if isinstance(known[name], Mapping) and isinstance(value, Mapping):
            _check(f"field of {name}", value, known[name])
        elif value is not None and not _is_like(value, known[name]):
            raise UsageError(f"{name} in usage must be {_KINDS[type(known[name])]}, got {value!r}")


def _as_others_call_it(name: object, known: Mapping[str, Any]) -> str:
    """Return the field that another API calls so, empty if there is none: by its letters, it is like another count."""
    first, _, rest = str(name).partition("_")
    other = f"{_WORDS.get(first, first)}_{rest}"
    return other if other in known else ""


_WORDS = {"prompt": "input", "input": "prompt", "completion": "output", "output": "completion"}


def _is_like(value: object, known: object) -> bool:
    """Tell whether a value has the type that a field has on the wire; any number fits a numeric field."""
    return is_finite_number(value) if isinstance(known, float) or type(known) is int else isinstance(value, type(known))


_KINDS: Mapping[type, str] = {
    bool: "True or False",
    dict: "a mapping",
    float: "a number",
    int: "a number",
    str: "a string",
}


def merged(skeleton: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put given values over a skeleton, in the skeleton's order; fields that the skeleton lacks come last."""
    both = {
        name: merged(value, given[name])
        if isinstance(value, Mapping) and isinstance(given.get(name), Mapping)
        else given.get(name, value)
        for name, value in skeleton.items()
    }
    return both | {name: value for name, value in given.items() if name not in skeleton}


def total(given: Mapping[str, Any], *parts: str) -> int:
    """Return the total that was given, else the sum of the parts."""
    return int(given["total_tokens"] or 0) if "total_tokens" in given else sum(int(given[part] or 0) for part in parts)


def priced(input_tokens: int | None, output_tokens: int | None) -> tuple[float, float]:
    """Return the cost of input and output in USD, at the price of a small model: 0.15 and 0.60 per million tokens."""
    return round((input_tokens or 0) * 1.5e-7, 10), round((output_tokens or 0) * 6e-7, 10)
