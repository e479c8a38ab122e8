"""A span's name says what kind of call it was, not which call."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._said import llm_spans
from pytest_llmtrace.model import Call, Finding, Reading, Severity, SpanRecord

__all__ = ["CHECKS", "SPAN_NAME"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
# Hexadecimal with at least one digit in it, as ids have: a word such as `defaced` is not an id.
_HEX = re.compile(r"(?<![0-9a-z])(?=[a-f]*[0-9])[0-9a-f]{16,}(?![0-9a-z])", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{8,}")
_DIGITS = re.compile(r"[0-9]{4,}")
_SHORTEST_TEXT = 16
_BEGINNING = 24


def _span_name(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    names: dict[object, tuple[str, SpanRecord]] = {}
    for call, span, reading in llm_spans(evidence.calls):
        bare = _without_models(span.name, call, reading)
        found = _part_of_one_call(bare, call, reading)
        before, first = names.setdefault((span.scope, _likeness(call), _without_digits(bare)), (bare, span))
        if found is None and before != bare:
            found = f"{span.name!r} here and {first.name!r} in a call of the same kind"
        yield check.finding(span, ("span", f"its name contains {found}")) if found else None


@lru_cache(maxsize=256)
def _without_digits(bare: str) -> str:
    return _DIGITS.sub("#", bare)


def _part_of_one_call(bare: str, call: Call, reading: Reading) -> str | None:
    """Describe the part of a span's name that belongs to one call only; None if it has no such part."""
    for read in (reading, *call.truths):
        value = read.response_id
        if isinstance(value, str) and len(value) >= 6 and value in bare:  # noqa: PLR2004
            return f"the id of the response, {value!r}"
    return _number_in(bare) or _prompt_in(bare, call)


@lru_cache(maxsize=256)
def _number_in(bare: str) -> str | None:
    """Describe an id or a long number in a name, None if it has none; kept, since most names recur."""
    for pattern, kind in ((_UUID, "an id"), (_HEX, "an id"), (_NUMBER, "a number")):
        found = pattern.search(bare)
        if found:
            return f"{kind} of this one call, {found[0]!r}"
    return None


def _prompt_in(bare: str, call: Call) -> str | None:
    if len(bare) < _SHORTEST_TEXT:
        return None
    for text in wire.prompts(call.exchanges[-1].request, call.truth.api):
        beginning = " ".join(text[: 4 * _BEGINNING].split())[:_BEGINNING]
        if len(beginning) >= _SHORTEST_TEXT and beginning in " ".join(bare.split()):
            return f"text of the prompt, {beginning!r}"
    return None


def _without_models(name: str, call: Call, reading: Reading) -> str:
    """Return a name without the names of models: these belong there, and may have dates in them."""
    facts = [read.facts for read in (reading, *call.truths)]
    stated = [each[fact].value for each in facts for fact in _MODELS if fact in each]
    return _without(name, tuple([model for model in stated if isinstance(model, str)]))


@lru_cache(maxsize=256)
def _without(name: str, models: tuple[str, ...]) -> str:
    known = {model for model in models if model and _own(model) in name}
    for model in sorted(known, key=len, reverse=True):
        name = name.replace(model, "<model>").replace(_own(model), "<model>")
    return name


_MODELS = ("request_model", "response_model", "served_model")


def _own(model: str) -> str:
    """Return the name of a model without the provider before it."""
    return model.rpartition("/")[2] or model


def _likeness(call: Call) -> object:
    truth = call.truth
    return truth.api, truth.request_model, truth.streaming


SPAN_NAME = Check(
    id="structure/span-name",
    title="A span's name does not change from call to call",
    why="back ends group by span name: each call is a group of its own, and averages and alerts by name are of no use",
    next="name the span after what is done, and put what belongs to one call into attributes",
    look=_span_name,
    severity=Severity.WARNING,
    compares="The name of each LLM span, without the names of models in it. It must contain neither the id of the "
    "response, nor the beginning of a user's text, nor anything that looks like an id or is a long number. Nor may it "
    "differ from the name of another call of the same kind (the same scope, API and model, both streamed or both not) "
    "only in a number of four digits or more.",
    source="OpenTelemetry specification, trace API: a span name identifies a class of spans, and has low cardinality.",
)

CHECKS: tuple[Check, ...] = (SPAN_NAME,)
