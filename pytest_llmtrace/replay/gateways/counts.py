"""How many tokens a request would have: OpenAI's input tokens, Anthropic's count tokens.

No model is asked. Frameworks count before they call, so what is not queued is answered as well: with what the next
reply will say of its input.
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
"""What a model reads, in a usage of Anthropic's; OpenAI's has the first, which is all."""


class InputTokens(Form):
    """OpenAI's, as its API reference shows it."""

    dump = staticmethod(pretty)
    dump_error = staticmethod(pretty)

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {"object": "response.input_tokens", "input_tokens": reply.script.usage["input_tokens"]}


class CountTokens(Form):
    """Anthropic's; who asks for edits of the context learns what there was before them."""

    error = staticmethod(errors.anthropic)

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        tokens = reply.script.usage["input_tokens"]
        edits = (
            {"context_management": {"original_input_tokens": tokens}} if reply.body.get("context_management") else {}
        )
        return {"input_tokens": tokens, **edits}


class Counting(ABC):
    """What a test queues of counts; each method returns the gateway."""

    @abstractmethod
    def _add(self, api: str | None, **fields: Any) -> Self: ...

    def input_tokens(self, tokens: int) -> Self:
        """Queue a count of OpenAI's (`/responses/input_tokens`). Default: what the next `responses` says of its input.

        Args:
            tokens: How many tokens the request has.

        Raises:
            UsageError: It is no such number, or the gateway does not count.
        """
        return self._add("input_tokens", usage={"input_tokens": _checked(tokens)})

    def count_tokens(self, tokens: int) -> Self:
        """Queue a count of Anthropic's (`/messages/count_tokens`). Default: what the next `messages` says of its input.

        Args:
            tokens: How many tokens the request has.

        Raises:
            UsageError: It is no such number, or the gateway does not count.
        """
        return self._add("count_tokens", usage={"input_tokens": _checked(tokens)})


def counted(api: str, scripts: list[Script]) -> Script:
    """Return the count that nobody has queued: by the usage of the first script of the API whose requests it counts."""
    usage = {**_DEFAULT, **next((script.usage for script in scripts if script.api == COUNTED[api]), {})}
    tokens = sum(int(usage.get(name) or 0) for name in _READ)
    return Script(api=api, usage={"input_tokens": tokens})


def _checked(tokens: int) -> int:
    if not is_count(tokens) or tokens < 0:
        raise UsageError(f"a count of tokens is a number, 0 or more, got {tokens!r}")
    return tokens
