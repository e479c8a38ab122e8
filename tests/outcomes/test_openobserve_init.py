"""`openobserve_init()` works once per process; the report of a test that calls it again says so."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

if importlib.util.find_spec("openobserve"):

    def test_the_second_call_has_a_hint(run: Callable[..., Any]) -> None:
        """The second call still raises, the report adds what to do, and the first call's providers stay captured."""
        done = run(
            """
from openobserve import openobserve_init

@pytest.mark.llmtrace(gateway="openai")
@pytest.mark.parametrize("n", [1, 2])
def test_it(llmtrace, n):
    assert spanned() == 200
    openobserve_init()

@pytest.mark.llmtrace(gateway="openai")
def test_after(llmtrace):
    assert spanned() == 200
    assert len(llmtrace.llm_spans()) == 1
""",
            OPENOBSERVE_URL="http://localhost:5080",
            OPENOBSERVE_ORG="default",
            OPENOBSERVE_AUTH_TOKEN="Basic dGVzdDp0ZXN0",
        )
        assert done.outcomes == {"test_it[1]": "passed", "test_it[2]": "failure", "test_after": "passed"}
        assert "RuntimeError" in done.section("test_it[2]")
        assert done.section("Captured llmtrace call") == (
            "openobserve_init() works once per process: call it in a session-scoped fixture or where the app starts. "
            "The providers of the first call are still in place, and spans were still captured.\n"
        )
