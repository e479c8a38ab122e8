"""A span may state the request's values as in the first attempt, in the last, or as the response repeats them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, Fact, Reading, State

MakeCall = Callable[..., Call]


def fact(name: str, value: Any, key: str = "") -> Fact:
    """Make a fact that is present."""
    return Fact(name=name, value=value, state=State.PRESENT, parts=((key or name, value),))


def tools(name: str, description: str) -> list[dict[str, str]]:
    """Make the definitions of one tool."""
    return [{"name": name, "description": description}]


LOOKS, STRICT = tools("look", "Looks."), tools("look", "Looks. Strict.")


# Facts of the first attempt, changes of the last one, facts that the response repeats, the span's fact; the findings.
CASES: tuple[tuple[dict[str, Any], dict[str, Any], dict[str, Any], Fact, list[str]], ...] = (
    ({"request_model": "small"}, {"request_model": "large"}, {}, fact("request_model", "large"), []),
    ({"request_model": "small"}, {"request_model": "large"}, {}, fact("request_model", "small"), []),
    (
        {"request_model": "small"},
        {"request_model": "large"},
        {},
        fact("request_model", "huge"),
        ["wire/request-model"],
    ),
    ({"temperature": 0.5}, {"temperature": 1}, {}, fact("temperature", 1.0), []),
    ({"temperature": State.ABSENT}, {}, {"temperature": 1.0}, fact("temperature", 1.0), []),
    ({"temperature": State.ABSENT}, {}, {"temperature": 1.0}, fact("temperature", 0.5), ["wire/request-temperature"]),
    ({"top_p": State.ABSENT}, {}, {"temperature": 1.0}, fact("top_p", 1.0), ["wire/request-top-p"]),
    ({"max_tokens": 99}, {}, {"max_tokens": 77}, fact("max_tokens", 77), []),
    ({"choice_count": State.ABSENT}, {"choice_count": 2}, {}, fact("choice_count", 2), []),
    (
        {"request_model": "gpt-4o"},
        {"request_model": "gpt-4o"},
        {"request_model": "gpt-4o-2024-08-06"},
        fact("request_model", "gpt-4o-2024-08-06", "llm.invocation_parameters[model]"),
        [],
    ),
    (
        {"request_model": "gpt-4o"},
        {"request_model": "gpt-4o"},
        {"request_model": "gpt-4o-2024-08-06"},
        fact("request_model", "gpt-4o-2024-08-06", "gen_ai.request.model"),
        ["wire/request-model"],
    ),
    # The Responses API may add to the schemas of tools.
    ({"tool_definitions": LOOKS}, {}, {"tool_definitions": STRICT}, fact("tool_definitions", STRICT), []),
    ({"tool_definitions": LOOKS}, {"tool_definitions": STRICT}, {}, fact("tool_definitions", STRICT), []),
    (
        {"tool_definitions": LOOKS},
        {},
        {"tool_definitions": [*STRICT, *STRICT]},
        fact("tool_definitions", tools("look", "Stares.")),
        ["wire/tool-definitions"],
    ),
    (
        {"tool_definitions": LOOKS},
        {},
        {"tool_definitions": tools("hear", "Listens.")},
        fact("tool_definitions", STRICT),
        ["wire/tool-definitions"],
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[3].name}-{case[3].value}")
def test_what_was_said_later_is_as_true(
    make_call: MakeCall, case: tuple[dict[str, Any], dict[str, Any], dict[str, Any], Fact, list[str]]
) -> None:
    """A fallback asks for something else, and a response repeats the values it was made with, requested or not.

    The response's model is the one that answered: it counts as the requested one only within OpenInference's one
    attribute for all parameters.
    """
    asked, again, repeated, said, found = case
    call = make_call(asked, {said.name: said})
    last = make_call({**asked, **again}, {}).truths[0]
    last = replace(last, others=tuple(fact(name, value) for name, value in repeated.items()))
    first = replace(last, facts=call.truths[0].facts, places=call.truths[0].places, others=())
    readings = (Reading(source="x", facts={said.name: said}),)
    several = replace(call, exchanges=call.exchanges * 2, truths=(first, last), readings=readings)
    findings = verify(Evidence(calls=(several,)), {}).findings
    assert [finding.check for finding in findings if finding.check.startswith("wire/")] == found
