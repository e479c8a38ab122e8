"""Streams of the chat completions and completions APIs, put together into the bodies that they stand for."""

from __future__ import annotations

from enum import Enum

from pytest_llmtrace.wire._choice import Choice
from pytest_llmtrace.wire._document import Document
from pytest_llmtrace.wire._events import Batch, Events
from pytest_llmtrace.wire._facts import MISSING

__all__ = ["Due", "fold"]

_ONCE = ("id", "model", "provider")
_FIELDS = frozenset({"choices", "error", "id", "model", "object", "usage"})
"""The fields of chunks: a stream none of whose events has one is that of another API at the same path."""


class Due(Enum):
    """Whether a stream must end with a usage object."""

    NO = "no"
    YES = "yes"
    IF_PROMISED = "if promised"  # Earlier chunks promise it by a usage of null, as OpenAI's and many others do.


def fold(events: Events, wanted: int | None = None, due: Due = Due.NO) -> Document:
    """Return the body that a stream stands for.

    Args:
        events: The events of the stream.
        wanted: How many choices the request asks for, if that is known.
        due: Whether a usage object must follow the last choice; without it the stream is not complete.
    """
    document, choices, failed, is_foreign = events.document(), dict[int, Choice](), False, False
    for batch in events.batches():
        if is_foreign or not (document.body or choices):
            is_foreign = bool(batch) and all(chunk and _FIELDS.isdisjoint(chunk) for _, _, chunk in batch)
        if due is Due.IF_PROMISED and any("usage" in chunk for _, _, chunk in batch):
            due = Due.YES
        heard = [] if failed else _heard(batch)
        failed = len(heard) < len(batch) or bool(heard and heard[-1][2].get("error"))
        _fold_choices(heard, document, choices)
        _fold_usage(heard, document)
        for key in _ONCE:
            if not document.body.get(key):
                _fold_first(heard, document, key)
        _fold_errors(heard, document)
        if failed and not document.body.get("usage"):
            # A client that reads on after the error finds the usage in the later chunks.
            _fold_usage(batch, document)
    if is_foreign:
        events.refuse(0, "it has no field of a chunk of this API")
    if choices and "choices" not in document.body:
        document.body["choices"] = [choices[index].whole(index) for index in sorted(choices)]
    if not document.body.get("usage"):
        _take_usage(choices, document)
    # If the stream is cut after the last finish reason, the lost part may be the usage, whether asked for or not.
    lacks_usage = (due is Due.YES or events.cut) and not document.body.get("usage")
    finished = _all_finished(choices, wanted) and not lacks_usage
    # How a stream of another API says that it is complete is not known.
    return events.settle(document, ended=events.done or finished or is_foreign)


def _heard(batch: Batch) -> Batch:
    """Return the chunks up to the first with an error at its top level, where OpenAI's SDK raises and stops reading."""
    at = next((at for at, (_, _, chunk) in enumerate(batch) if chunk.get("error")), None)
    return batch if at is None else batch[: at + 1]


def _fold_choices(batch: Batch, document: Document, choices: dict[int, Choice]) -> None:
    """Give each delta to its choice, which is found by index, or by position if the delta has no index."""
    for number, _, chunk in batch:
        said = chunk.get("choices")
        if type(said) is not list:
            if said is not None:
                document.body["choices"] = said
            continue
        for position, choice in enumerate(said):
            if type(choice) is not dict:
                document.body["choices"] = said
                continue
            index = choice.get("index")
            if type(index) is not int:
                index = position
            if index not in choices:
                choices[index] = Choice()
            choices[index].add(choice, number)


def _fold_errors(batch: Batch, document: Document) -> None:
    """Keep the last error: beside the choices, instead of them, or in `x_groq`, as Groq's reason for stopping early."""
    for number, name, chunk in batch:
        groq = chunk.get("x_groq")
        if name == "error" or chunk.get("error"):
            document.error = (chunk, number)
        elif type(groq) is dict and groq.get("error"):
            document.error = (groq, number)


def _fold_usage(batch: Batch, document: Document) -> None:
    """Keep the last usage object of the chunks that is not empty; Groq's is inside an object of its own, `x_groq`."""
    for number, _, chunk in reversed(batch):
        prefix, usage = "", chunk.get("usage")
        if not usage and type(chunk.get("x_groq")) is dict:
            prefix, usage = "x_groq.", chunk["x_groq"].get("usage")
        if usage:
            document.body["usage"] = usage
            document.fields["usage"] = (prefix, number)
            return
        if "usage" in chunk:
            document.body.setdefault("usage", usage)


def _take_usage(choices: dict[int, Choice], document: Document) -> None:
    """Take the usage that came with the end of a choice: Moonshot gives it nowhere else unless it is asked for."""
    found = [choice.usage for choice in choices.values() if choice.usage]
    if len(found) == 1:
        [(document.body["usage"], number)] = found
        document.fields["usage"] = ("choices[].", number)


def _fold_first(batch: Batch, document: Document, key: str) -> None:
    """Keep the first value of a field that is not empty: Azure's first chunk has empty texts."""
    for number, _, chunk in batch:
        value = chunk.get(key, MISSING)
        if value is MISSING:
            continue
        if value or document.body.get(key) is None:
            document.body[key] = value
            document.fields[key] = ("", number)
        if value:
            return


def _all_finished(choices: dict[int, Choice], wanted: int | None) -> bool:
    finished = [choice.finish is not MISSING and choice.finish is not None for choice in choices.values()]
    return bool(finished) and all(finished) and len(finished) >= (wanted or 1)
