"""One writer for each convention: the attributes that a correct instrumentation puts on a span, before and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import SpanKind

from tests.truth import _prompts
from tests.truth._answer import Answer, Asked, Choice, ToolCall, Usage
from tests.truth._platforms import langfuse_answered, langfuse_asked, langfuse_failed, mlflow_answered, mlflow_asked

__all__ = ["DIALECTS", "Writer"]

Attributes = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A convention, as far as an instrumentation has to know it.

    Attributes:
        name: The convention's name, mostly that of our own reader.
        scope: The name of the tracer.
        span: The name of the span.
        asked: The attributes that are known before the call.
        answered: The attributes that are known after the call; None for values that are unknown.
        failed: The attributes of a call that raised.
        kind: The kind of the span.
        apis: The APIs that the convention is written for.
        says_ok: Whether a success sets the status OK.
        has_event: Whether an exception is recorded as an event.
    """

    name: str
    scope: Callable[[Asked], str]
    span: Callable[[Asked], str]
    asked: Callable[[Asked], Attributes]
    answered: Callable[[Asked, Answer], Attributes]
    failed: Callable[[BaseException], Attributes]
    kind: SpanKind = SpanKind.CLIENT
    apis: tuple[str, ...] = ("chat", "completions", "responses", "embeddings", "messages")
    says_ok: bool = False
    has_event: bool = True


def _nothing(_error: BaseException) -> Attributes:
    return {}


def _error_type(error: BaseException) -> Attributes:
    return {"error.type": f"{type(error).__module__}.{type(error).__qualname__}"}


_OPERATIONS = {"completions": "text_completion", "embeddings": "embeddings"}


def _operation(asked: Asked) -> str:
    return _OPERATIONS.get(asked.api, "chat")


# --- OpenInference ---------------------------------------------------------------------------------------------------

_NAMES = {
    "chat": "ChatCompletion",
    "completions": "Completion",
    "responses": "Response",
    "embeddings": "CreateEmbeddings",
    "messages": "messages.create",
}
_CONTENT = ("messages", "input", "prompt", "tools", "system")


def _openinference_asked(asked: Asked) -> Attributes:
    parameters = json.dumps({key: value for key, value in asked.arguments.items() if key not in _CONTENT})
    if asked.api == "embeddings":
        said = _prompts.openinference(asked)
        return {"openinference.span.kind": "EMBEDDING", "embedding.invocation_parameters": parameters, **said}
    return {
        **_prompts.openinference(asked),
        "openinference.span.kind": "LLM",
        "llm.system": asked.system,
        "llm.provider": asked.system,
        "llm.model_name": asked.model,
        "llm.invocation_parameters": parameters,
    }


def _openinference_answered(asked: Asked, answer: Answer) -> Attributes:
    usage = answer.usage or Usage()
    model = "embedding.model_name" if asked.api == "embeddings" else "llm.model_name"
    found: Attributes = {
        model: answer.model,
        "llm.finish_reason": next((choice.finish_reason for choice in answer.in_order), None),
        "llm.token_count.prompt": usage.input,
        "llm.token_count.completion": usage.output,
        "llm.token_count.total": usage.total,
        "llm.token_count.prompt_details.cache_read": usage.cache_read,
        "llm.token_count.prompt_details.cache_write": usage.cache_write,
        "llm.token_count.prompt_details.audio": usage.input_audio,
        "llm.token_count.completion_details.reasoning": usage.reasoning,
        "llm.token_count.completion_details.audio": usage.output_audio,
        "llm.cost.total": usage.cost,
    }
    for index, choice in enumerate(answer.in_order):
        found |= _openinference_message(f"llm.output_messages.{index}.message.", choice)
    for index, vector in enumerate(answer.vectors):
        found[f"embedding.embeddings.{index}.embedding.vector"] = vector
    return found


def _openinference_message(prefix: str, choice: Choice) -> Attributes:
    found: Attributes = {f"{prefix}role": "assistant", f"{prefix}content": choice.text}
    if choice.reasoning:
        found[f"{prefix}contents.0.message_content.type"] = "reasoning"
        found[f"{prefix}contents.0.message_content.text"] = choice.reasoning
    for index, call in enumerate(choice.tool_calls):
        name = f"{prefix}tool_calls.{index}.tool_call."
        found[f"{name}id"] = call.id
        found[f"{name}function.name"] = call.name
        found[f"{name}function.arguments"] = call.arguments or "{}"
    return found


# --- OpenTelemetry, generative AI ------------------------------------------------------------------------------------


def _genai_parameters(asked: Asked) -> Attributes:
    said = asked.arguments
    return {
        "gen_ai.request.max_tokens": asked.max_tokens,
        "gen_ai.request.temperature": said.get("temperature"),
        "gen_ai.request.top_p": said.get("top_p"),
        "gen_ai.request.top_k": said.get("top_k"),
        "gen_ai.request.frequency_penalty": said.get("frequency_penalty"),
        "gen_ai.request.presence_penalty": said.get("presence_penalty"),
        "gen_ai.request.stop_sequences": asked.stop,
        "gen_ai.request.choice.count": said.get("n") if said.get("n") != 1 else None,
    }


def _genai_asked(asked: Asked) -> Attributes:
    return _genai_parameters(asked) | {
        **_prompts.genai(asked),
        "gen_ai.operation.name": _operation(asked),
        "gen_ai.provider.name": asked.system,
        "gen_ai.request.model": asked.model,
        "gen_ai.request.seed": asked.arguments.get("seed"),
        # It is set for streams only; without it there is no stream.
        "gen_ai.request.stream": True if asked.streaming else None,
    }


_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "tool_use": "tool_call",
    "tool_calls": "tool_call",
    "refusal": "content_filter",
    "failed": "error",
}


def _mapped(choice: Choice) -> str:
    """Write a finish reason in the words of the convention's own enumeration; a missing one is an error."""
    if choice.finish_reason == "completed" and choice.tool_calls:
        return "tool_call"
    return _REASONS.get(choice.finish_reason or "error", choice.finish_reason or "error")


def _genai_answered(_asked: Asked, answer: Answer) -> Attributes:
    usage = answer.usage or Usage()
    return {
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": answer.model,
        "gen_ai.response.finish_reasons": [_mapped(choice) for choice in answer.in_order] or None,
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        "gen_ai.usage.audio.input_tokens": usage.input_audio,
        "gen_ai.usage.audio.output_tokens": usage.output_audio,
        "gen_ai.embeddings.dimension.count": len(answer.vectors[0]) if answer.vectors else None,
        "gen_ai.output.messages": _output_messages(answer),
    }


def _output_messages(answer: Answer) -> str | None:
    """Write the answers as JSON in the convention's form."""
    messages = [
        {"role": "assistant", "parts": list(_parts(choice)), "finish_reason": _mapped(choice)}
        for choice in answer.in_order
    ]
    return json.dumps(messages) if messages else None


def _parts(choice: Choice) -> list[dict[str, Any]]:
    said = (("reasoning", choice.reasoning), ("text", choice.text), ("refusal", choice.refusal))
    parts: list[dict[str, Any]] = [{"type": kind, "content": text} for kind, text in said if text]
    return parts + [_call_part(call) for call in choice.tool_calls]


def _call_part(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_call", "id": call.id, "name": call.name, "arguments": _arguments(call)}


def _arguments(call: ToolCall) -> Any:
    """Return the JSON value of the arguments; a custom tool's argument may be any text."""
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments


# Before 1.37: `gen_ai.system`, `prompt_tokens`, and names of OpenAI's; messages were events, not attributes.


def _older_asked(asked: Asked) -> Attributes:
    return _genai_parameters(asked) | {
        "gen_ai.system": asked.system,
        "gen_ai.operation.name": _operation(asked),
        "gen_ai.request.model": asked.model,
        "gen_ai.openai.request.seed": asked.arguments.get("seed"),
    }


def _older_answered(_asked: Asked, answer: Answer) -> Attributes:
    usage = answer.usage or Usage()
    return {
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": answer.model,
        "gen_ai.response.finish_reasons": [choice.finish_reason or "" for choice in answer.in_order] or None,
        "gen_ai.usage.prompt_tokens": usage.input,
        "gen_ai.usage.completion_tokens": usage.output,
        "gen_ai.usage.cache_read_input_tokens": usage.cache_read,
        "gen_ai.usage.cache_creation_input_tokens": usage.cache_write,
    }


# --- OpenLLMetry -----------------------------------------------------------------------------------------------------


def _openllmetry_asked(asked: Asked) -> Attributes:
    return {
        "llm.request.type": {"completions": "completion", "embeddings": "embedding"}.get(asked.api, "chat"),
        "gen_ai.system": asked.system,
        "gen_ai.request.model": asked.model,
        "gen_ai.request.max_tokens": asked.max_tokens,
        "gen_ai.request.temperature": asked.arguments.get("temperature"),
        "gen_ai.request.top_p": asked.arguments.get("top_p"),
        "llm.top_k": asked.arguments.get("top_k"),
        "llm.frequency_penalty": asked.arguments.get("frequency_penalty"),
        "llm.presence_penalty": asked.arguments.get("presence_penalty"),
        "llm.chat.stop_sequences": asked.stop,
        "llm.is_streaming": asked.streaming,
        **_prompts.flattened(asked),
    }


def _openllmetry_answered(_asked: Asked, answer: Answer) -> Attributes:
    usage = answer.usage or Usage()
    found: Attributes = {
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": answer.model,
        "gen_ai.usage.prompt_tokens": usage.input,
        "gen_ai.usage.completion_tokens": usage.output,
        "llm.usage.total_tokens": usage.total,
        "gen_ai.usage.cache_read_input_tokens": usage.cache_read,
        "gen_ai.usage.cache_creation_input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning_tokens": usage.reasoning,
    }
    for index, choice in enumerate(answer.in_order):
        found |= _completion(f"gen_ai.completion.{index}.", choice)
    return found


def _completion(prefix: str, choice: Choice) -> Attributes:
    found: Attributes = {
        f"{prefix}role": "assistant",
        f"{prefix}content": choice.text,
        f"{prefix}reasoning": choice.reasoning,
        f"{prefix}finish_reason": choice.finish_reason,
    }
    for index, call in enumerate(choice.tool_calls):
        found[f"{prefix}tool_calls.{index}.id"] = call.id
        found[f"{prefix}tool_calls.{index}.name"] = call.name
        found[f"{prefix}tool_calls.{index}.arguments"] = call.arguments
    return found


# --- logfire ---------------------------------------------------------------------------------------------------------


def _logfire_asked(asked: Asked) -> Attributes:
    given = json.dumps(asked.arguments)
    found = _genai_asked(asked) | {"request_data": given, "gen_ai.system": asked.system}
    found["gen_ai.request.stop_sequences"] = None if asked.stop is None else json.dumps(asked.stop)
    return found | {"logfire.span_type": "span", "gen_ai.request.stream": None}


def _logfire_answered(asked: Asked, answer: Answer) -> Attributes:
    usage = answer.usage or Usage()
    said = _genai_answered(asked, answer)
    kept = ("gen_ai.response.id", "gen_ai.response.model", "gen_ai.output.messages")
    tokens = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    reasons = [choice.finish_reason for choice in answer.in_order]
    return {key: said[key] for key in (*kept, *tokens)} | {
        "gen_ai.usage.raw": json.dumps(usage.raw) if answer.complete and usage.raw else None,
        "gen_ai.response.finish_reasons": json.dumps(reasons) if any(reasons) else None,
    }


# --- By hand, around `anthropic.Anthropic()` -------------------------------------------------------------------------


def _by_hand_asked(asked: Asked) -> Attributes:
    return {
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": asked.model,
        "gen_ai.request.max_tokens": asked.max_tokens,
    }


def _by_hand_answered(_asked: Asked, answer: Answer) -> Attributes:
    usage, names = answer.usage or Usage(), [call.name for call in answer.tool_calls]
    return {
        "gen_ai.response.model": answer.model,
        "gen_ai.response.stop_reason": next((choice.finish_reason or "" for choice in answer.in_order), None),
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
        "gen_ai.response.tool_calls.count": len(names) or None,
        "gen_ai.response.tool_calls.names": names or None,
        "gen_ai.latency_ms": 12.5,
    }


def _native_answered(_asked: Asked, answer: Answer) -> Attributes:
    usage = answer.usage or Usage()
    return {
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": answer.model,
        "anthropic.message.stop_reason": next((choice.finish_reason for choice in answer.in_order), None),
        "anthropic.request.id": answer.request_id,
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
    }


DIALECTS: Mapping[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer(
            name="openinference",
            scope=lambda asked: f"team.openinference.{asked.system}",
            span=lambda asked: _NAMES[asked.api],
            asked=_openinference_asked,
            answered=_openinference_answered,
            failed=_nothing,
            kind=SpanKind.INTERNAL,
            says_ok=True,
        ),
        Writer(
            name="otel-genai",
            scope=lambda _: "team.genai",
            span=lambda asked: f"{_operation(asked)} {asked.model}",
            asked=_genai_asked,
            answered=_genai_answered,
            failed=_error_type,
            has_event=False,
        ),
        Writer(
            name="otel-genai, older names",
            scope=lambda _: "team.genai.older",
            span=lambda asked: f"{_operation(asked)} {asked.model}",
            asked=_older_asked,
            answered=_older_answered,
            failed=_error_type,
            has_event=False,
        ),
        Writer(
            name="openllmetry",
            scope=lambda _: "team.openllmetry",
            span=lambda asked: f"{asked.system}.chat",
            asked=_openllmetry_asked,
            answered=_openllmetry_answered,
            failed=lambda error: {"error.type": type(error).__name__},
            says_ok=True,
        ),
        Writer(
            name="logfire",
            scope=lambda asked: f"logfire.{asked.system}",
            span=lambda asked: "Message with {model!r}" if asked.api == "messages" else "Completion with {model!r}",
            asked=_logfire_asked,
            answered=_logfire_answered,
            failed=_error_type,
        ),
        Writer(
            name="langfuse",
            scope=lambda _: "langfuse-sdk",
            span=lambda asked: "OpenAI-embedding" if asked.api == "embeddings" else "OpenAI-generation",
            asked=langfuse_asked,
            answered=langfuse_answered,
            failed=langfuse_failed,
            kind=SpanKind.INTERNAL,
            has_event=False,
        ),
        Writer(
            name="mlflow",
            scope=lambda _: "mlflow.tracing.provider",
            span=lambda asked: {"chat": "Completions", "messages": "Messages.create"}.get(asked.api, "Responses"),
            asked=mlflow_asked,
            answered=mlflow_answered,
            failed=_nothing,
            kind=SpanKind.INTERNAL,
            says_ok=True,
        ),
        Writer(
            name="hand-written",
            scope=lambda _: "chat-api.llm",
            span=lambda asked: f"anthropic.messages.{'stream' if asked.streaming else 'create'}",
            asked=_by_hand_asked,
            answered=_by_hand_answered,
            failed=_error_type,
            apis=("messages",),
            says_ok=True,
        ),
        Writer(
            name="anthropic-native",
            scope=lambda _: "com.anthropic.sdk.python",
            span=lambda _: "anthropic.messages.create",
            asked=_genai_asked,
            answered=_native_answered,
            failed=lambda error: {"error.type": getattr(error, "type", None) or type(error).__name__},
            apis=("messages",),
            says_ok=True,
            has_event=False,
        ),
    )
}
