"""A queued reply together with its request: everything that a form needs to write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.model import Request
from pytest_llmtrace.replay.gateways._layout import BASE62, noise
from pytest_llmtrace.replay.gateways._paths import ModelPath, path_of
from pytest_llmtrace.replay.gateways._script import Script, ToolCall

__all__ = ["CREATED", "DATE", "Reply", "body_of", "deployment_of", "model_of"]

CREATED = 1767225600
"""The creation time of all scripted replies, in seconds since the epoch: a constant, so that bytes stay the same."""

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One reply to one request.

    Attributes:
        gateway: The name of the gateway whose form the reply has.
        api: The API that the request goes to.
        script: The queued reply.
        serial: The text that ids are made from: the gateway's seed and the number of the reply, counted from 1.
        body: The JSON object in the request's body.
        deployment: Azure's deployment, from the path.
        requested: The model that the request names.
        model: The model that the reply names.
        streaming: Whether the request asked for a stream.
        fetched: Whether this is a background response that is now fetched by its id.
    """

    gateway: str
    api: str
    script: Script
    serial: str
    body: Mapping[str, Any]
    deployment: str | None
    requested: str
    model: str
    streaming: bool
    fetched: bool = False

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
        """How many tokens the model wrote: the queued count, else 8, which is the default of all forms."""
        usage = self.script.usage
        return int(usage.get("completion_tokens", usage.get("output_tokens", 8)) or 0)

    def choices(self) -> range:
        """Return the indices of the choices: of those that were queued, else of as many as the request's `n` says."""
        wanted = self.body.get("n") if len(self.script.texts) == 1 else len(self.script.texts)
        return range(wanted if isinstance(wanted, int) and wanted > 0 else 1)

    def text(self, choice: int = 0) -> str | None:
        """Return the text of a choice; choices beyond the queued texts repeat the first one."""
        texts = self.script.texts
        return texts[choice] if choice < len(texts) else texts[0]

    def tool_calls(self, choice: int = 0) -> tuple[ToolCall, ...]:
        """Return the tool calls of a choice. Each choice has its own ids; queued ids are those of the first choice."""
        calls = self.script.tool_calls
        if not choice:
            return calls
        first = choice * len(calls)
        return tuple(replace(call, id=self.id("call_", 24, part=first + at)) for at, call in enumerate(calls))

    def id(self, prefix: str, length: int, alphabet: str = BASE62, *, part: int = 0) -> str:
        """Return an id: the same one for the same gateway, serial and part of the reply."""
        return prefix + noise(f"{self.gateway}/{self.serial}/{prefix}/{part}", length, alphabet)

    def _stream_option(self, name: str) -> Any:
        options = self.body.get("stream_options")
        return options.get(name) if isinstance(options, Mapping) else None


def body_of(request: Request) -> Mapping[str, Any]:
    """Return the JSON object in a request's body, or an empty one."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def deployment_of(request: Request) -> str | None:
    """Return the deployment that the path names; None outside Azure."""
    found = re.search(r"/deployments/([^/]+)/", path_of(request))
    return found[1] if found else None


def model_of(request: Request, body: Mapping[str, Any], under: ModelPath | None) -> tuple[str, bool]:
    """Return the requested model, and whether a stream is requested: from the path of a cloud, else from the body."""
    named = under.read(request) if under else None
    if named is not None:
        return named
    model = body.get("model")
    name = model if isinstance(model, str) else deployment_of(request) or "unknown-model"
    return name, body.get("stream") is True
