"""A plugin for child runs, and helpers of their tests: host names that only it resolves, the server's count, a call.

It is loaded before the first guard is installed, so that the guards wrap what it patches.
"""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

PORT = int(os.environ["CHILD_PORT"])
PATH = "/v1/chat/completions"
LIVE = f"http://llm.test:{PORT}{PATH}"
"""The server's URL, under a host name that is not this machine's."""
OTHER = f"http://other.test:{PORT}{PATH}"
MOCKED = f"http://mocked.test{PATH}"
"""A URL that no server listens on; mocks answer for it."""
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}

CHAT = (
    '{"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06", '
    '"choices": [{"index": 0, "message": {"role": "assistant", "content": "mocked"}, "finish_reason": "stop"}], '
    '"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}'
)
"""The body of a mock's answer."""

_resolve = _socket.getaddrinfo


def _resolve_test_names(host: Any, *args: Any, **kwargs: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    return _resolve("127.0.0.1" if str(name).endswith(".test") else host, *args, **kwargs)


_socket.getaddrinfo = _resolve_test_names


def count() -> dict[str, int]:
    """Ask the server for its counts of connections and requests, on a socket that no guard and no mock sees."""
    with contextlib.closing(_socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)) as raw:
        raw.connect(("127.0.0.1", PORT))
        raw.sendall(b"GET /count HTTP/1.1\r\nHost: count\r\n\r\n")
        reply = b""
        while piece := raw.recv(65536):
            reply += piece
    counts: dict[str, int] = json.loads(reply.partition(b"\r\n\r\n")[2])
    return counts


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Pass a value to the outer test, as a property of the report."""
    return lambda name, value: request.node.user_properties.append((name, value))


@pytest.fixture
def tally(note: Callable[[str, object], None]) -> contextlib.AbstractContextManager[None]:
    """Return a context manager that notes how many connections and requests its block makes."""

    @contextlib.contextmanager
    def counting() -> Iterator[None]:
        before = count()
        try:
            yield
        finally:
            for name, number in count().items():
                note(name, number - before[name])

    return counting()


def ask(url: str = LIVE, *, library: str = "", **options: Any) -> Any:
    """Make a chat completion call with httpx2 or httpx, and return the text of the answer."""
    with library_named(library).Client(**options) as client:
        return said(client.post(url, json=BODY))


async def ask_async(url: str = LIVE, *, library: str = "", **options: Any) -> Any:
    """Make the same call without blocking, and return the text of the answer."""
    async with library_named(library).AsyncClient(**options) as client:
        return said(await client.post(url, json=BODY))


def said(response: Any) -> Any:
    """Return the text of a chat completion; write its tokens on the current span, if that describes an LLM call."""
    reply = response.json()
    _note_usage(reply.get("usage", {}))
    return reply["choices"][0]["message"]["content"]


def _note_usage(usage: dict[str, int]) -> None:
    from opentelemetry import trace

    current = trace.get_current_span()
    if "gen_ai.operation.name" in getattr(current, "attributes", {}):
        names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
        current.set_attributes({f"gen_ai.usage.{name}": usage[key] for key, name in names.items() if key in usage})


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a loop of its own."""
    return asyncio.run(coroutine)


@contextlib.contextmanager
def span(name: str = "chat", *, llm: bool = True) -> Iterator[Any]:
    """Open a span, as a hand-written instrumentation would."""
    from opentelemetry import trace

    kind = trace.SpanKind.CLIENT if llm else trace.SpanKind.INTERNAL
    with trace.get_tracer("app").start_as_current_span(name, kind=kind) as opened:
        if llm:
            opened.set_attribute("gen_ai.operation.name", "chat")
            opened.set_attribute("gen_ai.provider.name", "openai")
            opened.set_attribute("gen_ai.request.model", "gpt-4o")
        yield opened


def left_open() -> Any:
    """Start a span and do not end it."""
    from opentelemetry import trace

    return trace.get_tracer("app").start_span("left open")


def left_current(name: str = "left current") -> None:
    """Make a span current, end it, and leave it current."""
    from opentelemetry import context, trace

    opened = trace.get_tracer("app").start_span(name)
    context.attach(trace.set_span_in_context(opened))
    opened.end()


def library_named(name: str = "") -> Any:
    """Import a library by name; without a name, httpx2 where it is installed, else httpx."""
    if name:
        return importlib.import_module(name)
    found = next(known for known in ("httpx2", "httpx") if importlib.util.find_spec(known))
    return importlib.import_module(found)


def _message(report: pytest.TestReport) -> str:
    """Return the message of the failure, without the traceback, and without the line with the ids of checks."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext
    line, _, rest = str(crash.message).partition("\n\n")
    return f"Failed: {rest}" if line.startswith("llmtrace: ") else str(crash.message)


class _Reports:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: dict[str, list[dict[str, Any]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        category, _, _ = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        self._reports.setdefault(report.nodeid.partition("::")[2], []).append(
            {
                "when": report.when,
                "outcome": category,
                "text": _message(report) if report.outcome == "failed" else "",
                "sections": report.sections,
                "properties": report.user_properties,
            }
        )

    def pytest_sessionfinish(self) -> None:
        Path("reports.json").write_text(json.dumps(self._reports), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "httpx2: pytest-httpx2 1.0 reads this marker, but does not declare it")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reports(config))
