"""Read the path of a request: its API and, for a cloud, the model and whether the reply is a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.model import Request

__all__ = ["APIS", "COUNTED", "ModelPath", "api_of", "path_of"]

APIS: Mapping[str, str] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
    "input_tokens": "/responses/input_tokens",
    "count_tokens": "/messages/count_tokens",
}
"""The end of each API's path, whatever a gateway puts before it."""
COUNTED: Mapping[str, str] = {"input_tokens": "responses", "count_tokens": "messages"}
"""The APIs that only count the tokens of a request, each with the API that the counted request is for."""


@dataclass(frozen=True, kw_only=True)
class ModelPath:
    """The path under which a cloud serves Anthropic's messages, its only API here; the path names the model.

    Attributes:
        pattern: The path's end, with the groups `model` and `streamed`; the latter is set if the reply is a stream.
        shown: The paths as messages show them.
    """

    pattern: re.Pattern[str]
    shown: str

    def read(self, request: Request) -> tuple[str, bool] | None:
        """Return the model that a request's path names, and whether the reply is a stream; None for any other path."""
        found = self.pattern.search(path_of(request))
        return None if found is None else (unquote(found["model"]), found["streamed"] is not None)


def api_of(request: Request, under: ModelPath | None) -> str | None:
    """Return the name of the API that a request goes to; None if no such API can be scripted.

    Args:
        request: The request.
        under: The only path of the gateway, if it is a cloud.
    """
    path = path_of(request)
    if request.method.upper() != "POST" or re.search(r"/threads/[^/]+/messages$", path):
        return None
    if under is not None:
        return "messages" if under.read(request) else None
    return next((api for api, ending in APIS.items() if path.endswith(ending)), None)


def path_of(request: Request) -> str:
    """Return the path of a request, without a slash at its end."""
    return urlsplit(request.url).path.rstrip("/")
