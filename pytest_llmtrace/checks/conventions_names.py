"""The names of a span's attributes against its convention: unknown ones, and old ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pytest_llmtrace import dialects
from pytest_llmtrace.checks._advice import deprecated_attribute, missing_attribute
from pytest_llmtrace.checks._claims import Claim, is_known_elsewhere
from pytest_llmtrace.checks._lexicon import Sheet
from pytest_llmtrace.checks._misspelt import nearly
from pytest_llmtrace.checks._rule import Breach, advised, always, rule
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import PROFILES, Rename, profile
from pytest_llmtrace.model import Severity

__all__ = ["CHECKS", "DEPRECATED", "UNKNOWN", "instead_of_old", "instead_of_unknown", "old_names"]

_LOOKED_UP = 8
"""How many unknown names of a span are compared with all known ones, which takes time."""


# --- Unknown ones ----------------------------------------------------------------------------------------------------


def _unknown(claim: Claim) -> Breach | bool:
    sheet = claim.sheet
    if not sheet.known and not sheet.unknown:
        return False
    names = tuple(name for name in sheet.unknown if not is_known_elsewhere(name, claim.own, is_wanted=claim.is_wanted))
    if not names:
        return True
    known, families = claim.profile.attributes, claim.profile.families
    near = {name: instead_of_unknown(name, known, families) for name in names[:_LOOKED_UP]}
    return Breach(
        names=names,
        said=claim.stated(names),
        wanted=tuple(f"no {name}{near.get(name, '')}" for name in names),
        advice=tuple(map(missing_attribute, names)),
    )


def instead_of_unknown(name: str, known: Iterable[str], families: Collection[str] = ()) -> str:
    """Return the question of whether a known name was meant: one for the same fact, else an older or a similar one.

    The question is empty if there is no such name.
    """
    same = dialects.other_names(name)
    near = [one for one in known if one in same] or _older(name, known) or nearly(name, known)
    return f"; did you mean {near[0]}{'.<key>' if near[0] in families else ''}?" if near else ""


def _older(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names by which older versions of the conventions call the same attribute."""
    renames = (kept.renames for kept in map(profile, PROFILES))
    older = {old for renamed in renames for old, rename in renamed.items() if rename.new == name}
    return [one for one in known if one in older]


UNKNOWN = advised(
    id="convention/unknown",
    title="The namespaces of a convention hold only names that it defines",
    why="nobody who reads spans by this convention looks for it, and a later version may give the name to something "
    "else",
    next="use the name that the convention has, or a namespace of your own",
    judge=_unknown,
    by_names=always,
    compares="The names of attributes in the convention's own namespaces. A name that another convention, or another "
    "version of this one, defines is a finding only where `conventions=` names the convention that is wanted. A name "
    "of your own registry is never a finding, if `conventions=` names that registry.",
    source="OpenTelemetry, attribute naming: application attributes do not use existing namespaces",
)


# --- Old ones --------------------------------------------------------------------------------------------------------


def _deprecated(claim: Claim) -> Breach | bool:
    sheet = claim.sheet
    if not claim.is_wanted or not (sheet.known or sheet.old):
        return False
    said = dict(old_names(sheet, claim.span.attributes)) | dict(_old_values(claim))
    if not said:
        return True
    return Breach(
        names=tuple(said),
        said=claim.stated(tuple(said)),
        wanted=tuple(said.values()),
        advice=tuple(deprecated_attribute(name, words) for name, words in said.items()),
    )


def old_names(sheet: Sheet, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the attributes whose names are old, with what is used instead."""
    for name, rename in sheet.old.items():
        yield name, instead_of_old(name, rename, attributes[name])


def instead_of_old(name: str, rename: Rename, value: Any = None) -> str:
    """Say what is used instead of a name, and instead of its value where that is old too."""
    since = f" since {rename.since}" if rename.since else ""
    if not rename.new:
        return f"{name} is no longer used{since}{f': see {rename.hint}' if rename.hint else ''}"
    new = rename.values.get(value) if isinstance(value, str) else None
    return f"{rename.new}{f' = {shown(new)}' if new else ''} instead of {name}{since}"


def _old_values(claim: Claim) -> Iterator[tuple[str, str]]:
    """Yield the attributes that have the new name but a value of the old one, with what is used instead."""
    for rename in claim.profile.renames.values():
        value = claim.span.attributes.get(rename.new) if rename.new else None
        if rename.new and isinstance(value, str) and value in rename.values:
            yield rename.new, f"{rename.new} = {shown(rename.values[value])} instead of {shown(value)}"


DEPRECATED = rule(
    id="convention/deprecated",
    title="Names and values are those of the convention that is wanted",
    why="panels that were built for the new names do not show these spans",
    next="use the new names, or name the convention that the instrumentation keeps in conventions=",
    judge=_deprecated,
    may=lambda claim: claim.is_wanted,
    severity=Severity.WARNING,
    compares="The names of attributes and their values with those of the convention that `conventions=` names. "
    "Nothing is judged without it: an instrumentation that keeps an older version of a convention keeps a convention.",
    source="OTel, core `model/gen-ai/deprecated` and the migration guide of the GenAI conventions",
)

CHECKS = (UNKNOWN, DEPRECATED)
