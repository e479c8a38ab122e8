"""What a call answered, as whoever instruments it by hand puts it together: from the SDK's objects alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Asked", "Choice", "ToolCall", "Usage"]


@dataclass(kw_only=True, slots=True)
class ToolCall:
    """A call that the model asks for; its arguments are the JSON text that the model wrote."""

    id: str | None = None
    name: str = ""
    arguments: str = ""


@dataclass(kw_only=True, slots=True)
class Choice:
    """One of the answers."""

    text: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Usage:
    """Token counts, input with cached tokens; None where the SDK's object has none.

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
    """What came back.

    Attributes:
        id: The response's own id.
        model: The model that it names.
        choices: By index.
        usage: None where nothing was said of it.
        vectors: Of embeddings.
        request_id: From a header, as the SDK hands it out.
        error: What the body says went wrong, of errors that the SDK does not raise.
        complete: Whether it said that it was complete, as all that is no stream does.
        open: While a stream of blocks comes in: the tool calls by the index of their block.
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
    """What was asked for: the arguments of the SDK's method, and which one it was."""

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
        """Whose API it is."""
        return "anthropic" if self.api == "messages" else "openai"

    @property
    def stop(self) -> list[str] | None:
        """The stop sequences."""
        said = self.arguments.get("stop_sequences", self.arguments.get("stop"))
        return [said] if isinstance(said, str) else said

    @property
    def max_tokens(self) -> int | None:
        """The limit of the output, under whichever name."""
        names = ("max_completion_tokens", "max_output_tokens", "max_tokens")
        return next((self.arguments[name] for name in names if self.arguments.get(name) is not None), None)
