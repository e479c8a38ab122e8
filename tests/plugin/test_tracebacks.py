"""Errors of this package are shown at the line where the application made the call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

SUITE = """
import asyncio
import unittest

import openai
import pytest

URL = "http://llm.test/v1"
ASKED = {"model": "gpt-4o", "messages": []}

def ask():
    openai.OpenAI(api_key="k", base_url=URL, max_retries=0).chat.completions.create(**ASKED)  # here

async def ask_async():
    client = openai.AsyncOpenAI(api_key="k", base_url=URL, max_retries=0)
    await client.chat.completions.create(**ASKED)  # here

def test_refused(llmtrace):
    ask()

def test_refused_async(llmtrace):
    asyncio.run(ask_async())

@pytest.mark.llmtrace
class TestCase(unittest.TestCase):
    def test_refused_testcase(self):
        ask()

def test_misused(llmtrace):
    llmtrace.gateway("opnai")  # here

def test_of_an_sdk(llmtrace):
    openai.OpenAI(api_key="k", base_url=URL).chat.completions.create()
"""


@pytest.mark.parametrize("options", [[], ["--full-trace"]], ids=["short", "full"])
def test_it_ends_in_the_application(run: Callable[..., Any], options: list[str]) -> None:
    """The message stands below the line that made the call; frames in between are shown with `--full-trace` only."""
    out = run(SUITE, options=options).out
    for name in ("test_refused", "test_refused_async", "TestCase.test_refused_testcase", "test_misused"):
        told = shown(out, name)
        last = [line for line in told.splitlines() if line.startswith(">")][-1]
        assert (last.endswith("# here"), "pytest_llmtrace/" in told) == (not options, bool(options)), told
    # An error that an SDK raises is its own, and its traceback ends where it was raised.
    assert "openai/_utils/_utils.py" in shown(out, "test_of_an_sdk")


def shown(out: str, name: str) -> str:
    """Return the part of the terminal output about the failure of a test."""
    found = re.search(rf"^_+ {name} _+\n(.*?)^[_=]{{3,}} ", out, re.DOTALL | re.MULTILINE)
    assert found is not None, out
    return found[1]
