"""Play cassettes by their own requests, as plain HTTP and through the real SDKs: `pytest-llmtrace replay`."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace import _sdks, replay, wire
from pytest_llmtrace._argtypes import finite
from pytest_llmtrace.capture.instrumentors import Switch
from pytest_llmtrace.errors import CassetteError, UnmatchedRequest, UsageError
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import LEFT, Cassette, Recording, Request, Settings
from pytest_llmtrace.replay.names import below

__all__ = ["Outcome", "Result", "cassettes_in", "drive"]


class Outcome(StrEnum):
    """What became of one recorded interaction."""

    CAPTURED = "captured"  # served byte for byte, and the SDK's call has one LLM span per scope
    SERVED = "served"  # served byte for byte; not an LLM call
    NO_REPLY = "no reply"  # recorded without a reply
    NOT_HTTP = "not HTTP"
    NO_SPAN = "no span"  # an instrumentor's gap: the SDK's call was served, and no LLM span describes it
    SEVERAL_SPANS = "several spans"
    NO_SDK = "no SDK"  # the SDK is not installed
    NOT_CAPTURED = "not captured"  # the SDK's call was served; its instrumentor is not installed, or not on
    UNREADABLE = "unreadable"  # the SDK could not read the recorded reply
    REFUSED = "refused"  # our own fault, or the file's


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of one interaction, or of a file that could not be read (`index` is None)."""

    file: str
    index: int | None
    outcome: Outcome
    gateway: str = ""
    api: str | None = None
    request: str = ""
    scopes: tuple[str, ...] = ()
    reason: str = ""


def cassettes_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files among these paths, and the files below the folders among them, which are sorted.

    Raises:
        UsageError: If a path does not exist, or is something that may have no end, such as a pipe.
    """
    for path in paths:
        if path.is_dir():
            yield from below(path)
        elif path.exists():
            yield finite(path)
        else:
            raise UsageError.no_path(path)


def drive(path: Path) -> tuple[Result, ...]:
    """Play one cassette, and return what became of each interaction."""
    try:
        cassette = replay.load(path)
    except CassetteError as error:
        return (Result(file=str(path), index=None, outcome=Outcome.REFUSED, reason=error.in_file),)
    plain = [(recording, *problem) for recording, problem in _plain_pass(cassette)]
    return tuple(
        _through_sdk(cassette, recording)
        if outcome is Outcome.SERVED and wire.identify(recording.request)
        else _result(
            cassette, recording, outcome, reason or "not a call to an LLM API in the form of OpenAI or Anthropic"
        )
        for recording, outcome, reason in plain
    )


def _trace() -> LLMTrace:
    instrument = tuple(name for name in _sdks.INSTRUMENTORS.values() if _sdks.installed(name))
    return LLMTrace(settings=Settings(label="replay", verify=False, instrument=instrument))


def _result(cassette: Cassette, recording: Recording, outcome: Outcome, reason: str) -> Result:
    return Result(
        file=cassette.label,
        index=recording.index,
        outcome=outcome,
        gateway=wire.gateway(recording.request, recording.response),
        api=wire.identify(recording.request),
        request=f"{recording.request.method} {urlsplit(recording.request.url).path}",
        reason=reason,
    )


# --- plain HTTP ------------------------------------------------------------------------------------------------------


def _plain_pass(cassette: Cassette) -> Iterator[tuple[Recording, tuple[Outcome, str]]]:
    library = _http_library()
    with _trace() as trace, trace.replay(cassette), library.Client() as client:
        for recording in cassette.recordings:
            yield recording, _plain_outcome(client, recording)


def _plain_outcome(client: Any, recording: Recording) -> tuple[Outcome, str]:
    if urlsplit(recording.request.url).scheme not in {"http", "https"}:
        return Outcome.NOT_HTTP, "not an HTTP request"
    if recording.response is None and recording.failure is None:
        return Outcome.NO_REPLY, "recorded without a reply"
    if recording.response is None and recording.failure in LEFT:
        return Outcome.NO_REPLY, "its client was cancelled before any reply"
    if recording.response is not None and recording.response.status == 101:  # noqa: PLR2004  # RFC 9110, 15.2.2: Switching Protocols
        return Outcome.NOT_HTTP, "the connection switched from HTTP to another protocol (WebSocket)"
    try:
        status, body = _sent(client, recording.request)
    except UnmatchedRequest as error:
        return Outcome.REFUSED, str(error)
    except _http_library().TransportError as error:
        if recording.failure is None:
            return Outcome.REFUSED, f"{type(error).__name__}: {error}"
        return Outcome.SERVED, f"recorded as {recording.failure}"
    return _compared(recording, status, body)


def _compared(recording: Recording, status: int, body: bytes) -> tuple[Outcome, str]:
    recorded = recording.response
    if recorded is None or recording.failure is not None:
        return Outcome.REFUSED, f"a complete reply was served, but {recording.failure} is recorded"
    if status != recorded.status:
        return Outcome.REFUSED, f"status {status} was served, but {recorded.status} is recorded"
    if body != recorded.body:
        return Outcome.REFUSED, f"the {len(body)} bytes that were served differ from the {len(recorded.body)} recorded"
    return Outcome.SERVED, ""


def _sent(client: Any, request: Request) -> tuple[int, bytes]:
    kept = [(name, value) for name, value in request.headers if name.lower() == "content-type"]
    with client.stream(request.method, request.url, headers=kept, content=request.body or None) as response:
        return int(response.status_code), b"".join(response.iter_raw())


def _http_library() -> Any:
    for name in ("httpx2", "httpx"):
        if importlib.util.find_spec(name):
            return importlib.import_module(name)
    raise UsageError('no HTTP client is installed: pip install "pytest-llmtrace[openai,anthropic]"')


# --- the SDKs --------------------------------------------------------------------------------------------------------


def _through_sdk(cassette: Cassette, recording: Recording) -> Result:
    """Send one LLM call again through its SDK, with only its own recording to answer; return what became of it."""
    result = _attempt(cassette, recording, typed=True)
    return _attempt(cassette, recording, typed=False) if result.outcome is Outcome.REFUSED else result


def _attempt(cassette: Cassette, recording: Recording, *, typed: bool) -> Result:
    alone = replace(cassette, recordings=(recording,))
    with _trace() as trace, trace.replay(alone), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Recordings name models that are deprecated by now.
        outcome, reason = _sent_again(recording, typed=typed)
        scopes = Counter(span.scope for span in trace.llm_spans())
    if outcome is Outcome.CAPTURED:
        outcome, reason = _judged(recording.request, scopes)
    return replace(_result(cassette, recording, outcome, reason), scopes=tuple(sorted(scopes)))


def _judged(request: Request, scopes: Counter[str]) -> tuple[Outcome, str]:
    instrumentor, switch = _sdks.instrumentor_of(request), _sdks.switch_of(request)
    if not scopes and switch is not None and switch.state is not Switch.ON:
        why = f"{instrumentor} is {switch.state}: it needs {switch.needs}, found {switch.found}"
        return Outcome.NOT_CAPTURED, why
    if not scopes and instrumentor is None:
        needed = _sdks.INSTRUMENTORS[_sdks.sdk_of(request)]
        return Outcome.NOT_CAPTURED, f"no instrumentor is installed: pip install {needed}"
    if not scopes:
        return Outcome.NO_SPAN, f"{instrumentor} made no LLM span for this call, though its request was answered"
    several = [f"{scope} made {count} LLM spans" for scope, count in scopes.items() if count > 1]
    return (Outcome.SEVERAL_SPANS, "; ".join(several)) if several else (Outcome.CAPTURED, "")


def _sent_again(recording: Recording, *, typed: bool) -> tuple[Outcome, str]:
    absent = _sdks.missing(recording.request)
    if absent is not None:
        return Outcome.NO_SDK, _sdks.advice(absent)
    try:
        _sdks.send(recording.request, typed=typed)
    except (UnmatchedRequest, TypeError) as error:
        return Outcome.REFUSED, str(error)
    except Exception as error:  # noqa: BLE001  # Whatever an SDK makes of a recorded reply is what we report.
        return Outcome.UNREADABLE, f"the SDK raised {type(error).__name__}: {error}"
    return Outcome.CAPTURED, ""
