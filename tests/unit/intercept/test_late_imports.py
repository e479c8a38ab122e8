"""Libraries that are imported inside the test."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pytest_llmtrace import intercept, ownership
from pytest_llmtrace.errors import UnmatchedRequest
from pytest_llmtrace.model import Ambient, Answer, Response

class Script:
    def answer(self, request):
        if request.url.endswith("/answered"):
            return Answer(response=Response(status=200, chunks=(b"one ", b"two")), origin="the script")
    def explain(self, request):
        return "nothing"

assert not {"httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "uvloop", "respx", "vcr"} & set(sys.modules)
ledger = intercept.open_ledger(ownership.Owner("test_x"), answerer=Script(), ambient=Ambient)
LIBRARY_IMPORTS
print(library.post("http://llm.test/answered").text)
try:
    library.post("http://llm.test/x")
except UnmatchedRequest:
    print("refused")
print([exchange.outcome.value for exchange in ledger.exchanges()])
"""

LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "imports",
    [
        "import {0} as library",
        "import importlib.util; importlib.util.find_spec('{0}'); import {0} as library",
        "import sys; sys.meta_path.pop(0); intercept.ensure(); import {0} as library",
        "import {0}; [sys.modules.pop(name) for name in [*sys.modules] if name[:4] == 'http']; import {0} as library",
    ],
    ids=["plain", "asked for before", "hook was lost", "twice"],
)
def test_a_library_imported_late_is_covered(library: str, imports: str) -> None:
    """A library is patched when it is imported, so that its requests are answered and refused like any other's."""
    code = PROGRAM.replace("LIBRARY_IMPORTS", imports.format(library))
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.splitlines(), done.stderr) == (["one two", "refused", "['answered', 'refused']"], "")


@pytest.mark.parametrize("library", LIBRARIES[-1:])
def test_an_alias_is_covered(library: str) -> None:
    """httpx2 can pass for httpx: it is patched once, under its own name."""
    alias = "import httpx2; httpx2.alias_httpx(); import httpx as library" if library == "httpx2" else "import httpx"
    code = PROGRAM.replace("LIBRARY_IMPORTS", alias + "; import httpx as library")
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.splitlines(), done.stderr) == (["one two", "refused", "['answered', 'refused']"], "")
