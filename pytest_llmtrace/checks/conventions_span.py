"""A span's name, kind and status against its convention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._adapted import is_of_library, is_of_sdk
from pytest_llmtrace.checks._check import Check, Evidence, title_of_span
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._rule import Breach, advised, always, rule
from pytest_llmtrace.checks._said import counts
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import SpanType
from pytest_llmtrace.model import Finding, Severity

__all__ = ["CHECKS", "KIND", "MIXED", "NAME", "OPERATION", "STATUS"]

_PLACE = re.compile(r"\{([^}]+)\}")


# --- The name --------------------------------------------------------------------------------------------------------


def _name(claim: Claim) -> Breach | bool:
    forms = _forms(claim.span_type, claim.is_wanted) if claim.span_type else ()
    names = [name for form in forms if (name := _filled(form, claim.span.attributes))]
    if not names:
        return False
    if claim.span.name in names:
        return True
    wanted = " or ".join(map(shown, names))
    return Breach(names=("name",), said=(f"its name is {shown(claim.span.name)}",), wanted=(f"the name {wanted}",))


@lru_cache(maxsize=256)
def _forms(kind: SpanType, is_wanted: bool) -> tuple[str, ...]:
    """Return the forms of a type's span name; none if a form contains attributes and the convention is not wanted."""
    return kind.names if is_wanted or not any(map(_PLACE.search, kind.names)) else ()


def _filled(form: str, attributes: Mapping[str, Any]) -> str:
    """Return the form of a name with the values of its attributes filled in; empty if an attribute has no text."""
    wanted = _PLACE.findall(form)
    if not all(isinstance(attributes.get(key), str) and attributes[key] for key in wanted):
        return ""
    return _PLACE.sub(lambda found: str(attributes[found[1]]), form)


NAME = advised(
    id="convention/span-name",
    title="A span has the name that its convention prescribes",
    why="back ends group by name: these calls are not found beside those of other instrumentations",
    next="give the span this name when it is started",
    judge=_name,
    may=lambda claim: bool(claim.span_type and _forms(claim.span_type, claim.is_wanted)),
    compares="The span's name with the form that the convention gives for it, if the attributes that the form is made "
    "of are on the span. A provider or a framework may give such names another form, so a name that is made of "
    "attributes is judged only where `conventions=` names the convention.",
    source="OTel GenAI, span names (`{gen_ai.operation.name} {gen_ai.request.model}`); OpenInference, EMBEDDING spans "
    "(`CreateEmbeddings`)",
)


# --- The kind --------------------------------------------------------------------------------------------------------


def _kind(claim: Claim) -> Breach | bool:
    kinds = claim.span_type.kinds if claim.span_type else ()
    if not kinds:
        return False
    if claim.span.kind in kinds:
        return True
    return Breach(names=("kind",), said=(f"kind {claim.span.kind}",), wanted=(f"kind {' or '.join(kinds)}",))


KIND = advised(
    id="convention/span-kind",
    title="A span has the kind that its convention asks for",
    why="service maps and latency panels tell calls that leave the process from steps inside of it by the kind",
    next="give kind= when the span is started",
    judge=_kind,
    by_names=always,
    compares="The kind of the span with the kinds that the convention gives to spans of its type.",
    source="OTel GenAI, span kind of each span",
)


# --- The status ------------------------------------------------------------------------------------------------------


def _status(claim: Claim) -> Breach | bool:
    if claim.span_type is None or "error.type" not in claim.span_type.attributes:
        return False
    place, stated = "error.type", claim.span.attributes.get("error.type")
    if not stated and claim.account is not None and _ERROR_TYPE in claim.account.stated:
        fact = claim.account.stated[_ERROR_TYPE][0]  # In the event with the whole call.
        place, stated = fact.keys, fact.value
    if not stated or claim.span.status == "ERROR":
        return True
    return Breach(
        names=("error.type",),
        said=(f"status {claim.span.status}, {place} = {shown(stated)}",),
        wanted=("error.type only if the operation ended in an error, and then the status ERROR",),
        follows=("wire/error-status",),
    )


_ERROR_TYPE = "error_type"


STATUS = rule(
    id="convention/status",
    title="A span that names an error has the status ERROR",
    why="error rates count by the status, panels of failures by error.type, and the two differ",
    next="set both, or neither",
    judge=_status,
    severity=Severity.WARNING,
    compares="The span's `error.type`, or that of the event with the whole call "
    "(`gen_ai.client.inference.operation.details`, an event of the span or a log record), with the span's status.",
    source="OpenTelemetry, Recording errors; OTel GenAI: `error.type` if the operation ended in an error",
)


# --- The operation ---------------------------------------------------------------------------------------------------

_NAME = "gen_ai.operation.name"

# Convention -> the attributes that say which operation a call was.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "otel-genai": (_NAME,),
    "openinference": ("openinference.span.kind",),
    "openllmetry": (_NAME, "llm.request.type"),
}

# Attribute -> the values that are surely wrong on a call for embeddings, and those on a call for generated text.
_OPERATIONS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    _NAME: (frozenset({"chat", "generate_content", "text_completion"}), frozenset({"embeddings"})),
    "openinference.span.kind": (frozenset({"LLM"}), frozenset({"EMBEDDING"})),
    "llm.request.type": (frozenset({"chat", "completion"}), frozenset({"embedding"})),
}

# API -> OTel GenAI's words for other ways to generate text. A framework's own methods may be of another kind than the
# API that they call, and some frameworks have `generate_content` for all.
_OTHER_WAYS = {"completions": "chat", **dict.fromkeys(("chat", "messages", "responses"), "text_completion")}
_GENERATED = frozenset({"chat", "messages"})


# What most spans say of a call of these APIs is not looked up.
_USUAL = dict.fromkeys(("chat", "messages", "responses"), ("chat", "LLM"))


def _operation(claim: Claim) -> Breach | bool:
    api = claim.account and claim.account.answered.api
    if api is None:
        return False
    attributes = claim.span.attributes
    wrong: list[str] = []
    for key in _PLACES.get(claim.profile.convention, ()):
        value = attributes.get(key)
        if value is not None and value not in _USUAL.get(api, ()) and _is_another(value, key, claim.account):
            wrong.append(key)
    if not wrong:
        return False
    names = tuple(wrong)
    return Breach(names=names, said=claim.stated(names), wanted=(f"the call was made to the {api} API",))


def _is_another(value: Any, key: str, account: Account | None) -> bool:
    if account is None or not isinstance(value, str):
        return False
    api = account.answered.api
    if value in _OPERATIONS[key][0 if api == "embeddings" else 1]:
        return True
    if key != _NAME or api is None:
        return False
    if value == "generate_content":
        return api in _GENERATED and is_of_sdk(account)
    return value == _OTHER_WAYS.get(api) and (is_of_sdk(account) or not is_of_library(account))


OPERATION = rule(
    id="convention/operation",
    title="A span of a call says which operation it was",
    why="latency and cost are compared by operation, and this call is among those of another one",
    next="take the operation from the method that is called",
    judge=_operation,
    severity=Severity.WARNING,
    compares="Spans of calls that say, in the words of their convention, that the call was for embeddings, or that it "
    "was for generated text. The API of the request must be one of that kind. OTel GenAI's `chat` is no call of a "
    "completions API, and its `text_completion` is one of no other API; this is not judged on the spans of frameworks, "
    "whose own methods may be of another kind than the API. `generate_content` for a call of a chat or messages API is "
    "judged only on the spans of the instrumentations of OpenAI's and Anthropic's SDKs. Any other operation is not "
    "judged.",
    source="OTel GenAI, `gen_ai.operation.name`: if one of its values applies, it MUST be used; OpenInference, "
    "`openinference.span.kind`; OpenLLMetry, `llm.request.type`",
)


# --- Several conventions ---------------------------------------------------------------------------------------------


def _mixed(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    first: dict[tuple[int, str], Claim] = {}
    for claim in evidence.claims:
        if claim.profile in claim.own:
            continue  # A team's own registry stands beside any convention.
        if _is_second_count(claim):
            continue  # structure/counted-twice reports that two scopes count one call, and names both.
        first.setdefault((claim.span.key.trace_id, claim.profile.convention), claim)
    by_trace: dict[int, list[Claim]] = {}
    for (trace, _), claim in first.items():
        by_trace.setdefault(trace, []).append(claim)
    for found in by_trace.values():
        if len(found) == 1:
            yield None
            continue
        lines = (f"{claim.profile.name}: {title_of_span(claim.span)}" for claim in found)
        yield check.finding(found[0].span, ("span", "\n".join(lines)))


def _is_second_count(claim: Claim) -> bool:
    if claim.account is None or claim.span is claim.account.call.spans[0]:
        return False
    return sum(map(counts, claim.account.call.readings)) > 1


MIXED = Check(
    id="convention/mixed",
    title="The spans of a trace keep one convention",
    why="a panel that is built for one of them shows half of the trace",
    next="be aware of it, or choose one instrumentation for all",
    look=_mixed,
    severity=Severity.INFO,
    compares="The conventions that the spans of one trace claim to keep; the finding shows the first span of each. A "
    "registry of your own does not count as one of them.",
)

CHECKS: tuple[Check, ...] = (NAME, KIND, STATUS, OPERATION, MIXED)
