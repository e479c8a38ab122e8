"""A call's answer, as an instrumentation by hand puts it together from the SDK's objects alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Asked", "Choice", "ToolCall", "Usage"]


@dataclass(kw_only=True, slots=True)
class ToolCall:
    """A tool call that the model asks for; its arguments are the JSON text that the model wrote."""

    id: str | None = None
    name: str = ""
    arguments: str = ""


@dataclass(kw_only=True, slots=True)
class Choice:
    """One of the choices that a call may ask for."""

    text: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Usage:
    """Token counts, input with cached tokens; None for counts that the SDK's object does not have.

    Attributes:
        raw: The SDK's own object as data, as logfire writes it.
    """

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    cost: float | None = None
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Answer:
    """The answer of a call.

    Attributes:
        id: The response's own id.
        model: The model that the response names.
        choices: The choices by their index.
        usage: The token counts; None if none were stated.
        vectors: The vectors of embeddings.
        request_id: The id from a response header, as the SDK returns it.
        error: The message of an error in the body that the SDK does not raise.
        complete: Whether the answer said that it was complete, which any reply that is not a stream does.
        open: The tool calls of a stream that is still coming in, by the index of their block.
    """

    id: str | None = None
    model: str | None = None
    choices: dict[int, Choice] = field(default_factory=dict)
    usage: Usage | None = None
    vectors: list[list[float]] = field(default_factory=list)
    request_id: str | None = None
    error: str | None = None
    complete: bool = False
    open: dict[int, ToolCall] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Choice]:
        """The choices by their index."""
        return [self.choices[index] for index in sorted(self.choices)]

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of all choices."""
        return [call for choice in self.in_order for call in choice.tool_calls]


@dataclass(kw_only=True, slots=True)
class Asked:
    """A call as it was asked for: the arguments of the SDK's method, and the API."""

    api: str
    arguments: dict[str, Any]

    @property
    def model(self) -> str:
        """The requested model."""
        return str(self.arguments["model"])

    @property
    def streaming(self) -> bool:
        """Whether a stream is asked for."""
        return bool(self.arguments.get("stream"))

    @property
    def system(self) -> str:
        """The provider whose API it is."""
        return "anthropic" if self.api == "messages" else "openai"

    @property
    def stop(self) -> list[str] | None:
        """The stop sequences."""
        said = self.arguments.get("stop_sequences", self.arguments.get("stop"))
        return [said] if isinstance(said, str) else said

    @property
    def max_tokens(self) -> int | None:
        """The limit of the output, under any of its names."""
        names = ("max_completion_tokens", "max_output_tokens", "max_tokens")
        return next((self.arguments[name] for name in names if self.arguments.get(name) is not None), None)
