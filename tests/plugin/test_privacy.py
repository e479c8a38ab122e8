"""Content intentions, limits and canaries as a suite sets them; no secret is in what a run prints or writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pytest_llmtrace.canaries import Canaries

SUITE = """
import json
import pytest
from opentelemetry import trace
try:
    import httpx2 as httpx
except ImportError:  # The older SDKs bring httpx.
    import httpx

tracer = trace.get_tracer("shop.llm")

def chat(llmtrace, **attributes):
    key = llmtrace.canary("api_key")
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    llmtrace.gateway("openai").chat(text="A standard for telemetry.", usage=usage)
    told = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}
    with tracer.start_as_current_span("chat", attributes={**told, **attributes}) as span:
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is OpenTelemetry?"}]}
        headers = {"authorization": f"Bearer {key}"}
        httpx.post("https://api.openai.com/v1/chat/completions", json=asked, headers=headers)

@pytest.fixture(scope="session")
def llmtrace_config():
    return {"longest_attribute": 1000}

def test_key(llmtrace):
    chat(llmtrace, **{"http.headers": json.dumps({"Authorization": "Bearer " + llmtrace.canary("api_key")})})

def test_key_in_a_name(llmtrace):
    chat(llmtrace, **{"gen_ai.request.model": "gpt-4o for " + llmtrace.canary("api_key")})

def test_ini(llmtrace):
    chat(llmtrace, note="What is OpenTelemetry?")

@pytest.mark.llmtrace(content="captured")
def test_marker(llmtrace):
    chat(llmtrace, **{"gen_ai.prompt.0.content": "What is OpenTelemetry?"})

def test_large(llmtrace):
    chat(llmtrace, note="x" * 1001)

@pytest.mark.llmtrace(longest_attribute=2000)
def test_not_large(llmtrace):
    chat(llmtrace, note="x" * 1001)

def test_clean(llmtrace):
    chat(llmtrace)
"""
INI = """
[pytest]
llmtrace_content = absent
"""
KEY = """\
llmtrace: 1 finding in test_key (1 exchange, 1 LLM span, N checks)

error  privacy/secret  span 'chat' (shop.llm)
       span   attribute http.headers $.Authorization: the API key, sk-…(34 characters)
       wire   the API key: canary 'api_key'
       why    whoever may read the back end can use it, and it stays there as long as the data
       next   keep it out of telemetry, and replace it if spans like this were ever exported, or waive: \
@pytest.mark.llmtrace(ignore={"privacy/secret": "reason"})

chat  INTERNAL  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)"""


def test_what_a_suite_says_is_judged(run: Callable[..., Any]) -> None:
    """Content intention and limit come from ini, configuration or marker, the closest wins; canaries are looked for."""
    result = run(SUITE, files={"pytest.ini": INI})
    assert result.outcomes == {
        "test_key": "failed",
        "test_key_in_a_name": "failed",
        "test_ini": "failed",
        "test_marker": "failed",
        "test_large": "passed",
        "test_not_large": "passed",
        "test_clean": "passed",
    }
    assert result.text("test_key").removeprefix("Failed: ") == KEY
    assert "attribute note: the prompt, 22 characters" in result.text("test_ini")
    assert "what was answered is nowhere" in result.text("test_marker")
    assert result.out.count("attribute note: 1,001 characters, more than 1,000") == 1


@pytest.mark.parametrize(("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["alone", "xdist"])
def test_no_report_of_a_run_shows_a_secret(run: Callable[..., Any], plugins: list[str], options: list[str]) -> None:
    """Terminal, JUnit and pytest's own reports only have masked forms, whichever check reports the value."""
    result = run(SUITE, plugins=plugins, options=["-v", "-rA", *options])
    assert "wire/request-model" in result.text("test_key_in_a_name")
    everything = "".join(map(repr, (result.out, result.reports))) + ET.tostring(result.junit, encoding="unicode")
    assert "sk-canary" not in everything
    for test in ("test_key", "test_key_in_a_name"):
        assert Canaries(f"test_it.py::{test}").give("api_key")[10:] not in everything


LARGE = """
import pytest
from opentelemetry import trace

@pytest.fixture
def note(llmtrace):
    yield
    trace.get_tracer("app").start_span("note", attributes={"note": "x" * 101}).end()
    print("limits", [f.check for f in llmtrace.findings()])

def test_ini(note):
    pass

@pytest.mark.llmtrace(longest_attribute=200)
def test_marker(note):
    pass
"""


@pytest.mark.parametrize("by", ["ini", "environment"])
def test_the_limit_of_a_suite(run: Callable[..., Any], by: str) -> None:
    """The ini value and its environment variable hold where no marker sets another limit."""
    files = {"pytest.ini": "[pytest]\nllmtrace_longest_attribute = 100\n"} if by == "ini" else {}
    env = {} if by == "ini" else {"LLMTRACE_LONGEST_ATTRIBUTE": "1_00"}
    result = run(LARGE, files=files, options=["-rP"], **env)
    assert [line for line in result.out.splitlines() if line.startswith("limits")] == [
        "limits ['privacy/oversized']",
        "limits []",
    ]


LIMIT = "import pytest\n@pytest.mark.llmtrace(longest_attribute=0)\ndef test_a(): pass\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"pytest.ini": "[pytest]\nllmtrace_content = hidden\n"},
            "llmtrace: llmtrace_content: unknown value of content= 'hidden': known: absent, captured, redacted",
        ),
        (
            {"pytest.ini": "[pytest]\nllmtrace_longest_attribute = a\n"},
            "llmtrace: llmtrace_longest_attribute: longest_attribute= takes a number of characters, 1 or more, not 'a'",
        ),
        (
            {"pytest.ini": "[pytest]\nllmtrace_longest_attribute = 0\n"},
            "llmtrace: llmtrace_longest_attribute: longest_attribute= takes a number of characters, 1 or more, not 0",
        ),
        (
            {"test_it.py": LIMIT},
            "test_it.py::test_a: llmtrace marker: longest_attribute= takes a number of characters, 1 or more, not 0",
        ),
    ],
)
def test_what_has_no_meaning_is_a_usage_error(run: Callable[..., Any], files: dict[str, str], message: str) -> None:
    """A setting with an unknown or impossible value stops the run before any test."""
    assert run(files=files).usage_error() == f"ERROR: {message}"
