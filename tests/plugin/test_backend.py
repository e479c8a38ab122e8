"""The back end that a suite names is checked, and its records are written for dashboards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUITE = """
import pytest
from child import BODY, MOCKED, library_named
from opentelemetry import trace

tracer = trace.get_tracer("app")

def chat(llmtrace):
    llmtrace.gateway("openai").chat(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    with tracer.start_as_current_span("chat") as span:
        span.set_attributes({"openinference.span.kind": "LLM", "llm.system": "openai"})
        span.set_attributes({"llm.token_count.prompt": 3, "llm.token_count.completion": 2})
        with library_named().Client() as client:
            client.post(MOCKED, json=BODY)

def test_plain(llmtrace):
    chat(llmtrace)

@pytest.mark.llmtrace(openobserve="0.91")
def test_marked(llmtrace):
    chat(llmtrace)
"""


def test_a_suite_names_its_back_end(run: Callable[..., Any], tmp_path: Path) -> None:
    """Only the marked test is checked, against its profile; the run writes the records of all tests."""
    done = run(SUITE, options=["--llmtrace-report=openobserve=records.json"])
    assert done.outcomes == {"test_plain": "passed", "test_marked": "failed"}, done.out
    assert "error  backend/gate  span 'chat' (app)" in done.text("test_marked")
    records = json.loads((tmp_path / "records.json").read_text(encoding="utf-8"))
    profiles = [[one["profile"] for one in records["tests"][f"test_it.py::{name}"]] for name in done.outcomes]
    assert profiles == [["0.92"], ["0.91"]]


def test_ini(run: Callable[..., Any]) -> None:
    """The ini file's profile and columns hold for all tests; an unknown profile stops the run."""
    ini = "[pytest]\nllmtrace_openobserve = 0.90\nllmtrace_openobserve_columns = span_status nobody\n"
    done = run(
        SUITE.replace('"llm.system": "openai"', '"llm.system": "openai", "gen_ai.request.model": "gpt-4o"'),
        files={"pytest.ini": ini},
    )
    assert done.outcomes == {"test_plain": "passed", "test_marked": "passed"}, done.out
    assert done.out.count("warning  backend/empty-column  column 'nobody'") == 2
    wrong = run(SUITE, files={"pytest.ini": "[pytest]\nllmtrace_openobserve = 1\n"})
    assert "ERROR: llmtrace: llmtrace_openobserve: unknown OpenObserve profile '1'" in wrong.out
