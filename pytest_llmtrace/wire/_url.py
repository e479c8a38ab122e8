"""What the URL of a call says besides its API: the model, and whether the reply is a stream."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pytest_llmtrace._stdlib import re

__all__ = ["Asked", "asked", "is_hosted", "named", "path_of"]

_BEDROCK = re.compile(r"/(?P<key>model)/(?P<model>[^/]+)/invoke(?P<streamed>-with-response-stream)?$")
# `count-tokens` stands where the model would be, but is not one.
_VERTEX = re.compile(r"/publishers/anthropic/(?P<key>models)/(?!count-tokens:)(?P<model>[^/]+):(?:streamR|r)awPredict$")
_AZURE = re.compile(r"/(?P<key>deployments)/(?P<model>[^/]+)/")


class Asked(NamedTuple):
    """The model and the kind of reply that the path of a URL asks for.

    Attributes:
        model: The model or the deployment, percent-decoded.
        key: The segment of the path before it: `model`, `models` or `deployments`.
        streamed: Whether the path asks for a stream; `None` if the body says that instead.
    """

    model: str
    key: str
    streamed: bool | None = None


def asked(url: str) -> Asked | None:
    """Return what the path of a URL asks for, or `None` if it names no model.

    The known paths are those of Azure's deployments, and of Anthropic's messages on Amazon Bedrock (API reference,
    InvokeModel and InvokeModelWithResponseStream) and on Google's Vertex AI (rawPredict and streamRawPredict).
    """
    path = path_of(url)
    found = _BEDROCK.search(path)
    if found:
        return Asked(unquote(found["model"]), found["key"], streamed=found["streamed"] is not None)
    found = _VERTEX.search(path) or _AZURE.search(path)
    return Asked(unquote(found["model"]), found["key"]) if found else None


_BEFORE_NAMES = frozenset({"deployments", "endpoints", "engines", "model", "models", "serving-endpoints"})
_OF_APIS = frozenset({"chat", "completions", "embeddings", "messages", "openapi", "responses", "v1"})


def named(url: str) -> frozenset[str]:
    """Return the names in the path of a URL that are those of a model or a deployment, percent-decoded.

    Each follows a segment that says so, such as `deployments` (Azure), `models` (Hugging Face, where the name may have
    two segments) or `serving-endpoints` (Databricks). A verb may follow it, as in `models/gemini-2.0-flash:predict`.
    """
    segments = path_of(url).split("/")
    found: set[str] = set()
    for place, segment in enumerate(segments[1:], 1):
        if segments[place - 1] in _BEFORE_NAMES and segment not in _OF_APIS:
            name, both = unquote(segment), unquote("/".join(segments[place : place + 2]))
            found |= {name, name.rpartition(":")[0] or name, both}
    return frozenset(found)


def is_hosted(path: str) -> bool:
    """Tell whether a cloud serves Anthropic's messages at a path; other makers' models may share that path."""
    return _BEDROCK.search(path) is not None or _VERTEX.search(path) is not None


def path_of(url: str) -> str:
    """Return the path of a URL without a trailing slash; empty if the text is not a URL."""
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:  # For example `http://[`.
        return ""
