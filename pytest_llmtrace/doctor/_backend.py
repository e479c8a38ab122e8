"""Check the back end of `--llmtrace-export`: its settings, the connection, and one span sent and read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pytest_llmtrace.doctor._diagnosis import Diagnosis, State, ok, problem, unknown
from pytest_llmtrace.doctor._reach import PATIENCE, is_behind_proxy, obstacle, remedy
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.export import (
    Answer,
    Destination,
    Fate,
    UntoldError,
    destination,
    key_of,
    look,
    post_once,
    probe_span,
    spans_of,
)

__all__ = ["Wait", "backend"]

SPAN: Final = "pytest-llmtrace doctor"
_PREFIXES: Final = {
    "openobserve": ("OPENOBSERVE_URL", "OPENOBSERVE_AUTH_TOKEN"),
    "otlp": ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
}
_NEXT: Final = {
    Fate.REFUSED: "nothing was stored",
    Fate.LATER: "nothing was stored; try again later",
    Fate.UNKNOWN: "it may or may not have been stored; check the address",
}
_DROPPED: Final = {
    "openobserve": "check this machine's clock and the stream's pipelines: OpenObserve gives the same reason for both",
    "otlp": "check its settings",
}
_UNAUTHORIZED: Final = {
    b'{"code":401,"message":"Unauthorized Access"}': (
        "it answered 401 as to a request without an Authorization header, although one was sent",
        "look for what removes the header on the way, such as a proxy",
    ),
    b"Unauthorized Access": (
        "it answered 401 as to credentials that it does not accept",
        "check OPENOBSERVE_AUTH_TOKEN and OPENOBSERVE_ORG: the answer does not tell which of them is wrong",
    ),
}
_PAUSE: Final = 0.5
"""Seconds between two looks for the span."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to look for the span.

    Attributes:
        seconds: How many seconds in all.
        now: Returns the time in seconds, counted from any moment.
        sleep: Waits for some seconds.
    """

    seconds: float = 10
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def backend(name: str, environ: Mapping[str, str], *, is_wanted: bool, sends: bool, wait: Wait) -> Iterator[Diagnosis]:
    """Yield the diagnoses of one destination.

    Args:
        name: `openobserve` or `otlp`.
        environ: The environment variables, with those of `.env` where the environment has none.
        is_wanted: Whether it is a problem if the destination is not set up.
        sends: Whether to send a span.
        wait: How long to look for that span in the back end.
    """
    about = f"settings of --llmtrace-export {name}"
    if not any(environ.get(variable) for variable in _PREFIXES[name]):
        todo = f"set {_PREFIXES[name][0]} in the environment or .env"
        found = f"neither {' nor '.join(_PREFIXES[name])} is set"
        yield problem(about, found, todo) if is_wanted else unknown(about, found, f"{todo} if you export there")
        return
    try:
        to = destination(name, environ)
    except UsageError as error:
        yield problem(about, str(error), "correct it in the environment or .env")
        return
    yield ok(about, f"well-formed, {to.label}")
    connection = _connection(to)
    yield connection
    if connection.state is not State.PROBLEM:
        yield from _there_and_back(to, wait) if sends else [unknown(f"a span to {name}", "not sent (--no-send)")]


def _connection(to: Destination) -> Diagnosis:
    about = f"connection to {to.name}"
    if is_behind_proxy(to.url):
        return unknown(about, "requests go through the proxy that is set in the environment, which was not checked")
    found = obstacle(to.url, min(to.timeout, PATIENCE), certificate=to.tls.get("certificate"))
    if found:
        otherwise = "check the address, and that the server runs and can be reached from here"
        return problem(about, found, remedy(found, to.authority, otherwise))
    return ok(about, "the server accepts connections")


def _there_and_back(to: Destination, wait: Wait) -> Iterator[Diagnosis]:
    resources = probe_span(SPAN)
    answer = post_once(to, resources)
    about = f"a span to {to.name}"
    if answer.fate is not Fate.ACCEPTED:
        yield problem(about, *_refusal(to, answer))
    elif answer.rejected:
        yield problem(about, f"it accepted the request and dropped the span: {answer.why}", _DROPPED[to.name])
    else:
        yield ok(about, f"it accepted {SPAN!r}, trace {next(spans_of(resources))['traceId']}")
        yield _seen(to, resources, wait)


def _refusal(to: Destination, answer: Answer) -> tuple[str, str]:
    """Return what was found and what to do.

    OpenObserve answers 401 in two forms (0.92): JSON if there is no Authorization header, text if it is wrong. The form
    for a wrong organization is not known.
    """
    reply = answer.reply
    if to.name != "openobserve" or reply is None or reply.status != HTTPStatus.UNAUTHORIZED:
        return answer.why, _NEXT[answer.fate]
    return _UNAUTHORIZED.get(reply.body.strip(), (answer.why, _NEXT[answer.fate]))


def _seen(to: Destination, resources: list[dict[str, Any]], wait: Wait) -> Diagnosis:
    about = f"the span read back from {to.name}"
    if not to.search_url:
        return unknown(about, "OTLP has no way to read spans back")
    key = key_of(next(spans_of(resources)))
    deadline = wait.now() + wait.seconds
    while True:
        left = deadline - wait.now()
        try:
            if key in look(to, resources, timeout=min(to.timeout, max(left, _PAUSE))):
                return ok(about, f"its search API found it in stream {to.stream}")
        except UntoldError as error:
            return _untold(about, error)
        if left < _PAUSE:
            found = f"its search API did not find it within {wait.seconds:g} s"
            return unknown(about, found, "look for the trace on its web pages")
        wait.sleep(_PAUSE)


def _untold(about: str, error: UntoldError) -> Diagnosis:
    if error.status in {401, 403}:
        found = f"the token may send but not read, as is usual for ingestion tokens ({error})"
        return unknown(about, found, "with it `pytest-llmtrace push` cannot look up spans that are in doubt")
    return unknown(about, f"the search API gave no usable answer: {error}")
