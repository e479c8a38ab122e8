"""A request and its reply, each written whole into one attribute as JSON, in the form of the SDK that made the call.

Nothing prescribes this use of the attributes: a framework, or a function that is traced, has arguments and a result of
any form. A value in neither the form of a request nor that of a reply is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace.dialects._convert import Convert, Unreadable, dimensions, json_value
from pytest_llmtrace.dialects._dumped import messages_in, usage_places
from pytest_llmtrace.dialects._messages import Message, message_places
from pytest_llmtrace.dialects._place import Part, Place, Sheet, inside, parameters
from pytest_llmtrace.dialects._prompts import Piece, of_request, prompt_places
from pytest_llmtrace.dialects._tools import definitions_in, tools_in
from pytest_llmtrace.reading import Fact

__all__ = ["If", "if_request", "reply_places", "request_places"]


@dataclass(frozen=True, kw_only=True)
class If(Place):
    """A place that is read only on some spans.

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
        known = sheet.tried(self.of, json_value, sheet.attributes.get(self.of))
        return self.place.find(name, sheet, convert) if self.holds(known) else None


# --- request ---------------------------------------------------------------------------------------------------------

_ASKED = frozenset({"input", "messages", "prompt"})


def _is_request(value: Any) -> bool:
    """Tell whether arguments are those of an SDK's method."""
    return isinstance(value, dict) and isinstance(value.get("model"), str) and not _ASKED.isdisjoint(value)


def if_request(place: Place, key: str) -> Place:
    """Make a place that is read if an attribute has the form of a request."""
    return If(keys=place.keys, place=place, of=key, holds=_is_request)


def _sent(raw: Any) -> Iterator[Piece]:
    return of_request(json_value(raw))


def request_places(key: str) -> dict[str, Place]:
    """Make the places of all facts in a request: parameters, tools and prompt."""
    places = {
        **parameters(key),
        "dimensions": inside(key, "dimensions"),
        "tools": inside(key, "tools", convert=tools_in),
        "tool_definitions": inside(key, "tools", convert=definitions_in),
        **prompt_places(key, _sent),
    }
    return {name: if_request(place, key) for name, place in places.items()}


# --- reply -----------------------------------------------------------------------------------------------------------


def _is_reply(value: Any) -> bool:
    """Tell whether a result is the body of a reply."""
    if not isinstance(value, dict):
        return False
    is_message = value.get("type") == "message" and isinstance(value.get("content"), list)
    is_listed = isinstance(value.get("choices"), list) or isinstance(value.get("generations"), list)  # LangChain's
    return is_message or is_listed or value.get("object") in ("list", "response")


def _messages(raw: Any) -> list[Message]:
    try:
        return messages_in(json_value(raw)) or []
    except Unreadable:
        return []  # The result of any traced function may look like a reply.


def _vectors(raw: Any) -> list[Any]:
    data = json_value(raw).get("data")
    listed = data if isinstance(data, list) else []
    return [item["embedding"] for item in listed if isinstance(item, Mapping) and "embedding" in item]


def _count(vectors: list[Any]) -> int | None:
    return len(vectors) or None


def reply_places(key: str) -> dict[str, Place]:
    """Make the places of all facts in a reply: what was said, what it cost, and the vectors of embeddings."""
    vectors = f"{key}[data[].embedding]"
    body = {
        **usage_places(key, "usage"),
        "response_id": inside(key, "id"),
        "response_model": inside(key, "model"),
        "embedding_count": Part(keys=(key,), reader=_vectors, take=_count, label=vectors),
        "embedding_dimensions": Part(keys=(key,), reader=_vectors, take=dimensions, label=vectors),
    }
    labels = {
        "finish_reasons": f"{key}[finish_reason]",
        "output_texts": f"{key}[content]",
        "reasoning_texts": f"{key}[reasoning]",
        "refusals": f"{key}[refusal]",
        "tool_calls": f"{key}[tool_calls]",
    }
    return {
        **{name: If(keys=place.keys, place=place, of=key, holds=_is_reply) for name, place in body.items()},
        **message_places(key, _messages, labels),
    }
