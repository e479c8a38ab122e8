"""Attributes that a convention requires under a condition, where the condition can be decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pytest_llmtrace.checks._advice import condition_met
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._rule import Breach, advised, rule
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import SpanType
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Fact, Severity

__all__ = ["CHECKS", "CONDITIONAL", "PORT", "UNNEEDED"]

Condition = Callable[[Claim], str | Fact]
"""Returns what meets a condition, in words or as a fact of the request; empty if nothing does or that is unknown."""


# --- What makes an attribute required --------------------------------------------------------------------------------


def _failed(claim: Claim) -> str:
    return "status ERROR" if claim.span.status == "ERROR" else ""


def _asks_for(fact: str, *, unless: tuple[Any, ...] = ()) -> Condition:
    """Make the condition that the request states a fact, with a value that is not among `unless`."""

    def asks(claim: Claim) -> str | Fact:
        found = None if claim.account is None else claim.account.asked.facts.get(fact)
        return "" if found is None or found.value is None or found.value in unless else found

    return asks


def _has_field(*paths: str, unless: tuple[Any, ...] = ()) -> Condition:
    """Make the condition that the request has one of the fields, as `text.format`, with a value not among `unless`."""
    steps = {path: path.split(".") for path in paths}

    def has(claim: Claim) -> str:
        for path, keys in steps.items() if claim.asked else ():
            value: Any = claim.asked
            for key in keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None and value not in unless:
                return f"the request has {path}{'' if isinstance(value, Mapping) else f' = {shown(value)}'}"
        return ""

    return has


def _names_guardrail(claim: Claim) -> str:
    headers = claim.account.exchange.request.headers if claim.account else ()
    is_named = header(headers, "x-amzn-bedrock-guardrailidentifier")
    return "a header of the request names a guardrail" if is_named else ""


def _streams(claim: Claim) -> str | Fact:
    """Return what shows that a call streams: its request or, if that is not known, what only streams have."""
    if claim.account is not None:
        return _asks_to_stream(claim)
    first = claim.span.attributes.get("gen_ai.response.time_to_first_chunk")
    return "" if first is None else f"gen_ai.response.time_to_first_chunk = {shown(first)}"


def _is_request(claim: Claim) -> str:
    method = claim.span.attributes.get("mcp.method.name")
    is_request = isinstance(method, str) and method and not method.startswith("notifications/")
    return f"mcp.method.name = {shown(method)}" if is_request else ""


def _method(method: str) -> Condition:
    return lambda claim: (
        f"mcp.method.name = {shown(method)}" if claim.span.attributes.get("mcp.method.name") == method else ""
    )


_asks_to_stream = _asks_for("streaming", unless=(False,))

_CONDITIONS: Mapping[str, tuple[Condition, tuple[str, ...]]] = {
    # Attribute -> what makes it required, and the checks that report the same fault.
    "aws.bedrock.guardrail.id": (_names_guardrail, ()),
    "error.type": (_failed, ("wire/error-type", "wire/error-reason")),
    "gen_ai.output.type": (_has_field("response_format", "text.format", "output_config.format", "output_format"), ()),
    "gen_ai.prompt.name": (_method("prompts/get"), ()),
    "gen_ai.request.choice.count": (_asks_for("choice_count", unless=(1,)), ()),
    "gen_ai.request.model": (_asks_for("request_model"), ()),
    "gen_ai.request.seed": (_asks_for("seed"), ()),
    "gen_ai.request.stream": (_streams, ()),
    "gen_ai.request.top_k": (_asks_for("top_k"), ()),
    "gen_ai.tool.name": (_method("tools/call"), ()),
    "jsonrpc.request.id": (_is_request, ()),
    # Some instrumentations take it from the answer, which a span that ended early has not seen.
    "llm.model_name": (_asks_for("request_model"), ("structure/ended-before-stream",)),
    "mcp.resource.uri": (_method("resources/read"), ()),
    "openai.request.service_tier": (_has_field("service_tier", unless=("auto",)), ()),
    "gen_ai.openai.request.service_tier": (_has_field("service_tier", unless=("auto",)), ()),
}


def _names_address(claim: Claim) -> str:
    stated = claim.span.attributes.get("server.address")
    is_default = "443" in claim.wanted["server.port"].condition  # Azure's own spans leave the default port out.
    return f"server.address = {shown(stated)}" if stated and not is_default else ""


_PORT: Mapping[str, tuple[Condition, tuple[str, ...]]] = {"server.port": (_names_address, ())}


_GROUPS = {"call": _CONDITIONS, "server": _PORT}


@lru_cache(maxsize=256)
def _concerned(kind: SpanType, group: str) -> tuple[tuple[str, Condition], ...]:
    """Return the conditions of a group that apply to a type of spans, each with its attribute."""
    return tuple((name, condition) for name, (condition, _) in _GROUPS[group].items() if name in kind.conditional)


def _held(group: str, claim: Claim) -> Breach | bool:
    if claim.span_type is None:
        return False
    there, renamed = claim.span.attributes, claim.sheet.renamed
    is_met, missing = False, {}
    for name, condition in _concerned(claim.span_type, group):
        if name in there or name in renamed:
            is_met = is_met or bool(condition(claim))
        elif by := condition(claim):
            missing[name] = by if isinstance(by, str) else f"the request has {by.keys} = {shown(by.value)}"
    if not missing:
        return is_met
    wanted = claim.wanted
    return Breach(
        names=tuple(missing),
        said=tuple(f"no {name}, but {reason}" for name, reason in missing.items()),
        wanted=tuple(f"{name}: {wanted[name].condition or 'required where it applies'}" for name in missing),
        advice=tuple(map(condition_met, missing)),
        follows=_GROUPS[group][next(iter(missing))][1] if len(missing) == 1 else (),
        lacks=tuple(missing),
    )


CONDITIONAL = advised(
    id="convention/conditional",
    title="A span has the attributes that its convention requires of a call such as this",
    why="whoever reads spans by this convention takes a missing attribute for the usual case (no stream, one choice, "
    "no failure), and counts a call without a model for none",
    next="set them where the condition is met",
    judge=lambda claim: _held("call", claim),
    compares="Attributes whose condition can be decided from the span, its exchange or both: a failure; whether the "
    "request asks for a stream (where there is no exchange, whether the span states the time to its first chunk); its "
    "choices, seed, top-k, model, output format, service tier and guardrail; and the method of an MCP span. "
    "Attributes with any other condition are not judged, since it cannot be decided from outside.",
    source="The requirement level `conditionally required` of OTel GenAI; OpenInference: `llm.model_name`",
    whole_runs_only=True,
)


PORT = rule(
    id="convention/server-port",
    title="A span that names its server names the port",
    why="two servers on one host look like one",
    next="set server.port beside server.address",
    judge=lambda claim: _held("server", claim),
    may=lambda claim: "server.address" in claim.sheet.names,
    severity=Severity.INFO,
    source="OTel GenAI: `server.port` if `server.address` is set",
    whole_runs_only=True,
)


# --- What is there although its condition is not met -----------------------------------------------------------------


def _is_not_streaming(claim: Claim) -> str:
    streams = None if claim.account is None else claim.account.asked.streaming
    return "the request does not stream" if streams is False else ""


_IDLE: Mapping[str, Callable[[Claim, Any], str]] = {
    # Attribute -> returns why the attribute is not needed with its value; an empty text if it is.
    "gen_ai.request.choice.count": lambda _claim, value: "1 is the default, which is left out" if value == 1 else "",
    "gen_ai.request.stream": lambda _claim, value: "false is the default, which is left out" if value is False else "",
    "gen_ai.response.time_to_first_chunk": lambda claim, _value: _is_not_streaming(claim),
    "gen_ai.prompt.version": lambda claim, _value: _without(claim, "gen_ai.prompt.name"),
    "server.port": lambda claim, _value: _without(claim, "server.address"),
}


def _without(claim: Claim, name: str) -> str:
    return "" if name in claim.span.attributes else f"there is no {name}"


def _unneeded(claim: Claim) -> Breach | bool:
    wanted, attributes = claim.wanted, claim.span.attributes
    there = [name for name in _IDLE if name in attributes and name in wanted]
    if not there:
        return False
    idle = {name: reason for name in there if (reason := _IDLE[name](claim, attributes[name]))}
    if not idle:
        return True
    return Breach(
        names=tuple(idle),
        said=tuple(f"{name} = {shown(attributes[name])}, but {reason}" for name, reason in idle.items()),
        wanted=tuple(f"{name}: {wanted[name].condition}" for name in idle if wanted[name].condition),
    )


UNNEEDED = rule(
    id="convention/unneeded",
    title="An attribute that a convention wants under a condition is there only then",
    why="the attribute takes up space and says nothing",
    next="leave it out",
    judge=_unneeded,
    may=lambda claim: not claim.sheet.names.isdisjoint(_IDLE),
    severity=Severity.INFO,
    source="OTel GenAI: `gen_ai.request.stream` if and only if the request is streaming, `gen_ai.request.choice.count` "
    "if it is not 1, `server.port` with `server.address`",
)

CHECKS = (CONDITIONAL, PORT, UNNEEDED)
