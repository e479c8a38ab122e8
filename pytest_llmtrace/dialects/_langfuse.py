"""The dialect of Langfuse: a model, and its parameters, usage, cost, input and output as JSON texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.dialects._convert import Convert, Unreadable, count, json_value, number, text
from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._dumped import messages_in, usage_places
from pytest_llmtrace.dialects._messages import Message, mapping, message_places
from pytest_llmtrace.dialects._place import Part, Place, Sheet, attribute, inside, parameters, since_start
from pytest_llmtrace.dialects._prompts import Piece, of_request, prompt_places
from pytest_llmtrace.dialects._tools import read_tools, tool_places
from pytest_llmtrace.model import SpanRecord
from pytest_llmtrace.reading import NULL, PRESENT, Fact

__all__ = ["LANGFUSE"]

# langfuse/_client/constants.py: the types of an observation that stand for one call to a model.
_CALLS = frozenset({"embedding", "generation"})

_OWN = "langfuse.observation."
_USAGE = f"{_OWN}usage_details"
_ASKED = f"{_OWN}model.parameters"
_INPUT = f"{_OWN}input"
_OUTPUT = f"{_OWN}output"
_METADATA = f"{_OWN}metadata."


def _is_langfuse(span: SpanRecord) -> bool:
    kind = span.attributes.get(f"{_OWN}type")
    return isinstance(kind, str) and kind in _CALLS


# --- usage -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Side(Place):
    """The input or the output tokens as Langfuse sums them up: all counts with that word in their names are added.

    In OpenAI's two forms, one count is the total: Langfuse's server splits them so that no token is counted twice.
    Langfuse: packages/shared/src/server/ingestion/types.ts, `UsageDetails`; docs, Token & Cost Tracking.

    Attributes:
        word: The word in the names: `input` or `output`.
        whole: The names of the total in OpenAI's chat API and Responses API.
    """

    word: str
    whole: tuple[str, str]

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:
        """Add up the counts of that side, unless one of them is the total."""
        raw = sheet.attributes[_USAGE]
        usage = sheet.open(_USAGE, json_value, raw)
        if isinstance(usage, Unreadable):
            return sheet.unreadable(name, _USAGE, raw, str(usage))
        if not isinstance(usage, Mapping):
            return None
        whole = self._whole(usage)
        if whole is not None:
            return sheet.fact(name, f"{_USAGE}[{whole}]", usage[whole], convert)
        facts = [sheet.fact(name, f"{_USAGE}[{key}]", value, count) for key, value in self._parts(usage)]
        there = [fact for fact in facts if fact is not None and fact.state is not NULL]
        if len(there) < 2:  # noqa: PLR2004
            return next(iter(there or facts), None)
        bad = next((fact for fact in there if fact.state is not PRESENT), None)
        return bad or Fact(
            name, sum(fact.value for fact in there), PRESENT, tuple(fact.parts[0] for fact in there), sheet.where
        )

    def _whole(self, usage: Mapping[str, Any]) -> str | None:
        chat, responses = self.whole
        if usage.get(chat) is not None:
            return chat
        own = _RESPONSES.issuperset(usage) and "total_tokens" in usage
        return (
            responses if usage.get(responses) is not None and (own or f"{self.word}_tokens_details" in usage) else None
        )

    def _parts(self, usage: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for key, value in usage.items():
            if self.word in key.lower() and not isinstance(value, Mapping | list):
                yield key, value


_SIDES = ("input_tokens", "output_tokens")
_RESPONSES = frozenset({*_SIDES, *(f"{side}_details" for side in _SIDES), "total_tokens"})


_AS_SENT = usage_places(_USAGE)  # The provider's names; LangChain's handler and people use names of their own.


def _cost(value: Any) -> float | int | None:
    """Return the total cost, or else the sum of the costs that are stated."""
    stated = {key: cost for key, cost in mapping(value, "the cost").items() if cost is not None}
    if "total" in stated:
        return number(stated["total"])
    return sum(map(number, stated.values())) if stated else None


# --- request ---------------------------------------------------------------------------------------------------------


def _limit(value: Any) -> int | None:
    """Read a limit on output tokens; Langfuse writes `Infinity` if there is none."""
    return None if value in ("Infinity", "inf") else count(value)


def _offered(raw: Any) -> Any:
    """Read the tools of an input that has the form of a request, with messages."""
    asked = _dumped(raw)
    return read_tools(asked.get("tools", ())) if isinstance(asked, Mapping) and "messages" in asked else None


def _given(raw: Any) -> Iterator[Piece]:
    """Read the prompt from an input in the form of a request; people may write an input of any other form.

    A text as `input` or `prompt` gets no role: it need not be a message, but may be what went into one.
    """
    asked = _dumped(raw)
    asked_for = [asked.get(key) for key in ("input", "prompt")] if isinstance(asked, Mapping) else ()
    texts = [text for text in asked_for if isinstance(text, str)]
    return ({**said, "role": None} if said.get("text") in texts else said for said in of_request(asked))


# --- output ----------------------------------------------------------------------------------------------------------


def _dumped(raw: Any) -> Any:
    """Parse an input or output; return `None` if it is a text that is not JSON."""
    try:
        return json_value(raw)
    except Unreadable:
        return None


def _messages(raw: Any) -> list[Message]:
    """Read the messages of an output in the form of a reply; people may write an output of any other form."""
    try:
        return messages_in(_dumped(raw)) or []
    except Unreadable:
        return []


_SAID = message_places(
    _OUTPUT,
    _messages,
    {
        "finish_reasons": f"{_OUTPUT}[finish_reason]",
        "output_texts": f"{_OUTPUT}[content]",
        "reasoning_texts": f"{_OUTPUT}[reasoning]",
        "refusals": f"{_OUTPUT}[refusal]",
        "tool_calls": f"{_OUTPUT}[tool_calls]",
        "repeated": f"{_OUTPUT}[content]",
    },
)


@dataclass(frozen=True, kw_only=True)
class _Text(Place):
    """The output as the text of the answer: Langfuse writes it for a stream, and people may set it themselves."""

    def find(self, name: str, sheet: Sheet, convert: Convert | None) -> Fact | None:  # noqa: ARG002
        """Return the text, unless it is JSON of an object or a list, or the result of a decorated function."""
        raw = sheet.attributes[_OUTPUT]
        is_text = isinstance(raw, str) and raw[:1] not in ("", "[", "{")  # JSON that a limit has cut does not parse.
        if not is_text or self._of_function(sheet.attributes.get(_INPUT)):
            return None
        return sheet.fact(name, _OUTPUT, raw, lambda said: [text(said)])

    def _of_function(self, asked: Any) -> bool:
        """Tell whether an input is the arguments of a function, as `@observe` writes them."""
        value = _dumped(asked)
        return isinstance(value, dict) and set(value) == {"args", "kwargs"}


def _vectors(raw: Any) -> Mapping[str, Any] | None:
    """Read what is written instead of the vectors: how many there are, and how many numbers each has."""
    value = _dumped(raw)
    return value if isinstance(value, dict) and set(value) == {"count", "dimensions"} else None


def _of_vectors(name: str) -> Place:
    return Part(keys=(_OUTPUT,), reader=_vectors, take=lambda value: count(value[name]), label=f"{_OUTPUT}[{name}]")


# --- metadata --------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Read metadata, which is JSON from version 5 of Langfuse's SDK on, and before that the text itself."""
    found = _dumped(value)
    return text(value if found is None else found)


LANGFUSE = Dialect(
    name="langfuse",
    recognises=_is_langfuse,
    facts={
        # The model has a place of its own; a tool choice stands in the input, beside the tools, and is not read there.
        **{name: place for name, place in parameters(_ASKED).items() if name not in ("request_model", "tool_choice")},
        "max_tokens": inside(_ASKED, "max_completion_tokens", "max_output_tokens", "max_tokens", convert=_limit),
        "dimensions": inside(_ASKED, "dimensions"),
        **tool_places(_INPUT, _offered, f"{_INPUT}[tools]"),
        **prompt_places(_INPUT, _given),
        # The requested model until the reply names another one.
        "model": f"{_OWN}model.name",
        "finish_reasons": _SAID["finish_reasons"],
        "finish_reason": attribute(f"{_METADATA}finish_reason", _plain),
        "output_texts": (_SAID["output_texts"], _Text(keys=(_OUTPUT,))),
        "reasoning_texts": _SAID["reasoning_texts"],
        "refusals": _SAID["refusals"],
        "tool_calls": (_SAID["tool_calls"], _SAID["repeated"]),
        "embedding_count": _of_vectors("count"),
        "embedding_dimensions": _of_vectors("dimensions"),
        "time_to_first_token": since_start(f"{_OWN}completion_start_time"),
        "input_tokens": _Side(keys=(_USAGE,), word="input", whole=("prompt_tokens", "input_tokens")),
        "output_tokens": _Side(keys=(_USAGE,), word="output", whole=("completion_tokens", "output_tokens")),
        "total_tokens": inside(_USAGE, "total", "total_tokens"),
        "cache_read_tokens": (_AS_SENT["cache_read_tokens"], inside(_USAGE, "input_cached_tokens", "input_cache_read")),
        "cache_write_tokens": (
            _AS_SENT["cache_write_tokens"],
            inside(_USAGE, "input_cache_creation", "input_cache_write_tokens"),
        ),
        "reasoning_tokens": (
            _AS_SENT["reasoning_tokens"],
            inside(_USAGE, "output_reasoning_tokens", "output_reasoning"),
        ),
        "input_audio_tokens": (_AS_SENT["input_audio_tokens"], inside(_USAGE, "input_audio_tokens", "input_audio")),
        "output_audio_tokens": (_AS_SENT["output_audio_tokens"], inside(_USAGE, "output_audio_tokens", "output_audio")),
        "cost": inside(f"{_OWN}cost_details", convert=_cost),
    },
)
