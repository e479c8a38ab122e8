"""Runs of pytest on a small app in a process of its own, with only the settings that the app or the test makes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.warm import Warm

# Tests of packages that are not installed are not collected.
collect_ignore = []
if not (find_spec("grpc") and find_spec("openobserve")):
    collect_ignore.append("test_app_exporters.py")
if not find_spec("opentelemetry.instrumentation"):
    collect_ignore.append("test_instrumentor_causes.py")

# The app: instrumented by hand, with a tracer fetched before any provider is set. Its HTTP client stands in for an
# SDK's, so that no instrumentor knows it.
APP = """
import importlib, importlib.util
from opentelemetry import trace

http = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")
tracer = trace.get_tracer("app")
ATTRIBUTES = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}

def ask():
    url, body = "https://api.openai.com/v1/chat/completions", {"model": "gpt-4o", "messages": []}
    reply = http.post(url, json=body).json()
    used = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    tokens = {f"gen_ai.usage.{name}": reply["usage"][key] for name, key in used.items()}
    trace.get_current_span().set_attributes(tokens)
    return reply["choices"][0]["message"]["content"]

def chat(tracer=tracer):
    with tracer.start_as_current_span("chat", attributes=ATTRIBUTES):
        return ask()
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The result of a run of pytest.

    Attributes:
        status: pytest's exit status.
        text: Its whole output, with durations and numbers of checks masked.
        exit_seconds: How long the process lived after pytest had finished.
    """

    status: int
    text: str
    exit_seconds: float

    def failure(self, test: str) -> str:
        """Return the text under the heading of a failed test."""
        found = re.search(rf"^_+ {re.escape(test)} _+\n(.*?)\n*(?=^[=_-]{{3,}} )", self.text, re.DOTALL | re.MULTILINE)
        assert found, f"{test} has not failed:\n{self.text}"
        return found[1]


RunPytest = Callable[..., Run]


@pytest.fixture
def run_pytest(tmp_path: Path, child_environ: Callable[..., dict[str, str]], warm: Warm) -> RunPytest:
    """Return a function that writes the app with a conftest.py and test_app.py, and runs pytest, warnings as errors."""

    def run(tests: str, *, conftest: str = "", **environ: str) -> Run:
        done_file = tmp_path / "through"
        through = f"""
def pytest_unconfigure():
    import pathlib, time
    pathlib.Path({str(done_file)!r}).write_text(str(time.time()))
"""
        for name, text in {"app.py": APP, "conftest.py": conftest + through, "test_app.py": tests}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        arguments = ["-p", "pytest_llmtrace.plugin", "-W", "error", "--tb=short", "-q"]
        done = warm.pytest(arguments, folder=tmp_path, env=child_environ(tmp_path, **environ))
        seconds = time.time() - float(done_file.read_text()) if done_file.exists() else 0.0
        text = re.sub(r"\b\d+ ms\b", "<duration>", done.stdout)
        text = re.sub(r"\b\d+ checks?\b", "<n> checks", text)
        return Run(status=done.returncode, text=text, exit_seconds=seconds)

    return run
