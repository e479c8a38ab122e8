"""The APIs that count a request's tokens: OpenAI's `input_tokens`, Anthropic's `count_tokens`.

They ask no model. Frameworks count before they call, so a count that was not queued is answered as well: with the input
tokens in the usage of the next queued reply.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from pytest_llmtrace._argtypes import is_count
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.replay.gateways import errors
from pytest_llmtrace.replay.gateways._form import Form
from pytest_llmtrace.replay.gateways._layout import pretty
from pytest_llmtrace.replay.gateways._paths import COUNTED
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways._script import Script

__all__ = ["CountTokens", "Counting", "InputTokens", "counted"]

_DEFAULT: Mapping[str, Any] = {"input_tokens": 12}
_READ = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""The counts whose sum is the input in Anthropic's usage; OpenAI's has only the first, which is all of the input."""


class InputTokens(Form):
    """A count in OpenAI's form, as its API reference shows it."""

    dump = staticmethod(pretty)
    dump_error = staticmethod(pretty)

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {"object": "response.input_tokens", "input_tokens": reply.script.usage["input_tokens"]}


class CountTokens(Form):
    """A count in Anthropic's form; a request with context edits also gets the count before them."""

    error = staticmethod(errors.anthropic)

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        tokens = reply.script.usage["input_tokens"]
        edits = (
            {"context_management": {"original_input_tokens": tokens}} if reply.body.get("context_management") else {}
        )
        return {"input_tokens": tokens, **edits}


class Counting(ABC):
    """The methods of a gateway that queue counts; each returns the gateway."""

    @abstractmethod
    def _add(self, api: str | None, **fields: Any) -> Self: ...

    def input_tokens(self, tokens: int) -> Self:
        """Queue a count of OpenAI's (`/responses/input_tokens`). If none is queued: the input of the next `responses`.

        Args:
            tokens: The number of tokens that the reply reports for the request.

        Raises:
            UsageError: If this is not a number of at least 0, or the gateway has no such API.
        """
        return self._add("input_tokens", usage={"input_tokens": _checked(tokens)})

    def count_tokens(self, tokens: int) -> Self:
        """Queue a count of Anthropic's (`/messages/count_tokens`). If none is queued: the input of the next `messages`.

        Args:
            tokens: The number of tokens that the reply reports for the request.

        Raises:
            UsageError: If this is not a number of at least 0, or the gateway has no such API.
        """
        return self._add("count_tokens", usage={"input_tokens": _checked(tokens)})


def counted(api: str, scripts: list[Script]) -> Script:
    """Return a count that was not queued: the input of the first queued reply of the API whose requests are counted."""
    usage = {**_DEFAULT, **next((script.usage for script in scripts if script.api == COUNTED[api]), {})}
    tokens = sum(int(usage.get(name) or 0) for name in _READ)
    return Script(api=api, usage={"input_tokens": tokens})


def _checked(tokens: int) -> int:
    if not is_count(tokens) or tokens < 0:
        raise UsageError(f"a count of tokens must be a whole number, 0 or more, got {tokens!r}")
    return tokens
