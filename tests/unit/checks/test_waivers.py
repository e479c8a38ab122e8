"""Findings that are hidden: by a family's waiver, as a known fault of an instrumentor, or by a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace import Known, UsageError, waivers
from pytest_llmtrace.checks import Evidence, Verdict
from pytest_llmtrace.model import Call, Maker, Settings, SpanKey

COUNTS = {"input_tokens": 3}
KEY = "wire/input-tokens  span 'chat' (app)"


@pytest.fixture
def judge(make_call: Callable[..., Call]) -> Callable[..., Verdict]:
    """Judge calls whose spans state a wrong count of input tokens, under these settings."""

    def judge(calls: int = 1, record: Any = None, **settings: Any) -> Verdict:
        made = tuple(make_call({"input_tokens": 3}, {"input_tokens": 4}, record=record) for _ in range(calls))
        return waivers.judge(Evidence(calls=made), Settings(**settings))

    return judge


def known(**fields: Any) -> tuple[Known, ...]:
    return waivers.known_of([{"check": "wire/input-tokens", "instrumentor": "app", "reason": "x", **fields}])


def test_a_family(judge: Callable[..., Verdict]) -> None:
    """A family's waiver hides what all its checks find; beside a check's own waiver it is unused.

    It is reported as unused, unless it is a setting that many tests share.
    """
    assert [finding.check for finding in judge(ignore={"wire/*": "all"}).waived] == ["wire/input-tokens"]
    both = judge(ignore={"wire/*": "all", "wire/input-tokens": "one"})
    assert [finding.subject for finding in both.findings] == ["ignore={'wire/*': 'all'}"]
    shared = judge(ignore={"wire/*": "all", "wire/input-tokens": "one"}, shared={"wire/*": "llmtrace_ignore"})
    assert shared.findings == ()


@pytest.mark.parametrize(
    ("instrumentor", "scope", "is_known"),
    [
        ("app-x.Y", "App_x-y", True),
        ("app", "app.module.of_it", True),
        ("app", "app_x", False),
        ("app.module", "app", False),
    ],
)
def test_the_scopes_of_an_instrumentor(
    judge: Callable[..., Verdict], instrumentor: str, scope: str, is_known: bool
) -> None:
    """A scope is an instrumentor's by its name, however written, or as its module; a common beginning is not enough."""
    verdict = judge(record={"scope": scope}, known=known(instrumentor=instrumentor))
    assert (len(verdict.known), len(verdict.findings)) == ((1, 0) if is_known else (0, 1))


@pytest.mark.parametrize(
    ("versions", "version", "is_known"),
    [("", None, True), ("<2", None, False), ("<2", "1.9b1", True), (">=1,<2", "1.5", True), ("<2", "dev", False)],
)
def test_the_versions_of_an_instrumentor(
    judge: Callable[..., Verdict], versions: str, version: str | None, is_known: bool
) -> None:
    """The version that the scope states counts; if it is unknown or cannot be read, no range holds."""
    verdict = judge(record={"scope_version": version}, known=known(versions=versions))
    assert bool(verdict.known) is is_known


def test_the_installed_version_counts_where_the_scope_states_none(judge: Callable[..., Verdict]) -> None:
    """The installed version is that of the distribution that the known fault names."""
    installed = judge(record={"scope": "pytest"}, known=known(instrumentor="pytest", versions=">=8"))
    assert len(installed.known) == 1


def twice(make_call: Callable[..., Call], *scopes: tuple[str, str]) -> Evidence:
    """Return evidence of one call whose tokens each of these scopes counts."""
    [first, *others] = [
        make_call(COUNTS, COUNTS, record={"key": SpanKey(1, number), "scope": scope, "scope_version": version})
        for number, (scope, version) in enumerate(scopes)
    ]
    spans = (*first.spans, *(span for other in others for span in other.spans))
    readings = (*first.readings, *(reading for other in others for reading in other.readings))
    return Evidence(calls=(replace(first, spans=spans, readings=readings),), spans=spans)


@pytest.mark.parametrize(
    ("instrumentor", "versions", "is_known"),
    [("one", "", True), ("two", "", True), ("two", "<2", False), ("two", ">=2", True), ("three", "", False)],
)
def test_what_two_scopes_count_is_known_of_either(
    make_call: Callable[..., Call], instrumentor: str, versions: str, is_known: bool
) -> None:
    """The known fault must hold for that scope's version; if the version is another, the finding says so."""
    fault = known(check="structure/counted-twice", instrumentor=instrumentor, versions=versions)
    verdict = waivers.judge(twice(make_call, ("one", "1"), ("two", "2")), Settings(known=fault))
    assert [finding.check for finding in verdict.known] == ["structure/counted-twice"] * is_known
    labelled = [dict(finding.details).get("known") for finding in verdict.findings]
    said = "expected for versions <2 only; this is 2" if versions == "<2" else None
    assert labelled == ([] if is_known else [said])


def test_a_call_that_is_counted_once_again_is_said(make_call: Callable[..., Call]) -> None:
    """If only one scope counts the call, the known fault is reported as looked for and not found."""
    evidence, settings = (
        twice(make_call, ("one", "1")),
        Settings(known=known(check="structure/counted-twice", instrumentor="one")),
    )
    watched = waivers.account(evidence, waivers.judge(evidence, settings), settings)["watched"]
    assert [fired for _, fired in watched] == [False]


@pytest.mark.parametrize(
    ("instrumentor", "versions", "is_known"),
    [
        ("opentelemetry-instrumentation-openai", "", True),
        ("opentelemetry.instrumentation.openai", "<0.63", True),
        ("opentelemetry-instrumentation-openai", ">=0.63", False),
        ("openinference-instrumentation-openai", "", False),
    ],
)
def test_a_call_without_a_span_is_known_of_who_is_on_for_it(
    make_call: Callable[..., Call], instrumentor: str, versions: str, is_known: bool
) -> None:
    """The instrumentor is active for the call and made no span; if it made one, the fault did not occur."""
    settings = Settings(
        known=known(check="structure/exchange-without-span", instrumentor=instrumentor, versions=versions)
    )
    call = make_call(
        COUNTS, COUNTS, record={"scope": "opentelemetry.instrumentation.openai.v1", "scope_version": "0.62.4"}
    )
    lacking = replace(call, spans=(), readings=())
    on = Maker(scope="opentelemetry-instrumentation-openai", version="0.62.4")
    without, whole = Evidence(calls=(lacking,), silent={0: (on,)}), Evidence(calls=(call,), spans=call.spans)
    assert bool(waivers.judge(without, settings).known) is is_known
    watched = waivers.account(whole, waivers.judge(whole, settings), settings)["watched"]
    assert [fired for _, fired in watched] == [False] * is_known


@pytest.mark.parametrize(
    ("settings", "standing", "expected"),
    [({}, 3, 0), ({"expected": {KEY: 2}}, 1, 2), ({"expected": {KEY: 9}}, 0, 3), ({"adopting": True}, 0, 3)],
)
def test_a_baseline(judge: Callable[..., Verdict], settings: dict[str, Any], standing: int, expected: int) -> None:
    """A baseline hides a finding as often as it says; the run that writes the baseline hides all findings."""
    verdict = judge(3, **settings)
    assert (len(verdict.findings), len(verdict.expected)) == (standing, expected)
    assert {waivers.key_of(finding) for finding in (*verdict.findings, *verdict.expected)} == {KEY}


@pytest.mark.parametrize("given", ["wire/cost", {"check": "wire/cost"}, 7, [7]])
def test_known_faults_come_as_a_list(given: Any) -> None:
    """A value that is not a list of mappings or records is a usage error."""
    with pytest.raises(UsageError, match=r"^known= takes "):
        waivers.known_of(given)
