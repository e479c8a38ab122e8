"""Each `convention/` rule about metrics finds what breaks the rule, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.conventions import Profile, profile
from pytest_llmtrace.model import Advice, Finding, Maker, MetricPoint, Severity
from tests.unit.checks.conventions._profiles import GENAI, HOUSE

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
CALLS: dict[str, Any] = {"name": "gen_ai.calls", "unit": "{call}", "attributes": CHAT}
DURATION: dict[str, Any] = {"name": "gen_ai.duration", "unit": "s", "kind": "histogram", "bounds": (0.01, 1.0, 100.0)}
SOURCE = "genai-small, example/semantic-conventions-genai at 1234567"
NAME = "gen_ai.client.token.usage"


def judged(*points: dict[str, Any], profiles: tuple[Profile, ...] = (GENAI,), scope: str = "app") -> list[Finding]:
    metrics = tuple(MetricPoint(**{"scope": scope, **fields}) for fields in points)
    found = verify(Evidence(metrics=metrics, profiles=profiles), {}).findings
    return [finding for finding in found if finding.check.startswith("convention/")]


# Check, a metric that breaks a rule of the small convention, the finding's lines `metric` and `rule`.
BREACHES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("unknown", {**CALLS, "name": "gen_ai.call"}, "its name", "no metric gen_ai.call; did you mean gen_ai.calls?"),
    ("unknown", {**CALLS, "name": "gen_ai.mood"}, "its name", "no metric gen_ai.mood"),
    (
        "unknown",
        {**CALLS, "attributes": {**CHAT, "gen_ai.mood": "good"}},
        "attribute gen_ai.mood",
        "no attribute gen_ai.mood",
    ),
    (
        "unknown",
        {**CALLS, "attributes": {**CHAT, "gen_ai.opration.name": "chat"}},
        "attribute gen_ai.opration.name",
        "no attribute gen_ai.opration.name; did you mean gen_ai.operation.name?",
    ),
    (
        "deprecated",
        {**CALLS, "name": "gen_ai.requests"},
        "its name",
        "gen_ai.calls instead of gen_ai.requests since 1.37.0",
    ),
    ("deprecated", {**CALLS, "name": "gen_ai.tokens"}, "its name", "gen_ai.tokens is no longer used: see the spans"),
    (
        "deprecated",
        {**CALLS, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.system": "xai"}},
        "gen_ai.system = 'xai'",
        "gen_ai.provider.name = 'x_ai' instead of gen_ai.system since 1.37.0",
    ),
    (
        "deprecated",
        {"name": "gen_ai.depth", "attributes": CHAT},
        "its name",
        "gen_ai.calls instead of gen_ai.depth where gen_ai.operation.name is chat",
    ),
    ("unit", {**CALLS, "unit": "calls"}, "unit 'calls'", "unit '{call}'"),
    ("unit", {**CALLS, "unit": ""}, "unit ''", "unit '{call}'"),
    ("instrument", {**CALLS, "kind": "histogram"}, "the points are those of a histogram", "instrument counter"),
    (
        "instrument",
        {**DURATION, "kind": "gauge", "bounds": ()},
        "the points are those of a gauge",
        "instrument histogram",
    ),
    (
        "buckets",
        {**DURATION, "bounds": (0.0, 5.0, 16_777_216.0)},
        "buckets up to 0, 5, 16777216",
        "buckets up to 0.01, 1, 100",
    ),
    (
        "required",
        {**CALLS, "attributes": {}},
        "no gen_ai.operation.name\nno gen_ai.provider.name",
        "required on every point of this metric",
    ),
    (
        "type",
        {**DURATION, "attributes": {"server.port": "443", "gen_ai.request.stream": 1}},
        "server.port = '443'  (string)\ngen_ai.request.stream = 1  (int)",
        "server.port: int\ngen_ai.request.stream: boolean",
    ),
    (
        "value",
        {**DURATION, "attributes": {"gen_ai.tier": "gold"}},
        "gen_ai.tier = 'gold'",
        "gen_ai.tier: free, paid",
    ),
    (
        "server-port",
        {**DURATION, "attributes": {"server.address": "a.example"}},
        "no server.port, but server.address = 'a.example'",
        "server.port: If `server.address` is set.",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("check", "point", "said", "wanted"), BREACHES)
def test_breaches(check: str, point: dict[str, Any], said: str, wanted: str) -> None:
    """A finding names the metric and its scope, what its points have, and the convention's rule with its commit."""
    [finding] = judged(point)
    assert (finding.check, finding.subject) == (f"convention/metric-{check}", f"metric {point['name']!r} (app)")
    assert finding.details[:2] == (("metric", said), ("rule", f"{wanted}\n{SOURCE}"))
    assert finding.makers == (Maker(scope="app"),)


CONFORMING: tuple[dict[str, Any], ...] = (
    CALLS,
    DURATION,
    {**DURATION, "attributes": {"server.address": "a.example", "server.port": 443}},
    {**CALLS, "attributes": {**CHAT, "server.address": "a.example"}},  # This metric's convention asks for no port.
    {**DURATION, "bounds": ()},  # An exponential histogram has no bounds.
    {**CALLS, "attributes": {**CHAT, "app.tenant": 3, "server.port": 443, "gen_ai.tier": "free"}},
    {**CALLS, "attributes": {**CHAT, "gen_ai.provider.name": "openrouter"}},
    {
        "name": "gen_ai.depth",
        "attributes": {"gen_ai.operation.name": "plan"},
        "unit": "m",
        "kind": "gauge",
    },  # The convention does not say how this metric has to be for other operations.
    {**CALLS, "attributes": {}, "kept": frozenset({"app.tenant"})},
    {**CALLS, "attributes": {"otel.metric.overflow": True}},
    {**DURATION, "kind": "sum", "bounds": (), "aggregated": True},
    {**DURATION, "bounds": (0.0, 5.0), "aggregated": True},
    {**DURATION, "attributes": {"server.address": "a.example"}, "kept": frozenset({"server.address"})},
    {"name": "http.client.request.duration", "unit": "parsec", "attributes": {"server.port": "443"}},
)


@pytest.mark.parametrize("point", CONFORMING)
def test_conforming(point: dict[str, Any]) -> None:
    """A metric that keeps the convention, or that the convention says nothing about, has no finding."""
    assert judged(point) == []


def test_what_a_view_keeps_must_be_there() -> None:
    """An attribute that a view of the application would keep was not measured if it is not there."""
    [finding] = judged({**CALLS, "attributes": {}, "kept": frozenset({"gen_ai.operation.name"})})
    assert finding.details[0] == ("metric", "no gen_ai.operation.name")


def test_one_finding_for_all_series() -> None:
    """A metric is judged once for all its series; if only some lack an attribute, the finding says how many."""
    [finding] = judged(CALLS, {**CALLS, "attributes": {"gen_ai.operation.name": "chat"}}, CALLS)
    assert finding.details[0] == ("metric", "no gen_ai.provider.name on 1 of 3 series")


def test_a_port_on_some_series() -> None:
    """Only series that name a server need its port; the finding says on how many it is missing."""
    [finding] = judged(DURATION, {**DURATION, "attributes": {"server.address": "a.example"}})
    assert finding.details[0] == ("metric", "no server.port on 1 of 2 series, but server.address = 'a.example'")


def test_scopes_are_judged_apart() -> None:
    """The same metric of two scopes has two findings, each of which names its scope."""
    found = judged({**CALLS, "unit": "1"}, {**CALLS, "unit": "1", "scope": "lib", "scope_version": "2.0"})
    assert [finding.makers for finding in found] == [(Maker(scope="app"),), (Maker(scope="lib", version="2.0"),)]


def test_weavers_words() -> None:
    """A finding that Weaver has an id for carries Weaver's id, level and message."""
    found = judged({**CALLS, "unit": "1", "kind": "gauge", "attributes": {"gen_ai.operation.name": 1}})
    missing = "Required attribute 'gen_ai.provider.name' is not present."
    mismatch = "Attribute 'gen_ai.operation.name' has type 'int'. Type should be 'string'."
    assert [finding.advice for finding in found] == [
        (Advice(id="unit_mismatch", level="violation", message="Unit should be '{call}', but found '1'."),),
        (
            Advice(
                id="unexpected_instrument",
                level="violation",
                message="Instrument should be 'counter', but found 'gauge'.",
            ),
        ),
        (
            Advice(
                id="required_attribute_not_present",
                level="violation",
                attribute="gen_ai.provider.name",
                message=missing,
            ),
        ),
        (Advice(id="type_mismatch", level="violation", attribute="gen_ai.operation.name", message=mismatch),),
    ]


USAGE: dict[str, Any] = {
    "name": NAME,
    "unit": "{token}",
    "kind": "histogram",
    "attributes": {**CHAT, "gen_ai.token.type": "input"},
}


@pytest.mark.parametrize(
    ("profiles", "point", "said"),
    [
        ((), USAGE, []),
        ((), {**USAGE, "attributes": {**CHAT, "gen_ai.token.type": 1}}, [("type", Severity.ERROR, "genai-2026-08")]),
        ((), {**USAGE, "unit": "token"}, [("unit", Severity.ERROR, "genai-2026-08")]),
        (
            (),
            {**USAGE, "attributes": {"gen_ai.system": "openai", "gen_ai.token.type": "input"}},
            [("required", Severity.ERROR, "core-1.36")],
        ),
        ((), {**USAGE, "bounds": (0.0, 5.0)}, [("buckets", Severity.INFO, "genai-2026-08")]),
        ((), {**USAGE, "name": "gen_ai.client.mood"}, [("unknown", Severity.INFO, "genai-2026-08")]),
        ((), {**USAGE, "name": "gen_ai.client.generation.choices"}, []),  # A metric of OpenLLMetry.
        (("genai-2026-10",), {**USAGE, "attributes": CHAT}, [("deprecated", Severity.WARNING, "genai-2026-10")]),
        (
            ("genai-2026-10",),
            {**USAGE, "name": "gen_ai.client.generation.choices", "attributes": CHAT},
            [("unknown", Severity.WARNING, "genai-2026-10")],
        ),
        (
            ("genai-2026-10",),
            {**USAGE, "name": "gen_ai.client.operation.duration", "unit": "s", "attributes": CHAT},
            [("deprecated", Severity.WARNING, "genai-2026-10")],
        ),
        (
            ("genai-2026-08",),
            {**USAGE, "name": "gen_ai.client.operation.duration", "unit": "s", "attributes": CHAT},
            [],
        ),
        (("openinference",), {**USAGE, "unit": "token"}, [("unit", Severity.ERROR, "genai-2026-08")]),
    ],
)
def test_which_convention(profiles: tuple[str, ...], point: dict[str, Any], said: list[tuple[Any, ...]]) -> None:
    """The newest version that has the metric and its attributes applies, or the one that the user has named."""
    found = judged(point, profiles=tuple(map(profile, profiles)))
    assert [
        (
            finding.check.removeprefix("convention/metric-"),
            finding.severity,
            finding.details[1][1].split("\n")[-1].split(",")[0],
        )
        for finding in found
    ] == said


@pytest.mark.parametrize(("profiles", "checks"), [((GENAI,), ["convention/metric-unknown"]), ((GENAI, HOUSE), [])])
def test_what_a_registry_of_ones_own_defines_is_unknown_to_nobody(
    profiles: tuple[Profile, ...], checks: list[str]
) -> None:
    """A user's registry may define a metric and attributes in the namespace of a convention, and both are known."""
    point = {**CALLS, "name": "gen_ai.house.calls", "attributes": {"gen_ai.house.mood": "good"}}
    assert [finding.check for finding in judged(point, profiles=profiles)] == checks


def test_openllmetry_keeps_its_own() -> None:
    """OpenLLMetry's metrics have OpenTelemetry's names, but are judged by their own units and attributes."""
    scope = "opentelemetry.instrumentation.openai.v1"
    assert judged({**USAGE, "unit": "token", "scope_version": "0.62.1"}, profiles=(), scope=scope) == []
    assert len(judged({**USAGE, "unit": "token", "scope_version": "2.3b0"}, profiles=(), scope=scope)) == 1
