"""`LLMTrace` blocks: what they do only on request, and what they wait for, judge, refuse and report."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from contextvars import copy_context
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as otel

from pytest_llmtrace import (
    CassetteError,
    LLMTrace,
    SelectionError,
    UnmatchedRequest,
    UsageError,
    VerificationError,
    dialects,
    wire,
)
from pytest_llmtrace._arguments import refuse
from pytest_llmtrace.capture import Book
from pytest_llmtrace.capture.records import key_of
from pytest_llmtrace.harness import _trace
from pytest_llmtrace.model import Settings


def test_where_nothing_was_called_no_cause_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search for the cause looks at all objects and all installed packages, and would outlast the rest of a test."""
    monkeypatch.setattr(Book, "absence", lambda *_: pytest.fail("it was looked for"))
    with LLMTrace() as trace:
        assert trace.findings() == ()


OK = 200
URL = "https://api.openai.com/v1/chat/completions"
http = import_module("httpx2" if find_spec("httpx2") else "httpx")


def call(trace: LLMTrace, *statuses: int) -> None:
    """Make one call with these attempts in one span that describes the final answer."""
    tracer = otel.get_tracer("app")
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    used = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
    with tracer.start_as_current_span("chat", attributes={**attributes, **used}):
        for status in statuses:
            if status == OK:
                usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
                trace.gateway("openai").chat(text="hi", usage=usage)
            else:
                trace.gateway("openai").error(status)
            http.post(URL, json={"model": "gpt-4o", "messages": []})


def test_what_a_framework_uploads_of_its_own_traces_is_muted() -> None:
    """openai-agents uploads its traces from a thread; this is not an unmatched request, unless exporters are live."""
    upload = "https://api.openai.com/v1/traces/ingest"
    with LLMTrace() as trace:
        assert http.post(upload, json={"data": []}).status_code == 204
        assert [exchange.origin for exchange in trace.exchanges()] == ["muted: traces of openai-agents"]
        assert trace.findings() == ()
    with LLMTrace(verify=False, settings=Settings(app_exporters="live")), pytest.raises(UnmatchedRequest):
        http.post(upload, json={"data": []})


@pytest.mark.parametrize("in_time", [True, False])
def test_a_span_that_a_pool_makes_is_waited_for(monkeypatch: pytest.MonkeyPatch, in_time: bool) -> None:
    """LiteLLM makes its spans in a pool after the call: verification waits for them if a span is missing."""
    over = threading.Event()
    asked: list[float] = []
    attributes = {"llm.request.type": "completion", "litellm.call_id": "1", "gen_ai.request.model": "gpt-4o"}
    used = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}

    def callback(start: int) -> None:
        assert over.wait(60)
        otel.get_tracer("litellm").start_span("call", attributes={**attributes, **used}, start_time=start).end()

    def waiting(left: Collection[Future[Any]], seconds: float) -> Any:
        asked.append(seconds)
        if in_time and seconds:
            over.set()
        return wait(left, 60 if over.is_set() else 0)

    monkeypatch.setattr(_trace, "wait", waiting)
    with ThreadPoolExecutor(1) as pool, LLMTrace(verify=False) as trace:
        begun = time.time_ns()
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        trace.gateway("openai").chat(text="hi", usage=usage)
        http.post(URL, json={"model": "gpt-4o", "messages": []})
        pool.submit(callback, begun)
        assert trace.account()["spans"] == {}  # Without verification nothing is waited for.
        assert [finding.check for finding in trace.findings()] == ([] if in_time else ["capture/nothing"])
        assert asked == [0, 1]
        over.set()


@pytest.mark.parametrize("in_time", [True, False])
def test_a_span_of_a_server_is_waited_for(monkeypatch: pytest.MonkeyPatch, in_time: bool) -> None:
    """A server in a thread of its own ends its span after its answer has gone, when the test may already be over."""
    begun, over = threading.Event(), threading.Event()
    asked: list[float] = []
    wait_for_others = Book.wait_for_others

    def serve() -> None:
        with otel.get_tracer("server").start_as_current_span("POST /chat"):
            begun.set()
            assert over.wait(60)

    def waiting(book: Book, seconds: float, **more: Any) -> None:
        asked.append(seconds)
        if in_time:
            over.set()
        wait_for_others(book, 60 if in_time else 0, **more)

    monkeypatch.setattr(Book, "wait_for_others", waiting)
    with LLMTrace(verify=False) as trace:
        server = threading.Thread(target=serve)
        server.start()
        assert begun.wait(60)
        assert trace.account()["exchanges"] == {}  # Without verification nothing is waited for.
        expected = [] if in_time else ["structure/span-never-ended"]
        assert [finding.check for finding in trace.findings()] == expected
        assert asked == [1]
        over.set()
        server.join()


def test_a_span_that_nobody_can_end_is_not_waited_for() -> None:
    """A span of this thread, of a thread that is gone, or that is open on purpose is not waited for."""
    tracer = otel.get_tracer("server")
    kept: list[Any] = []
    begun, over = threading.Event(), threading.Event()

    def keep() -> None:
        kept.append(tracer.start_span("kept"))
        begun.set()
        assert over.wait(60)

    with LLMTrace(verify=False) as trace:
        keeper = threading.Thread(target=keep)
        keeper.start()
        assert begun.wait(60)
        gone = threading.Thread(target=tracer.start_span, args=("gone",))
        gone.start()
        gone.join()
        kept.append(tracer.start_span("own"))
        asked = time.monotonic()
        trace._book.wait_for_others(60, but=[key_of(kept[0].context)])
        assert time.monotonic() - asked < 30
        over.set()
        keeper.join()


def test_what_is_for_information_only_is_in_the_report_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A finding of severity info neither fails a block nor is printed, but is in the report."""
    with LLMTrace() as trace:
        call(trace, 429, OK)
    assert [finding.check for finding in trace.findings()] == ["structure/retries-hidden"]
    assert trace.account()["remark"] == ""
    assert trace.account()["findings"] == []
    assert capsys.readouterr().err == ""
    assert "info  structure/retries-hidden  span 'chat' (app)" in trace.report()


def test_an_account_that_nobody_judges_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without verification, every report of a test gets the account of the first one; nothing is paired again."""
    with LLMTrace(verify=False) as trace:
        call(trace, OK)
        account = trace.account()
        assert account["spans"] == {"app": 1}
        monkeypatch.setattr(_trace, "match", lambda *_: pytest.fail("it was paired again"))
        assert trace.account() == account


def test_a_budget_fails_its_block() -> None:
    """A block that uses more than `budget=` allows fails, and the message shows what was used."""

    def spend(calls: int, budget: dict[str, float]) -> None:
        with LLMTrace(budget=budget) as trace:
            for _ in range(calls):
                call(trace, OK)

    with pytest.raises(VerificationError, match=r"used +30 tokens"):
        spend(2, {"tokens": 29})
    spend(1, {"tokens": 15, "calls": 1})


def test_views_keep_what_pairing_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`.truth` and `.call` of views are the readings that pairing has made: nothing is read again at each access."""
    with LLMTrace() as trace:
        call(trace, OK)
        [view] = trace.exchanges()
        monkeypatch.setattr(wire, "read", lambda _: pytest.fail("it was read again"))
        monkeypatch.setattr(dialects, "read", lambda _: pytest.fail("it was read again"))
        assert view.truth is not None
        assert view.truth is view.truth
        assert view.spans[0].call is not None
        assert (view.truth.input_tokens, view.spans[0].call.input_tokens) == (10, 10)
        monkeypatch.undo()


def stream(trace: LLMTrace, *, first: float, lasts: float | None = None) -> None:
    """Read a stream of two seconds in a span that states the time of the first token, and may last `lasts` seconds."""
    tracer = otel.get_tracer("app")
    usage = {"prompt_tokens": 10, "completion_tokens": 40}
    trace.gateway("openai").chat(text="one two three", usage=usage, first_token=1.0, tokens_per_second=40)
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    used = {"gen_ai.request.stream": True, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 40}
    span = tracer.start_span("chat", attributes={**attributes, **used})
    with otel.use_span(span, end_on_exit=lasts is None):
        options = {"include_usage": True}
        http.post(URL, json={"model": "gpt-4o", "messages": [], "stream": True, "stream_options": options})
        span.set_attribute("gen_ai.response.time_to_first_chunk", first)
    if lasts is not None:
        span.end(end_time=span.start_time + round(lasts * 1e9))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "checks"),
    [
        ({"first": 1.0}, []),
        ({"first": 1000.0}, ["stream/time-to-first-token"]),
        ({"first": 1.0, "lasts": 1.0}, ["stream/duration"]),
    ],
)
def test_times_are_judged_in_recorded_time(said: dict[str, float], checks: list[str]) -> None:
    """A span's times are compared with the recording, although only milliseconds of real time pass."""
    with LLMTrace(timing="recorded", verify=False) as trace:
        stream(trace, **said)
        assert [finding.check for finding in trace.findings()] == checks


def test_times_are_not_judged_at_once() -> None:
    """If responses come at once, times mean nothing and are not judged."""
    with LLMTrace() as trace:
        stream(trace, first=1000.0)
        assert trace.findings() == ()


def test_nothing_can_be_asked_of_a_trace_that_is_not_open_yet() -> None:
    """Without `with`, every question to a trace fails with a hint to open it."""
    questions = (
        LLMTrace.spans, LLMTrace.llm_span, LLMTrace.tree, LLMTrace.logs, LLMTrace.metrics, LLMTrace.exchanges,
        LLMTrace.findings, LLMTrace.verify, LLMTrace.report, LLMTrace.save, LLMTrace.openobserve,
        lambda trace: trace.exporter, lambda trace: trace.record("chat").__enter__(),
    )  # fmt: skip
    for ask in questions:
        with pytest.raises(
            UsageError, match=r"^this trace is not open yet; open it: with LLMTrace\(\.\.\.\) as trace: \.\.\.$"
        ):
            ask(LLMTrace())


def test_a_trace_is_opened_once() -> None:
    """A trace has one judgement, that of its first block, so a second block would pass whatever it does."""
    once = r"^a trace can be opened only once: make another LLMTrace\(\.\.\.\) for another block$"
    with LLMTrace() as trace, pytest.raises(UsageError, match=once):
        trace.open()
    with pytest.raises(UsageError, match=once):
        trace.open()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            {"allow_hosts": 3},
            "allow_hosts= takes hosts without scheme or path, such as ['localhost:4000', '*.internal'], not 3",
        ),
        (
            {"allow_hosts": ["http://x"]},
            "allow_hosts= takes hosts without scheme or path, such as ['localhost:4000', '*.internal'], not ['http://x']",
        ),
        (
            {"allow_hosts": "a, b"},
            "allow_hosts= takes hosts without scheme or path, such as ['localhost:4000', '*.internal'], not 'a, b'",
        ),
        ({"allow_unused": True}, "allow_unused= takes a reason in words, not "),
        ({"budget": 3}, "budget= takes {'tokens': ..., 'cost': ..., 'calls': ...}, not 3"),
        ({"conventions": 3}, "conventions= takes names of conventions or registry files, not 3"),
        ({"ignore": ["wire/cost"]}, "ignore= takes {check id: reason}, not ['wire/cost']"),
        ({"openobserve": ["0.92"]}, "unknown OpenObserve profile ['0.92']: did you mean '0.92'? known: "),
        ({"openobserve_columns": 3}, "openobserve_columns= takes a list of names of columns, not 3"),
        ({"record": "al"}, "unknown value of record= 'al': did you mean 'all'? known: all, new, none, once"),
        ({"verify": "warning"}, "unknown value of verify= 'warning': did you mean 'warn'? known: False, error, warn"),
        ({"verify": 0}, "unknown value of verify= 0: known: False, error, warn"),
    ],
)
def test_arguments_without_a_meaning(said: dict[str, Any], text: str) -> None:
    """`LLMTrace(...)` refuses what the marker refuses, in the same words."""
    with pytest.raises(UsageError) as caught:
        LLMTrace(**said)
    assert str(caught.value).startswith(text)


def test_a_gateway_s_name_is_a_text() -> None:
    """A name that is not text is refused in the same words as an unknown name."""
    name: Any = ["openai"]
    with (
        LLMTrace() as trace,
        pytest.raises(UsageError, match=r"^unknown gateway \['openai'\]: did you mean 'openai'\? "),
    ):
        trace.gateway(name)


@pytest.mark.parametrize(
    "said", [{"gateway": "openay"}, {"cassette": 3}, {"cassette": ""}], ids=["gateway", "cassette", "nothing"]
)
def test_names_are_judged_before_anything_is_opened(said: dict[str, Any]) -> None:
    """An impossible name is refused where it is given, as other arguments are."""
    with pytest.raises(UsageError):
        refuse(*next(iter(said.items())))


def test_what_comes_after_a_question_is_judged_too() -> None:
    """Findings that are asked for within a block cover what came before; the end of the block judges the rest, too."""

    def block() -> None:
        with LLMTrace() as trace:
            call(trace, OK)
            assert trace.findings() == ()
            http_call(trace)

    with pytest.raises(VerificationError) as caught:
        block()
    assert "llmtrace: 1 finding in this block (2 exchanges, 1 LLM span, " in str(caught.value)
    assert "error  structure/exchange-without-span" in str(caught.value)


def test_what_to_do_in_a_block() -> None:
    """A block has no marker: its findings say how it is given a waiver itself."""
    with LLMTrace() as trace:
        http_call(trace)
        [finding] = trace.findings()
    assert dict(finding.details)["next"].endswith(', or waive: LLMTrace(ignore={"capture/nothing": "reason"})')


def test_what_to_do_about_a_refusal_in_a_block() -> None:
    """The refusal of a request in a block says what the block takes, in the exception as in the finding."""
    with LLMTrace(verify=False) as trace:
        with pytest.raises(UnmatchedRequest) as refused:
            http.post(URL, json={"model": "gpt-4o", "messages": []})
        [finding] = trace.findings()
    step = (
        'name a cassette, LLMTrace(cassette="..."), script the trace\'s gateway(...), '
        'or let the host through with allow_hosts=("api.openai.com",)'
    )
    assert str(refused.value).endswith(f"\nnext: {step}")
    waiver = 'or waive: LLMTrace(ignore={"replay/unmatched": "reason"})'
    assert (finding.check, dict(finding.details)["next"]) == ("replay/unmatched", f"{step}, {waiver}")


def test_how_a_block_records(tmp_path: Path) -> None:
    """A block records by its own argument: the option of pytest, which has no effect on it, is not recommended."""
    with pytest.raises(CassetteError) as missing:
        LLMTrace(cassette=f"{tmp_path / 'chat'}")
    assert missing.value.reason.endswith('; to record it: record="once"')
    (tmp_path / "chat.yaml").write_text(
        f"interactions:\n- request: {{method: GET, uri: '{URL}', headers: {{}}, body: null}}\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: ''}}\nversion: 1\n"
    )
    with LLMTrace(cassette=f"{tmp_path / 'chat'}", verify=False), pytest.raises(UnmatchedRequest) as refused:
        http.post(URL, json={"model": "gpt-4o", "messages": []})
    assert '\nrecord    record="new" adds what the cassette lacks, record="all" writes it anew\n' in str(refused.value)


def test_what_was_told_is_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The end of a block neither fails on a finding that was asked for within it, nor prints it."""
    with LLMTrace() as trace:
        http_call(trace)
        [finding] = trace.findings()
        assert finding.check == "capture/nothing"
    with LLMTrace(verify="warn") as trace:
        http_call(trace)
        assert trace.findings()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("threaded", [False, True])
def test_a_block_within_a_span_of_another(threaded: bool) -> None:
    """When blocks are nested, the innermost answers and has its calls' spans, even under a span of an outer block."""
    with LLMTrace() as outer, otel.get_tracer("app").start_as_current_span("turn"):
        with LLMTrace() as inner:
            if threaded:
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(copy_context().run, call, inner, OK).result()
            else:
                call(inner, OK)
            assert [span.name for span in inner.llm_spans()] == ["chat"]
        call(outer, OK)
    assert [span.name for span in outer.spans()] == ["turn", "chat"]


def http_call(trace: LLMTrace) -> None:
    """Make a call that has no span."""
    trace.gateway("openai").chat(text="hi")
    http.post(URL, json={"model": "m", "messages": []})


def test_a_selection_shows_no_secret_of_its_trace() -> None:
    """A key without a key's usual shape is masked too, if a request of the trace has it."""
    with LLMTrace(verify=False) as trace:
        trace.gateway("openai").chat(text="hi")
        with otel.get_tracer("app").start_as_current_span("chat", attributes={"key": "the-word-4711"}):
            http.post(URL, json={"model": "m", "messages": []}, headers={"authorization": "Bearer the-word-4711"})
        with pytest.raises(SelectionError) as caught:
            trace.span(attributes={"key": "x"})
    assert "span 'chat' (app): key: expected 'x', found '[secret]'" in str(caught.value)


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block can be opened in a folder that was removed: no cassette is found there, and none is needed."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with LLMTrace() as trace:
        call(trace, OK)
    assert trace.settings.cassette_dirs == (Path("cassettes"), Path())


def test_one_host_needs_no_list() -> None:
    """`allow_hosts=` takes a text as the one host that it names, as the marker does."""
    assert LLMTrace(allow_hosts="localhost:4000").settings.allow_hosts == ("localhost:4000",)


USED = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.25}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.total_tokens": 30}, []),
        ({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}, []),
        ({"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cost": 0.5}, []),
        ({"gen_ai.usage.input_tokens": 21, "gen_ai.usage.output_tokens": 10}, ["wire/input-tokens"]),
        ({"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cost": 0.75}, ["wire/cost"]),
    ],
)
def test_one_span_around_two_calls(said: dict[str, float], found: list[str]) -> None:
    """The call without a span is found; that the span's counts are those of both calls is not a further fault."""
    with LLMTrace(verify=False) as trace:
        with otel.get_tracer("app").start_as_current_span("turn", attributes={"gen_ai.request.model": "m", **said}):
            for text in ("one", "two"):
                trace.gateway("openrouter").chat(text=text, usage=USED)
                http.post(URL, json={"model": "m", "messages": []})
        assert [one.check for one in trace.findings()] == ["structure/exchange-without-span", *found]


@pytest.mark.parametrize(("mode", "raises"), [("error", True), (False, True), ("warn", False)])
def test_who_asks_is_told(mode: Any, raises: bool) -> None:
    """A call of `verify()` raises even with `verify=False`; in mode `warn` it only warns."""
    with LLMTrace(verify=mode) as trace:
        trace.gateway("openai").chat(text="hi")
        http.post(URL, json={"model": "m", "messages": []})
        asked = pytest.raises(VerificationError, match="capture/nothing") if raises else nullcontext()
        with asked:
            trace.verify()
