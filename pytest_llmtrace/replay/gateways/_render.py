"""Turn a queued reply and its request into an answer: status, headers, and chunks of bytes."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from pytest_llmtrace.model import Answer, Headers, Request, Response
from pytest_llmtrace.replay.gateways._form import Mode, Profile
from pytest_llmtrace.replay.gateways._paths import COUNTED
from pytest_llmtrace.replay.gateways._reply import DATE, Reply, body_of, deployment_of, model_of
from pytest_llmtrace.replay.gateways._script import Failing, Script
from pytest_llmtrace.replay.gateways._times import offsets

__all__ = ["render", "render_break", "waits_for"]

# Python 3.13 has new phrases for these statuses; the bytes of a script must be the same in all versions.
_OLDER = {413: "Payload Too Large", 422: "Unprocessable Entity"}
_REASONS = {status.value: status.phrase for status in HTTPStatus} | _OLDER


def render(
    profile: Profile, script: Script, api: str, request: Request, serial: str, *, fetched: bool = False
) -> Answer:
    """Write a reply to a request in a gateway's form.

    Args:
        profile: The gateway.
        script: The queued reply.
        api: The API that the request goes to.
        request: The request that is answered.
        serial: The text that ids are made from.
        fetched: Whether the background response that this request began is now fetched by another request.
    """
    if script.older and profile.older is not None:
        profile = profile.older
    reply = replace(_meet(profile, script, api, request, serial), fetched=fetched)
    status, mode, chunks, pieces = _content(profile, reply)
    headers = (*_content_headers(profile, reply, mode, chunks), *profile.headers(reply, mode), *_retry(script.failing))
    response = Response(
        status=status, headers=headers, chunks=chunks, offsets=offsets(reply, pieces), reason=_REASONS.get(status, "")
    )
    what = api if script.failing is None else f"{api}, error {script.failing.status}"
    return Answer(response=response, origin=f"scripted {profile.name} {what}")


def render_break(
    profile: Profile, script: Script, api: str, request: Request, serial: str, sent: int
) -> tuple[bytes, ...]:
    """Write the events that break off a stream which this gateway did not write; `sent` events came before them."""
    form, reply = profile.forms[api], _meet(profile, script, api, request, serial)
    events = enumerate(form.broken(reply), start=sent)
    return tuple(form.write(event, reply, number) for number, event in events)


def waits_for(profile: Profile, script: Script, api: str, request: Request, serial: str) -> str | None:
    """Return the id by which a request's response can be fetched later; None if the request gets its reply at once."""
    return profile.forms[api].waits_for(_meet(profile, script, api, request, serial))


def _meet(profile: Profile, script: Script, api: str, request: Request, serial: str) -> Reply:
    body = body_of(request)
    requested, streaming = model_of(request, body, profile.path)
    shown = script.model if profile.model_in_body else None
    return Reply(
        gateway=profile.name,
        api=api,
        script=script,
        serial=serial,
        body=body,
        deployment=deployment_of(request),
        requested=requested,
        model=shown or profile.served(requested),
        streaming=streaming and api not in {"embeddings", *COUNTED},
    )


def _content(profile: Profile, reply: Reply) -> tuple[int, Mode, tuple[bytes, ...], tuple[bool, ...]]:
    """Return the status, mode and chunks of a reply, and which of the chunks hold a piece of the text."""
    form = profile.forms[reply.api]
    failing = reply.script.failing
    midway = failing is not None and failing.after is not None
    if reply.streaming and (failing is None or midway):
        return 200, "stream", *form.stream(reply)
    chunks = form.whole(reply) if failing is None else form.failure(reply)
    whole = (False,) * len(chunks)
    if failing is None:
        return 200, "json", chunks, whole
    in_body = midway and profile.body_errors
    return 200 if in_body else failing.status, "error", chunks, whole


def _content_headers(profile: Profile, reply: Reply, mode: Mode, chunks: tuple[bytes, ...]) -> Headers:
    kind = "application/json"
    if mode != "json":
        kind = profile.stream_type if mode == "stream" else profile.error_type(reply)
    length = ("content-length", str(sum(map(len, chunks))))
    if mode == "stream" or profile.chunked:
        length = ("transfer-encoding", "chunked")
    return (("date", DATE), ("content-type", kind), length)


def _retry(failing: Failing | None) -> Headers:
    if failing is None or failing.retry_after is None:
        return ()
    return (("retry-after", f"{failing.retry_after:g}"),)
