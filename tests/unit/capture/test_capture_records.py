"""The SDK's objects are converted completely into our records."""

from __future__ import annotations

from enum import Enum

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from pytest_llmtrace import capture, ownership
from pytest_llmtrace.model import Ambient, Dropped, SpanEvent, SpanKey, SpanLink, SpanRecord
from pytest_llmtrace.ownership import Owner

Books = tuple[capture.Book, capture.Book]
Pair = tuple[Owner, Owner]

REMOTE = SpanContext(
    trace_id=7, span_id=8, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "1")])
)


def test_span(owners: Pair, books: Books) -> None:
    """Every field of a span is read, under names as OpenTelemetry spells them."""
    resource, limits = Resource({"service.name": "shop"}), SpanLimits(max_span_attributes=1)
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    with ownership.belonging_to(owners[0]):
        span = provider.get_tracer("app.llm", "1.2", attributes={"team": "chat"}).start_span(
            "chat",
            context=trace.set_span_in_context(NonRecordingSpan(REMOTE)),
            kind=SpanKind.CLIENT,
            attributes={"too": "many", "tags": ["a", "b"]},
            links=[Link(REMOTE, {"why": "retry"})],
            start_time=10,
        )
        span.add_event("first token", {"n": 1}, timestamp=15)
        span.set_status(StatusCode.ERROR, "too long")
        span.end(end_time=20)
    (record,) = books[0].spans()
    assert record == SpanRecord(
        key=SpanKey(7, span.get_span_context().span_id),
        parent=SpanKey(7, 8),
        name="chat",
        kind="CLIENT",
        scope="app.llm",
        scope_version="1.2",
        scope_attributes={"team": "chat"},
        status="ERROR",
        status_description="too long",
        attributes={"tags": ("a", "b")},
        events=(SpanEvent(name="first token", time_ns=15, attributes={"n": 1}),),
        links=(SpanLink(key=SpanKey(7, 8), attributes={"why": "retry"}, trace_state="vendor=1", flags=0x301),),
        resource={"service.name": "shop"},
        start_ns=10,
        end_ns=20,
        started=record.started,
        ended=record.ended,
        trace_state="vendor=1",
        flags=0x301,
        dropped=Dropped(attributes=1),
    )
    assert record.ended is not None
    assert record.started < record.ended


def test_limits(owners: Pair, books: Books) -> None:
    """A record says what the provider's limits have cut: the limit of texts, and how many attributes were dropped."""
    limits = SpanLimits(max_span_attributes=2, max_span_attribute_length=3)
    provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    with ownership.belonging_to(owners[0]):
        provider.get_tracer("app").start_span("chat", attributes={"a": 1, "b": 2, "c": "text"}).end()
    (record,) = books[0].spans()
    assert (record.attributes, record.text_limit, record.dropped.attributes) == ({"b": 2, "c": "tex"}, 3, 1)


class _Named(str, Enum):  # noqa: UP042  # As in Microsoft's agent framework; `str()` of a StrEnum would be the text.
    MODEL = "gen_ai.request.model"
    GPT = "gpt-4o"


def test_members_of_enumerations_are_their_texts(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """Members of enumerations become their texts, as exporters write them, so that checks recognise the names."""
    with ownership.belonging_to(owners[0]):
        tracer.start_span("chat", attributes={_Named.MODEL: _Named.GPT, "n": 1}).end()
    (record,) = books[0].spans()
    assert {(type(one), one) for one in (*record.attributes, record.attributes[_Named.MODEL.value])} == {
        (str, "gen_ai.request.model"),
        (str, "n"),
        (str, "gpt-4o"),
    }


def test_open_span(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """A span that has not ended is in the book too, with its attributes so far."""
    with ownership.belonging_to(owners[0]):
        span = tracer.start_span("chat")
        span.set_attribute("so", "far")
    (record,) = books[0].spans()
    assert (record.attributes, record.end_ns, record.ended, record.scope_version) == ({"so": "far"}, None, None, None)
    span.end()


class RecordOnly(Sampler):
    """A sampler that lets processors see spans that no exporter gets."""

    def should_sample(self, *args: object, **kwargs: object) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "RecordOnly"


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, RecordOnly()], ids=["dropped", "record-only"])
def test_what_is_not_sampled_is_not_captured(sampler: Sampler, owners: Pair, books: Books) -> None:
    """A span that is not sampled is not captured, as no back end would get it; that it was current is still known."""
    tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("app")
    with ownership.belonging_to(owners[0]), tracer.start_as_current_span("chat") as span:
        ambient = capture.ambient()
    context = span.get_span_context()
    assert ambient == Ambient(span=SpanKey(context.trace_id, context.span_id), recording=False)
    assert books[0].spans() == ()


def test_ambient_of_nothing() -> None:
    """Where no span is current, the ambient names no span and says that nothing is suppressed."""
    assert capture.ambient() == Ambient()
    assert capture.current_span() is None


def test_ambient_of_a_header() -> None:
    """A parent that a server has read from a header is not a span of this process, so it does not count as current."""
    with trace.use_span(NonRecordingSpan(REMOTE)):
        assert capture.ambient() == Ambient()


def test_ambient_of_an_ended_span(tracer: trace.Tracer) -> None:
    """A span that has ended and is still current counts as recording, since it was captured."""
    span = tracer.start_span("ended")
    span.end()
    with trace.use_span(span):
        context = span.get_span_context()
        assert capture.ambient() == Ambient(span=SpanKey(context.trace_id, context.span_id), recording=True)
        assert capture.current_span() == SpanKey(context.trace_id, context.span_id)
