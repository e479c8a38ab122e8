"""Responses in the background: they are queued at first, and there when they are asked for again by their ids."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.model import Answer, Request
from pytest_llmtrace.replay.gateways._form import Profile
from pytest_llmtrace.replay.gateways._paths import path_of
from pytest_llmtrace.replay.gateways._render import render, waits_for
from pytest_llmtrace.replay.gateways._script import Script

__all__ = ["Stored"]

_PATH = re.compile(r"/responses/([^/]+)$")


class Stored:
    """The responses that a gateway has left open.

    Args:
        profile: The gateway.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._open: dict[str, tuple[Script, str, Request, str]] = {}

    def note(self, script: Script, api: str, request: Request, serial: str) -> None:
        """Note what a request is answered with, as `render` is told, if that is left open."""
        identity = waits_for(self._profile, script, api, request, serial)
        if identity is not None:
            self._open[identity] = (script, api, request, serial)

    def answer(self, request: Request) -> Answer | None:
        """Return the whole response that a request fetches, None if there is none of that id, or it wants a stream."""
        streamed = parse_qs(urlsplit(request.url).query).get("stream") == ["true"]
        found = _PATH.search(path_of(request)) if request.method.upper() == "GET" and not streamed else None
        asked = self._open.get(found[1]) if found else None
        return None if asked is None else render(self._profile, *asked, fetched=True)
