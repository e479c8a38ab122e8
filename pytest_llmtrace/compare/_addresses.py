"""The requests for scripted replies, to each API of each gateway, as the SDK's client for that gateway sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from pytest_llmtrace.model import Request

__all__ = ["BASES", "posted", "request_to"]

BASES: Final[Mapping[str, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "litellm": "http://localhost:4000/v1",
    "anannas": "https://api.anannas.ai/v1",
    "azure": "https://team.openai.azure.com/openai/deployments/team-gpt",
    "bedrock": "https://bedrock-runtime.eu-west-1.amazonaws.com/model",
    "bedrock-mantle": "https://bedrock-mantle.eu-west-1.api.aws/anthropic/v1",
    "vertex": "https://europe-west1-aiplatform.googleapis.com/v1/projects/team/locations/europe-west1"
    "/publishers/anthropic/models",
}
"""The beginning of each gateway's URLs."""

_ENDINGS: Final = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
}
_MODELS: Final = {
    "anthropic": "claude-haiku-4-5",
    "openrouter": "anthropic/claude-sonnet-4.6",
    "anannas": "claude-haiku-4.5",
    "bedrock": "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
    "bedrock-mantle": "anthropic.claude-haiku-4-5",
    "vertex": "claude-haiku-4-5@20251001",
}


class _Hosted(NamedTuple):
    """The requests of a cloud that has the model in the path of its URL.

    Attributes:
        whole: What follows the model in the path if a whole reply is wanted.
        stream: What follows the model in the path if a stream is wanted.
        moved: The fields of the body that the path stands for instead.
    """

    whole: str
    stream: str
    moved: frozenset[str]


_HOSTED: Final[Mapping[str, _Hosted]] = {
    "bedrock": _Hosted("/invoke", "/invoke-with-response-stream", frozenset({"model", "stream"})),
    "vertex": _Hosted(":rawPredict", ":streamRawPredict", frozenset({"model"})),
}
_VERSION: Final = "2026-10-21"  # As anthropic 2 sends it; before, each cloud had a version of its own.


def request_to(gateway: str, api: str, asked: Mapping[str, Any]) -> Request:
    """Return the request to an API of a gateway, with the given fields and the model that stands for the gateway."""
    said = {"model": _MODELS.get(gateway, "gpt-4o-mini"), **asked}
    url = f"{BASES[gateway]}{_ENDINGS[api]}"
    if gateway in _HOSTED:
        url, said = _moved(gateway, said)
    elif gateway == "azure":
        url += "?api-version=2024-12-01-preview"
    elif (gateway, api) == ("litellm", "chat"):
        url = url.replace("/v1/", "/")
    return posted(url, said)


def posted(url: str, said: Mapping[str, Any]) -> Request:
    """Return a POST request with a body in JSON."""
    headers = (("content-type", "application/json"),)
    return Request(method="POST", url=url, headers=headers, body=json.dumps(said).encode())


def _moved(gateway: str, said: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the URL and the body of a request to a cloud, whose client puts some fields into the path."""
    cloud = _HOSTED[gateway]
    ending = cloud.stream if said.get("stream") else cloud.whole
    url = f"{BASES[gateway]}/{quote(said['model'], safe=':@')}{ending}"
    return url, {key: said[key] for key in said if key not in cloud.moved} | {"anthropic_version": _VERSION}
