"""Fixtures shared by the capture tests: books, tracers, and scripts that run in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from pytest_llmtrace import capture
from pytest_llmtrace.ownership import Owner

RunScript = Callable[..., "subprocess.CompletedProcess[str]"]

# These modules test optional packages, and cannot be collected without them.
collect_ignore = []
if not (find_spec("grpc") and find_spec("openobserve")):
    collect_ignore.append("test_capture_real_exporters.py")
if not find_spec("opentelemetry.instrumentation"):
    collect_ignore.append("test_capture_instrumentors.py")

PRELUDE = """
from opentelemetry import trace
from pytest_llmtrace import capture, ownership

def open_test(label="test"):
    owner = ownership.Owner(label)
    return owner, capture.open_book(owner)

def names(book):
    return [span.name for span in book.spans()]

def emit(logger, body):
    import inspect
    if "body" in inspect.signature(logger.emit).parameters:
        logger.emit(body=body, timestamp=1)
    else:  # before opentelemetry-api 1.36
        from opentelemetry.sdk._logs import LogRecord
        logger.emit(LogRecord(body=body, timestamp=1))
"""


@pytest.fixture
def run_script(tmp_path: Path, child_environ: Callable[..., dict[str, str]]) -> RunScript:
    """Return a function that runs a script, given in parts, in a fresh process; a warning or failure is an error."""

    def run(*parts: str, **environ: str) -> subprocess.CompletedProcess[str]:
        script = "\n".join(textwrap.dedent(part) for part in (PRELUDE, *parts))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            cwd=tmp_path,
            env=child_environ(**environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture(params=[name for name in ("asyncio", "trio") if name == "asyncio" or find_spec(name)])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run anyio's tests on asyncio, and on trio where it is installed."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _installed() -> None:
    capture.install()


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    """Yield a tracer provider that is not the global one."""
    provider = TracerProvider(shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.fixture
def tracer(provider: TracerProvider) -> Tracer:
    """Return a tracer of `provider`."""
    return provider.get_tracer("tests.capture")


@pytest.fixture
def owners() -> tuple[Owner, Owner]:
    """Return the owners of two tests."""
    return Owner("first"), Owner("second")


@pytest.fixture
def books(owners: tuple[Owner, Owner]) -> Iterator[tuple[capture.Book, capture.Book]]:
    """Yield the open books of these two owners."""
    first, second = (capture.open_book(owner) for owner in owners)
    yield first, second
    first.close()
    second.close()
