"""Attributes that a correct instrumentation writes for Langfuse and MLflow, mostly as JSON text."""

from __future__ import annotations

import json
from typing import Any

from tests.truth import _prompts
from tests.truth._answer import Answer, Asked, Choice, Usage

__all__ = ["langfuse_answered", "langfuse_asked", "langfuse_failed", "mlflow_answered", "mlflow_asked"]

Attributes = dict[str, Any]

_CONTENT = ("messages", "input", "prompt", "tools", "system")


def _said(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _json(value: Any) -> str | None:
    return None if value is None or value == {} else json.dumps(value)


def _message(choice: Choice) -> dict[str, Any]:
    """Write an answer in the form of the chat API."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in choice.tool_calls
    ]
    said = _said(refusal=choice.refusal, reasoning_content=choice.reasoning, tool_calls=calls or None)
    return {"role": "assistant", "content": choice.text, **said}


# --- Langfuse --------------------------------------------------------------------------------------------------------

_OBSERVATION = "langfuse.observation."


def langfuse_asked(asked: Asked) -> Attributes:
    """Write the attributes that are known before the call."""
    parameters = {key: value for key, value in asked.arguments.items() if key not in (*_CONTENT, "model")}
    if asked.api != "embeddings":  # Langfuse's wrapper around OpenAI's SDK writes these defaults.
        parameters = {"temperature": 1, "top_p": 1, "max_tokens": "Infinity", **parameters}
    return {
        f"{_OBSERVATION}type": "embedding" if asked.api == "embeddings" else "generation",
        f"{_OBSERVATION}model.name": asked.model,
        f"{_OBSERVATION}model.parameters": json.dumps(parameters),
        f"{_OBSERVATION}input": _prompts.langfuse(asked),
    }


def langfuse_answered(asked: Asked, answer: Answer) -> Attributes:
    """Write the attributes that are known after the call."""
    usage = answer.usage or Usage()
    own = asked.api == "messages"
    return {
        f"{_OBSERVATION}model.name": answer.model,
        f"{_OBSERVATION}usage_details": _json(_parts_of(usage) if own else _as_openai(usage)),
        f"{_OBSERVATION}cost_details": None if usage.cost is None else json.dumps({"total": usage.cost}),
        f"{_OBSERVATION}metadata.finish_reason": _json(
            next((choice.finish_reason for choice in answer.in_order if choice.finish_reason), None)
        ),
        f"{_OBSERVATION}output": _langfuse_output(answer),
    }


def langfuse_failed(error: BaseException) -> Attributes:
    """Write the attributes of a call that failed."""
    return {f"{_OBSERVATION}level": "ERROR", f"{_OBSERVATION}status_message": str(error)}


def _langfuse_output(answer: Answer) -> str | None:
    if answer.vectors:
        return json.dumps({"dimensions": len(answer.vectors[0]), "count": len(answer.vectors)})
    messages = [_message(choice) for choice in answer.in_order]
    return _json(messages[0] if len(messages) == 1 else messages or None)


def _parts_of(usage: Usage) -> dict[str, int]:
    """Divide both sides into parts that do not overlap, so that no token is counted twice."""
    apart = None if usage.input is None else usage.input - (usage.cache_read or 0) - (usage.cache_write or 0)
    return _said(
        input=apart,
        input_cached_tokens=usage.cache_read,
        input_cache_creation=usage.cache_write,
        output=None if usage.output is None else usage.output - (usage.reasoning or 0),
        output_reasoning_tokens=usage.reasoning,
        total=usage.total,
    )


def _as_openai(usage: Usage) -> dict[str, Any]:
    """Write a usage in the form of the chat API."""
    read = _said(cached_tokens=usage.cache_read, cache_write_tokens=usage.cache_write, audio_tokens=usage.input_audio)
    written = _said(reasoning_tokens=usage.reasoning, audio_tokens=usage.output_audio)
    return _said(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.total,
        prompt_tokens_details=read or None,
        completion_tokens_details=written or None,
    )


# --- MLflow ----------------------------------------------------------------------------------------------------------


def mlflow_asked(asked: Asked) -> Attributes:
    """Write the attributes that are known before the call."""
    kinds = {"embeddings": "EMBEDDING", "completions": "LLM"}
    alone = {key: json.dumps(value) for key, value in asked.arguments.items() if key not in _CONTENT}
    return {
        **(alone if asked.system == "openai" else {}),
        "mlflow.spanType": json.dumps(kinds.get(asked.api, "CHAT_MODEL")),
        "mlflow.spanInputs": json.dumps(asked.arguments),
        "mlflow.message.format": json.dumps(asked.system),
        "mlflow.llm.model": json.dumps(asked.model),
    }


def mlflow_answered(asked: Asked, answer: Answer) -> Attributes:
    """Write the attributes that are known after the call."""
    usage = answer.usage or Usage()
    counts = _said(
        input_tokens=usage.input,
        output_tokens=usage.output,
        total_tokens=usage.total,
        cache_read_input_tokens=usage.cache_read,
        cache_creation_input_tokens=usage.cache_write,
    )
    return {
        "mlflow.llm.model": _json(answer.model),
        "mlflow.chat.tokenUsage": _json(counts),
        "mlflow.llm.cost": None if usage.cost is None else json.dumps({"total_cost": usage.cost}),
        "mlflow.spanOutputs": _json(_body(asked, answer, usage)),
    }


def _body(asked: Asked, answer: Answer, usage: Usage) -> dict[str, Any]:
    """Write a reply in the form of the chat API, whichever API answered."""
    named = _said(id=answer.id, model=answer.model, usage=_as_openai(usage) or None)
    if asked.api == "embeddings":
        return {"object": "list", "data": [{"embedding": vector} for vector in answer.vectors], **named}
    choices = [{"message": _message(choice), "finish_reason": choice.finish_reason} for choice in answer.in_order]
    return {"choices": choices, **named} if choices or named else {}
