"""Is what a span shows as the answer said by the model, and not by anyone whose words the model was given?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from pytest_llmtrace import dialects
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._words import place_of, said, shown
from pytest_llmtrace.model import Fact, Finding
from pytest_llmtrace.reading import PRESENT
from pytest_llmtrace.secrets.json_text import parsed

__all__ = ["OUTPUT_ROLE"]

# The roles of those who never answer. Any other may: a tool that the provider runs has its result in the answer.
_ASKING = frozenset({"developer", "human", "system", "user"})

_FLATTENED = ("llm.output_messages.%d.message.role", "gen_ai.completion.%d.role")
_MESSAGES = "gen_ai.output.messages"
_IN_JSON = tuple(f'"{role}"' for role in _ASKING)

# What the model has said, in the order in which it is quoted.
_ANSWERS = {"output_texts": "output text", "tool_calls": "tool calls", "refusals": "refusal"}


def _output_role(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        span = account.span
        roles = [*_flattened(span.attributes), *_listed(_MESSAGES, span.attributes.get(_MESSAGES))]
        beside = evidence.events_beside.get(span.key, ()) if evidence.logs else ()
        if beside or span.events:
            told = dialects.answers_in_events(span, beside)
            roles += [role for place, messages in told for role in _listed(place, messages)]
        wrong = [f"{place} = {shown(role)}" for place, role in roles if isinstance(role, str) and role in _ASKING]
        true = _answer(account) if wrong else None
        if roles:
            yield None if true is None else _finding(check, account, wrong, true)


def _flattened(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _FLATTENED:
        for number in count():
            place = name % number
            if place not in attributes:
                break
            yield place, attributes[place]


def _listed(place: str, messages: Any) -> Iterator[tuple[str, Any]]:
    """Yield the roles of messages, which are a list, only one, or the JSON of either, each with its place."""
    if isinstance(messages, str):
        if not any(role in messages for role in _IN_JSON):  # Parsing is what costs here.
            return
        messages = parsed(messages)
    if isinstance(messages, Mapping):
        yield f"{place}.role", messages.get("role")
    for number, message in enumerate(messages if isinstance(messages, list | tuple) else ()):
        if isinstance(message, Mapping):
            yield f"{place}[{number}].role", message.get("role")


def _answer(account: Account) -> tuple[Fact, str] | None:
    facts = ((account.answered.fact(name), noun) for name, noun in _ANSWERS.items())
    return next(((fact, noun) for fact, noun in facts if fact.state is PRESENT), None)


def _finding(check: Check, account: Account, wrong: list[str], true: tuple[Fact, str]) -> Finding:
    fact, noun = true
    first = fact._replace(value=fact.value[0]) if len(fact.value) == 1 else fact
    return check.finding(
        account.span,
        ("span", "\n".join(wrong)),
        ("wire", f"{said(first, noun)}\n{place_of(fact, account.exchange)}"),
    )


OUTPUT_ROLE = Check(
    id="wire/output-role",
    title="The captured answer is said by the model",
    why="the conversation on the span has somebody else say what the model said",
    next="give the messages of the answer the role that the response gives them, assistant",
    look=_output_role,
    compares="The roles of the messages of the answer on a span, in the attributes that OpenInference, OpenLLMetry and "
    "OTel GenAI have for it, and in OpenTelemetry's events, whether they are events of the span or log records emitted "
    "in it. None may be that of somebody whose words the model was given: a user, or the author of its instructions "
    "(`system`, `developer`). Other roles are not judged, and neither are spans of calls whose response has neither "
    "text nor tool calls.",
    source="OpenInference: `llm.output_messages.*.message.role`; OTel GenAI, client inference span: "
    "`gen_ai.output.messages`, whose messages are those returned by the model",
)
