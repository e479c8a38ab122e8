"""The base class of API forms, and the profile that describes a gateway."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import errors
from pytest_llmtrace.replay.gateways._layout import Event, compact
from pytest_llmtrace.replay.gateways._paths import ModelPath
from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["DONE", "Form", "Mode", "Profile", "encoded"]

DONE = Event(data="[DONE]")

Mode = Literal["json", "stream", "error"]
"""What an answer is: a whole reply (`json`), a stream, or an error in place of a reply."""


class Form(ABC):
    """The wire form of one API of one gateway. Subclasses override what their gateway writes in another way."""

    dump: ClassVar[staticmethod[[Any], str]] = staticmethod(compact)
    """Writes the JSON of a whole reply, in this gateway's layout."""
    dump_error: ClassVar[staticmethod[[Any], str]] = staticmethod(compact)
    """Writes the JSON of an error, in this gateway's layout."""
    dump_event: ClassVar[staticmethod[[Any], str]] = staticmethod(compact)
    """Writes the JSON of an event's data, in this gateway's layout."""
    error: ClassVar[staticmethod[[Reply], Mapping[str, Any]]] = staticmethod(errors.openai)
    """Returns the JSON of an error's body."""
    leading: ClassVar[tuple[str, ...]] = ()
    """Chunks that are sent before a whole reply, while the model is still busy."""
    comments: ClassVar[tuple[str, ...]] = ()
    """Comment lines with which a stream begins."""

    @abstractmethod
    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""

    def waits_for(self, reply: Reply) -> str | None:  # noqa: ARG002 - few have to wait
        """Return the id under which a reply can be fetched later; None if it is sent at once."""
        return None

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream. Counts and embeddings have no stream, and are never asked for one."""
        raise NotImplementedError(f"{reply.gateway} does not stream this")

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway."""
        return (Event(data=self.error(reply)),)

    def write(self, event: Event, reply: Reply, number: int) -> bytes:  # noqa: ARG002 - others number them
        """Write one event: its name, if it has one, and its data on one line."""
        name = f"event: {event.name}\n" if event.name else ""
        data = event.data if isinstance(event.data, str) else self.dump_event(event.data)
        return encoded(f"{name}data: {data}\n\n")

    def whole(self, reply: Reply) -> tuple[bytes, ...]:
        """Write a whole reply."""
        return tuple(map(encoded, (*self.leading, self.dump(self.body(reply)))))

    def failure(self, reply: Reply) -> tuple[bytes, ...]:
        """Write an error in place of a reply."""
        failing = reply.script.failing
        leading = self.leading if failing is not None and failing.after is not None else ()
        return tuple(map(encoded, (*leading, self.dump_error(self.error(reply)))))

    def stream(self, reply: Reply) -> tuple[tuple[bytes, ...], tuple[bool, ...]]:
        """Write a stream, whole or failing midway: a chunk for each event, and which chunks hold a piece of text."""
        failing = reply.script.failing
        events = list(self.events(reply))
        if failing is not None:
            events = [*_up_to(events, failing.after or 0), *self.broken(reply)]
        written = [encoded(f": {comment}\n\n") for comment in self.comments]
        pieces = [False] * len(written) + [event.counts for event in events]
        written += [self.write(event, reply, number) for number, event in enumerate(events)]
        return tuple(written), tuple(pieces)


def encoded(text: str) -> bytes:
    """Encode JSON or events as UTF-8; lone surrogates, which Python allows in texts, are escaped."""
    return text.encode("utf-8", "backslashreplace")


def _up_to(events: list[Event], pieces: int) -> list[Event]:
    """Keep the events up to the given number of pieces; events that close the last piece are dropped."""
    marks = [index for index, event in enumerate(events) if event.counts]
    if not marks:
        return events[:1]
    return events[: marks[0]] if pieces == 0 else events[: marks[min(pieces, len(marks)) - 1] + 1]


def _as_asked(model: str) -> str:
    return model


def _as_json(_: Reply) -> str:
    return "application/json"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A gateway: the APIs that it has, and where its replies differ from those of others.

    Attributes:
        name: The gateway's name in `llmtrace.gateway(name)`.
        forms: The form of each API that the gateway has.
        headers: Returns the headers of a reply, except those about its content (date, type, length).
        served: Returns the model that serves when a model is requested, by the name that the body gives it.
        model_in_body: Whether the body names the model that served; if not, it names the one that was requested.
        options: Which of the arguments `cost`, `provider`, `reasoning` and `older` the gateway takes.
        options_of: The APIs that have an option on the wire, by its name, if not all of the gateway have.
        stream_type: The content type of its streams.
        error_type: Returns the content type of an error in place of a reply.
        chunked: Whether whole replies are sent in chunks, without a `content-length`.
        path: The only path of a cloud, which names the model.
        body_errors: Whether an error of the model has status 200, with the error in the body, if there is no stream.
        older: The profile of older releases, where it differs.
    """

    name: str
    forms: Mapping[str, Form]
    headers: Callable[[Reply, Mode], Headers]
    served: Callable[[str], str] = _as_asked
    model_in_body: bool = True
    options: frozenset[str] = frozenset()
    options_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stream_type: str = "text/event-stream; charset=utf-8"
    error_type: Callable[[Reply], str] = _as_json
    chunked: bool = False
    path: ModelPath | None = None
    body_errors: bool = False
    older: Profile | None = None
