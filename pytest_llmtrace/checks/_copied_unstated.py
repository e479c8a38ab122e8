"""Which values of a request are certainly made up where the request does not have their field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._copied_fields import Bodies

__all__ = ["UNSTATED", "Unstated"]


class Unstated(NamedTuple):
    """When a value is certainly made up.

    Attributes:
        field: The field of the request that is missing.
        is_made_up: Tells whether a value is neither a default of the API nor asked for in another way.
    """

    field: str
    is_made_up: Callable[[Bodies, str], bool]


def _tier(bodies: Bodies, value: str) -> bool:
    """Tell whether no tier was asked for, and none like this one served: processors see the response alone."""
    return value not in ("auto", "default") and value not in _answers(bodies, "service_tier")


def _previous(bodies: Bodies, value: str) -> bool:
    """Tell whether a response does not follow another one; other APIs than that of responses have no such field."""
    return bodies.account.asked.api == "responses" and value not in _answers(bodies, "previous_response_id")


_MADE = {"image": re.compile("image", re.IGNORECASE), "speech": re.compile("audio|speech|voice", re.IGNORECASE)}


def _output(bodies: Bodies, value: str) -> bool:
    """Tell whether nothing in the request speaks of images or of speech; a framework has other ways to ask for JSON."""
    return value in _MADE and not _mentions(bodies, _MADE[value])


_REASONING = re.compile("effort|preset|reason|think", re.IGNORECASE)
_EFFORTS = frozenset({"auto", "default", "medium", "none"})
"""The efforts of models that are not asked for any; Anthropic's is `high`."""


def _effort(bodies: Bodies, value: str) -> bool:
    """Tell whether nothing in the request speaks of reasoning, the name of the model included (`o3-mini-high`)."""
    if value in _EFFORTS or (value == "high" and bodies.account.asked.api == "messages"):
        return False
    if f"-{value}" in str(bodies.account.asked.request_model) or _mentions(bodies, _REASONING):
        return False
    return value not in _answers(bodies, "reasoning.effort")


def _mentions(bodies: Bodies, words: re.Pattern[str]) -> bool:
    return any(words.search(json.dumps(body)) for body, _ in bodies.asked)


def _answers(bodies: Bodies, field: str) -> list[object]:
    return [wire.value_at(body, field) for body, _ in bodies.answered()]


_TIER = Unstated("service_tier", _tier)
_EFFORT = Unstated("reasoning effort", _effort)

UNSTATED: Mapping[str, Unstated] = {
    "gen_ai.openai.request.service_tier": _TIER,
    "gen_ai.output.type": Unstated("output format", _output),
    "gen_ai.request.previous_response.id": Unstated("previous_response_id", _previous),
    "gen_ai.request.reasoning.level": _EFFORT,
    "gen_ai.request.reasoning_effort": _EFFORT,
    "openai.request.service_tier": _TIER,
}
"""The attributes that can be judged although the request does not have their field."""
