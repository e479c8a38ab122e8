"""The records that the parts of the package exchange, such as requests and calls. Frozen; standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from pytest_llmtrace._quick import quick
from pytest_llmtrace.finding import Advice, Finding, Known, Maker, Severity
from pytest_llmtrace.reading import Fact, Reading, State
from pytest_llmtrace.telemetry import (
    Absence,
    Ambient,
    Dropped,
    LogRecord,
    MetricPoint,
    SpanEvent,
    SpanKey,
    SpanLink,
    SpanRecord,
    Worker,
)

__all__ = [
    "LEFT",
    "LOWEST_ERROR",
    "Absence",
    "Advice",
    "Ambient",
    "Answer",
    "Answerer",
    "Call",
    "Cassette",
    "Dropped",
    "Exchange",
    "Fact",
    "Failure",
    "Finding",
    "Headers",
    "Known",
    "LogRecord",
    "Maker",
    "MetricPoint",
    "Outcome",
    "Pairing",
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
    "Stray",
    "StreamEnd",
    "Worker",
]

Headers = tuple[tuple[str, str], ...]
"""Header lines in wire order; names as sent, so compare them case-insensitively."""

LOWEST_ERROR = 400
"""The lowest HTTP status that reports an error (RFC 9110, 15.5)."""


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
    chunk, where they were measured.
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
    POOL_TIMEOUT = "pool-timeout"
    PROXY_ERROR = "proxy-error"
    WRITE_ERROR = "write-error"
    WRITE_TIMEOUT = "write-timeout"
    READ_ERROR = "read-error"
    READ_TIMEOUT = "read-timeout"
    DISCONNECT = "disconnect"  # the server hung up, or sent bytes that are not HTTP
    ABORTED = "aborted"  # by the client, while it was recorded: how the answer would have gone on is unknown
    CANCELLED = "cancelled"  # the same, by a client whose task was cancelled


LEFT = frozenset({Failure.ABORTED, Failure.CANCELLED})
"""The failures that are no server's: the client left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the replay side gives back for a request.

    `origin` says, in the words of a report, where the bytes come from: `cassettes/openrouter/chat.yaml, interaction 0`
    or `scripted anthropic messages`. `stalls` says that a wait between its chunks is a fault, which a client's read
    timeout ends, whatever `timing` says.
    """

    response: Response
    origin: str
    failure: Failure | None = None
    stalls: bool = False


class Answerer(Protocol):
    """The replay side of the port, as the port sees it. Both methods are called from any thread."""

    def answer(self, request: Request) -> Answer | None:
        """Return the next answer to this request and count it as played, or None to leave the request to others."""

    def explain(self, request: Request) -> str:
        """Say, for the error text, why nothing answered: the nearest recorded request and the differing part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One interaction of a cassette. `response` is None where the file has a request without a reply.

    `any_body` says that the file lacks the request's body, so that a request with any body matches. `test` is the node
    id of the test that recorded the interaction, where the file says so.
    """

    index: int
    request: Request
    response: Response | None
    failure: Failure | None = None
    line: int | None = None
    any_body: bool = False
    test: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cassette:
    """A file of recordings, as read. `label` is its name in reports; `origin` holds what the file says about itself."""

    label: str
    recordings: tuple[Recording, ...]
    origin: Mapping[str, Any] = field(default_factory=dict)


# --- Exchanges -------------------------------------------------------------------------------------------------------


@quick
class Outcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"  # answered by our own replay
    OBSERVED = "observed"  # answered by something else: a user's mock, an in-process transport, an allowed host
    REFUSED = "refused"  # answered by nothing: it would have left the machine
    FAILED = "failed"  # ended by an exception of the transport, or by a recorded failure before any response


@quick
class StreamEnd(StrEnum):
    """How far the client has read a response body."""

    OPEN = "open"
    EXHAUSTED = "exhausted"
    CLOSED = "closed"  # by the client, before the end
    CANCELLED = "cancelled"  # by the client, whose task was cancelled
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One HTTP request of a test and what came back, as far as the client has read it.

    Attributes:
        index: Position among the exchanges of its test, from 0.
        response: Status, headers and the chunks delivered so far; None if there was no response.
        origin: Where the answer came from, in the words of a report.
        ambient: What was current when the request passed: the span, the thread and the task.
        started: Tick at which the request passed.
        chunk_ticks: Tick at which each chunk was handed to the client.
        ended: Tick at which the body was exhausted or closed, or the request failed; None while it is open.
        started_ns: Wall time of `started`, nanoseconds since the epoch; `ended_ns` is that of `ended`.
        failure: The transport's exception or the refusal's text.
        unparsed: The text that the client could not parse as JSON, if it left the body for that reason.
        live: Whether it went to the network in order to be recorded.
        recorder: The recorder that was to record it if it went to the network; None if there was none.
        timed: Whether its chunks came at the pace of a recording or of the network, not as fast as the machine can.
        wanted: If `timed`: seconds from the request at which the client asked for each chunk, having dealt with the
            chunk before.
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
    unparsed: str | None = None
    live: bool = False
    recorder: object | None = None
    timed: bool = False
    wanted: tuple[float, ...] = ()


# --- Judgements ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One logical LLM call: the exchanges that it took (retries included) and its spans, one per scope.

    Attributes:
        exchanges: Its attempts, in the order of their requests.
        spans: Its spans, the innermost first. A span that covers several calls belongs only to the call that it
            describes. The span of a batch of embeddings, which is sent in several requests, belongs to each of them,
            and so does the span of a turn that a reply paused and the next request continues.
        truths: What the bytes of each exchange say, in the order of `exchanges`.
        readings: What each span says, in the order of `spans`.
        inside: The LLM spans inside which the call was made and which describe another call.
    """

    exchanges: tuple[Exchange, ...]
    spans: tuple[SpanRecord, ...]
    truths: tuple[Reading, ...] = ()
    readings: tuple[Reading, ...] = ()
    inside: tuple[SpanKey, ...] = ()

    @property
    def truth(self) -> Reading:
        """What the bytes of the last attempt say, which is the one that counts."""
        return self.truths[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stray:
    """An LLM span that describes no exchange, and what it says.

    Attributes:
        covers: Whether calls with spans of their own were made inside the span, as inside an agent's span.
    """

    span: SpanRecord
    reading: Reading
    covers: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """The LLM calls of a trace, and the LLM spans that belong to none of them.

    Attributes:
        calls: The calls. If a response was fetched later, while the call's spans were open, it is the call's answer.
        strays: The LLM spans that belong to no call.
        fetches: The requests that only fetched a response and have strays around them, with these strays, in the form
            of calls.
    """

    calls: tuple[Call, ...]
    strays: tuple[Stray, ...] = ()
    fetches: tuple[Call, ...] = ()


# --- Settings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one trace runs with, from the marker, the options, the environment and the configuration fixtures.

    Attributes:
        label: The test, as reports name it.
        seed: The seed of the ids of scripted replies, and of canaries.
        cassette: The name of a cassette; it is an error if the file is missing and is not to be recorded.
        default_cassette: The cassette that is used only if it exists.
        default_is_shared: Whether other tests may have the same default cassette.
        test: The name of this test in the recordings of a file that several tests share; empty outside pytest.
        is_gone: Tells whether the test of a given name no longer exists; None outside pytest.
        cassette_dirs: The folders in which cassettes are looked up by name, in order.
        gateway: The gateway that answers with its default reply when nothing is queued.
        ignore: Waivers: a mapping of check ids, or `family/*`, to the reason.
        shared: The waivers of `ignore` that other tests have too, each with the place where it is written. They may
            hide nothing in this test.
        known: The known faults of instrumentors.
        expected: The findings that the baseline names for the test, as `waivers.key_of` writes them, and how often.
        adopting: Whether all findings are taken into a new baseline, so that none fails the test.
        allow_unused: The reason why recordings that were not played are not reported.
        allow_hosts: Hosts that may be reached: `host`, `host:port` or `*.suffix`.
        verify: `error` fails the test on findings, `warn` only prints them, False does not verify.
        strict: Whether warnings fail too.
        replay: The options that a `vcr_config` accepts: `match_on`, `filter_headers`, `before_record_request`, ...
        cache_dir: Where parsed cassettes are kept between runs, None for nowhere.
        app_exporters: `muted` or `live`: whether the application's own OTLP exporters send anything.
        instrument: OpenTelemetry instrumentors to switch on, by entry point name.
        record: `none` replays; `once` records where there is no cassette, `new` what it lacks, `all` everything again.
            None if no mode is given, as outside pytest.
        recorded: The files that this run has already recorded, to which more recordings are added, each with what it
            held before the run.
        budget: The most that the test may use: `tokens`, `cost` (in USD), `calls`.
        tool_repeats: How many calls of one tool with the same arguments are too many.
        reports: The formats of the reports that the run writes, to which each test contributes.
        conventions: The conventions that spans must keep: names, and absolute paths of registry files. If empty, those
            that the spans claim to keep.
        content: What telemetry must do with content: `captured`, `redacted` (markers only) or `absent`.
        longest_attribute: How many characters an attribute may have.
        openobserve: The OpenObserve profile of the releases that spans go to; None if not given.
        openobserve_columns: The columns that the team's dashboards and assertions name.
        timing: How long replies take: `instant` no time, `recorded` the recorded time on a virtual clock, `real` the
            recorded time, really waited for.
    """

    label: str = "this block"
    seed: str = ""
    cassette: str | None = None
    default_cassette: Path | None = None
    default_is_shared: bool = False
    test: str = ""
    is_gone: Callable[[str], bool] | None = None
    cassette_dirs: tuple[Path, ...] = ()
    gateway: str | None = None
    ignore: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    known: tuple[Known, ...] = ()
    expected: Mapping[str, int] = field(default_factory=dict)
    adopting: bool = False
    allow_unused: str | None = None
    allow_hosts: tuple[str, ...] = ()
    verify: Literal["error", "warn", False] = "error"
    strict: bool = False
    replay: Mapping[str, Any] = field(default_factory=dict)
    cache_dir: Path | None = None
    app_exporters: Literal["muted", "live"] = "muted"
    instrument: tuple[str, ...] = ()
    record: Literal["none", "once", "new", "all"] | None = None
    recorded: Mapping[Path, bytes | None] = field(default_factory=dict)
    budget: Mapping[str, float] = field(default_factory=dict)
    tool_repeats: int = 3
    reports: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    content: Literal["captured", "redacted", "absent"] | None = None
    longest_attribute: int = 65_536
    openobserve: str | None = None
    openobserve_columns: Sequence[str] = ()
    timing: Literal["instant", "recorded", "real"] = "instant"
