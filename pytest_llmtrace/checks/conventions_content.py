"""The content of a span against its convention: JSON that can be read, and the structure of messages."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._rule import Breach, rule
from pytest_llmtrace.model import Severity

__all__ = ["CHECKS", "CONTENT", "EVENTS", "PARTS"]


def _judged(claim: Claim, *, fatal: bool) -> Breach | bool:
    if claim.broken is None:
        return False
    wrong = [fault for fault in claim.broken if fault.is_fatal is fatal]
    if not wrong:
        return True
    by_name: Mapping[str, None] = dict.fromkeys(fault.name for fault in wrong)
    return Breach(
        names=tuple(by_name),
        said=tuple(f"{fault.where} {fault.what}" for fault in wrong),
        wanted=tuple(f"{name}: {_FORMS.get(name.rpartition(' ')[2], 'JSON')}" for name in by_name),
        follows=_causes(claim, by_name),
    )


def _causes(claim: Claim, names: Mapping[str, None]) -> tuple[str, ...]:
    """Name the checks whose findings explain why the content of these attributes is wrong."""
    unreadable = ("wire/unreadable",) if claim.is_unreadable(names) else ()
    # An error that was taken for an answer is written as a message that has no role.
    return (*unreadable, "wire/error-status") if set(names) == {"gen_ai.output.messages"} else unreadable


_MESSAGES = "a list of messages, each with role and parts; each part with a type, and what its type needs"
_FORMS = {
    "gen_ai.input.messages": _MESSAGES,
    "gen_ai.output.messages": _MESSAGES,
    "gen_ai.system_instructions": "a list of parts, each with a type, and what its type needs",
    "gen_ai.tool.definitions": "a list of tools, each with type and name",
    "gen_ai.retrieval.documents": "a list of documents",
    "gen_ai.memory.records": "a list of records, each with content",
    "gen_ai.tool.call.arguments": "an object as JSON, where it is one",
    "gen_ai.tool.call.result": "an object as JSON, where it is one",
    "input.value": "JSON, as input.mime_type says",
    "output.value": "JSON, as output.mime_type says",
}

CONTENT = rule(
    id="convention/content",
    title="Content has the structure that its convention gives it",
    why="a back end that shows conversations shows nothing of this one",
    next="write it in the convention's structure, as JSON where the SDK takes no structured values",
    judge=lambda claim: _judged(claim, fatal=True),
    compares="Attributes that hold JSON, either always or because their MIME type says so, as a text or as structured "
    "values; those of the event `gen_ai.client.inference.operation.details` too, on the span or as a log record. The "
    "value must be JSON. Messages, parts, tool definitions, documents and records must have the fields that all of "
    "them need. Not judged are what a model wrote (arguments of tools), what a tool takes or returns if it is not an "
    "object, values that were masked, and texts that are not JSON and as long as a length limit.",
    source="OTel GenAI, the JSON schemas of `gen_ai.input.messages` and the others; OpenInference: JSON strings, "
    "`input.mime_type`",
)

PARTS = rule(
    id="convention/content-parts",
    title="A part of a message has what its type needs",
    why="a reader that knows the type finds an empty part: a text without content, a tool call without a name",
    next="give the part the fields of its type, or a type of your own",
    judge=lambda claim: _judged(claim, fatal=False),
    severity=Severity.WARNING,
    compares="Parts of the types that the convention defines (text, tool_call, tool_call_response, reasoning, blob, "
    "uri, file and others) with the fields that their type needs. The convention's JSON schemas are less strict: they "
    "accept any object with a type.",
    source="OTel GenAI, the JSON schemas of messages: TextPart, ToolCallRequestPart and others",
)


def _structured(claim: Claim) -> Breach | bool:
    if not claim.events:
        return False
    told = [one for one in claim.events if one.is_log]
    wrong = [one for one in told if isinstance(one.value, str) and not is_masked(one.value)]
    if not wrong:
        return bool(told)
    names = tuple(dict.fromkeys(one.place for one in wrong))
    flawed = {flaw.name for flaw in claim.broken or () if flaw.is_fatal}
    return Breach(
        names=names,
        said=tuple(f"{name} is a string" for name in names),
        wanted=tuple(dict.fromkeys(f"{one.name}: structured values, when it is recorded on events" for one in wrong)),
        follows=("wire/unreadable", "convention/content") if flawed.issuperset(names) else (),
    )


EVENTS = rule(
    id="convention/event-content",
    title="Content on an event is structured",
    why="whoever reads the event by its convention finds a string where the messages should be",
    next="give the event lists and objects, without json.dumps; OpenTelemetry's older SDKs do not take them",
    judge=_structured,
    severity=Severity.WARNING,
    compares="Messages, instructions and tools on a log record that is the event "
    "`gen_ai.client.inference.operation.details`. On a span, and on an event of a span, JSON in a string is right too.",
    source="OTel GenAI, `gen_ai.output.messages` and the others: on events, it must be recorded in structured form",
)

CHECKS = (CONTENT, PARTS, EVENTS)
