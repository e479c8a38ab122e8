"""Hide findings: by a waiver, as a known fault of an instrumentor, or because the baseline lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pytest_llmtrace import checks
from pytest_llmtrace.checks import CHECKS, Evidence, Verdict
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.finding import is_scope_of, normalised, with_detail
from pytest_llmtrace.model import Call, Finding, Known, Maker, Settings, Severity, SpanRecord
from pytest_llmtrace.secrets.shapes import masked

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

__all__ = ["account", "judge", "key_of", "known_of"]

_FIELDS = tuple(field.name for field in fields(Known))
_NEEDED = ("check", "instrumentor", "reason")


# --- what users write ------------------------------------------------------------------------------------------------


def known_of(given: Iterable[Known | Mapping[str, str]]) -> tuple[Known, ...]:
    """Read `known=`: a list of records or of mappings with their fields.

    Raises:
        UsageError: If a field, an id or a range of versions has no meaning; the text names the nearest valid one.
    """
    if isinstance(given, str | Mapping | Known) or not isinstance(given, Iterable):
        raise UsageError(f"known= takes a list of {{'check': ..., 'instrumentor': ..., 'reason': ...}}, not {given!r}")
    return tuple(_checked(_record(one)) for one in given)


def _record(given: object) -> Known:
    if isinstance(given, Known):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(f"known= takes Known records or mappings, not {given!r}")
    for name in given:
        if name not in _FIELDS:
            raise UsageError.unknown("key in known=", name, _FIELDS)
    for name in _NEEDED:
        if name not in given:
            raise UsageError(f"known= needs {', '.join(map(repr, _NEEDED))}; {name!r} is missing in {dict(given)!r}")
    return Known(**given)


def _checked(known: Known) -> Known:
    """Return a known fault as it is; raise a `UsageError` if one of its fields has no meaning."""
    if known.check not in checks.known_ids():
        raise UsageError.unknown("check id in known=", known.check, checks.known_ids())
    for name in ("instrumentor", "reason"):
        value = getattr(known, name)
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"known= of {known.check!r}: {name!r} must be a string that is not blank, not {value!r}")
    _range(known)
    return known


def _range(known: Known) -> SpecifierSet:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(known.versions)
    except (InvalidSpecifier, AttributeError, TypeError):
        raise UsageError(
            f"known= of {known.check!r}: versions={known.versions!r} is not a version range; write "
            "'<0.63' or '>=1,<1.4'"
        ) from None


# --- the judgement ---------------------------------------------------------------------------------------------------


def judge(evidence: Evidence, settings: Settings, *, complete: bool = True, hidden: Iterable[Finding] = ()) -> Verdict:
    """Let all checks judge a trace, and hide what is waived, known or expected, in this order.

    Args:
        evidence: The trace.
        settings: What hides findings.
        complete: As for `checks.verify`.
        hidden: As for `checks.verify`.
    """
    verdict = checks.verify(evidence, settings.ignore, shared=settings.shared, complete=complete, hidden=hidden)
    if not verdict.findings:
        return verdict
    known, others = [], []
    for finding in verdict.findings:
        here = [one for one in settings.known if one.check == finding.check and any(_theirs(finding, one))]
        if any(_is_hit(finding, one) for one in here):
            known.append(finding)
        else:
            others.append(_beyond(finding, here))
    expected, standing = _apart(others, settings)
    return replace(verdict, findings=tuple(standing), known=tuple(known), expected=tuple(expected))


def account(evidence: Evidence, verdict: Verdict, settings: Settings) -> dict[str, Any]:
    """Return as plain data what has hidden which findings, for the summary of a whole run."""
    used = {checks.waiver_of(finding, settings.ignore) for finding in verdict.waived}
    found = (*verdict.findings, *verdict.waived, *verdict.known, *verdict.expected)
    # A test that is not judged needs no waiver.
    shared = settings.shared.items() if settings.verify else ()
    return {
        "whole": verdict.whole,
        "waived": len(verdict.waived),
        "known": len(verdict.known),
        "expected": Counter(key_of(finding) for finding in verdict.expected),
        "shared": [[place, name, settings.ignore[name], name in used] for name, place in shared],
        "watched": [
            [asdict(one), fired]
            for one in settings.known
            if (fired := any(_is_hit(finding, one) for finding in found)) or (verdict.whole and _judges(one, evidence))
        ],
    }


def key_of(finding: Finding) -> str:
    """Return the name of a finding in a baseline: its check and its subject, without values."""
    return masked(f"{finding.check}  {finding.subject}")


def _apart(findings: list[Finding], settings: Settings) -> tuple[list[Finding], list[Finding]]:
    """Separate the findings that the baseline names, each at most as often as it does, from those that are new."""
    left = Counter(settings.expected)
    expected: list[Finding] = []
    standing: list[Finding] = []
    for finding in findings:
        key = key_of(finding) if settings.adopting or left else ""
        if finding.severity is not Severity.INFO and (settings.adopting or left[key] > 0):
            left[key] -= 1
            expected.append(finding)
        else:
            standing.append(finding)
    return expected, standing


# --- known faults ----------------------------------------------------------------------------------------------------


def _is_hit(finding: Finding, known: Known) -> bool:
    return finding.check == known.check and any(_is_in_range(maker, known) for maker in _theirs(finding, known))


def _theirs(finding: Finding, known: Known) -> Iterator[Maker]:
    """Yield the makers of a finding that are the instrumentor of a known fault."""
    return (maker for maker in finding.makers if is_scope_of(maker.scope, known.instrumentor))


def _is_in_range(maker: Maker, known: Known) -> bool:
    from packaging.version import InvalidVersion

    if not known.versions:
        return True
    try:
        return _range(known).contains(_version(maker, known), prereleases=True)
    except InvalidVersion:
        return False


def _version(maker: Maker, known: Known) -> str:
    """Return the version that the maker states, else that of the installed distribution; empty if neither is known."""
    return maker.version or _installed(known.instrumentor) or _installed(maker.scope)


def _installed(name: str) -> str:
    try:
        return metadata.version(normalised(name))
    except (metadata.PackageNotFoundError, ValueError):
        return ""


def _beyond(finding: Finding, here: list[Known]) -> Finding:
    """Return a finding, with a line on each known fault that would explain it if it covered the running version."""
    if not here:
        return finding
    lines = [
        f"expected for versions {one.versions} only; this is {_version(maker, one) or 'an unknown version'}"
        for one in here
        for maker in _theirs(finding, one)
    ]
    return with_detail(finding, "known", "\n".join(lines))


def _judges(known: Known, evidence: Evidence) -> bool:
    """Tell whether the check of a known fault has looked at anything that an affected version has reported."""

    def is_of(span: SpanRecord) -> bool:
        return is_scope_of(span.scope, known.instrumentor) and _is_in_range(checks.maker_of(span), known)

    spans = tuple(span for span in evidence.spans if is_of(span))
    check = next(check for check in CHECKS if check.id == known.check)
    if not spans:
        return False
    keys = {span.key for span in spans}
    calls = tuple(only for call in evidence.calls for only in _only(call, keys))
    fetches = tuple(only for fetch in evidence.fetches for only in _only(fetch, keys))
    strays = tuple(stray for stray in evidence.strays if is_of(stray.span))
    theirs = replace(evidence, calls=calls, fetches=fetches, spans=spans, strays=strays)
    return any(True for _ in check.look(check, theirs))


def _only(call: Call, keys: set[Any]) -> Iterator[Call]:
    """Yield a call with only its spans of these keys, if it has any."""
    kept = [pair for pair in zip(call.spans, call.readings, strict=False) if pair[0].key in keys]
    if kept:
        spans, readings = zip(*kept, strict=True)
        yield replace(call, spans=spans, readings=readings)
