"""The conventions that a test names by marker, configuration or ini, and the values that are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KNOWN = "core-1.36, core-1.41.1, genai-2026-08, genai-2026-10, openinference, openllmetry, test-cicd-vcs"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("'genai-26-08'", f"unknown convention 'genai-26-08': did you mean 'genai-2026-08'? known: {KNOWN}"),
        (
            "['core-1.36', 'core-1.41.1']",
            "conventions= names two versions of one convention: core-1.36 and core-1.41.1",
        ),
        ("3", "conventions= takes names of conventions or registry files, not 3"),
        ("[]", "conventions= takes names of conventions or registry files, not []"),
    ],
)
def test_a_marker_that_names_none(run: Callable[..., Any], value: str, reason: str) -> None:
    """An unknown or meaningless name is a usage error with the test's name, before anything runs."""
    result = run(f"import pytest\n@pytest.mark.llmtrace(conventions={value})\ndef test_it(): pass\n")
    assert result.usage_error() == f"ERROR: test_it.py::test_it: llmtrace marker: {reason}"


def test_a_run_that_names_none(run: Callable[..., Any]) -> None:
    """A wrong name in the run's own configuration is a usage error too, with the place where it stands."""
    result = run("def test_it(): pass", LLMTRACE_CONVENTIONS="openinferense")
    said = f"unknown convention 'openinferense': did you mean 'openinference'? known: {KNOWN}"
    assert result.usage_error() == f"ERROR: llmtrace: LLMTRACE_CONVENTIONS: {said}"


def test_a_run_whose_registry_cannot_be_read(run: Callable[..., Any]) -> None:
    """An unreadable registry is one error of the run, not one for each test."""
    files = {"pytest.ini": "[pytest]\nllmtrace_conventions = openinference house.yaml\n", "house.yaml": "groups: 3\n"}
    result = run("def test_it(): pass", files=files)
    said = result.usage_error()
    assert said.startswith("ERROR: llmtrace: ")
    assert said.endswith("house.yaml is not a registry of conventions: `groups` is not a list of mappings")


SUITE = """
import pytest

@pytest.fixture
def llmtrace_config(request):
    return {"conventions": ["core-1.36"]} if "config" in request.node.name else {}

def test_ini(llmtrace, pytestconfig):
    assert llmtrace.settings.conventions == ("openinference", str(pytestconfig.rootpath / "conv/house.yaml"))

def test_config(llmtrace):
    assert llmtrace.settings.conventions == ("core-1.36",)

@pytest.mark.llmtrace(conventions="genai-2026-10")
def test_config_and_marker(llmtrace):
    assert llmtrace.settings.conventions == ("genai-2026-10",)
"""


def test_what_wins(run: Callable[..., Any]) -> None:
    """The marker wins over `llmtrace_config`, which wins over ini; files are relative to the root directory."""
    ini = "[pytest]\nllmtrace_conventions = openinference conv/house.yaml\n"
    result = run(SUITE, files={"pytest.ini": ini, "conv/house.yaml": "groups: []\n"})
    assert set(result.outcomes.values()) == {"passed"}, result.out
    assert len(result.outcomes) == 3


METRIC = """
import pytest
from opentelemetry import metrics

def test_of_a_convention(llmtrace):
    metrics.get_meter("shop", "1.0").create_gauge("gen_ai.client.token.usage", unit="{token}").set(3)

@pytest.mark.llmtrace(conventions="house.yaml")
def test_of_a_house(llmtrace):
    metrics.get_meter("shop", "1.0").create_counter("shop.orders", unit="order").add(1, {"shop.tenant": 1})
"""
HOUSE = """
groups:
  - {id: registry.shop, type: attribute_group, attributes: [{id: shop.tenant, type: string, brief: whose}]}
  - {id: metric.shop.orders, type: metric, metric_name: shop.orders, instrument: counter, unit: "{order}",
     attributes: [{ref: shop.tenant, requirement_level: required}]}
"""


def test_metrics_of_a_test(run: Callable[..., Any]) -> None:
    """A test's metrics are checked by the convention that owns their namespace, or by a registry of the team's own."""
    done = run(METRIC, files={"house.yaml": HOUSE})
    found = {name: re.findall(r"(?m)^(error  convention/metric-.*)$", done.text(name)) for name in done.outcomes}
    assert found == {
        "test_of_a_convention": [
            "error  convention/metric-instrument  metric 'gen_ai.client.token.usage' (shop)",
            "error  convention/metric-required  metric 'gen_ai.client.token.usage' (shop)",
        ],
        "test_of_a_house": [
            "error  convention/metric-unit  metric 'shop.orders' (shop)",
            "error  convention/metric-type  metric 'shop.orders' (shop)",
        ],
    }


EVENT = """
import pytest
from opentelemetry import trace

def evaluate(name, **attributes):
    with trace.get_tracer("shop", "1.0").start_as_current_span("evaluate") as span:
        span.add_event(name, {key.replace("__", "."): value for key, value in attributes.items()})

def test_of_a_convention(llmtrace):
    evaluate("gen_ai.evaluation.result", gen_ai__evaluation__score__value="good")

def test_that_keeps_it(llmtrace):
    evaluate("gen_ai.evaluation.result", gen_ai__evaluation__name="Relevance", gen_ai__evaluation__score__value=0.9)

@pytest.mark.llmtrace(conventions="house.yaml")
def test_of_a_house(llmtrace):
    evaluate("shop.order.placed", shop__tenants="one")
"""
HOUSE_OF_EVENTS = """
groups:
  - {id: registry.shop, type: attribute_group, attributes: [{id: shop.tenant, type: string, brief: whose}]}
  - {id: event.shop.order.placed, name: shop.order.placed, type: event,
     attributes: [{ref: shop.tenant, requirement_level: required}]}
"""


def test_events_of_a_test(run: Callable[..., Any]) -> None:
    """A test's events are checked like its metrics, and the finding names the span that has the event."""
    done = run(EVENT, files={"house.yaml": HOUSE_OF_EVENTS})
    found = {name: re.findall(r"(?m)^(\w+ +convention/event-.*)$", done.text(name)) for name in done.outcomes}
    evaluation, order = ("gen_ai.evaluation.result", "shop.order.placed")
    assert found == {
        "test_of_a_convention": [
            f"error  convention/event-required  event {evaluation!r} of span 'evaluate' (shop)",
            f"error  convention/event-type  event {evaluation!r} of span 'evaluate' (shop)",
        ],
        "test_that_keeps_it": [],
        "test_of_a_house": [
            f"error  convention/event-required  event {order!r} of span 'evaluate' (shop)",
            f"warning  convention/event-unknown  event {order!r} of span 'evaluate' (shop)",
        ],
    }


# pytest 9 also reads a table with TOML's own types.
TABLES = ["tool.pytest.ini_options", *(["tool.pytest"] if pytest.version_tuple >= (9,) else [])]
LISTS = """\
[tool.pytest.ini_options]
llmtrace_strict = true
llmtrace_conventions = ["core-1.36", "openinference"]
llmtrace_openobserve_columns = ["duration", "gen_ai_response_model"]
"""


@pytest.mark.parametrize("table", TABLES)
def test_values_in_toml(run: Callable[..., Any], table: str) -> None:
    """A switch may be `true` and names may be a list, in the table of strings and in the one with TOML's types."""
    source = """
        def test_it(llmtrace):
            settings = llmtrace.settings
            assert settings.strict is True
            assert settings.conventions == ("core-1.36", "openinference")
            assert settings.openobserve_columns == ("duration", "gen_ai_response_model")
        """
    result = run(source, files={"pyproject.toml": LISTS.replace("tool.pytest.ini_options", table)})
    assert result.outcomes == {"test_it": "passed"}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("llmtrace_verify = false", "expects a string, got bool: False"),
        ("llmtrace_cassette_dir = 1", "expects a string, got int: 1"),
        ("llmtrace_openobserve_columns = 'a'", "expects a list for type 'linelist', got str: 'a'"),
        ("llmtrace_export = 'otlp'", "expects a list for type 'linelist', got str: 'otlp'"),
        ("llmtrace_strict = 'yes'", "expects a bool, got str: 'yes'"),
    ],
)
def test_wrong_types_in_toml(run: Callable[..., Any], tmp_path: Path, line: str, wanted: str) -> None:
    """A value of the wrong type stops the run with pytest's own message; the table of strings has no types to check."""
    for table in TABLES[1:]:
        result = run("def test_it(): pass", files={"pyproject.toml": f"[{table}]\n{line}\n"})
        name = line.partition(" ")[0]
        assert result.usage_error() == (
            f"ERROR: llmtrace: {tmp_path / 'pyproject.toml'}: config option '{name}' {wanted}"
        )
