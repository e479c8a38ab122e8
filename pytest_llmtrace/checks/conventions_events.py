"""Events against their convention, on a span or as a log record: names, attributes, types, values and numbers.

An attribute that an event only repeats from its span is judged there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_llmtrace import conventions
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._advice import (
    deprecated_attribute,
    deprecated_event,
    missing_attribute,
    missing_event,
    required_attribute,
)
from pytest_llmtrace.checks._claims import is_known_elsewhere, others
from pytest_llmtrace.checks._event_claims import EventClaim
from pytest_llmtrace.checks._event_rule import event_advised, event_rule
from pytest_llmtrace.checks._misspelt import nearly
from pytest_llmtrace.checks._rule import Breach
from pytest_llmtrace.checks.conventions_attributes import fits, mistyped, of_no_list
from pytest_llmtrace.checks.conventions_names import instead_of_old, instead_of_unknown, old_names
from pytest_llmtrace.checks.conventions_numbers import are_on_the_wire, impossible
from pytest_llmtrace.conventions import EventType, Level, Profile
from pytest_llmtrace.model import Severity, State

__all__ = ["CHECKS"]


# --- Required attributes ---------------------------------------------------------------------------------------------


def _missing(claim: EventClaim) -> Breach | bool:
    wanted = dict.fromkeys(_required(claim), "required on this event") | dict(_instead(claim))
    absent = tuple(name for name in wanted if not claim.has(name) and (claim.is_log or not claim.is_on_span(name)))
    if not absent:
        return bool(wanted)
    found = Breach(
        names=absent,
        said=(*(f"no {name}{_elsewhere(claim, name)}" for name in absent), *_lost(claim)),
        wanted=tuple(f"{name}: {wanted[name]}" for name in absent),
        advice=tuple(map(required_attribute, absent)),
        lacks=absent,
    )
    if not all(map(claim.is_on_span, absent)):
        return found
    return replace(found, severity=Severity.WARNING if claim.is_wanted else Severity.INFO)


def _required(claim: EventClaim) -> tuple[str, ...]:
    """Return the attributes that an event needs: without a wanted version, those that each version requires on it."""
    if claim.event is None:
        return ()
    versions = () if claim.is_wanted else conventions.versions_of_event(claim.name)
    return _needed(claim.event, versions)


def _needed(event: EventType, versions: tuple[Profile, ...]) -> tuple[str, ...]:
    return tuple(name for name in event.required if all(name in kept.events[event.name].required for kept in versions))


def _instead(claim: EventClaim) -> Iterator[tuple[str, str]]:
    """Yield the attributes that are required because another one is not set, each with that condition."""
    for name, how in claim.event.attributes.items() if claim.event else ():
        other = _NOT_SET.fullmatch(how.condition) if how.level is Level.CONDITIONALLY_REQUIRED else None
        if other and not claim.has(other[1]):
            yield name, f"required if {how.condition}"


_NOT_SET = re.compile(r"(\S+) is not set")


def _elsewhere(claim: EventClaim, name: str) -> str:
    return ", which only its span states" if claim.is_on_span(name) else ""


def _lost(claim: EventClaim) -> tuple[str, ...]:
    line = f"{claim.dropped} attributes were dropped, the oldest first: see OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"
    return (line,) if claim.dropped else ()


REQUIRED = event_rule(
    id="convention/event-required",
    title="An event has the attributes that its convention requires",
    why="whoever reads events by this convention finds them by these attributes, or not at all",
    next="set them when the event is made",
    judge=_missing,
    compares="The attributes of events of a span, and of log records that are events, with those that the convention "
    "requires; unless `conventions=` names a version, with those that each version requires that has the event. What "
    "the span states is not missing on an event of the span; on a log record it is advice, of the severity `info` "
    "unless `conventions=` names the convention. An attribute that is there under an older name is reported by "
    "convention/event-deprecated.",
    source="The requirement level `required` of OTel GenAI's events; of `gen_ai.client.operation.exception`: either "
    "`exception.type` or `exception.message`",
    whole_runs_only=True,
)


# --- Types and values ------------------------------------------------------------------------------------------------


def _type(claim: EventClaim) -> Breach | bool:
    attributes, known = claim.attributes, claim.sheet.known
    wrong = {
        name: attribute
        for name in claim.sheet.doubtful(attributes)
        if (attribute := known[name]) and not fits(attributes[name], attribute)
    }
    if not wrong:
        return bool(known)
    found = mistyped({name: attributes[name] for name in wrong}, wrong)
    return replace(found, follows=("wire/unreadable",)) if _are_unreadable(claim, wrong) else found


def _are_unreadable(claim: EventClaim, names: Mapping[str, object]) -> bool:
    """Tell whether all of some attributes are among those that our reader cannot read (`wire/unreadable`)."""
    if claim.account is None:
        return False
    reading = claim.account.reading
    facts = (fact for fact in (*reading.facts.values(), *reading.others) if fact.state is State.UNREADABLE)
    return {key for fact in facts for key, _ in fact.parts}.issuperset(map(claim.place_of, names))


TYPE = event_rule(
    id="convention/event-type",
    title="An attribute of an event has the type that its convention gives it",
    why="a back end makes a column of the first type that it sees, and drops or rejects what comes in another",
    next="convert the value before it is set",
    judge=_type,
    compares="The types of the attributes' values, as in `convention/type`. What an event only repeats from its span "
    "is reported there.",
    source="OTel GenAI: the types of its attributes",
)

VALUE = event_rule(
    id="convention/event-value",
    title="An attribute of an event with a list of values has one of them, if one applies",
    why="whoever reads events by this convention has no case for it",
    next="use one of the values",
    judge=lambda claim: of_no_list(claim.attributes, claim.sheet, claim.stated),
    severity=Severity.WARNING,
    compares="The values of the attributes, as in `convention/value`. What an event only repeats from its span is "
    "reported there.",
    source="OTel GenAI of its lists: if one of the values applies, it MUST be used",
)


# --- Names -----------------------------------------------------------------------------------------------------------


def _unknown(claim: EventClaim) -> Breach | bool:
    own, is_wanted, profile = claim.own, claim.is_wanted, claim.profile
    attributes = tuple(name for name in claim.sheet.unknown if not is_known_elsewhere(name, own, is_wanted=is_wanted))
    event = () if _is_known(claim) else (claim.name,)
    if not event and not attributes:
        return True
    meant = nearly(claim.name, (*profile.events, *profile.event_renames)) if event else []
    found = Breach(
        names=(*event, *attributes),
        said=(*("its name" for _ in event), *(f"attribute {name}" for name in attributes)),
        wanted=(
            *(f"no event {name}{f'; did you mean {meant[0]}?' if meant else ''}" for name in event),
            *(f"no attribute {name}{instead_of_unknown(name, profile.attributes)}" for name in attributes),
        ),
        advice=(*(missing_event() for _ in event), *map(missing_attribute, attributes)),
    )
    return replace(found, severity=Severity.WARNING) if any(_is(claim, one) for one in meant) else found


def _is_known(claim: EventClaim) -> bool:
    """Tell whether a convention has or had the event, or none says anything of events with such names."""
    if not claim.profile.events or not claim.name.startswith(claim.profile.namespaces):
        return True
    kept = (claim.profile, *others(claim.own, is_wanted=claim.is_wanted))
    return any(claim.name in one.events or claim.name in one.event_renames for one in kept)


def _is(claim: EventClaim, meant: str) -> bool:
    """Tell whether an event must be the one whose name it nearly has: it has all attributes that are required there."""
    event = claim.profile.events.get(meant)
    required = _needed(event, () if claim.is_wanted else conventions.versions_of_event(meant)) if event else ()
    return bool(required) and all(map(claim.has, required))


UNKNOWN = event_advised(
    id="convention/event-unknown",
    title="The namespaces of a convention hold only events that it defines",
    why="nobody who reads events by this convention looks for it, and a later version may give the name to something "
    "else",
    next="use the names that the convention has, or a namespace of your own",
    judge=_unknown,
    compares="The names of events, and of their attributes, in the convention's own namespaces. A name that another "
    "convention, or another version of this one, defines is a finding only where `conventions=` names the convention "
    "that is wanted. If the name is nearly that of an event of the convention, and the event has all attributes that "
    "the convention requires on that, its name is misspelt: then the severity is `warning` in any case.",
    source="OpenTelemetry, naming: applications do not use existing namespaces",
)


def _deprecated(claim: EventClaim) -> Breach | bool:
    if not claim.is_wanted:
        return False
    rename = claim.profile.event_renames.get(claim.name)
    event = {claim.name: instead_of_old(claim.name, rename)} if rename else {}
    attributes = dict(old_names(claim.sheet, claim.attributes))
    if not event and not attributes:
        return True
    return Breach(
        names=(*event, *attributes),
        said=(*("its name" for _ in event), *claim.stated(attributes)),
        wanted=(*event.values(), *attributes.values()),
        advice=(
            *(deprecated_event(name, words) for name, words in event.items()),
            *(deprecated_attribute(name, words) for name, words in attributes.items()),
        ),
    )


DEPRECATED = event_rule(
    id="convention/event-deprecated",
    title="Events have the names of the convention that is wanted",
    why="whoever reads events by the new names does not find these",
    next="use the new names, or name the convention that the instrumentation keeps in conventions=",
    judge=_deprecated,
    severity=Severity.WARNING,
    compares="The names of events and of their attributes with those of the convention that `conventions=` names. "
    "Nothing is judged without it.",
    source="OTel, core `model/gen-ai/deprecated`: the events of single messages, until 1.36",
)


# --- Numbers ---------------------------------------------------------------------------------------------------------


def _numbers(claim: EventClaim) -> Breach | bool:
    def are_compared(names: tuple[str, ...]) -> bool:
        return are_on_the_wire(claim.account, tuple(map(claim.place_of, names)))

    return impossible(claim.attributes, claim.sheet, are_compared)


NUMBERS = event_rule(
    id="convention/event-tokens",
    title="No count on an event is negative, and a count that is a part of another is no larger than it",
    why="what is computed from them is negative: sums, tokens that were not cached, text beside the reasoning",
    judge=_numbers,
    severity=Severity.WARNING,
    compares="The counts of tokens on one event, as in `convention/tokens`. What an event only repeats from its span "
    "is reported there.",
    source="OTel GenAI: the notes on `gen_ai.usage.*`",
)

CHECKS = (REQUIRED, TYPE, VALUE, UNKNOWN, DEPRECATED, NUMBERS)
