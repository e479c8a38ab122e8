"""Background responses: the first reply says that they are queued; they are complete when fetched by their ids."""

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
    """The background responses of a gateway that can be fetched.

    Args:
        profile: The profile of the gateway.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._open: dict[str, tuple[Script, str, Request, str]] = {}

    def note(self, script: Script, api: str, request: Request, serial: str) -> None:
        """Keep the reply to a request, as the arguments of `render`, if it is a background response."""
        identity = waits_for(self._profile, script, api, request, serial)
        if identity is not None:
            self._open[identity] = (script, api, request, serial)

    def answer(self, request: Request) -> Answer | None:
        """Return the whole response that a request fetches; None if no response has that id, or it wants a stream."""
        streamed = parse_qs(urlsplit(request.url).query).get("stream") == ["true"]
        found = _PATH.search(path_of(request)) if request.method.upper() == "GET" and not streamed else None
        asked = self._open.get(found[1]) if found else None
        return None if asked is None else render(self._profile, *asked, fetched=True)
