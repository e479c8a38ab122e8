"""One case of the comparison: an LLM call and its answer, which every instrumentor is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Request, Settings

__all__ = ["Case"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One LLM call and what answers it.

    Attributes:
        id: `builtin:openrouter/chat#0` (cassette, interaction), `scripted:openai/chat-tools-stream`,
            `left:openai/chat-break` or `fault:openai/chat-disconnect-stream`.
        request: The request that the application makes.
        prepare: Lets a trace answer the request, and nothing else.
        way: The way in which its stream is left, by its name in `llmtrace_exits`; if empty, it is read to its end.
        retries: How often the SDK tries again.
    """

    id: str
    request: Request
    prepare: Callable[[LLMTrace], AbstractContextManager[object]]
    way: str = ""
    retries: int = 0

    @property
    def gateway(self) -> str:
        """The gateway in whose form the reply is."""
        return self.id.partition(":")[2].partition("/")[0]

    @property
    def settings(self) -> Settings:
        """The settings of its trace. Each case has response ids of its own: some instrumentors keep answers by them."""
        return Settings(label=self.id, seed=self.id, verify=False)
