"""Errors for what may not leave the machine."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Iterator
from urllib.parse import urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import BlockedConnection, UnmatchedRequest
from pytest_llmtrace.model import Headers, Request
from pytest_llmtrace.secrets.names import is_secret_parameter
from pytest_llmtrace.secrets.shapes import masked

__all__ = ["blocked", "unmatched", "wants_reply"]

_PARAMETER = re.compile(r"(?<=[?&])([^=&#]+)=[^&#]*")
_PASSWORD = re.compile(r"(?<=://)[^/?#@]*@")

# An SDK retries, and wraps, whatever it does not know; its own errors it lets through.
_SDK_ERRORS = (("openai", "OpenAIError"), ("anthropic", "AnthropicError"))

# What packages ask for by themselves, by the end of its path -> how to keep them from it. LiteLLM takes the list that
# it brings where the network fails; a refusal it does not catch, so that no call of a test that imports it succeeds.
_OWN_ACCORD = {
    "/model_prices_and_context_window.json": "LiteLLM asks for its list of prices when it is imported; with "
    "LITELLM_LOCAL_MODEL_COST_MAP=True in the environment it takes the one that it brings",
}

# Modules that stand between a client and its sockets; the client is who comes before them.
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


def unmatched(request: Request, *, why: str, label: str, library: str) -> UnmatchedRequest:
    """Make the error for a request that nothing answered.

    Args:
        request: The request.
        why: Why nothing answered: the nearest recorded request and the differing part.
        label: The test, as reports name it.
        library: The client library, as `httpx2`.

    Returns:
        An error that is also one of the SDKs' own, so that they raise it at once, unwrapped.
    """
    url = urlsplit(request.url)
    host = f"{url.hostname}:{url.port}" if url.port else url.hostname
    first = f"nothing answered {request.method} {_masked(request.url)} in {label}, and it was not sent"
    blind = (
        f"{mock} is active, but patches {seen} only: this request came from {library}, and it could not see it"
        for mock, seen in _blind_mocks(library)
    )
    own = next((how for path, how in _OWN_ACCORD.items() if url.path.endswith(path)), "")
    last = (
        'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
        f'or let the host through with allow_hosts=("{host}",)'
    )
    bases = [getattr(sys.modules[name], error) for name, error in _SDK_ERRORS if hasattr(sys.modules.get(name), error)]
    return _class_from(*bases)("\n".join(line for line in (first, why, *blind, own, last) if line))


def blocked(host: str, port: int | None, *, label: str) -> tuple[BlockedConnection, str]:
    """Make the error for a connection that may not be made, and the note for the ledger: `host:port (who)`."""
    where = host if port is None else f"{host}:{port}"
    who = _caller()
    text = (
        f"{who} tried to reach {where} in {label}, and was not let through: only this machine is free\n"
        f'next: mock what needs it, or let the host through with allow_hosts=("{host}",)'
    )
    return BlockedConnection(text), f"{where} ({who})"


def wants_reply(headers: Headers) -> bool:
    """Tell whether the request is of openai 1.x, which retries and wraps every exception, but not every reply."""
    version = str(getattr(sys.modules.get("openai"), "__version__", ""))
    sent = (value for name, value in headers if name.lower() == "x-stainless-package-version")
    return version.startswith("1.") and version in sent


@functools.cache
def _class_from(*bases: type[Exception]) -> type[UnmatchedRequest]:
    names = {"__module__": UnmatchedRequest.__module__, "__doc__": UnmatchedRequest.__doc__}
    return type("UnmatchedRequest", (UnmatchedRequest, *bases), names)


def _masked(url: str) -> str:
    """Return a URL without what is secret in it, by its name or its looks."""
    named = _PARAMETER.sub(lambda found: f"{found[1]}=***" if is_secret_parameter(found[1]) else found[0], url)
    return masked(_PASSWORD.sub("***@", named))


def _blind_mocks(library: str) -> Iterator[tuple[str, str]]:
    """Find the mocks that are active, but for another generation of the library; with what they do patch."""
    core = library.replace("httpx", "httpcore")
    respx = sys.modules.get("respx.mocks")
    mockers = respx.Mocker.registry.values() if respx is not None else ()
    seen = {target.partition(".")[0] for mocker in mockers if mocker.routers for target in mocker.targets}
    if seen and not seen & {library, core}:
        yield "respx", " and ".join(sorted(seen))
    for other in {"httpx", "httpx2"} - {library}:
        if _patched_by_pytest_httpx(other) and not _patched_by_pytest_httpx(library):
            yield "pytest-httpx", other


def _patched_by_pytest_httpx(library: str) -> bool:
    transport = getattr(sys.modules.get(library), "HTTPTransport", None)
    return getattr(getattr(transport, "handle_request", None), "__module__", "") == "pytest_httpx"


def _caller() -> str:
    for frame, _ in traceback.walk_stack(None):
        root = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if root and root not in _PLUMBING:
            return root
    return "a background thread"
