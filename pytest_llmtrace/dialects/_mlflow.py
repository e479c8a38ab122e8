"""The dialect of MLflow: the call's arguments and the whole reply, beside model and usage; all as JSON texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace.dialects._convert import json_value
from pytest_llmtrace.dialects._dialect import Dialect, Places, together
from pytest_llmtrace.dialects._place import Place, inside
from pytest_llmtrace.dialects._prompts import Piece, called, of_request, pieces_in, prompt_places
from pytest_llmtrace.dialects._tools import definitions_in, tools_in
from pytest_llmtrace.dialects._whole import If, if_request, reply_places, request_places
from pytest_llmtrace.model import SpanRecord

__all__ = ["MLFLOW"]

# mlflow/entities/span.py, SpanType: the types that stand for one call to a model.
_CALLS = frozenset({"CHAT_MODEL", "EMBEDDING", "LLM"})

_INPUTS = "mlflow.spanInputs"
_OUTPUTS = "mlflow.spanOutputs"
_USAGE = "mlflow.chat.tokenUsage"
_FORMAT = "mlflow.message.format"


def _is_mlflow(span: SpanRecord) -> bool:
    kind = span.attributes.get("mlflow.spanType")
    return isinstance(kind, str) and kind.strip('"') in _CALLS


# --- arguments -------------------------------------------------------------------------------------------------------

# The OpenAI integration also writes each argument as an attribute of its own: fact -> the names of the attributes.
_ALSO = {
    "request_model": ("model",),
    "streaming": ("stream",),
    "max_tokens": ("max_completion_tokens", "max_output_tokens", "max_tokens"),
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "frequency_penalty": ("frequency_penalty",),
    "presence_penalty": ("presence_penalty",),
    "seed": ("seed",),
    "stop": ("stop",),
    "choice_count": ("n",),
    "dimensions": ("dimensions",),
}


def _arguments() -> Iterator[tuple[str, tuple[Place, ...]]]:
    for fact, place in request_places(_INPUTS).items():
        yield fact, (place, *(if_request(inside(name), _INPUTS) for name in _ALSO.get(fact, ())))


def _if_langchain(place: Place) -> Place:
    return If(keys=place.keys, place=place, of=_FORMAT, holds=lambda known: known == "langchain")


def _of_langchain(raw: Any) -> Iterator[Piece]:
    """Read the prompt as LangChain's integration writes it: a request, messages in LangChain's form, or texts."""
    value = json_value(raw)
    if isinstance(value, dict):
        yield from of_request(value)
    elif isinstance(value, list) and all(isinstance(batch, list) for batch in value):
        for message in value[0] if len(value) == 1 else ():
            if isinstance(message, dict):
                yield from pieces_in(message.get("type"), message.get("content"))
                yield from called(message.get("tool_calls"))
    else:
        yield from pieces_in(None, value)


# --- all of it -------------------------------------------------------------------------------------------------------

_OWN: Mapping[str, Place] = {
    "input_tokens": inside(_USAGE, "input_tokens"),
    "output_tokens": inside(_USAGE, "output_tokens"),
    "total_tokens": inside(_USAGE, "total_tokens"),
    "cache_read_tokens": inside(_USAGE, "cache_read_input_tokens"),
    "cache_write_tokens": inside(_USAGE, "cache_creation_input_tokens"),
    "cost": inside("mlflow.llm.cost", "total_cost"),
}

_LANGCHAIN = {name: _if_langchain(place) for name, place in prompt_places(_INPUTS, _of_langchain).items()}

# The text of a stream of the completions API. Any function may return a text, so the format has to be OpenAI's.
_STREAMED = If(
    keys=(_OUTPUTS,),
    place=inside(_OUTPUTS, convert=lambda value: [value] if isinstance(value, str) and value else None),
    of=_FORMAT,
    holds=lambda value: value == "openai",
)

_FACTS: dict[str, Places] = together(
    dict(_arguments()),
    {
        fact: (inside("mlflow.chat.tools", convert=read), if_request(inside("tools", convert=read), _INPUTS))
        for fact, read in (("tools", tools_in), ("tool_definitions", definitions_in))
    },
    _LANGCHAIN,
    # The requested model until a reply names another one; with some integrations, always the requested one.
    {"model": inside("mlflow.llm.model")},
    _OWN,
    reply_places(_OUTPUTS),
    {"output_texts": _STREAMED},
)

MLFLOW = Dialect(name="mlflow", recognises=_is_mlflow, facts=_FACTS)
