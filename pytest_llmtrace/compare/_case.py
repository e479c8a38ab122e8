"""One case that every instrumentor is shown."""

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
        request: What the application asks for.
        prepare: Lets a trace answer it, and nothing else.
        way: How its stream is left, by the names of `llmtrace_exits`; read to its end if none is named.
        retries: How often the SDK tries again.
    """

    id: str
    request: Request
    prepare: Callable[[LLMTrace], AbstractContextManager[object]]
    way: str = ""
    retries: int = 0

    @property
    def gateway(self) -> str:
        """Whose form the reply takes."""
        return self.id.partition(":")[2].partition("/")[0]

    @property
    def settings(self) -> Settings:
        """What a trace of it runs with. Two cases have two response ids: some instrumentors keep answers by theirs."""
        return Settings(label=self.id, seed=self.id, verify=False)
