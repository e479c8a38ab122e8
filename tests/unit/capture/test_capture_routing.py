"""Every span comes into the book of the test that caused it."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import anyio
import anyio.to_thread
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pytest_llmtrace import capture, ownership
from pytest_llmtrace.capture import routing
from pytest_llmtrace.model import SpanKey
from pytest_llmtrace.ownership import Owner

Pair = tuple[Owner, Owner]
Books = tuple[capture.Book, capture.Book]
Work = Callable[[], None]


def names(book: capture.Book) -> list[str]:
    return [span.name for span in book.spans()]


def in_place(work: Work) -> None:
    work()


def in_thread(work: Work) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def in_thread_of_thread(work: Work) -> None:
    in_thread(lambda: in_thread(work))


def in_pool(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def in_task(work: Work) -> None:
    async def task() -> None:
        work()

    async def main() -> None:
        await asyncio.create_task(task())

    asyncio.run(main())


def in_loop_executor(work: Work) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, work)

    asyncio.run(main())


@pytest.mark.parametrize("run", [in_place, in_thread, in_thread_of_thread, in_pool, in_task, in_loop_executor])
def test_work_belongs_to_who_started_it(
    run: Callable[[Work], None], tracer: trace.Tracer, owners: Pair, books: Books
) -> None:
    """Threads, pools and tasks belong to the test that started them, whichever test is the active one."""
    with ownership.active(owners[1]):
        for owner in owners * 2:
            with ownership.belonging_to(owner):
                run(lambda owner=owner: tracer.start_span(owner.label).end())  # type: ignore[misc]
    assert [names(book) for book in books] == [["first"] * 2, ["second"] * 2]


def test_pool_shared_by_tests(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """One worker thread serves both tests; each work item belongs to the test that submitted it."""
    with ThreadPoolExecutor(1) as pool:
        for owner in owners * 3:
            with ownership.belonging_to(owner):
                pool.submit(lambda label=owner.label: tracer.start_span(label).end()).result()  # type: ignore[misc]
    assert [names(book) for book in books] == [["first"] * 3, ["second"] * 3]


@pytest.mark.anyio
async def test_anyio_tasks(anyio_backend: str, tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """Tasks and worker threads of anyio belong to the test that started them, also when they take turns."""

    async def work(label: str) -> None:
        with tracer.start_as_current_span(label):
            await anyio.lowlevel.checkpoint()
            await anyio.to_thread.run_sync(lambda: tracer.start_span(f"{label} in thread").end())

    async with anyio.create_task_group() as group:
        for owner in owners:
            with ownership.belonging_to(owner):
                group.start_soon(work, owner.label)
    assert [names(book) for book in books] == [["first", "first in thread"], ["second", "second in thread"]]


def test_worker_of_nobody_goes_to_the_active_test(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """Work in a thread that was started before any test belongs to the active test."""
    requests: list[Work] = []
    asked, answered = threading.Semaphore(0), threading.Semaphore(0)

    def serve() -> None:
        while asked.acquire() and requests:
            requests.pop()()
            answered.release()

    server = threading.Thread(target=serve)
    server.start()
    for owner in owners:
        with ownership.active(owner):
            requests.append(lambda label=owner.label: tracer.start_span(label).end())  # type: ignore[misc]
            asked.release()
            answered.acquire()
    asked.release()
    server.join()
    assert [names(book) for book in books] == [["first"], ["second"]]


def test_child_belongs_to_its_parents_test(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """The parent's test takes precedence over the test whose code is running."""
    with ownership.belonging_to(owners[0]):
        parent = tracer.start_span("parent")
    with ownership.belonging_to(owners[1]), trace.use_span(parent, end_on_exit=True):
        tracer.start_span("child").end()
    assert [names(book) for book in books] == [["parent", "child"], []]


def test_child_of_a_header_belongs_to_the_senders_test(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """A server in the same process gets its parent as a traceparent header, and its test is found nevertheless."""
    headers: dict[str, str] = {}
    with ownership.belonging_to(owners[0]), tracer.start_as_current_span("client"):
        TraceContextTextMapPropagator().inject(headers)
    with ownership.belonging_to(owners[1]):
        tracer.start_span("server", context=TraceContextTextMapPropagator().extract(headers)).end()
    assert [names(book) for book in books] == [["client", "server"], []]


def test_parent_of_nobody_does_not_decide(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """Under a span that was started before any test, each test has its own spans."""
    with tracer.start_as_current_span("session"):
        for owner in owners:
            with ownership.belonging_to(owner):
                tracer.start_span(owner.label).end()
    assert [names(book) for book in books] == [["first"], ["second"]]


def test_parent_of_one_who_stands_in_does_not_decide(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """If a plugin or a wider fixture opened the parent before the test, the test's spans are still its own."""
    with ownership.active(Owner("wider fixtures", stands_in=True)):
        parent = tracer.start_span("of the fixture")
    with trace.use_span(parent), ownership.belonging_to(owners[0]), tracer.start_as_current_span("of the test"):
        pass
    parent.end()
    assert [names(book) for book in books] == [["of the test"], []]


def test_abandoned_generator_ends_its_span_in_its_own_book(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """A generator that is collected during the next test ends its span in the book of its own test."""

    def stream() -> Iterator[int]:
        span = tracer.start_span("stream")
        try:
            yield 1
        finally:
            tracer.start_span("closing", context=trace.set_span_in_context(span)).end()
            span.end()

    with ownership.belonging_to(owners[0]):
        cycle: list[object] = [stream()]
        next(cycle[0])  # type: ignore[call-overload]
        cycle.append(cycle)
    assert [span.ended for span in books[0].spans()] == [None]
    del cycle
    with ownership.belonging_to(owners[1]):
        assert books[0].collect() is True
    assert [(span.name, span.ended is None) for span in books[0].spans()] == [("stream", False), ("closing", False)]
    assert books[0].collect() is False
    assert names(books[1]) == []


def test_late_spans_go_to_the_closed_book_or_nowhere(tracer: trace.Tracer, owners: Pair) -> None:
    """A closed book still takes the spans that its test has left running; once it is gone, no other book gets them."""
    first, second = (capture.open_book(owner) for owner in owners)
    with ownership.belonging_to(owners[0]):
        parent = tracer.start_span("parent")
    in_parent = trace.set_span_in_context(parent)
    first.close()
    with ownership.belonging_to(owners[1]):
        tracer.start_span("late", context=in_parent).end()
        assert names(first) == ["parent", "late"]
        del first
        tracer.start_span("later", context=in_parent).end()
        parent.end()
    assert names(second) == []


class Counting(IdGenerator):
    """An id generator as snapshot suites use it: 1, 2, 3, ..."""

    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    def generate_trace_id(self) -> int:
        return 1


def test_ids_that_repeat(owners: Pair, books: Books) -> None:
    """If a suite restarts its ids in each test, two tests share a key; an open span of the first stays in its book."""
    spans = []
    for owner in owners:
        with ownership.belonging_to(owner):
            tracer = TracerProvider(id_generator=Counting(), shutdown_on_exit=False).get_tracer("app")
            spans.append(tracer.start_span(owner.label))
    spans[0].end()
    assert [[span.ended is None for span in book.spans()] for book in books] == [[False], [True]]
    tracer.start_span("child", context=trace.set_span_in_context(spans[0])).end()
    assert [names(book) for book in books] == [["first", "child"], ["second"]]


def test_seeds_repeat_no_ids(provider: TracerProvider, owners: Pair, books: Books) -> None:
    """Seeds set by Hypothesis or pytest-randomly repeat no ids, and a test's own random numbers stay the same."""
    tracer, drawn = provider.get_tracer("app"), []
    with ownership.belonging_to(owners[0]):
        for _ in range(2):
            random.seed(7)
            tracer.start_span("chat").end()
            drawn.append(random.getrandbits(32))
    first, second = books[0].spans()
    assert first.key.trace_id != second.key.trace_id
    assert first.key.span_id != second.key.span_id
    random.seed(7)
    assert random.getrandbits(128)
    assert random.getrandbits(64)
    assert drawn == [random.getrandbits(32)] * 2


def test_between_traced_tests_a_seed_repeats_ids(provider: TracerProvider) -> None:
    """Code that belongs to no traced test gets the ids that its seed gives, as without the plugin."""
    contexts = []
    for _ in range(2):
        random.seed(7)
        contexts.append(provider.get_tracer("app").start_span("chat").get_span_context())
    assert contexts[0] == contexts[1]


class Raising(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("before", [False, True], ids=["after-ours", "before-ours"])
def test_processor_that_raises(before: bool, owners: Pair, books: Books) -> None:
    """An exception of the app's processor reaches the app, and the end of the span is captured nevertheless."""
    processors = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
    if before:
        processors.add_span_processor(Raising())
    provider = TracerProvider(active_span_processor=processors, shutdown_on_exit=False)
    provider.add_span_processor(Raising())
    with ownership.belonging_to(owners[0]), pytest.raises(ZeroDivisionError):
        provider.get_tracer("app").start_span("chat").end()
    assert [span.ended is None for span in books[0].spans()] == [False]


def test_providers_that_share_their_processors(owners: Pair, books: Books) -> None:
    """A span that reaches our processor twice is captured as one span."""
    processors = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
    first, _ = (TracerProvider(active_span_processor=processors, shutdown_on_exit=False) for _ in range(2))
    with ownership.belonging_to(owners[0]):
        first.get_tracer("app").start_span("chat").end()
    assert names(books[0]) == ["chat"]
    assert len(books[0].finished()) == 1


class Changing(SpanProcessor):
    """A processor like logfire's: it hands a changed copy of the span to processors of its own."""

    def __init__(self) -> None:
        self.inner = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]

    def on_end(self, span: ReadableSpan) -> None:
        self.inner.on_end(ReadableSpan(name="changed", context=span.context))


def test_collection_within_another(provider: TracerProvider, owners: Pair, books: Books) -> None:
    """The span that the provider gives to its processors is captured, not the changed copy of a collection within."""
    provider.add_span_processor(Changing())
    with ownership.belonging_to(owners[0]):
        provider.get_tracer("app").start_span("chat").end()
    assert names(books[0]) == ["chat"]


class Telling(SynchronousMultiSpanProcessor):
    """A collection that calls its processors in a way of its own."""

    def on_end(self, span: ReadableSpan) -> None:
        for processor in self._span_processors:
            processor.on_end(span)


def test_collection_of_the_apps_own(owners: Pair, books: Books) -> None:
    """A collection of the app's own calls our processor as one of its processors."""
    provider = TracerProvider(active_span_processor=Telling(), shutdown_on_exit=False)  # type: ignore[no-untyped-call]
    with ownership.belonging_to(owners[0]):
        provider.get_tracer("app").start_span("chat").end()
    assert [(span.name, span.ended is None) for span in books[0].spans()] == [("chat", False)]


def test_after_shutdown(provider: TracerProvider, tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """Spans that an app makes after it shut its provider down are captured."""
    provider.shutdown()
    with ownership.belonging_to(owners[0]):
        tracer.start_span("chat").end()
    assert names(books[0]) == ["chat"]


def test_finished_is_what_an_in_memory_exporter_has(tracer: trace.Tracer, owners: Pair, books: Books) -> None:
    """`finished` has the ended spans in the order of their end; `clear` empties it, but takes nothing from `spans`."""
    with ownership.belonging_to(owners[0]):
        with tracer.start_as_current_span("outer"):
            tracer.start_span("inner").end()
        open_span = tracer.start_span("open")
    assert [span.name for span in books[0].finished()] == ["inner", "outer"]
    books[0].clear()
    assert books[0].finished() == ()
    open_span.end()
    assert [span.name for span in books[0].finished()] == ["open"]
    assert names(books[0]) == ["outer", "inner", "open"]


def test_a_book_is_opened_once(owners: Pair, books: Books) -> None:
    """An owner has one book for as long as somebody holds it."""
    assert capture.open_book(owners[0]) is books[0]


def test_the_context_is_restored(tracer: trace.Tracer, owners: Pair) -> None:
    """A span that one test leaves current is not current in the next."""
    span = tracer.start_span("leaked")
    before = capture.current_span()
    with capture.context_kept():
        otel_context.attach(trace.set_span_in_context(span))
        assert capture.current_span() == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert capture.current_span() == before


@pytest.fixture
def own_context(monkeypatch: pytest.MonkeyPatch) -> ContextVarsRuntimeContext:
    """Return a context like the one that MLflow keeps for its own spans, beside OpenTelemetry's."""
    kept = ContextVarsRuntimeContext()
    module = SimpleNamespace(mlflow_runtime_context=kept)
    monkeypatch.setitem(sys.modules, "mlflow.tracing.provider", module)
    return kept


@pytest.mark.parametrize("run", [in_thread, in_pool])
def test_a_context_of_its_own_has_causes_of_its_own(
    run: Callable[[Work], None],
    tracer: trace.Tracer,
    owners: Pair,
    books: Books,
    own_context: ContextVarsRuntimeContext,
) -> None:
    """A span in a platform's own context was caused by the span that is current there; other spans were not.

    So the platform's spans that a thread has lost are reported as lost, and OpenTelemetry's spans are not taken for
    lost children of the platform's span.
    """

    def work() -> None:
        tracer.start_span("own", context=own_context.get_current()).end()
        tracer.start_span("shared").end()

    with ownership.belonging_to(owners[0]):
        token = own_context.attach(trace.set_span_in_context(tracer.start_span("flow")))
        tracer.start_span("child", context=own_context.get_current())
        run(work)
        with trace.use_span(tracer.start_span("request")):
            run(work)
        own_context.detach(token)
        run(work)
    called: dict[SpanKey | None, str | None] = {span.key: span.name for span in books[0].spans()}
    found = [(span.name, called.get(span.current), called.get(span.cause), span.apart) for span in books[0].spans()]
    assert found == [
        ("flow", None, None, False),
        ("child", "flow", None, False),
        ("own", None, "flow", False),
        ("shared", None, None, False),
        ("request", None, None, False),
        ("own", None, "flow", False),
        ("shared", None, "request", False),
        ("own", None, None, True),
        ("shared", None, None, False),
    ]


def test_nothing_is_kept(tracer: trace.Tracer) -> None:
    """When its book is dropped, nothing of a test is kept, not even if a span never ends."""

    def one_test() -> None:
        owner = Owner("soak")
        book = capture.open_book(owner)
        with ownership.belonging_to(owner):
            parent = tracer.start_span("never ends")
            in_thread(lambda: tracer.start_span("child", context=trace.set_span_in_context(parent)).end())
        book.close()
        assert len(book.spans()) == 2

    tables = (routing._of_span, routing._by_identity, routing._by_key)
    one_test()
    gc.collect()
    before = [len(table) for table in tables]
    for _ in range(50):
        one_test()
    gc.collect()
    assert [len(table) for table in tables] == before
