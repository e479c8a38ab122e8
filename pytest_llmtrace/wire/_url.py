"""What the URL of a call says of it beside the API: its model, and whether its reply is a stream."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pytest_llmtrace._stdlib import re

__all__ = ["Asked", "asked", "is_hosted", "path_of"]

_BEDROCK = re.compile(r"/(?P<key>model)/(?P<model>[^/]+)/invoke(?P<streamed>-with-response-stream)?$")
# `count-tokens` stands where a model would.
_VERTEX = re.compile(r"/publishers/anthropic/(?P<key>models)/(?!count-tokens:)(?P<model>[^/]+):(?:streamR|r)awPredict$")
_AZURE = re.compile(r"/(?P<key>deployments)/(?P<model>[^/]+)/")


class Asked(NamedTuple):
    """What a path asks for.

    Attributes:
        model: The model, or the deployment, unquoted.
        key: The part of the path before it.
        streamed: Whether it asks for a stream; None where the body says so.
    """

    model: str
    key: str
    streamed: bool | None = None


def asked(url: str) -> Asked | None:
    """Read the model out of a URL, None where its path names none.

    Azure's deployments; Anthropic's messages on Amazon Bedrock (API reference, InvokeModel and
    InvokeModelWithResponseStream) and on Google's Vertex AI (rawPredict and streamRawPredict).
    """
    path = path_of(url)
    found = _BEDROCK.search(path)
    if found:
        return Asked(unquote(found["model"]), found["key"], streamed=found["streamed"] is not None)
    found = _VERTEX.search(path) or _AZURE.search(path)
    return Asked(unquote(found["model"]), found["key"]) if found else None


def is_hosted(path: str) -> bool:
    """Tell whether a path is one under which a cloud serves Anthropic's messages, among other makers' models."""
    return _BEDROCK.search(path) is not None or _VERTEX.search(path) is not None


def path_of(url: str) -> str:
    """Return the path of a URL without a slash at its end, empty if it is no URL."""
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:  # As `http://[`.
        return ""
