"""The records that pass between the parts: frozen, keyword-only, standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pytest_llmtrace.reading import Fact, Reading, State

__all__ = [
    "Absence",
    "Ambient",
    "Answer",
    "Answerer",
    "Call",
    "Cassette",
    "Exchange",
    "Fact",
    "Failure",
    "Finding",
    "Headers",
    "LogRecord",
    "MetricPoint",
    "Outcome",
    "Reading",
    "Recording",
    "Request",
    "Response",
    "Settings",
    "Severity",
    "SpanEvent",
    "SpanKey",
    "SpanLink",
    "SpanRecord",
    "State",
    "StreamEnd",
]

Headers = tuple[tuple[str, str], ...]
"""Header lines in wire order; names as sent, so compare them case-insensitively."""


# --- HTTP ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An HTTP request, its body read whole."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An HTTP response: recorded, scripted, or as the client has received it so far.

    The chunks are the body as it travels, content encoding included. Offsets are seconds from the request to each
    chunk, where somebody measured them.
    """

    status: int
    headers: Headers = ()
    chunks: tuple[bytes, ...] = ()
    offsets: tuple[float, ...] | None = None
    reason: str = ""
    http_version: str = "HTTP/1.1"

    @property
    def body(self) -> bytes:
        """All chunks joined."""
        return b"".join(self.chunks)


class Failure(StrEnum):
    """How a connection breaks after the chunks of an answer were delivered (before them, if there are none)."""

    CONNECT_ERROR = "connect-error"
    CONNECT_TIMEOUT = "connect-timeout"
    READ_TIMEOUT = "read-timeout"
    DISCONNECT = "disconnect"
    ABORTED = "aborted"  # by the client, when it was recorded: nobody knows how the answer went on


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the replay side gives back for a request.

    `origin` says in a report's words where the bytes come from: `cassettes/openrouter/chat.yaml, interaction 0` or
    `scripted anthropic messages`.
    """

    response: Response
    origin: str
    failure: Failure | None = None


class Answerer(Protocol):
    """The replay side of the port, as the port sees it. Both methods are called from any thread."""

    def answer(self, request: Request) -> Answer | None:
        """Return the next answer to this request and count it as played, or None to leave it to others."""

    def explain(self, request: Request) -> str:
        """Say, for the error text, why nothing answered: the nearest recorded request and the differing part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One interaction of a cassette. `response` is None where the file has a request without a reply.

    `any_body` says that the file has dropped the request's body, so that any body is taken for the recorded one.
    """

    index: int
    request: Request
    response: Response | None
    failure: Failure | None = None
    line: int | None = None
    any_body: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Cassette:
    """A file of recordings, as read. `label` is how reports name it; `origin` is what the file says of itself."""

    label: str
    recordings: tuple[Recording, ...]
    origin: Mapping[str, Any] = field(default_factory=dict)


# --- Telemetry -------------------------------------------------------------------------------------------------------


class SpanKey(NamedTuple):
    """A span's identity. Spans are never keyed by name."""

    trace_id: int
    span_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanEvent:
    """An event on a span; the time in nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanLink:
    """A link from a span to another."""

    key: SpanKey
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord:
    """A span as it stood when it was read; times in nanoseconds since the epoch.

    `started` and `ended` are ticks (see `clock.tick`); `ended` and `end_ns` are None while the span is open.
    """

    key: SpanKey
    parent: SpanKey | None = None
    name: str
    kind: str = "INTERNAL"
    scope: str = ""
    scope_version: str | None = None
    status: str = "UNSET"
    status_description: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    resource: Mapping[str, Any] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int | None = None
    started: int = 0
    ended: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRecord:
    """A log record (or event) that went through an SDK logger provider; the time in nanoseconds since the epoch."""

    scope: str
    body: Any = None
    event_name: str | None = None
    severity: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    span: SpanKey | None = None
    time_ns: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricPoint:
    """One data point of a metric, as the difference that the test made.

    `value` is the sum or gauge value, for a histogram the sum of its measurements; `count` is how many there were
    (None for what is no histogram).
    """

    scope: str
    name: str
    unit: str = ""
    kind: str = "sum"
    value: float | int = 0
    count: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ambient:
    """What was current when a request passed.

    Attributes:
        span: The current span, or None when there was none.
        recording: Whether that span records (False: sampled out, no-op or foreign).
        suppressed: Whether the context suppresses instrumentation.
    """

    span: SpanKey | None = None
    recording: bool = False
    suppressed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Absence:
    """Why no span was captured: the cause's name, a sentence, and what to do."""

    cause: str
    why: str
    next: str


# --- Exchanges -------------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"  # by our own replay
    OBSERVED = "observed"  # by somebody else: a mock of the user's, an in-process transport, an allowed host
    REFUSED = "refused"  # by nobody: it would have left the machine
    FAILED = "failed"  # by an exception of the transport, or a recorded failure before any response


class StreamEnd(StrEnum):
    """How far the client has read a response body."""

    OPEN = "open"
    EXHAUSTED = "exhausted"
    CLOSED = "closed"  # by the client, before the end
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One HTTP request of a test and what came back, as far as the client has read it.

    Attributes:
        index: Position among the exchanges of its test, from 0.
        response: Status, headers and the chunks delivered so far; None if there was no response.
        origin: Where the answer came from, in a report's words.
        ambient: What was current when the request passed.
        started: Tick at which the request passed.
        chunk_ticks: Tick at which each chunk was handed to the client.
        ended: Tick at which the body was exhausted or closed, or the request failed; None while it is open.
        started_ns: Wall time of `started`, nanoseconds since the epoch; `ended_ns` likewise.
        failure: The transport's exception or the refusal's text.
        live: Whether it went to the network in order to be recorded.
    """

    index: int
    request: Request
    response: Response | None
    outcome: Outcome
    origin: str
    ambient: Ambient
    started: int
    chunk_ticks: tuple[int, ...] = ()
    ended: int | None = None
    started_ns: int = 0
    ended_ns: int | None = None
    stream_end: StreamEnd = StreamEnd.OPEN
    failure: str | None = None
    live: bool = False


# --- Judgements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One logical LLM call: the exchanges that it took (retries included) and its spans, one a scope."""

    exchanges: tuple[Exchange, ...]
    spans: tuple[SpanRecord, ...]


class Severity(StrEnum):
    """`error` fails the test, `warning` is printed, `info` is in the report only."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that a check has found.

    Attributes:
        check: The check's id, as `structure/span-never-ended`.
        subject: The span or exchange that it is about, in a report's words.
        details: Labelled lines in order: `span`, `wire`, `why`, `next`, ...; a value may have several lines.
    """

    check: str
    severity: Severity
    subject: str
    details: tuple[tuple[str, str], ...] = ()


# --- Settings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one trace runs with, from the marker, the options, the environment and the configuration fixtures.

    Attributes:
        label: The test, as reports name it.
        cassette: A cassette by name; missing is an error.
        default_cassette: The cassette used only if it exists.
        cassette_dirs: Where names are looked for, in order.
        gateway: The gateway that answers with its default reply when nothing is queued.
        ignore: Waivers: check id to reason.
        allow_unused: Why recordings that were not played are no finding.
        allow_hosts: Hosts that may be reached: `host`, `host:port` or `*.suffix`.
        verify: `error` fails the test on findings, `warn` only prints them, False does not verify.
        strict: Whether warnings fail too.
        replay: What a `vcr_config` accepts: `match_on`, `filter_headers`, `before_record_request`, ...
        cache_dir: Where parsed cassettes are kept between runs, None for nowhere.
        app_exporters: `muted` or `live`: what becomes of the application's own OTLP exporters.
        instrument: OpenTelemetry instrumentors to switch on, by entry point name.
        record: `none` replays; `once` records where there is no cassette, `new` what it lacks, `all` everything anew.
            None where nobody was asked, as outside pytest.
        recorded: Files that this run has recorded already; they are added to.
    """

    label: str = "this block"
    cassette: str | None = None
    default_cassette: Path | None = None
    cassette_dirs: tuple[Path, ...] = ()
    gateway: str | None = None
    ignore: Mapping[str, str] = field(default_factory=dict)
    allow_unused: str | None = None
    allow_hosts: tuple[str, ...] = ()
    verify: Literal["error", "warn", False] = "error"
    strict: bool = False
    replay: Mapping[str, Any] = field(default_factory=dict)
    cache_dir: Path | None = None
    app_exporters: Literal["muted", "live"] = "muted"
    instrument: tuple[str, ...] = ()
    record: Literal["none", "once", "new", "all"] | None = None
    recorded: AbstractSet[Path] = frozenset()
