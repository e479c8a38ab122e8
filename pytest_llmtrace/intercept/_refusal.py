"""Errors for requests and connections that may not leave the machine."""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import BlockedConnection, UnmatchedRequest
from pytest_llmtrace.model import Headers, Request
from pytest_llmtrace.secrets.names import is_secret_parameter
from pytest_llmtrace.secrets.shapes import masked

__all__ = ["blocked", "unmatched", "wants_reply"]

_PARAMETER = re.compile(r"(?<=[?&])([^=&#?]+)=[^&#]*")
_PASSWORD = re.compile(r"(?<=://)[^/?#@]*@")

# An SDK retries and wraps every exception that it does not know, but lets its own errors through.
_SDK_ERRORS = (("openai", "OpenAIError"), ("anthropic", "AnthropicError"))

# Requests that packages make by themselves: the end of the URL's path -> how to prevent them. LiteLLM falls back to the
# list that it ships when the network fails, but does not catch a refusal: then no call succeeds in a test that imports
# LiteLLM. Cerebras' SDK catches the refusal, so that only the finding shows what it has requested.
_OWN_ACCORD = {
    "/v1/tcp_warming": "Cerebras' SDK opens a connection whenever a client is made; with warm_tcp_connection=False it "
    "waits for the first call",
    "/model_prices_and_context_window.json": "LiteLLM fetches its list of prices when it is imported; with "
    "LITELLM_LOCAL_MODEL_COST_MAP=True in the environment it uses the one that it ships",
}

# Recorders that let a request pass in order to record its reply: their package -> the name that users know.
_RECORDERS = {"vcr": "vcrpy", "cassetter": "cassetter"}

# Modules that stand between a client and its sockets: the client is the innermost frame outside of them.
_PLUMBING = frozenset(
    {
        "aiohappyeyeballs",
        "anyio",
        "asyncio",
        "concurrent",
        "contextlib",
        "functools",
        "gevent",
        "http",
        "pytest_llmtrace",
        "selectors",
        "socket",
        "ssl",
        "threading",
        "traceback",
        "trio",
        "urllib",
        "uvloop",
    }
)


_LATE = (
    "next: end the thread or task that sent it within its test; one that works for several tests belongs to none of "
    "them if it is started before, as a module is imported or in a fixture of wider scope"
)


def unmatched(
    request: Request, *, why: str, label: str, library: str, of_block: bool = False, is_late: bool = False
) -> UnmatchedRequest:
    """Return the error for a request that nothing answered.

    Args:
        request: The request.
        why: Why nothing answered: the nearest recorded request and the differing part.
        label: The test, as reports name it.
        library: The client library, as `httpx2`.
        of_block: Whether the request is one of a `with LLMTrace()` block, which has no marker and no fixture.
        is_late: Whether its test is over, so that nothing can answer it any more.

    Returns:
        An error that also derives from the base errors of the loaded SDKs, so that they raise it at once, unwrapped.
    """
    url = urlsplit(request.url)
    host = _host(url)
    first = f"nothing answered {request.method} {_masked(request.url)} in {label}, and it was not sent"
    blind = (
        f"{mock} is active, but patches {seen} only: this request came from {library}, which it cannot see"
        for mock, seen in _blind_mocks(library)
    )
    own = next((how for path, how in _OWN_ACCORD.items() if url.path.endswith(path)), "")
    name, trace = ("LLMTrace", "the trace's ") if of_block else ("@pytest.mark.llmtrace", "llmtrace.")
    last = (
        _LATE
        if is_late
        else (
            f'next: name a cassette, {name}(cassette="..."), script {trace}gateway(...), '
            f'or let the host through with allow_hosts=("{host}",)'
        )
    )
    bases = [getattr(sys.modules[name], error) for name, error in _SDK_ERRORS if hasattr(sys.modules.get(name), error)]
    return _class_from(*bases)("\n".join(line for line in (first, why, *blind, *_passed_on(), own, last) if line))


def blocked(host: str, port: int | None, *, label: str) -> tuple[BlockedConnection, str]:
    """Return the error for a connection that is refused, and the ledger's note of it: `host:port (calling package)`."""
    where = host if port is None else f"{host}:{port}"
    who = _caller()
    text = (
        f"{who} tried to reach {where} in {label}, and was blocked: only this machine may be reached\n"
        f'next: mock the code that needs it, or let the host through with allow_hosts=("{host}",)'
    )
    return BlockedConnection(text), f"{where} ({who})"


def wants_reply(headers: Headers) -> bool:
    """Tell whether openai 1.x made the request: it retries and wraps every exception, but not every reply."""
    version = str(getattr(sys.modules.get("openai"), "__version__", ""))
    sent = (value for name, value in headers if name.lower() == "x-stainless-package-version")
    return version.startswith("1.") and version in sent


def _host(url: SplitResult) -> str:
    """Return host and port as `allow_hosts` takes them, without a port that none can be, such as 70000."""
    host = url.hostname or ""
    with contextlib.suppress(ValueError):
        return f"{host}:{url.port}" if url.port else host
    return host


@functools.cache
def _class_from(*bases: type[Exception]) -> type[UnmatchedRequest]:
    names = {"__module__": UnmatchedRequest.__module__, "__doc__": UnmatchedRequest.__doc__}
    return type("UnmatchedRequest", (UnmatchedRequest, *bases), names)


def _masked(url: str) -> str:
    """Return a URL with its secrets masked, which are recognised by the parameter's name or by their shape."""
    named = _PARAMETER.sub(lambda found: f"{found[1]}=***" if is_secret_parameter(found[1]) else found[0], url)
    return masked(_PASSWORD.sub("***@", named))


def _blind_mocks(library: str) -> Iterator[tuple[str, str]]:
    """Yield each active mock that patches only another generation of the library, with what it patches."""
    core = library.replace("httpx", "httpcore")
    respx = sys.modules.get("respx.mocks")
    mockers = respx.Mocker.registry.values() if respx is not None else ()
    seen = {target.partition(".")[0] for mocker in mockers if mocker.routers for target in mocker.targets}
    if seen and not seen & {library, core}:
        yield "respx", " and ".join(sorted(seen))
    for other in {"httpx", "httpx2"} - {library}:
        if _patched_by_pytest_httpx(other) and not _patched_by_pytest_httpx(library):
            yield "pytest-httpx", other


def _passed_on() -> Iterator[str]:
    """Yield a line on a recorder that has let the running request pass: it may do so to record the reply."""
    callers = {str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in traceback.walk_stack(None)}
    for package, name in _RECORDERS.items():
        if package in callers:
            yield f"{name:<9} let it pass, but can record only from hosts that allow_hosts= lets through"


def _patched_by_pytest_httpx(library: str) -> bool:
    transport = getattr(sys.modules.get(library), "HTTPTransport", None)
    return getattr(getattr(transport, "handle_request", None), "__module__", "") == "pytest_httpx"


def _caller() -> str:
    for frame, _ in traceback.walk_stack(None):
        root = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if root and root not in _PLUMBING:
            return root
    return "a background thread"
