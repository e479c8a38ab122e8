"""A span's attributes against its convention: which of them it has, their types and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pytest_llmtrace._argtypes import is_count
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._advice import required_attribute, type_mismatch, undefined_variant
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._lexicon import Sheet
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._rule import Breach, advised, always, rule
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import Attribute, has_type, type_of
from pytest_llmtrace.model import Severity, State

__all__ = ["CHECKS", "REQUIRED", "TYPE", "UNUSED", "VALUE", "fits", "mistyped", "of_no_list"]

_OPERATION, _MODEL = "gen_ai.operation.name", "gen_ai.request.model"
_OF_CALLS = ("gen_ai.provider.name", _MODEL, "gen_ai.system")


# --- Required attributes ---------------------------------------------------------------------------------------------


def _required(claim: Claim) -> Breach | bool:
    if claim.is_wanted and claim.profile.convention == "otel-genai" and _hides_what_it_is(claim):
        return _missing((_OPERATION,), "required on every span of a call: it says what the span is", claim.lost)
    required = claim.span_type.required if claim.span_type else ()
    if not required:
        return False
    missing = tuple(name for name in required if name not in claim.span.attributes and name not in claim.sheet.renamed)
    if _MODEL in missing and _names_no_model(claim):
        missing = tuple(name for name in missing if name != _MODEL)
    if not missing:
        return True
    found = _missing(missing, f"required on spans of type {claim.type_name}", claim.lost)
    return replace(found, severity=Severity.INFO) if _may_be_of_double(claim, missing) else found


def _may_be_of_double(claim: Claim, missing: tuple[str, ...]) -> bool:
    """Tell whether a span lacks only its provider, and no request was made in it: a double of a model has none."""
    if claim.is_wanted or claim.account is not None or not _PROVIDERS.issuperset(missing):
        return False
    return claim.span.key not in claim.requested()


_PROVIDERS = frozenset({"gen_ai.provider.name", "gen_ai.system", "llm.system"})


def _names_no_model(claim: Claim) -> bool:
    """Tell whether the request of a call names no model: a stored prompt may name it, or the server has only one."""
    if claim.account is None or claim.account.asked.api is None:
        return False
    return claim.account.asked.fact("request_model").state in (State.ABSENT, State.NULL)


def _is_settled(claim: Claim) -> bool:
    """Tell whether names alone decide; where the model is missing, the request does."""
    wanted = claim.span_type is not None and _MODEL in claim.span_type.required
    return not wanted or _MODEL in claim.span.attributes


def _hides_what_it_is(claim: Claim) -> bool:
    """Tell whether a span has an attribute of a call, but no attribute that says which type of span it is.

    The id of a session may stand on any span, so it is not an attribute of a call.
    """
    attributes = claim.span.attributes
    says = any(kind.when[0] in attributes for kind in claim.profile.span_types.values())
    return not says and any(name in attributes for name in _OF_CALLS)


def _missing(names: tuple[str, ...], wanted: str, lost: tuple[str, ...]) -> Breach:
    return Breach(
        names=names,
        said=(*(f"no {name}" for name in names), *lost),
        wanted=(wanted,),
        advice=tuple(map(required_attribute, names)),
        lacks=names,
    )


REQUIRED = rule(
    id="convention/required",
    title="A span has the attributes that its convention requires",
    why="whoever reads spans by this convention finds them by these attributes, or not at all",
    next="set them when the span is started",
    judge=_required,
    by_names=_is_settled,
    compares="Spans of a type that the convention defines; where `conventions=` names a version of OTel GenAI, also "
    "spans of calls that do not say which type they are. An attribute that is there under an older name is reported "
    "by convention/deprecated. `gen_ai.request.model` is not required where the request names no model, as one with a "
    "stored prompt may not. A span that lacks only its provider (`llm.system`, `gen_ai.provider.name`, "
    "`gen_ai.system`), and inside of which no request was made, may be that of a test's double of a model, which has "
    "no provider: then the severity is `info` unless `conventions=` names the convention.",
    source="The requirement level `required` of OTel GenAI; OpenInference: `openinference.span.kind`, `llm.system`",
    whole_runs_only=True,
)


# --- Attributes that must not be there -------------------------------------------------------------------------------


def _unused(claim: Claim) -> Breach | bool:
    if claim.span_type is None or not claim.span_type.unused:
        return False
    there = tuple(sorted(claim.span_type.unused.intersection(claim.span.attributes)))
    if not there:
        return True
    return Breach(
        names=there,
        said=claim.stated(there),
        wanted=(f"not used on spans of type {claim.type_name}", *_in_place_of(there, claim)),
    )


def _in_place_of(names: tuple[str, ...], claim: Claim) -> Iterator[str]:
    """Name what the span's type has instead of each attribute: an attribute with the same last word."""
    for name in names:
        last = name.rpartition(".")[2]
        yield from (f"{one} instead of {name}" for one in claim.wanted if one.rpartition(".")[2] == last)


UNUSED = advised(
    id="convention/unused",
    title="A span has no attribute that its convention forbids on it",
    why="panels that tell types of spans apart by this attribute take this span for one of another type",
    next="leave it out",
    judge=_unused,
    by_names=always,
    may=lambda claim: bool(claim.span_type and claim.span_type.unused),
    compares="The names of the span's attributes with those that the convention does not use on spans of its type.",
    source="OpenInference: EMBEDDING spans do not use `llm.system` and `llm.provider`; OTel GenAI: retrieval spans "
    "have `gen_ai.retrieval.top_k`, and those of fetched responses no usage",
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
        if (attribute := known[name]) and not fits(attributes[name], attribute)
    }
    if not wrong:
        return True
    found = mistyped({name: attributes[name] for name in wrong}, wrong)
    return replace(found, follows=("wire/unreadable",)) if claim.is_unreadable(wrong) else found


def fits(value: Any, attribute: Attribute) -> bool:
    """Tell whether a value has the type of its attribute, or is a mask: OpenInference's masks are always texts."""
    return has_type(value, attribute.types) or (isinstance(value, str) and is_masked(value))


def mistyped(wrong: Mapping[str, Any], known: Mapping[str, Attribute]) -> Breach:
    """Return the breach of values that do not have the types of their attributes."""
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
    compares="The type of each attribute's value with the type that the convention gives it. A boolean is no int. An "
    "int is accepted where a double is meant. An array is judged by its elements, if it has any. An attribute of the "
    "type `any` may hold anything. A mask such as `__REDACTED__` may stand in the place of any value.",
    source="OTel GenAI and OpenInference: the types of their attributes",
)


# --- Their values ----------------------------------------------------------------------------------------------------


def _value(claim: Claim) -> Breach | bool:
    return of_no_list(claim.span.attributes, claim.sheet, claim.stated)


def of_no_list(
    attributes: Mapping[str, Any], sheet: Sheet, stated: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> Breach | bool:
    """Return the breach of attributes whose values are not in the convention's lists, or are spelled otherwise there.

    Args:
        attributes: The attributes.
        sheet: The same, sorted by the convention.
        stated: Writes attributes with their values.
    """
    has_closed, wanted = False, dict[str, str]()
    for attribute in sheet.listed:
        value = _member(attributes[attribute.name], attribute)
        if value is None:
            continue
        has_closed = has_closed or not attribute.is_open
        if value in attribute.values:
            continue
        if len(value) <= _LONGEST and (meant := _meant(value, attribute.values)):
            wanted[attribute.name] = f"{attribute.name}: {meant}, in exactly this spelling"
        elif not attribute.is_open:
            wanted[attribute.name] = f"{attribute.name}: {', '.join(sorted(attribute.values))}"
    if not wanted:
        return has_closed
    return Breach(
        names=tuple(wanted),
        said=stated(tuple(wanted)),
        wanted=tuple(wanted.values()),
        advice=tuple(map(undefined_variant, wanted)),
    )


def _member(value: Any, attribute: Attribute) -> str | None:
    """Return a value as a text, as its attribute's list of values has it; None if it is not of the list's type."""
    if attribute.types == ("int",):
        return str(value) if is_count(value) else None
    return value if isinstance(value, str) else None


_LONGEST = 64
"""Characters. No listed value is longer; longer values are not looked up, since look-ups are cached."""
_BETWEEN_WORDS = re.compile(r"[\s._-]+")


@lru_cache(maxsize=1024)
def _meant(value: str, values: frozenset[str]) -> str:
    """Return the listed value that another spelling stands for, such as `openai` for `OpenAI`; empty if none is."""
    spelled = _spelled(value)
    return next((known for known in sorted(values) if _spelled(known) == spelled), "")


def _spelled(value: str) -> str:
    return _BETWEEN_WORDS.sub("_", value).casefold()


VALUE = rule(
    id="convention/value",
    title="An attribute with a list of values has one of them, if one applies",
    why="whoever reads spans by this convention has no case for it: the span is shown as of no kind, or apart from "
    "others of its kind",
    next="use one of the values",
    judge=_value,
    may=lambda claim: bool(claim.sheet.listed),
    severity=Severity.WARNING,
    compares="The values of attributes for which the convention has a list. If the list is closed, the value must be "
    "in it. If it is open, only another spelling of one of its values is a finding, such as `OpenAI` for `openai`: a "
    "provider, an operation or a model that the list does not have is none.",
    source="OpenInference: `openinference.span.kind`; OpenLLMetry: `traceloop.span.kind`; OTel GenAI and OpenInference "
    "of their lists: if one of the values applies, it MUST be used",
)


CHECKS = (REQUIRED, UNUSED, TYPE, VALUE)
