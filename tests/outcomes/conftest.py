"""Runs of pytest on written tests in a process of its own, with only the plugins that a test names."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.warm import Warm

# Helpers of every written suite: a call to a model, as any client of httpx or httpx2 would make it.
HELPERS = """
import importlib, importlib.util, pytest
httpx = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")
URL = "https://api.openai.com/v1/chat/completions"
BODY = {"model": "m", "messages": []}

def call():
    return httpx.post(URL, json=BODY).status_code

async def acall():
    async with httpx.AsyncClient() as client:
        return (await client.post(URL, json=BODY)).status_code

def spanned():
    from opentelemetry import trace
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}
    with trace.get_tracer("app").start_as_current_span("call", attributes=attributes):
        return call()
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The result of a run of pytest: exit status, output, and from JUnit the outcomes and properties by test."""

    status: int
    text: str
    outcomes: dict[str, str]
    properties: dict[str, dict[str, str]]

    def section(self, title: str) -> str:
        """Return the text under a heading of a failure or section, durations masked."""
        found = re.search(
            rf"^[_-]+ {re.escape(title)} [_-]+\n(.*?)(?=^[=_-]{{3,}} )", self.text, re.DOTALL | re.MULTILINE
        )
        assert found, f"no section {title!r} in:\n{self.text}"
        return re.sub(r"\b\d+ ms\b", "<duration>", found[1])


@pytest.fixture
def run(tmp_path: Path, child_environ: Callable[..., dict[str, str]], warm: Warm) -> Callable[..., Run]:
    """Return a function that writes `test_suite.py` and other files, runs pytest on it, and returns the result."""

    def run(
        suite: str, *options: str, plugins: tuple[str, ...] = (), files: dict[str, str] | None = None, **environ: str
    ) -> Run:
        for name, text in {"test_suite.py": HELPERS + suite, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        loaded = [part for name in ("pytest_llmtrace.plugin", *plugins) for part in ("-p", name)]
        xml = tmp_path / "junit.xml"
        xml.unlink(missing_ok=True)  # An earlier run may have left it.
        arguments = [*loaded, "-W", "error", "--tb=short", "-ra", f"--junitxml={xml}", *options]
        done = warm.pytest(arguments, folder=tmp_path, env=child_environ(tmp_path, **environ), finalize=True)
        outcomes, properties = _read(xml) if xml.exists() else ({}, {})
        text = re.sub(r"^-+ generated xml file: .*\n", "", done.stdout, flags=re.MULTILINE)
        return Run(status=done.returncode, text=text, outcomes=outcomes, properties=properties)

    return run


def _read(xml: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    outcomes: dict[str, str] = {}
    properties: dict[str, dict[str, str]] = {}
    for case in ET.parse(xml).iter("testcase"):  # noqa: S314  # written by pytest just now
        name = case.attrib["name"]
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        outcomes[name] = "+".join(filter(None, [outcomes.get(name, ""), *kinds])) or "passed"
        properties[name] = {entry.attrib["name"]: entry.attrib["value"] for entry in case.iter("property")}
    return outcomes, properties
