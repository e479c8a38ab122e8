"""The content of a span against its convention: JSON that can be read, and the structure of messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._rule import Breach, rule
from pytest_llmtrace.checks._structure import FORMS, Fault, faults
from pytest_llmtrace.checks._texts import is_limit, is_masked
from pytest_llmtrace.model import Severity

__all__ = ["CHECKS", "CONTENT", "PARTS"]

# A model writes them, and may write no JSON; whoever repeats it tells the truth.
_BY_MODELS = ("arguments", "arguments_json", "function_call")
_MOST = 20
"""Faults of one attribute that are looked for: a long history may repeat one for ever."""


class _Broken(NamedTuple):
    """A fault of an attribute."""

    name: str
    where: str
    what: str
    is_fatal: bool


def _look(claim: Claim) -> list[_Broken] | None:
    """Look at all attributes that hold JSON; None if there are none."""
    held = {name: claim.span.attributes[name] for name in claim.sheet.known if _holds_json(claim, name)}
    if not held:
        return None
    return [found for name, value in held.items() for found in _faults(name, value)]


def _holds_json(claim: Claim, name: str) -> bool:
    if name in FORMS:
        return True
    attribute = claim.sheet.known[name]
    is_json = attribute is not None and attribute.types == ("json",) and isinstance(claim.span.attributes[name], str)
    return is_json and not name.endswith(_BY_MODELS)


def _faults(name: str, value: Any) -> Iterator[_Broken]:
    parsed = value
    if isinstance(value, str):
        if is_masked(value) or is_limit(len(value)):
            return  # What was masked or cut is no JSON any more, and not by a fault of the instrumentation.
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            yield _Broken(name, name, f"is no JSON: {reason[0].lower()}{reason[1:]}", is_fatal=True)
            return
    found: Iterator[Fault] = faults(name, parsed) if name in FORMS else iter(())
    for number, (where, what, is_fatal) in enumerate(found):
        if number == _MOST:
            return
        yield _Broken(name, where, what, is_fatal)


def _judged(claim: Claim, *, fatal: bool) -> Iterator[Breach | None]:
    found = _look(claim)
    if found is None:
        return
    wrong = [fault for fault in found if fault.is_fatal is fatal]
    if not wrong:
        yield None
        return
    by_name: Mapping[str, None] = dict.fromkeys(fault.name for fault in wrong)
    yield Breach(
        names=tuple(by_name),
        said=tuple(f"{fault.where} {fault.what}" for fault in wrong),
        wanted=tuple(f"{name}: {_FORMS.get(name, 'JSON')}" for name in by_name),
    )


_FORMS = {
    "gen_ai.input.messages": "a list of messages, each with role and parts; each part with a type, and what its type "
    "needs",
    "gen_ai.output.messages": "a list of messages, each with role and parts; each part with a type, and what its type "
    "needs",
    "gen_ai.system_instructions": "a list of parts, each with a type, and what its type needs",
    "gen_ai.tool.definitions": "a list of tools, each with type and name",
    "gen_ai.retrieval.documents": "a list of documents",
    "gen_ai.memory.records": "a list of records, each with content",
    "gen_ai.tool.call.arguments": "an object",
    "gen_ai.tool.call.result": "an object",
}

CONTENT = rule(
    id="convention/content",
    title="Content has the structure that its convention gives it",
    why="a back end that shows conversations shows nothing of this one",
    next="write it in the convention's structure, as JSON where the SDK takes no structured values",
    judge=lambda claim: _judged(claim, fatal=True),
    compares="Attributes that hold JSON, as a text or as structured values: that it is JSON, and messages, parts, "
    "tool definitions, documents and records by the fields that all of them need. What a model wrote (arguments of "
    "tools), what was masked, and a text of the length of a limit are not judged.",
    source="OTel GenAI, the JSON schemas of `gen_ai.input.messages` and the others; OpenInference: JSON strings",
)

PARTS = rule(
    id="convention/content-parts",
    title="A part of a message has what its type needs",
    why="a reader that knows the type finds an empty part: a text without content, a tool call without a name",
    next="give the part the fields of its type, or a type of your own",
    judge=lambda claim: _judged(claim, fatal=False),
    severity=Severity.WARNING,
    compares="Parts of the types that the convention defines (text, tool_call, tool_call_response, reasoning, blob, "
    "uri, file, ...), by their type. The convention's JSON schemas accept them too, since they accept any object with "
    "a type.",
    source="OTel GenAI, the JSON schemas of messages: TextPart, ToolCallRequestPart, ...",
)

CHECKS = (CONTENT, PARTS)
