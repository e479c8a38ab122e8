"""Contracts and coverage of a run's telemetry: one file for the run, in whichever processes its tests ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.cli import main

WAYS = pytest.mark.parametrize(
    ("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"]
)

SUITE = """
import pytest
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind
from told import chat

@pytest.mark.parametrize("number", [1, 2, 3])
def test_chat(llmtrace, number):
    chat(llmtrace, version="1.0")

def test_failing(llmtrace):
    chat(llmtrace, version="1.0")
    assert False

@pytest.mark.llmtrace
def test_tool():
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather", "app.tries": 1}
    with trace.get_tracer("tools").start_as_current_span("execute_tool get_weather", attributes=attributes) as span:
        span.add_event("tried", {"app.number": 1})
    metrics.get_meter("tools").create_counter("app.calls", "{call}").add(1, {"app.tool": "get_weather"})

def test_untraced():
    pass
"""

CHAT = {
    "seen": 4,
    "names": ["chat"],
    "kinds": ["CLIENT"],
    "statuses": ["UNSET"],
    "attributes": {
        "gen_ai.operation.name": {"types": ["string"]},
        "gen_ai.provider.name": {"types": ["string"]},
        "gen_ai.request.model": {"types": ["string"]},
        "gen_ai.usage.input_tokens": {"types": ["int"]},
        "gen_ai.usage.output_tokens": {"types": ["int"]},
    },
    "events": {},
}
TOOL = {
    "seen": 1,
    "names": ["execute_tool {gen_ai.tool.name}"],
    "kinds": ["INTERNAL"],
    "statuses": ["UNSET"],
    "attributes": {
        "app.tries": {"types": ["int"]},
        "gen_ai.operation.name": {"types": ["string"]},
        "gen_ai.tool.name": {"types": ["string"]},
    },
    "events": {"tried": {"seen": 1, "attributes": {"app.number": {"types": ["int"]}}}},
}
CALLS = {
    "seen": 1,
    "kinds": ["sum"],
    "units": ["{call}"],
    "attributes": {"app.tool": {"types": ["string"]}},
}


@WAYS
def test_contract(run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]) -> None:
    """The contract has the spans, events and metrics of all tests, even of a test that failed."""
    run(SUITE, plugins=plugins, options=[*options, "--llmtrace-report=contract=contract.json"])
    assert json.loads((tmp_path / "contract.json").read_text(encoding="utf-8")) == {
        "format": "pytest-llmtrace contract",
        "version": 2,
        "scopes": {
            "app": {"versions": ["1.0"], "spans": {"chat": CHAT}, "logs": {}, "metrics": {}},
            "tools": {"versions": [], "spans": {"execute_tool": TOOL}, "logs": {}, "metrics": {"app.calls": CALLS}},
        },
    }


@WAYS
def test_coverage(run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]) -> None:
    """Coverage comes as a page, as JSON and in the terminal, by the conventions that the run names."""
    reports = ("coverage=-", "coverage-json=coverage.json")
    named = [f"--llmtrace-report={report}" for report in reports]
    done = run(SUITE, plugins=plugins, options=[*options, *named], LLMTRACE_CONVENTIONS="genai-2026-08")
    found = json.loads((tmp_path / "coverage.json").read_text(encoding="utf-8"))["coverage"]
    assert [(one["scope"], one["span_type"], one["spans"]) for one in found] == [
        ("app", "openai.inference.client", 4),
        ("tools", "gen_ai.execute_tool.internal", 1),
    ]
    assert found[0]["wanted"]["gen_ai.operation.name"] == {"level": "required", "condition": "", "seen": 4}
    assert found[0]["wanted"]["gen_ai.response.id"] == {"level": "recommended", "condition": "", "seen": 0}
    assert found[1]["outside"]["foreign"] == {"app.tries": 1}
    assert "| `gen_ai.provider.name`" in done.out
    lines = [" ".join(line.split()) for line in done.out.splitlines() if line.strip().startswith("| `tools`")]
    assert len(lines) == 1, lines


def test_two_runs_of_one_suite(run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs give the same contract, byte by byte; a rename by an upgrade is known from the convention's table."""
    old, new, upgraded = (tmp_path / name for name in ("old.json", "new.json", "upgraded.json"))
    for path in (old, new):
        run(SUITE, options=[f"--llmtrace-report=contract={path}"])
    assert old.read_text() == new.read_text()
    assert main(["diff", str(old), str(new), "--fail-on", "any"]) == 0
    assert capsys.readouterr().out == f"{old} -> {new}: no change\n"
    text = old.read_text().replace("usage.input_tokens", "usage.prompt_tokens").replace('"1.0"', '"0.9"')
    upgraded.write_text(text)
    assert main(["diff", str(upgraded), str(new)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{upgraded} -> {new}: 1 breaking, 1 other, 0 additions",
        "",
        "app",
        "  other     version  version: 0.9 -> 1.0",
        "  span chat",
        "    breaking  renamed  attribute: gen_ai.usage.prompt_tokens -> gen_ai.usage.input_tokens",
    ]


def test_a_test_that_is_run_again_counts_once(run: Callable[..., Any], tmp_path: Path) -> None:
    """A test that is run again counts with the spans of its last run."""
    source = """
    from told import chat

    def test_chat(llmtrace):
        chat(llmtrace)

    def pytest_runtest_protocol(item, nextitem):
        from _pytest.runner import runtestprotocol
        for _ in range(2):
            runtestprotocol(item, nextitem=nextitem)
        return True
    """
    test, _, hook = source.partition("    def pytest_runtest_protocol")
    conftest = f"    def pytest_runtest_protocol{hook}"
    run(test, files={"conftest.py": conftest}, options=["--llmtrace-report=contract=contract.json"])
    scopes = json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))["scopes"]
    assert scopes["app"]["spans"]["chat"]["seen"] == 1
