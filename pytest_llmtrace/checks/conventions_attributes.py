"""A span's attributes against its convention: which there are, and of which types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace.checks._advice import required_attribute, type_mismatch, undefined_variant
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._rule import Breach, advised, rule
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import Attribute, has_type, type_of
from pytest_llmtrace.model import Severity

__all__ = ["CHECKS", "REQUIRED", "TYPE", "UNUSED", "VALUE", "mistyped"]

_OPERATION = "gen_ai.operation.name"
_OF_CALLS = ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.system")


# --- Those that have to be there -------------------------------------------------------------------------------------


def _required(claim: Claim) -> Breach | bool:
    if claim.is_wanted and claim.profile.convention == "otel-genai" and _hides_what_it_is(claim):
        return _missing((_OPERATION,), "required on every span of a call: it says what the span is", claim.lost)
    required = claim.span_type.required if claim.span_type else ()
    if not required:
        return False
    missing = tuple(name for name in required if name not in claim.span.attributes and name not in claim.sheet.renamed)
    if not missing:
        return True
    return _missing(missing, f"required on a span of the type {claim.type_name}", claim.lost)


def _hides_what_it_is(claim: Claim) -> bool:
    """Tell whether a span of a call does not say which type it is of. That of a session, on any span, makes no call."""
    attributes = claim.span.attributes
    says = any(kind.when[0] in attributes for kind in claim.profile.span_types.values())
    return not says and any(name in attributes for name in _OF_CALLS)


def _missing(names: tuple[str, ...], wanted: str, lost: tuple[str, ...]) -> Breach:
    return Breach(
        names=names,
        said=(*(f"no {name}" for name in names), *lost),
        wanted=(wanted,),
        advice=tuple(map(required_attribute, names)),
    )


REQUIRED = rule(
    id="convention/required",
    title="A span has the attributes that its convention requires",
    why="whoever reads spans by this convention finds this one by them, or not at all",
    next="set them when the span is started",
    judge=_required,
    by_names=True,
    compares="Spans of a type that the convention has; where a version of OTel's is named, also spans of calls that do "
    "not say of which type they are. An attribute that is there by an older name is told by "
    "convention/deprecated.",
    source="The requirement level `required` of OTel GenAI; OpenInference: `openinference.span.kind`, `llm.system`",
    whole_runs_only=True,
)


# --- Those that must not ---------------------------------------------------------------------------------------------


def _unused(claim: Claim) -> Breach | bool:
    if claim.span_type is None or not claim.span_type.unused:
        return False
    there = tuple(sorted(claim.span_type.unused.intersection(claim.span.attributes)))
    if not there:
        return True
    return Breach(
        names=there,
        said=claim.stated(there),
        wanted=(f"not used on a span of the type {claim.type_name}",),
    )


UNUSED = advised(
    id="convention/unused",
    title="A span has no attribute that its convention forbids on it",
    why="panels that tell types of spans apart by it count this one among the others",
    next="leave it out",
    judge=_unused,
    by_names=True,
    may=lambda claim: bool(claim.span_type and claim.span_type.unused),
    source="OpenInference: EMBEDDING spans do not use `llm.system` and `llm.provider`",
)


# --- Their types -----------------------------------------------------------------------------------------------------


def _type(claim: Claim) -> Breach | bool:
    attributes, sheet = claim.span.attributes, claim.sheet
    known = sheet.known
    if not known:
        return False
    wrong = {
        name: attribute
        for name in sheet.doubtful(attributes)
        if (attribute := known[name]) and not _fits(attributes[name], attribute)
    }
    if not wrong:
        return True
    found = mistyped({name: attributes[name] for name in wrong}, wrong)
    return replace(found, follows=("wire/unreadable",)) if claim.is_unreadable(wrong) else found


def _fits(value: Any, attribute: Attribute) -> bool:
    """Tell whether a value has the type of its attribute, or a mask stands there: OpenInference's are texts always."""
    return has_type(value, attribute.types) or (isinstance(value, str) and is_masked(value))


def mistyped(wrong: Mapping[str, Any], known: Mapping[str, Attribute]) -> Breach:
    """Tell of values that do not have the types of their attributes."""
    return Breach(
        names=tuple(wrong),
        said=tuple(f"{name} = {shown(value)}  ({type_of(value)})" for name, value in wrong.items()),
        wanted=tuple(f"{name}: {' or '.join(known[name].types)}" for name in wrong),
        advice=tuple(type_mismatch(name, type_of(value), known[name]) for name, value in wrong.items()),
    )


TYPE = rule(
    id="convention/type",
    title="An attribute has the type that its convention gives it",
    why="a back end makes a column of the first type that it sees, and drops or rejects what comes in another",
    next="convert the value before it is set",
    judge=_type,
    compares="Attributes of one type. A boolean is no int; an int is accepted where a double is meant; an array by "
    "its elements, where it has any. An attribute of the type `any` may be anything; in the place of each a mask may "
    "stand, as `__REDACTED__`.",
    source="OTel GenAI and OpenInference: the types of their attributes",
)


# --- Their values ----------------------------------------------------------------------------------------------------


def _value(claim: Claim) -> Breach | bool:
    attributes = claim.span.attributes
    closed = [attribute for attribute in claim.sheet.closed if isinstance(attributes[attribute.name], str)]
    if not closed:
        return False
    wrong = {attribute.name: attribute for attribute in closed if attributes[attribute.name] not in attribute.values}
    if not wrong:
        return True
    return Breach(
        names=tuple(wrong),
        said=claim.stated(tuple(wrong)),
        wanted=tuple(f"{name}: {', '.join(sorted(attribute.values))}" for name, attribute in wrong.items()),
        advice=tuple(map(undefined_variant, wrong)),
    )


VALUE = rule(
    id="convention/value",
    title="An attribute with a closed list of values has one of them",
    why="whoever reads spans by this convention has no case for it, and shows the span as of no kind",
    next="use one of the values",
    judge=_value,
    may=lambda claim: bool(claim.sheet.closed),
    severity=Severity.WARNING,
    compares="Only lists that the convention closes. A provider, an operation or a model that it does not name is no "
    "finding.",
    source="OpenInference: `openinference.span.kind`, MIME types, kinds of annotators",
)


CHECKS = (REQUIRED, UNUSED, TYPE, VALUE)
