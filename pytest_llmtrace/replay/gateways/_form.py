"""What every API form has in common, and what a gateway is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import errors
from pytest_llmtrace.replay.gateways._layout import Event, compact
from pytest_llmtrace.replay.gateways._paths import ModelPath
from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["DONE", "Form", "Mode", "Profile", "encoded"]

DONE = Event(data="[DONE]")

Mode = Literal["json", "stream", "error"]
"""What is sent: a whole reply, a stream, or an error in place of a reply."""


class Form(ABC):
    """How one API of one gateway is written. A gateway that differs overrides what differs."""

    dump: ClassVar[staticmethod[[Any], str]] = staticmethod(compact)
    """How a whole reply is laid out."""
    dump_error: ClassVar[staticmethod[[Any], str]] = staticmethod(compact)
    """How an error is laid out."""
    dump_event: ClassVar[staticmethod[[Any], str]] = staticmethod(compact)
    """How the data of an event is laid out."""
    error: ClassVar[staticmethod[[Reply], Mapping[str, Any]]] = staticmethod(errors.openai)
    """What the body of an error holds."""
    leading: ClassVar[tuple[str, ...]] = ()
    """What is sent before a whole reply while the model is still busy."""
    comments: ClassVar[tuple[str, ...]] = ()
    """Comment lines with which a stream begins."""

    @abstractmethod
    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""

    def waits_for(self, reply: Reply) -> str | None:  # noqa: ARG002 - few have to wait
        """Return the id under which a reply is fetched that is not there yet; None if it is."""
        return None

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream; of counts and embeddings there is none, and no reply asks for one."""
        raise NotImplementedError(f"{reply.gateway} does not stream this")

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events with which a stream ends that fails midway."""
        return (Event(data=self.error(reply)),)

    def write(self, event: Event, reply: Reply, number: int) -> bytes:  # noqa: ARG002 - others number them
        """Write one event: of a name only if there is one, and its data on one line."""
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
        """Write a stream, one chunk an event: a whole one, or one that fails midway. Tell which hold a piece of it."""
        failing = reply.script.failing
        events = list(self.events(reply))
        if failing is not None:
            events = [*_up_to(events, failing.after or 0), *self.broken(reply)]
        written = [encoded(f": {comment}\n\n") for comment in self.comments]
        pieces = [False] * len(written) + [event.counts for event in events]
        written += [self.write(event, reply, number) for number, event in enumerate(events)]
        return tuple(written), tuple(pieces)


def encoded(text: str) -> bytes:
    """Write JSON or events as bytes; halves of characters, which texts may have in Python, are escaped."""
    return text.encode("utf-8", "backslashreplace")


def _up_to(events: list[Event], pieces: int) -> list[Event]:
    """Keep what comes before the piece after the given number of pieces; what closes the last one is dropped too."""
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
    """A gateway: what it offers, and where its replies differ from others'.

    Attributes:
        name: Its name in `llmtrace.gateway(name)`.
        forms: The APIs that it has, each with its form.
        headers: The header lines beside those of the content.
        served: Which model serves when this one is asked for; as the body names it.
        model_in_body: Whether the body names the model that served; if not, it names the one that was asked for.
        options: The optional arguments that mean something to it: `cost`, `provider`, `reasoning`, `older`.
        stream_type: The content type of its streams.
        error_type: The content type of an error in place of a reply.
        chunked: Whether nothing says how long a whole reply is.
        path: The one path of a cloud, which names the model.
        body_errors: Whether an error of the model comes in a body with status 200 when there is no stream.
        older: Its form in older releases, where that differs.
    """

    name: str
    forms: Mapping[str, Form]
    headers: Callable[[Reply, Mode], Headers]
    served: Callable[[str], str] = _as_asked
    model_in_body: bool = True
    options: frozenset[str] = frozenset()
    stream_type: str = "text/event-stream; charset=utf-8"
    error_type: Callable[[Reply], str] = _as_json
    chunked: bool = False
    path: ModelPath | None = None
    body_errors: bool = False
    older: Profile | None = None
