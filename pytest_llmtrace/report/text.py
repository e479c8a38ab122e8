"""Write the report that a failing test prints, and the summary of a run."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace import wire
from pytest_llmtrace._lines import counted, legible
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.model import Call, Exchange, Finding, Outcome, Severity, SpanKey, SpanRecord
from pytest_llmtrace.tree import SpanTree

__all__ = ["account", "render", "totals"]

_INDENT = " " * 7
_MOST_LINES = 100
_MOST_ALIKE = 3
_NUMBER = re.compile(r"\d+")
_VALUES = frozenset({"wire"})
"""Labels of details that differ from call to call: similar findings need not have them in common."""
_LABEL = 7


def render(label: str, evidence: Evidence, verdict: Verdict) -> str:
    """Write the report on one trace: a headline, each finding, and the tree of spans with their exchanges.

    Args:
        label: The name of the test.
        evidence: The trace.
        verdict: What the checks found in it.
    """
    parts = [legible(headline(label, evidence, verdict))]
    parts += ["\n".join(map(legible, lines)) for lines in _findings(verdict.findings)]
    parts.append("\n".join(_shortened_tree(evidence)) or "no span and no exchange was seen")
    return "\n\n".join(parts)


def _shortened_tree(evidence: Evidence) -> Iterator[str]:
    """Yield the lines of the tree of spans with their exchanges; of a large tree, only the beginning."""
    for line in itertools.islice(_tree(evidence), _MOST_LINES):
        yield legible(evidence.secrets.masked(line))
    left = len(evidence.spans) + len(evidence.exchanges) - _MOST_LINES
    if left > 0:
        yield f"... {counted(left, 'line')} more; print(llmtrace.tree()) shows all spans"


def headline(label: str, evidence: Evidence, verdict: Verdict) -> str:
    """Return one line on what was found and how much was looked at; findings of severity info are counted as notes."""
    seen = (
        counted(len(evidence.exchanges), "exchange"),
        counted(len(_llm_spans(evidence)), "LLM span"),
        counted(verdict.looked_at, "check"),
    )
    notes = sum(finding.severity is Severity.INFO for finding in verdict.findings)
    found = (
        counted(len(verdict.findings) - notes, "finding"),
        *([counted(notes, "note")] if notes else ()),
        *hidden(waived=len(verdict.waived), known=len(verdict.known), expected=len(verdict.expected)),
    )
    return f"llmtrace: {', '.join(found)} in {label} ({', '.join(seen)})"


def hidden(*, waived: int, known: int, expected: int) -> Iterator[str]:
    """Yield how many findings were hidden, for each reason that has hidden any."""
    for number, how in ((waived, "waived"), (known, "known"), (expected, "in the baseline")):
        if number:
            yield f"{number} {how}"


def totals(
    tests: int,
    exchanges: Counter[str],
    captured: Counter[str],
    findings: Counter[str],
    hid: Counter[str],
    unread: Counter[str],
) -> Iterator[str]:
    """Yield the lines on a whole run: the headline, then origins, scopes and check ids with their counts.

    Args:
        tests: How many tests were traced.
        exchanges: How many exchanges there were, by the origin of their answers.
        captured: How many LLM spans there were, by scope.
        findings: How many findings there were, by check id.
        hid: How many more findings were hidden, by reason: `waived`, `known`, `expected`.
        unread: How many exchanges there were with model APIs that are not read, by API.
    """
    counts = (
        counted(tests, "test"),
        counted(exchanges.total(), "exchange"),
        counted(captured.total(), "LLM span"),
        counted(findings.total(), "finding"),
        *hidden(waived=hid["waived"], known=hid["known"], expected=hid["expected"]),
    )
    yield ", ".join(counts)
    lines = [(*_become_of(origin), number) for origin, number in exchanges.items()]
    lines += [("captured", scope, number) for scope, number in captured.items()]
    lines += [("not read", f"{api}: its spans are not compared", number) for api, number in unread.items()]
    lines += [("found", check, number) for check, number in findings.items()]
    for label, name, number in sorted(lines, key=lambda line: (_LABELS.index(line[0]), line[1])):
        yield legible(f"  {label:<9} {number:>4}  {name}")


_LABELS = ("replayed", "reached", "refused", "captured", "not read", "found")


def _become_of(origin: str) -> tuple[str, str]:
    """Return what became of requests whose answers have this origin, and the name of the origin to print beside it."""
    if origin == "nobody":
        return "refused", "nothing answered"
    return ("reached" if origin.startswith("the network") else "replayed"), origin


def account(evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    """Count what one trace has seen, as plain data for `totals`."""
    return {
        "exchanges": dict(Counter(_file_of(exchange.origin) for exchange in evidence.exchanges)),
        "unread": _unread(evidence),
        "spans": dict(Counter(span.scope for span in _llm_spans(evidence))),
        # Findings of severity info are shown in reports only, not in the totals of a run.
        "findings": [finding.check for finding in verdict.findings if finding.severity is not Severity.INFO],
    }


def _unread(evidence: Evidence) -> dict[str, int]:
    """Count the exchanges by model APIs that are not read: nothing else tells that their spans are unproved."""
    read = {exchange.index for call in evidence.calls for exchange in call.exchanges}
    others = [one for one in evidence.exchanges if one.index not in read and one.outcome is not Outcome.REFUSED]
    return dict(Counter(filter(None, (wire.unread_api(one.request) for one in others)))) if others else {}


def _llm_spans(evidence: Evidence) -> Sequence[SpanRecord]:
    """Return the LLM spans, including those that belong to no call, as when a mock stands in for the SDK."""
    found = {span.key: span for call in evidence.calls for span in call.spans}
    return (*found.values(), *(stray.span for stray in evidence.strays))


def _file_of(origin: str) -> str:
    """Cut an origin down to the cassette: `cassettes/chat.yaml` of `cassettes/chat.yaml, interaction 0, fault: ...`."""
    return origin.partition(", interaction ")[0].partition(", fault: ")[0]


def _findings(findings: Iterable[Finding]) -> Iterator[Iterable[str]]:
    """Yield the lines of each finding; of many similar ones, those of the first few, and how many more there are."""
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_kind(finding), []).append(finding)
    for ones in alike.values():
        shown = len(ones) if len(ones) <= _MOST_ALIKE + 1 else _MOST_ALIKE  # Leaving only one out saves nothing.
        yield from map(_finding, ones[:shown])
        if ones[shown:]:
            yield _more(ones[shown:])


def _kind(finding: Finding) -> tuple[object, ...]:
    """Return what similar findings share that one fix would mend: everything but numbers and one call's values."""
    said = (
        (label, _NUMBER.sub("0", text.partition(" = ")[0])) for label, text in finding.details if label not in _VALUES
    )
    return finding.check, finding.severity, finding.makers, finding.also, *said


def _more(findings: Sequence[Finding]) -> Iterator[str]:
    """Say how many more findings are like those above, and what they are about."""
    first = findings[0]
    yield f"{first.severity.value}  {first.check}  {len(findings)} more like these; llmtrace.findings() returns all"
    subjects = Counter(finding.subject for finding in findings)
    for subject, number in itertools.islice(subjects.items(), _MOST_ALIKE):
        yield f"{_INDENT}{subject}{f'  ({number} times)' if number > 1 else ''}"
    if len(subjects) > _MOST_ALIKE:
        yield f"{_INDENT}and {counted(len(subjects) - _MOST_ALIKE, 'other')}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity.value}  {finding.check}  {finding.subject}"
    for label, text in finding.details:
        first, *rest = text.splitlines() or [""]
        yield f"{_INDENT}{label:<{_LABEL}}{first}"
        yield from (f"{_INDENT}{'':<{_LABEL}}{line}" for line in rest)


def _tree(evidence: Evidence) -> Iterator[str]:
    tree = SpanTree(evidence.spans)
    below = _exchanges_by_span(evidence.exchanges, evidence.calls, {span.key for span in evidence.spans})
    for depth, span in tree.walk():
        yield f"{_branch(depth)}{_span_line(span)}"
        for exchange in below.pop(span.key, ()):
            yield f"{_branch(depth + 1)}{_exchange_line(exchange)}"
    for exchange in below.get(None, ()):
        yield _exchange_line(exchange)


def _exchanges_by_span(
    exchanges: Iterable[Exchange], calls: Iterable[Call], known: set[SpanKey]
) -> dict[SpanKey | None, list[Exchange]]:
    paired = {exchange.index: call.spans[0].key for call in calls if call.spans for exchange in call.exchanges}
    below: dict[SpanKey | None, list[Exchange]] = {}
    for exchange in exchanges:
        key = paired.get(exchange.index, exchange.ambient.span)
        below.setdefault(key if key in known else None, []).append(exchange)
    return below


def _branch(depth: int) -> str:
    return "" if depth == 0 else f"{'   ' * (depth - 1)}  `- "


def _span_line(span: SpanRecord) -> str:
    return f"{span.name}  {span.kind}  {span.status}  {_duration(span)}"


def _duration(span: SpanRecord) -> str:
    if span.end_ns is None:
        return "not ended"
    return f"{(span.end_ns - span.start_ns) / 1e6:.0f} ms"


def _exchange_line(exchange: Exchange) -> str:
    answered = exchange.response.status if exchange.response else exchange.outcome.value
    return f"{exchange.request.method} {urlsplit(exchange.request.url).path}  {answered}  (exchange {exchange.index})"
