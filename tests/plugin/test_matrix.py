"""Every mock, both libraries, sync and async: what is answered is observed, and the rest reaches no socket.

The cells are tests of suites/matrix.py, run in one process for each mock; the tests here check each cell's outcome.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

# Mock -> the plugins that it needs, the libraries that it can reach, and the name that reports give it.
MOCKS: dict[str, tuple[list[str], set[str], str]] = {
    "nothing": ([], {"httpx", "httpx2"}, "scripted openai chat"),
    "vcr": (["pytest_recording.plugin"], {"httpx", "httpx2"}, "another mock"),
    "respx": (["respx.plugin"], {"httpx"}, "another mock"),
    "pytest-httpx": (["pytest_httpx"], {"httpx"}, "another mock"),
    "pytest-httpx2": (["pytest_httpx2"], {"httpx2"}, "another mock"),
    "cassetter": (["cassetter.pytest_plugin"], {"httpx", "httpx2"}, "another mock"),
    "MockTransport": ([], {"httpx", "httpx2"}, "the test's own mock (MockTransport)"),
    "ASGI": ([], {"httpx", "httpx2"}, "an in-process application"),
}
NEEDS = {"ASGI": ["fastapi"]}
LIBRARIES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


def _installed(mock: str) -> bool:
    modules = [plugin.partition(".")[0] for plugin in MOCKS[mock][0]] + NEEDS.get(mock, [])
    return all(importlib.util.find_spec(module) for module in modules)


INSTALLED = [mock for mock in MOCKS if _installed(mock)]
CELLS = [
    pytest.param(mock, library, mode, id=f"{mock}-{library}-{mode}")
    for mock in INSTALLED
    for library in LIBRARIES
    for mode in ("sync", "async")
]

# The line about a mock that patches another generation of libraries than the request came from.
BLIND = {
    "respx": "respx is active, but patches httpcore only: this request came from {library}, which it cannot see",
    "pytest-httpx": (
        "pytest-httpx is active, but patches httpx only: this request came from {library}, which it cannot see"
    ),
    "pytest-httpx2": (
        "respx is active, but patches httpcore2 only: this request came from {library}, which it cannot see"
    ),
}


@pytest.fixture
def result(run_suite: Callable[..., Any], mock: str) -> Any:
    return run_suite("matrix.py", plugins=MOCKS[mock][0], CHILD_MOCK=mock)


def test_the_matrix_is_whole() -> None:
    """Where the rarest mock is installed, all of them are: none is left out unnoticed."""
    assert [*MOCKS] == INSTALLED or not importlib.util.find_spec("cassetter")
    assert LIBRARIES == ["httpx", "httpx2"] or not importlib.util.find_spec("cassetter")
    assert {"nothing", "MockTransport"} <= {*INSTALLED}


@pytest.mark.parametrize(("mock", "library", "mode"), CELLS)
def test_answered_is_observed(result: Any, mock: str, library: str, mode: str) -> None:
    """The exchange is recorded, whichever mock answered it, and is verified: with an LLM span there is no finding.

    A request that the mock cannot reach is refused, with a line that says why.
    """
    cell = f"test_answered[{library}-{mode}]"
    _, reached, origin = MOCKS[mock]
    if library in reached:
        assert result.outcomes[cell] == "passed", result.text(cell)
        outcome = "answered" if mock == "nothing" else "observed"
        if mock == "ASGI":
            origin = _in_process(library, mode)
        assert result.properties(cell) == {"seen": f"{outcome}: {origin}"}
    else:
        assert result.outcomes[cell] == "failed"
        assert result.text(cell) == _refused(
            mock, "http://mocked.test", cell, blind=BLIND[mock].format(library=library)
        )


@pytest.mark.parametrize(("mock", "library", "mode"), CELLS)
def test_answered_without_span_is_a_finding(result: Any, mock: str, library: str, mode: str) -> None:
    """A call to a model without an LLM span fails the test with this text, whichever mock answered it."""
    cell = f"test_answered_without_span[{library}-{mode}]"
    _, reached, origin = MOCKS[mock]
    assert result.outcomes[cell] == "failed"
    assert result.properties(cell)["llmtrace_findings"] == (
        "structure/exchange-without-span" if library in reached else "replay/unmatched"
    )
    if library not in reached:
        return
    if mock == "ASGI":
        origin = _in_process(library, mode)
    assert (
        result.text(cell)
        == f"""\
Failed: llmtrace: 1 finding in {cell} (1 exchange, 0 LLM spans, N checks)

error  structure/exchange-without-span  POST /v1/chat/completions  (exchange 0)
       span   none describes this exchange; these were captured:
              'work' (app)
       wire   chat call to model 'gpt-4o', answered 200
              {origin}, exchange 0
       why    the call was made and no LLM span describes it: its cost, latency and errors are invisible
       next   switch on an instrumentor for this SDK, or put a span with gen_ai.request.model around it, or waive: \
@pytest.mark.llmtrace(ignore={{"structure/exchange-without-span": "reason"}})

work  INTERNAL  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)"""
    )


@pytest.mark.parametrize(("mock", "library", "mode"), CELLS)
def test_unanswered_reaches_no_socket(result: Any, mock: str, library: str, mode: str) -> None:
    """A request that the mock lets pass is refused, and the server, which has another host's name, sees nothing."""
    cell = f"test_unanswered[{library}-{mode}]"
    assert result.outcomes[cell] == "failed"
    assert result.properties(cell) == {"connections": 0, "requests": 0, "llmtrace_findings": "replay/unmatched"}
    blind = BLIND[mock].format(library=library) if library not in MOCKS[mock][1] else ""
    assert result.text(cell) == _refused(mock, "http://llm.test:1", cell, blind=blind)


@pytest.mark.parametrize("how", ["test_allowed", "test_without_llmtrace"])
@pytest.mark.parametrize(("mock", "library", "mode"), CELLS)
def test_the_same_request_reaches_the_server_unguarded(
    result: Any, mock: str, library: str, mode: str, how: str
) -> None:
    """The counter-check: with `allow_hosts`, or in a test without `llmtrace`, the server counts exactly one request."""
    cell = f"{how}[{library}-{mode}]"
    assert result.outcomes[cell] == "passed", result.text(cell)
    seen = {} if how == "test_without_llmtrace" else {"seen": "observed: the network (host allowed)"}
    assert result.properties(cell) == {"connections": 1, "requests": 1, **seen}


def _in_process(library: str, mode: str) -> str:
    if (library, mode) == ("httpx2", "sync"):
        return "an in-process application (_TestClientTransport)"
    return f"an in-process application ({'A' if mode == 'async' else 'W'}SGITransport)"


NEXT = (
    'name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), or let the host through with'
)


RECORDERS = {"vcr": "vcrpy", "cassetter": "cassetter"}
PASSED_ON = "{:<9} let it pass, but can record only from hosts that allow_hosts= lets through"


def _refused(mock: str, host: str, cell: str, *, blind: str) -> str:
    unrecorded = f"default   there is no cassettes/test_matrix/{cell}.yaml; --llmtrace-record=once records it"
    dropped = "hook      the configuration (before_record_request, ignore_hosts) drops this request"
    lines = [
        f"nothing answered POST {host}/v1/chat/completions in {cell}, and it was not sent",
        "nothing   no cassette, gateway or router is active here",
        # A test that is marked `vcr` never gets a default cassette of ours. `ignore_hosts` has the server's host.
        *([] if mock in RECORDERS else [dropped if "//llm.test" in host else unrecorded]),
        *([blind] if blind else []),
        *([PASSED_ON.format(RECORDERS[mock])] if mock in RECORDERS else []),
        (
            'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
            f'or let the host through with allow_hosts=("{host.removeprefix("http://")}",)'
        ),
    ]
    return "pytest_llmtrace.errors.UnmatchedRequest: " + "\n".join(lines)
