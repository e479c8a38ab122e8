"""Call the user's functions in a `vcr_config` as vcrpy does, for requests that are sent and for recordings."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from typing import Any

from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Headers, Recording, Request, Response
from pytest_llmtrace.replay.hook_request import HeaderMap, HookRequest
from pytest_llmtrace.replay.payload import in_chunks
from pytest_llmtrace.replay.settings import Hook, ReplaySettings

__all__ = ["concealed", "filtered", "filtered_response", "interaction_through", "prepared"]


def _is_ignored(request: Request, settings: ReplaySettings) -> bool:
    """Tell whether `ignore_hosts` or `ignore_localhost` leaves a request to the network."""
    host = HookRequest(request).host or ""
    return any(
        ignored.fullmatch(host) if hasattr(ignored, "fullmatch") else ignored == host
        for ignored in settings.ignore_hosts
    )


def filtered(request: Request, settings: ReplaySettings, *, first: tuple[Hook, ...] = ()) -> Request | None:
    """Return a request after `ignore_hosts` and `before_record_request`; None if they drop it.

    Args:
        request: The request, sent or recorded.
        settings: The user's configuration.
        first: Functions that the request passes through before the user's.
    """
    if settings.ignore_hosts and _is_ignored(request, settings):
        return None
    if not settings.before_request and not first:
        return request
    shown: Any = HookRequest(request)
    for hook in (*first, *settings.before_request):
        shown = hook(shown)
        if shown is None:
            return None
    return _request_of(shown, request)


def prepared(recording: Recording, settings: ReplaySettings) -> Recording | None:
    """Return a recording after all that vcrpy does when it loads one; None if a function of the user drops it."""
    if settings.rewrites:
        restored = _restored(recording, settings)
        changed = interaction_through(restored, settings.after_load, "after_load_interaction")
        if changed is None:
            return None
        recording = changed
    request = filtered(recording.request, settings)
    if request is None:
        return None
    response = recording.response
    if response is not None:
        response = filtered_response(response, settings)
        if response is None:
            return None
    if request is recording.request and response is recording.response:
        return recording
    return replace(recording, request=request, response=response)


def filtered_response(response: Response, settings: ReplaySettings) -> Response | None:
    """Return a response after `before_record_response`; None if a function drops it."""
    if not settings.before_response:
        return response
    shown = _as_dict(response)
    if settings.decode_response:
        _decode(shown)
    for hook in settings.before_response:
        changed = hook(shown)
        if changed is None:
            return None
        shown = changed
    return _from_dict(shown, response)


def interaction_through(recording: Recording, hooks: tuple[Hook, ...], key: str) -> Recording | None:
    """Return a recording after functions that see its request and response together; None if a function drops it.

    Args:
        recording: The recording. If it has no response, the functions get None for that.
        hooks: The functions. A function that takes a third argument gets None in place of vcrpy's cassette.
        key: The name of the functions in the configuration, for errors.

    Raises:
        UsageError: If a function returns anything but None or a request and a response.
    """
    for hook in hooks:
        shown = HookRequest(recording.request), _response_dict(recording)
        result = hook(*shown, None) if _takes_cassette(hook) else hook(*shown)
        if result is None:
            return None
        if not isinstance(result, tuple | list) or len(result) != 2:  # noqa: PLR2004
            name = getattr(hook, "__qualname__", repr(hook))
            raise UsageError(f"{key}: {name} returned {type(result).__name__}, not (request, response)")
        recording = _with(recording, *result)
    return recording


def _takes_cassette(hook: Any) -> bool:
    try:
        inspect.signature(hook).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True


def _restored(recording: Recording, settings: ReplaySettings) -> Recording:
    """Replace the placeholders of `filter_sensitive_data` with their values."""
    return _exchanged(recording, settings, conceal=False)


def concealed(recording: Recording, settings: ReplaySettings) -> Recording:
    """Replace the values of `filter_sensitive_data` with their placeholders, as they stand in a file."""
    return _exchanged(recording, settings, conceal=True)


def _exchanged(recording: Recording, settings: ReplaySettings, *, conceal: bool) -> Recording:
    for placeholder, value in settings.sensitive:
        shown = HookRequest(recording.request), _response_dict(recording)
        secret = value(*shown) if callable(value) else value
        if secret is None or not str(placeholder) or not str(secret):
            continue
        old, new = (str(secret), str(placeholder)) if conceal else (str(placeholder), str(secret))
        asked = recording.request
        request = Request(
            method=asked.method,
            url=_swapped(asked.url, old, new),
            headers=_swapped(asked.headers, old, new),
            body=_swapped(asked.body, old, new),
        )
        recording = _with(replace(recording, request=request), None, _swapped(shown[1], old, new))
    return recording


def _swapped(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, bytes):
        return value.replace(old.encode(), new.encode())
    if isinstance(value, dict):
        return {key: _swapped(item, old, new) for key, item in value.items()}
    return type(value)(_swapped(item, old, new) for item in value) if isinstance(value, list | tuple) else value


def _with(recording: Recording, request: Any, response: Any) -> Recording:
    before = recording.response
    return replace(
        recording,
        request=_request_of(request, recording.request),
        response=_from_dict(response, before) if before is not None and isinstance(response, dict) else before,
    )


def _request_of(shown: Any, before: Request) -> Request:
    """Return the request that a hook returned: ours, or another object with the same attributes; else `before`."""
    try:
        return Request(
            method=str(shown.method),
            url=str(shown.uri),
            headers=tuple((str(name), str(value)) for name, value in HeaderMap(shown.headers).items()),
            body=_bytes(shown.body),
        )
    except AttributeError:
        return before


def _response_dict(recording: Recording) -> dict[str, Any] | None:
    return None if recording.response is None else _as_dict(recording.response)


def _as_dict(response: Response) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": headers,
        "body": {"string": response.body},
    }


def _decode(shown: dict[str, Any]) -> None:
    headers: Headers = tuple((name, values[0]) for name, values in shown["headers"].items())
    body, coding = shown["body"]["string"], header(headers, "content-encoding")
    plain = unpacked(body, coding)
    if coding and plain is not body:
        shown["headers"] = {k: v for k, v in shown["headers"].items() if k.lower() != "content-encoding"}
        shown["body"]["string"] = plain


def _from_dict(shown: dict[str, Any], before: Response) -> Response:
    """Return the response that a hook returned; it keeps its chunks and their times unless the body has changed."""
    body = _bytes((shown.get("body") or {}).get("string"))
    headers = tuple(
        (name, str(value))
        for name, values in (shown.get("headers") or {}).items()
        for value in (values if isinstance(values, list | tuple) else [values])
    )
    status = shown.get("status") or {}
    changed = replace(
        copy.copy(before),
        status=int(status.get("code", before.status)),
        reason=str(status.get("message") or ""),
        headers=headers,
    )
    return changed if body == before.body else replace(changed, chunks=in_chunks(body, headers), offsets=None)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
