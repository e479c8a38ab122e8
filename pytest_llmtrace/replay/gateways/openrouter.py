"""OpenRouter: OpenAI's and Anthropic's forms, with its own ids, comments, costs and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import chat, embeddings, errors, messages, responses
from pytest_llmtrace.replay.gateways._form import DONE, Form, Mode, Profile
from pytest_llmtrace.replay.gateways._layout import Event
from pytest_llmtrace.replay.gateways._reply import CREATED, Reply
from pytest_llmtrace.replay.gateways._script import ToolCall, cut
from pytest_llmtrace.replay.gateways._usage import merged, priced

__all__ = ["PROFILE", "costs"]

_DATES = {"haiku-4.5": "20251001", "opus-4.5": "20251124", "sonnet-4.5": "20250929", "sonnet-4.6": "20260217"}
_NATIVE = {
    "anthropic": {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"},
    "google": {"stop": "STOP", "length": "MAX_TOKENS"},
    "openai": {"stop": "completed", "length": "max_output_tokens"},
}
_PROCESSING = ("OPENROUTER PROCESSING", "OPENROUTER PROCESSING")


def _slug(model: str) -> str:
    """Return the dated model that serves: `anthropic/claude-sonnet-4.6` is `anthropic/claude-4.6-sonnet-20260217`."""
    found = re.fullmatch(r"anthropic/claude-((haiku|opus|sonnet)-(\d\.\d))", model)
    if found is None or found[1] not in _DATES:
        return model
    return f"anthropic/claude-{found[3]}-{found[2]}-{_DATES[found[1]]}"


def costs(reply: Reply, input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """Return the cost fields of a usage: as queued, else by the price of a small model; `:free` models cost nothing."""
    prompt, completion = (0, 0) if reply.requested.endswith(":free") else priced(input_tokens, output_tokens)
    cost = round(prompt + completion, 10) if reply.script.cost is None else reply.script.cost
    made = {
        "cost": cost,
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": cost,
            "upstream_inference_prompt_cost": prompt,
            "upstream_inference_completions_cost": completion,
        },
    }
    return merged(made, {name: value for name, value in reply.script.usage.items() if name in made})


class _Ours(Form):
    error = staticmethod(errors.openrouter)
    comments = _PROCESSING
    leading: ClassVar[tuple[str, ...]] = ("\n         ", "\n         \n")

    def identity(self, reply: Reply) -> str:
        """Return the id of the generation."""
        return reply.id(f"gen-{CREATED}-", 20)


class Chat(_Ours, chat.Chat):
    """Chat completions. A stream has two finish chunks, the second with usage and cost; every delta names the role."""

    roles_first = False

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, with the cost fields of this gateway."""
        given = {"prompt_tokens": 12, "completion_tokens": 8, **reply.script.usage}
        cost = costs(reply, given["prompt_tokens"], given["completion_tokens"])
        plain = super().usage(reply)
        skeleton = {
            "prompt_tokens": plain["prompt_tokens"],
            "completion_tokens": plain["completion_tokens"],
            "total_tokens": plain["total_tokens"],
            "cost": cost["cost"],
            "is_byok": cost["is_byok"],
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 0,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0, "audio_tokens": 0},
            "cost_details": cost["cost_details"],
        }
        return merged(skeleton, given)

    def frame(self, reply: Reply, kind: str) -> dict[str, Any]:
        """Return the fields with which every reply and every chunk begins."""
        return {
            "id": self.identity(reply),
            "object": kind,
            "created": CREATED,
            "model": reply.model,
            "provider": errors.provider(reply),
        }

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        choices = [self.choice(reply, index) for index in reply.choices()]
        frame = self.frame(reply, "chat.completion")
        return {**frame, "system_fingerprint": None, "choices": choices, "usage": self.usage(reply)}

    def choice(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return one choice of a whole reply."""
        finish = self.finish(reply)
        return {
            "index": index,
            "logprobs": None,
            "finish_reason": finish,
            "native_finish_reason": self.native(reply, finish),
            "message": self.message(reply, index),
        }

    def native(self, reply: Reply, finish: str | None) -> str | None:
        """Return the finish reason in the words of the model's maker."""
        maker = reply.requested.partition("/")[0]
        return None if finish is None else _NATIVE.get(maker, {}).get(finish, finish)

    def message(self, reply: Reply, index: int) -> Mapping[str, Any]:
        """Return the message of a choice."""
        thoughts = reply.script.reasoning
        return {
            "role": "assistant",
            "content": reply.text(index),
            "refusal": reply.script.refusal,
            "reasoning": thoughts,
            **({"reasoning_details": _details(thoughts)} if thoughts is not None else {}),
            **self.calls(reply, index),
        }

    def call(self, reply: Reply, index: int, call: ToolCall) -> Mapping[str, Any]:
        """Return one tool call."""
        return {"index": index, **super().call(reply, index, call)}

    def deltas(self, reply: Reply, index: int) -> Iterator[chat.Delta]:
        """Yield the deltas of a choice: its reasoning, then all others, each with the role."""
        role = {"role": "assistant"}
        for piece in cut(reply.script.reasoning or "", None):
            yield {"content": "", **role, "reasoning": piece, "reasoning_details": _details(piece)}
        for delta in super().deltas(reply, index):
            yield {"content": delta.get("content", None if "tool_calls" in delta else ""), **role, **delta}

    def piece(self, reply: Reply, index: int, delta: chat.Delta, *, finish: str | None = None) -> Mapping[str, Any]:
        """Return one choice of a chunk."""
        native = self.native(reply, finish)
        return {"index": index, "delta": delta, "finish_reason": finish, "native_finish_reason": native}

    def closing(self, reply: Reply) -> Iterator[Event]:
        """Yield the finish of each choice, the last finish again with usage, and `[DONE]`."""
        empty = {"content": "", "role": "assistant"}
        finishes = [self.piece(reply, index, empty, finish=self.finish(reply)) for index in reply.choices()]
        for finish in finishes:
            yield self.chunk(reply, [finish])
        yield self.chunk(reply, finishes[-1:], usage=self.usage(reply))
        yield DONE

    def chunk_body(self, reply: Reply, choices: chat.Choices, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON of one chunk."""
        frame = self.frame(reply, "chat.completion.chunk")
        return {**frame, "choices": choices, **({"usage": usage} if usage else {})}

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway."""
        error = errors.numeric(reply)
        choice = self.piece(reply, 0, {"content": "", "role": "assistant"}, finish="error")
        frame = self.frame(reply, "chat.completion.chunk")
        return (Event(data={**frame, **error, "choices": [choice], "usage": self.usage(reply)}), DONE)


class Responses(_Ours, responses.Responses):
    """Responses whose events have no names, with `[DONE]` at the end."""

    named = False
    padded = False
    ends_with_done = True

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, with the cost fields of this gateway."""
        usage = super().usage(reply)
        return {**usage, **costs(reply, usage["input_tokens"], usage["output_tokens"])}


class Embeddings(_Ours, embeddings.Embeddings):
    leading = ()

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {**super().body(reply), "provider": errors.provider(reply), "id": reply.id(f"gen-emb-{CREATED}-", 20)}

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, with the cost fields of this gateway."""
        usage = super().usage(reply)
        return {**usage, "cost": costs(reply, usage["prompt_tokens"], 0)["cost"]}


class Messages(_Ours, messages.Messages):
    error = staticmethod(errors.anthropic)
    leading = ()

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage, with the cost fields of this gateway."""
        usage = super().usage(reply)
        return {**usage, "cost": costs(reply, usage["input_tokens"], usage["output_tokens"])["cost"]}


def _details(text: str) -> list[dict[str, Any]]:
    return [{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}]


def _headers(reply: Reply, mode: Mode) -> Headers:
    generation = () if mode == "error" else (("x-generation-id", reply.id(f"gen-{CREATED}-", 20)),)
    return (
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "X-Generation-Id,X-Provider-Name,request-id,cf-ray"),
        ("cache-control", "no-cache") if mode == "stream" else ("vary", "Accept-Encoding"),
        ("server", "cloudflare"),
        *generation,
    )


PROFILE = Profile(
    name="openrouter",
    forms={"chat": Chat(), "responses": Responses(), "embeddings": Embeddings(), "messages": Messages()},
    headers=_headers,
    served=_slug,
    options=frozenset({"cost", "provider", "reasoning"}),
    options_of={"provider": ("chat", "embeddings")},
    stream_type="text/event-stream",
    body_errors=True,
)
