"""A queued reply that meets its request: all that a form needs to know to write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace.model import Request
from pytest_llmtrace.replay.gateways._layout import BASE62, noise
from pytest_llmtrace.replay.gateways._script import Script

__all__ = ["APIS", "CREATED", "DATE", "Reply", "api_of", "body_of", "model_of"]

CREATED = 1767225600
"""When all scripted replies were made, in seconds since the epoch: no clock, so that bytes stay the same."""

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"

APIS: Mapping[str, str] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
}
"""How the path of each API ends, whatever a gateway puts before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One reply to one request.

    Attributes:
        gateway: Whose form it takes.
        api: Which API was asked.
        script: What was queued.
        serial: What its ids are made of: the gateway's seed, and the how manieth reply it is, from 1.
        body: The request's JSON.
        deployment: Azure's deployment, from the path.
        requested: The model that was asked for.
        model: The model that served.
    """

    gateway: str
    api: str
    script: Script
    serial: str
    body: Mapping[str, Any]
    deployment: str | None
    requested: str
    model: str

    @property
    def streaming(self) -> bool:
        """Whether the request asked for a stream."""
        return self.body.get("stream") is True and self.api != "embeddings"

    @property
    def wants_usage(self) -> bool:
        """Whether the request asked for usage in the stream."""
        return self._stream_option("include_usage") is True

    @property
    def pads(self) -> bool:
        """Whether chunks are padded; a request may switch that off."""
        return self._stream_option("include_obfuscation") is not False

    @property
    def output_tokens(self) -> int:
        """How many tokens the model wrote: those that were queued, else as many as all forms say then."""
        usage = self.script.usage
        return int(usage.get("completion_tokens", usage.get("output_tokens", 8)))

    def choices(self) -> range:
        """Return the indices of the choices: those that were queued, else as many as the request wants."""
        wanted = self.body.get("n") if len(self.script.texts) == 1 else len(self.script.texts)
        return range(wanted if isinstance(wanted, int) and wanted > 0 else 1)

    def text(self, choice: int = 0) -> str | None:
        """Return the text of a choice."""
        texts = self.script.texts
        return texts[choice] if choice < len(texts) else texts[0]

    def id(self, prefix: str, length: int, alphabet: str = BASE62, *, part: int = 0) -> str:
        """Return an id: the same one for the same gateway, serial and part of the reply."""
        return prefix + noise(f"{self.gateway}/{self.serial}/{prefix}/{part}", length, alphabet)

    def _stream_option(self, name: str) -> Any:
        options = self.body.get("stream_options")
        return options.get(name) if isinstance(options, Mapping) else None


def api_of(request: Request) -> str | None:
    """Name the API that a request asks, None if it is none of those that can be scripted."""
    path = urlsplit(request.url).path.rstrip("/")
    if request.method.upper() != "POST" or re.search(r"/threads/[^/]+/messages$", path):
        return None
    return next((api for api, ending in APIS.items() if path.endswith(ending)), None)


def body_of(request: Request) -> Mapping[str, Any]:
    """Return the JSON object in a request's body, an empty one if there is none."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def model_of(request: Request, body: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the deployment in the path (None outside Azure), and the model that was asked for."""
    deployment = re.search(r"/deployments/([^/]+)/", urlsplit(request.url).path)
    name = deployment[1] if deployment else None
    model = body.get("model")
    return name, model if isinstance(model, str) else name or "unknown-model"
