"""The spans of executed tools against the tool calls on the wire: id, name, arguments, and the result sent back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.checks._asked_tools import Asked, AskedTools, Returned, is_kept_elsewhere
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._executed_values import (
    are_alike,
    as_value,
    is_broken_off,
    is_hidden,
    is_made_of,
    is_other,
    text_of,
)
from pytest_llmtrace.checks._marks import limit_of
from pytest_llmtrace.checks._tools import is_of_provider, same_arguments
from pytest_llmtrace.checks._words import first_of, shown
from pytest_llmtrace.model import Fact, Finding, Reading, Severity, SpanRecord

__all__ = ["ARGUMENTS", "CALLED", "CHECKS", "NAME", "RESULT"]

_MOST = 3


def _executed(evidence: Evidence) -> Iterator[tuple[SpanRecord, Reading, list[Asked]]]:
    """Yield the spans of executed tools whose call the wire has, with all mentions of the call."""
    asked = AskedTools(evidence)
    for span, reading in evidence.executions:
        mentions = asked.of(reading.tool_call_id or "")
        if mentions:
            yield span, reading, mentions


def _wire(asked: Asked, what: str) -> tuple[str, str]:
    return "wire", f"{asked.place}: {what}\n{asked.where}"


# --- ids -------------------------------------------------------------------------------------------------------------


def _unknown_call(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    asked = AskedTools(evidence)
    traces = {span.key.trace_id for call, _ in evidence.tooled for span in call.spans}
    for span, reading in evidence.executions:
        identity = reading.tool_call_id or ""
        if asked.of(identity) or identity in asked.results or is_of_provider(identity):
            yield None
            continue
        if not asked.has_like(identity) or span.key.trace_id not in traces or is_kept_elsewhere(evidence):
            continue
        yield check.finding(
            span,
            ("span", _in_words(reading.fact("tool_call_id"))),
            ("wire", f"no tool call with this id; tool calls: {', '.join(first_of(asked.in_words, _MOST))}"),
        )


# --- names -----------------------------------------------------------------------------------------------------------


def _another_name(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    names = AskedTools(evidence).names
    for span, reading, mentions in _executed(evidence):
        for fact in reading.stated("tool_name"):
            own = {asked.name for asked in mentions}
            if fact.value not in names or any(_is_renamed(fact.value, name) for name in own):
                yield None
            else:
                wire = _wire(mentions[0], f"{mentions[0].name} {mentions[0].id!r}")
                yield check.finding(span, ("span", _in_words(fact)), wire)


def _is_renamed(mine: str, true: str) -> bool:
    """Tell whether a name is that of a tool with or without its namespace: `server__search` and `search`."""
    left, right = sorted((mine.casefold(), true.casefold()), key=len)
    return right.endswith(left) and (len(left) == len(right) or not right[-len(left) - 1].isalnum())


# --- arguments -------------------------------------------------------------------------------------------------------


def _other_arguments(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    asked = AskedTools(evidence)
    offered = _offered(evidence)
    for span, reading, mentions in _executed(evidence):
        if not all(mention.whole for mention in mentions):
            continue
        for fact in reading.stated("tool_arguments"):
            try:
                why = _fault(fact.value, mentions, asked, limit_of(span), offered)
            except RecursionError:  # Nested deeper than can be compared: not known to differ.
                why = None
            if why is None:
                yield None
                continue
            wire = _wire(mentions[0], f"{mentions[0].name} called with {shown(mentions[0].arguments)}")
            yield check.finding(span, ("span", _in_words(fact)), wire, why=why, follows=(NAME.id,))


def _fault(
    mine: Any, mentions: list[Asked], asked: AskedTools, limit: int | None, offered: Mapping[str, frozenset[str]]
) -> str | None:
    """Say what is wrong with arguments; None if they may be those of their call."""
    if is_hidden(mine, limit) or any(same_arguments(mine, mention.arguments, limit) for mention in mentions):
        return None
    said, true = as_value(mine), as_value(mentions[0].arguments)
    if any(is_broken_off(mine, mention.arguments) for mention in mentions):
        return "the end of the arguments is lost, so whoever reads the span cannot parse them"
    if isinstance(mine, str) and mine.startswith('"') and same_arguments(as_value(_unquoted(mine)), true, limit):
        return "the arguments were encoded as JSON twice, so whoever parses them gets a string and not an object"
    if any(is_made_of(said, as_value(mention.arguments)) for mention in mentions):
        return _lost(said, true, offered.get(mentions[0].name, frozenset()))
    other = asked.other_call(mentions[0].id, said) if isinstance(said, Mapping) and said else None
    return None if other is None else f"these are the arguments of another call, {other.name} {other.id!r}"


def _unquoted(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _lost(said: Any, true: Any, known: frozenset[str]) -> str | None:
    """Say which arguments the span lacks of those that the tool has parameters for; None if it lacks none.

    Frameworks drop arguments that a tool has no parameter for, and those that are null.
    """
    if not isinstance(said, Mapping) or not isinstance(true, Mapping) or not said.keys() <= true.keys():
        return None
    lost = [key for key, value in true.items() if key not in said and key in known and value not in (None, "", [], {})]
    return f"arguments of the call are missing: {', '.join(first_of(lost, _MOST))}" if lost else None


def _offered(evidence: Evidence) -> Mapping[str, frozenset[str]]:
    """Return the parameters that have no default of each tool that was offered, by the tool's name."""
    found: dict[str, frozenset[str]] = {}
    for call in evidence.calls:
        for tool in (call.truths and call.truths[0].tool_definitions) or ():
            schema = tool.get("parameters")
            fields = schema.get("properties") if isinstance(schema, Mapping) else None
            if isinstance(fields, Mapping) and isinstance(tool.get("name"), str):
                found[tool["name"]] = frozenset(
                    key for key, field in fields.items() if not isinstance(field, Mapping) or "default" not in field
                )
    return found


# --- results ---------------------------------------------------------------------------------------------------------


def _other_result(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    asked = AskedTools(evidence)
    for span, reading, mentions in _executed(evidence):
        sent = asked.results.get(mentions[0].id, [])
        if not sent or span.status == "ERROR":  # What a model is told about a failure is the framework's own text.
            continue
        for fact in reading.stated("tool_result"):
            try:
                yield _of_result(check, span, fact, sent, asked)
            except RecursionError:
                yield None


def _of_result(check: Check, span: SpanRecord, fact: Fact, sent: list[Returned], asked: AskedTools) -> Finding | None:
    mine, limit = text_of(fact.value), limit_of(span)
    true = [text for result in sent if (text := text_of(result.said)) is not None]
    if mine in (None, "", [], {}) or not true or is_hidden(fact.value, limit):
        return None
    if any(mine == text or _is_in(mine, text) for text in true):
        return None
    report = _reporter(check, span, fact, sent[0])
    if any(is_broken_off(mine, text) for text in true):
        return report("the end of the result is lost, so whoever reads the span cannot parse it")
    other = asked.other_result(sent[0].id, mine)
    if other is not None:
        return report(f"this is the result of another call, {other.id!r}")
    if any(are_alike(mine, text) for text in true) or not all(is_other(mine, text) for text in true):
        return None
    found = report("")
    # A hook may have put another text in the place of a result, which is not to be seen here.
    return found if isinstance(mine, Mapping) else replace(found, severity=Severity.WARNING)


def _is_in(mine: Any, text: Any) -> bool:
    return isinstance(mine, str) and isinstance(text, str) and mine.strip() in text


def _reporter(check: Check, span: SpanRecord, fact: Fact, sent: Returned) -> Callable[[str], Finding]:
    wire = ("wire", f"{sent.place}: {shown(sent.said)}\n{sent.where}")
    follows = (NAME.id, ARGUMENTS.id)
    return lambda why: check.finding(span, ("span", _in_words(fact)), wire, why=why, follows=follows)


def _in_words(fact: Fact) -> str:
    return f"{fact.keys} = {shown(fact.value)}"


# --- the checks ------------------------------------------------------------------------------------------------------

_SOURCE = "OTel GenAI, execute tool span; OpenInference, TOOL span"

CALLED = Check(
    id="agent/executed-call",
    title="The span of a tool names a tool call that the model made",
    why="nothing leads from this execution to the answer that asked for it",
    next="take the id from the tool call in the model's answer",
    look=_unknown_call,
    about=("executions",),
    compares="The id of a tool call on the span of a tool's execution (`gen_ai.tool.call.id`; OpenInference: "
    "`tool_call.id`, `tool.id`) with the ids in all answers and requests of the test. Only an id that has the form of "
    "an id on the wire is judged: the same letters before the first `_` or `-`, and the same length, or a part of it. "
    "Frameworks have ids of their own for what no model asked for. Not judged where the bytes may not show all calls: "
    "where an LLM span describes no exchange, an API is not read, a reply broke off, or the server keeps a part of the "
    "conversation.",
    source=_SOURCE,
)

NAME = Check(
    id="agent/executed-name",
    title="The span of a tool has the name of its own tool",
    why="time and errors of one tool are shown as those of another",
    next="take the name and the id from the same tool call",
    look=_another_name,
    about=("executions",),
    compares="The name on the span of a tool's execution with the name of the tool call that has its id. The name of "
    "another tool, which was called or offered in this test, is a finding. A name with or without its namespace "
    "(`server__search`, `search`), and any name that the wire does not have, such as a title, is none.",
    source=_SOURCE,
)

ARGUMENTS = Check(
    id="agent/executed-arguments",
    title="The span of a tool has the arguments of its own call",
    why="whoever looks into a wrong result sees arguments that the model did not give",
    next="take the arguments and the id from the same tool call, and write them with json.dumps(...)",
    look=_other_arguments,
    about=("executions",),
    compares="The arguments on the span of a tool's execution (`gen_ai.tool.call.arguments`; OpenInference: "
    "`tool_call.function.arguments`, `input.value`) with those of the tool call that has its id, as JSON. Frameworks "
    "may add defaults, change types, rename arguments, and drop those that a tool does not know. Findings are the "
    "arguments of another call, JSON that breaks off without a mark of a limit, JSON that was encoded twice, and "
    "arguments that are missing although the offered tool has a parameter of that name without a default. Values that "
    "were changed otherwise are none, as a person or a hook may have changed them.",
    source=_SOURCE,
)

RESULT = Check(
    id="agent/executed-result",
    title="The span of a tool has the result that the model was given",
    why="whoever looks into an answer sees another result than the model has seen",
    next="write what the tool returned for this call, before anything is cut off from it",
    look=_other_result,
    about=("executions",),
    compares="The result on the span of a tool's execution (`gen_ai.tool.call.result`; OpenInference: `output.value`) "
    "with what the requests of the test send as the result of that call (`role: tool`, `tool_result`, "
    "`function_call_output`). Frameworks may write it in another form, put it into a text, or shorten it. Findings are "
    "the result of another call, JSON that breaks off without a mark of a limit, and an object with the same keys and "
    "other values. A short text that has no word in common with what was sent is a warning, as a hook may have "
    "replaced the result. Not judged are spans with an error, images and files, and texts that were masked.",
    source=_SOURCE,
)

CHECKS: tuple[Check, ...] = (CALLED, NAME, ARGUMENTS, RESULT)
