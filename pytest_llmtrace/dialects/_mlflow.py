"""MLflow: the call's arguments and the whole reply as JSON, beside a model and a usage; every value is a JSON text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.dialects._convert import Convert, Unreadable, dimensions, json_value
from pytest_llmtrace.dialects._dialect import Dialect, Places
from pytest_llmtrace.dialects._dumped import messages_in, usage_places
from pytest_llmtrace.dialects._messages import Message, message_places
from pytest_llmtrace.dialects._place import Part, Place, Sheet, inside, parameters
from pytest_llmtrace.dialects._prompts import Piece, called, of_request, pieces_in, prompt_places, several
from pytest_llmtrace.dialects._tools import definitions_in, tools_in
from pytest_llmtrace.model import SpanRecord
from pytest_llmtrace.reading import Fact

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


@dataclass(frozen=True, kw_only=True)
class _If(Place):
    """A place that is read only on some spans: MLflow traces any function, with arguments and a result of any form.

    Attributes:
        place: The place.
        of: The attribute whose parsed value decides.
        holds: Tells, from that value, whether the place is read.
    """

    place: Place
    of: str
    holds: Callable[[Any], bool]

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:
        """Return the fact in the place, if the place is read on this span."""
        known = sheet.open(self.of, json_value, sheet.attributes.get(self.of))
        return self.place.find(name, sheet, convert) if self.holds(known) else None


# --- arguments -------------------------------------------------------------------------------------------------------

_ASKED = frozenset({"input", "messages", "prompt"})


def _is_request(value: Any) -> bool:
    """Tell whether arguments are those of an SDK's method."""
    return isinstance(value, dict) and isinstance(value.get("model"), str) and not _ASKED.isdisjoint(value)


def _if_request(place: Place) -> Place:
    return _If(keys=place.keys, place=place, of=_INPUTS, holds=_is_request)


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
    for fact, place in {**parameters(_INPUTS), "dimensions": inside(_INPUTS, "dimensions")}.items():
        yield fact, tuple(map(_if_request, (place, *map(inside, _ALSO.get(fact, ())))))


def _sent(raw: Any) -> Iterator[Piece]:
    return of_request(json_value(raw))


def _if_langchain(place: Place) -> Place:
    return _If(keys=place.keys, place=place, of=_FORMAT, holds=lambda known: known == "langchain")


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


# --- reply -----------------------------------------------------------------------------------------------------------


def _is_reply(value: Any) -> bool:
    """Tell whether a result is the body of a reply."""
    if not isinstance(value, dict):
        return False
    is_message = value.get("type") == "message" and isinstance(value.get("content"), list)
    is_listed = isinstance(value.get("choices"), list) or isinstance(value.get("generations"), list)  # LangChain's
    return is_message or is_listed or value.get("object") in ("list", "response")


def _if_reply(place: Place) -> Place:
    return _If(keys=place.keys, place=place, of=_OUTPUTS, holds=_is_reply)


def _messages(raw: Any) -> list[Message]:
    value = json_value(raw)
    try:
        return messages_in(value) or []
    except Unreadable:
        return []  # The result of any traced function may look like a reply.


_SAID = message_places(
    _OUTPUTS,
    _messages,
    {
        "finish_reasons": f"{_OUTPUTS}[finish_reason]",
        "output_texts": f"{_OUTPUTS}[content]",
        "reasoning_texts": f"{_OUTPUTS}[reasoning]",
        "refusals": f"{_OUTPUTS}[refusal]",
        "tool_calls": f"{_OUTPUTS}[tool_calls]",
    },
)


_VECTOR = "data[].embedding"


def _vectors(raw: Any) -> list[Any]:
    value = json_value(raw)
    data = value.get("data") if _is_reply(value) else None
    listed = data if isinstance(data, list) else []
    return [item["embedding"] for item in listed if isinstance(item, Mapping) and "embedding" in item]


def _of_vectors(take: Callable[[Any], Any]) -> Place:
    return Part(keys=(_OUTPUTS,), reader=_vectors, take=take, label=f"{_OUTPUTS}[{_VECTOR}]")


_REPLY: Mapping[str, Place] = {
    **usage_places(_OUTPUTS, "usage"),
    "response_id": inside(_OUTPUTS, "id"),
    "response_model": inside(_OUTPUTS, "model"),
}

_OWN: Mapping[str, Place] = {
    "input_tokens": inside(_USAGE, "input_tokens"),
    "output_tokens": inside(_USAGE, "output_tokens"),
    "total_tokens": inside(_USAGE, "total_tokens"),
    "cache_read_tokens": inside(_USAGE, "cache_read_input_tokens"),
    "cache_write_tokens": inside(_USAGE, "cache_creation_input_tokens"),
    "cost": inside("mlflow.llm.cost", "total_cost"),
}

_FACTS: dict[str, Places] = {
    **dict(_arguments()),
    **{
        fact: (_if_request(inside(_INPUTS, "tools", convert=read)), inside("mlflow.chat.tools", convert=read))
        for fact, read in (("tools", tools_in), ("tool_definitions", definitions_in))
    },
    **several(
        {name: _if_request(place) for name, place in prompt_places(_INPUTS, _sent).items()},
        {name: _if_langchain(place) for name, place in prompt_places(_INPUTS, _of_langchain).items()},
    ),
    # The requested model until a reply names another one; with some integrations, always the requested one.
    "model": inside("mlflow.llm.model"),
    **{name: (*([_OWN[name]] if name in _OWN else ()), _if_reply(place)) for name, place in _REPLY.items()},
    **_SAID,
    "output_texts": (
        _SAID["output_texts"],
        # The text of a stream of the completions API. Any function may return a text, so the format has to be OpenAI's.
        _If(
            keys=(_OUTPUTS,),
            place=inside(_OUTPUTS, convert=lambda value: [value] if isinstance(value, str) and value else None),
            of=_FORMAT,
            holds=lambda value: value == "openai",
        ),
    ),
    "embedding_count": _of_vectors(lambda vectors: len(vectors) or None),
    "embedding_dimensions": _of_vectors(dimensions),
}

MLFLOW = Dialect(name="mlflow", recognises=_is_mlflow, facts=_FACTS)
