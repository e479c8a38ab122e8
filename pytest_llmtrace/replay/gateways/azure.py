"""Azure OpenAI: OpenAI's forms with sorted keys and the findings of the content filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import chat, embeddings, errors, responses
from pytest_llmtrace.replay.gateways._form import Form, Mode, Profile
from pytest_llmtrace.replay.gateways._layout import Event, compact, uuid
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways.openai import dated

__all__ = ["PROFILE"]

_SAFE = {"filtered": False, "severity": "safe"}
_FOUND: Mapping[str, Any] = {"hate": _SAFE, "self_harm": _SAFE, "sexual": _SAFE, "violence": _SAFE}
_PROMPT = [
    {
        "prompt_index": 0,
        "content_filter_results": {
            "hate": _SAFE,
            "jailbreak": {"filtered": False, "detected": False},
            "self_harm": _SAFE,
            "sexual": _SAFE,
            "violence": _SAFE,
        },
    }
]


def _ordered(value: Any) -> Any:
    """Sort all keys, except those of the findings about the prompt, which come from another service."""
    if isinstance(value, Mapping):
        return {key: value[key] if key == "prompt_filter_results" else _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _sorted(value: Any) -> str:
    return compact(_ordered(value))


class _Sorted(Form):
    error = staticmethod(errors.azure)
    dump = staticmethod(_sorted)
    dump_event = staticmethod(_sorted)


class Chat(_Sorted, chat.Chat):
    """Chat completions with findings in every choice; a stream begins with a chunk of findings about the prompt."""

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {**super().body(reply), "prompt_filter_results": _PROMPT}

    def choice(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return one choice of a whole reply."""
        found = self.found(reply) if reply.text() is not None else {}
        return {**super().choice(reply, index), "content_filter_results": found}

    def found(self, reply: Reply) -> Mapping[str, Any]:
        """Return the findings about the text: all safe, unless the filter ended the reply."""
        filtered = {"violence": {"filtered": True, "severity": "medium"}}
        return {**_FOUND, **(filtered if self.finish(reply) == "content_filter" else {})}

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream."""
        empty = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        yield Event(data={**empty, "prompt_filter_results": _PROMPT})
        yield from super().events(reply)

    def piece(self, reply: Reply, index: int, delta: chat.Delta, *, finish: str | None = None) -> Mapping[str, Any]:
        """Return one choice of a chunk."""
        found = self.found(reply) if finish == "content_filter" else _FOUND if delta.get("content") else {}
        return {**super().piece(reply, index, delta, finish=finish), "content_filter_results": found}

    def chunk_body(self, reply: Reply, choices: chat.Choices, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON of one chunk."""
        body = super().chunk_body(reply, choices, usage)
        del body["service_tier"]
        return body


class Responses(responses.Responses):
    runs_later = True
    error = staticmethod(errors.azure)


class Embeddings(embeddings.Embeddings):
    error = staticmethod(errors.azure)


def _headers(reply: Reply, mode: Mode) -> Headers:
    request = uuid(f"azure/{reply.serial}")
    return (
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("apim-request-id", request),
        ("x-content-type-options", "nosniff"),
        ("x-ms-client-request-id", request),
        ("x-ms-region", "East US"),
        *((("x-ms-deployment-name", reply.deployment),) if reply.deployment else ()),
        *((("x-ms-rai-invoked", "true"), ("x-accel-buffering", "no")) if mode != "error" else ()),
        ("x-ratelimit-limit-requests", "2500"),
        ("x-ratelimit-remaining-requests", "0" if mode == "error" else "2499"),
        ("x-request-id", uuid(f"azure/request/{reply.serial}")),
    )


PROFILE = Profile(
    name="azure",
    forms={"chat": Chat(), "responses": Responses(), "embeddings": Embeddings()},
    headers=_headers,
    served=dated,
)
