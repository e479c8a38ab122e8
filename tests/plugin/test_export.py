"""Spans reach the back end once, whatever the back end does, and it never changes a run's outcome."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.cli import main
from tests.plugin.exporting import BROKEN, SUITE, WAYS, made, said
from tests.receiver import TOKEN, Receiver, Request, plain

EXPORT = ["--llmtrace-export=openobserve", "--llmtrace-export=file=spans.jsonl"]
SPANS = 12


@pytest.fixture
def exported(run: Callable[..., Any], receiver: Receiver, tmp_path: Path) -> Callable[..., Any]:
    """Run the suite with export; check its exit code, and that no token is in the output or in a file."""

    def exported(source: str = SUITE, *, code: int = 1, options: list[str] | None = None, **more: Any) -> Any:
        environ = {"OPENOBSERVE_TIMEOUT": "0.5", "LLMTRACE_EXPORT_BUDGET": "2", **receiver.environ}
        done = run(source, options=[*EXPORT, *(options or [])], **{**environ, **more})
        assert done.code == code, done.out
        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        for secret in (TOKEN, TOKEN.split()[1]):
            assert secret not in done.out
            assert secret.encode() not in written
        return done

    return exported


@pytest.fixture
def push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run `pytest-llmtrace push` where the suite ran; return its exit status and its lines of output."""

    def push(receiver: Receiver, *arguments: str) -> tuple[int, list[str]]:
        monkeypatch.chdir(tmp_path)
        for name, value in {**receiver.environ, "OPENOBSERVE_TIMEOUT": "5"}.items():
            monkeypatch.setenv(name, value)
        status = main(["push", *arguments])
        return status, capsys.readouterr().out.replace(receiver.url, "URL").splitlines()

    return push


def kept(what: str) -> str:
    return f"{what}; they are kept; to send them: {PUSH}"


BACK_END = "OpenObserve at URL, organization default, stream default"
FILE = "  exported     to DIR/spans.jsonl"
PUSH = "pytest-llmtrace push --spool DIR/.pytest_cache/llmtrace/spool"
REJECTED = (
    "Some spans were rejected due to exceeding the allowed retention period (OpenObserve accepts spans that started at "
    "most 5 hours ago or 24 hours ahead; the usual reason is a test that freezes the time)"
)
UNTOLD = (
    "in doubt 12 spans: they may have arrived, and openobserve does not tell; look for their llmtrace.run.id there, "
    "then push with --in-doubt send or drop"
)
UNASKED = "they may have arrived, and openobserve has not been asked since; push again"
STOPPED = """
def test_stop():
    {}
"""
INTERRUPTED = "the run was interrupted"
SENT = f"  exported     12 spans to {BACK_END}"


@WAYS
def test_all_spans_arrive_once(
    exported: Callable[..., Any], receiver: Receiver, tmp_path: Path, plugins: list[str], options: list[str]
) -> None:
    """Every span of the run arrives once, in one push, with its test, the result and the run."""
    done = exported(plugins=plugins, options=options)
    assert said(done, receiver.url, tmp_path) == [FILE, SENT]
    assert len(receiver.requests) == 1
    assert receiver.counts() == made(tmp_path)
    assert receiver.counts().total() == SPANS
    results = Counter(
        (own["test.case.name"], own["test.case.result.status"], own["test.suite.name"])
        for own in (plain(span["attributes"]) for span in receiver.spans)
    )
    number_of = {f"test_it.py::test_chat[{number}]": "fail" if number == 5 else "pass" for number in range(6)}
    assert results == {(test, result, "test_it.py"): 2 for test, result in number_of.items()}
    assert len({plain(span["resource"]["attributes"])["llmtrace.run.id"] for span in receiver.spans}) == 1


@WAYS
def test_links_lead_to_the_traces_of_a_failed_test(
    exported: Callable[..., Any], receiver: Receiver, tmp_path: Path, plugins: list[str], options: list[str]
) -> None:
    """A failure, the JUnit file and the summary have the address of the page that shows the test's trace."""
    done = exported(plugins=plugins, options=options, OPENOBSERVE_ORG="team", OPENOBSERVE_TRACES_STREAM_NAME="Tests!")
    name = "test_chat[5]"
    link = done.junit_properties(name)["llmtrace_trace"]
    assert done.section(name, "llmtrace trace") == link
    assert done.junit_properties("test_chat[0]")["llmtrace_trace"].startswith(link.partition("&")[0])
    assert f"  trace        test_it.py::{name}  {link}" in done.out
    its = [span for span in receiver.spans if plain(span["attributes"])["test.case.name"].endswith(name)]
    first = min(int(span["startTimeUnixNano"]) for span in its) // 1000 - 60_000_000
    last = max(int(span["endTimeUnixNano"]) for span in its) // 1000 + 60_000_000
    assert link == (
        f"{receiver.url}/web/traces/trace-details?stream=tests_&trace_id={its[0]['traceId']}"
        f"&from={first}&to={last}&org_identifier=team"
    )
    assert receiver.streams == {"tests_": SPANS}


FAILING = """
import pytest
from child import span

@pytest.fixture
def before(llmtrace):
    with span("before", llm=False):
        raise RuntimeError("no")

@pytest.fixture
def after(llmtrace):
    yield
    with span("after", llm=False):
        raise RuntimeError("no")

def test_setup(before):
    pass

def test_teardown(after):
    pass

@pytest.mark.xfail(strict=True)
def test_strict(llmtrace):
    with span("passes", llm=False):
        pass
"""


@WAYS
def test_whatever_fails_of_a_test_has_links(
    exported: Callable[..., Any], plugins: list[str], options: list[str]
) -> None:
    """Errors in setup and teardown have a link too, and so has a test that passes although it should fail."""
    done = exported(FAILING, plugins=plugins, options=options)
    for name in ("test_setup", "test_teardown", "test_strict"):
        link = done.junit_properties(name)["llmtrace_trace"]
        assert done.out.count(f"\n{link}\n") == 1
        assert f"  trace        test_it.py::{name}  {link}" in done.out


def status(number: int, body: bytes = b"", kind: str = "text/plain", **headers: str) -> Callable[[Request], bool]:
    """Return a fault that answers with a status."""

    def fault(request: Request) -> bool:
        request.answer(number, body, kind, **headers)
        return True

    return fault


def closing(request: Request) -> bool:
    """Close the connection without storing anything."""
    request.hang_up()
    return True


def closing_late(request: Request) -> bool:
    """Store the request, then close the connection without an answer."""
    request.server.receiver.respond(request)
    request.hang_up()
    return True


def slow(request: Request) -> bool:
    """Hold the request until the client has given up."""
    request.server.receiver.closed.wait()
    request.hang_up()
    return True


def slow_late(request: Request) -> bool:
    """Store the request, then hold it until the client has given up."""
    request.server.receiver.respond(request)
    return slow(request)


def dripping(request: Request) -> bool:
    """Keep sending pieces of a header, so that the answer never ends and the connection is never silent for long."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    while not request.server.receiver.closed.wait(0.02):
        request.wfile.write(b"x")
        request.wfile.flush()
    return True


def echoing(request: Request) -> bool:
    """Refuse the token, and repeat it in the answer."""
    request.answer(401, f"I do not like {request.headers['authorization']}".encode(), "text/plain")
    return True


TOKEN_HINT = ": check the token and the organization"
REFUSING = {
    "401": (status(401, b"Unauthorized Access", "text/plain"), f"it answered 401 (Unauthorized Access){TOKEN_HINT}"),
    "401, in JSON": (
        status(401, b'{"code":401,"message":"Unauthorized Access"}'),
        f"it answered 401 (Unauthorized Access){TOKEN_HINT}",
    ),
    "401, saying the token": (echoing, f"it answered 401 (I do not like [secret]){TOKEN_HINT}"),
    "404": (status(404), "it answered 404: check the address"),
    "415": (
        status(415, b"Unsupported content type: application/json"),
        "it answered 415 (Unsupported content type: application/json): check the protocol",
    ),
    "400": (status(400, b'{"code":400,"message":"Invalid json"}'), "it answered 400 (Invalid json)"),
    "413": (
        status(413, b"length limit exceeded"),
        "it answered 413 (length limit exceeded): a single span is too large",
    ),
    "429": (status(429, b"", retry_after="3600"), "it answered 429, and asks to wait 3600 s"),
    "500": (status(500, b'{"code":500,"message":"disk"}'), "it answered 500 (disk)"),
    "503": (
        status(503, b'{"code":503,"message":"overloaded"}', retry_after="99"),
        "it answered 503 (overloaded), and asks to wait 99 s",
    ),
    "moved": (
        status(301, b"", location="http://127.0.0.1:1/"),
        "it answered 301: it has moved to http://127.0.0.1:1/, check the address",
    ),
}


@pytest.mark.parametrize("what", REFUSING)
def test_what_is_refused_is_kept_and_sent_later(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path, what: str
) -> None:
    """Spans that the back end refuses are kept, the summary says why, and `push` sends them once it accepts them."""
    fault, why = REFUSING[what]
    receiver.faults.append(fault)
    lines = said(exported(), receiver.url, tmp_path)
    assert lines == [FILE, kept(f"  not sent     12 spans to {BACK_END}: {why}")]
    assert receiver.spans == []
    receiver.faults.clear()
    assert push(receiver) == (0, [f"sent 12 spans to {BACK_END}"])
    assert receiver.counts() == made(tmp_path)
    assert push(receiver) == (0, ["no spans are waiting in .pytest_cache/llmtrace/spool"])


def test_a_back_end_that_is_down(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """If nothing listens at the back end's address, the spans wait for `push`."""
    down = Receiver()
    down.close()
    done = exported(OPENOBSERVE_URL=down.url)
    why = "it cannot be reached: Connection refused"
    assert said(done, down.url, tmp_path)[1:] == [kept(f"  not sent     12 spans to {BACK_END}: {why}")]
    assert push(receiver) == (0, [f"sent 12 spans to {BACK_END}"])
    assert receiver.counts() == made(tmp_path)


DOUBTFUL = {
    "closing": (closing, 0, "the connection broke before an answer: Remote end closed connection without response"),
    "closing late": (
        closing_late,
        SPANS,
        "the connection broke before an answer: Remote end closed connection without response",
    ),
    "slow": (slow, 0, "it did not answer within 0.5 s"),
    "slow, late": (slow_late, SPANS, "it did not answer within 0.5 s"),
    "garbage": (
        status(200, b"<!doctype html>\n<h1>Welcome</h1>", "text/html"),
        0,
        "it answered 200, but not as OTLP does (<!doctype html> <h1>Welcome</h1>)",
    ),
    "bad gateway": (status(502), 0, "it answered 502"),
    "dripping": (dripping, 0, "the budget of 2 s was used up"),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_what_is_in_doubt_is_looked_up_and_sent_if_it_is_missing(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path, what: str
) -> None:
    """Spans that may have arrived are put aside; `push` asks the back end, and sends those that it does not have."""
    fault, arrived, why = DOUBTFUL[what]
    receiver.faults.append(fault)
    lines = said(exported(), receiver.url, tmp_path)
    assert lines[1:] == [
        f"  in doubt     12 spans to {BACK_END}: {why}; to find out and send what is missing: {PUSH}",
    ]
    receiver.faults.clear()
    found = [f"found {arrived} spans there that had been in doubt"] if arrived else []
    assert push(receiver) == (0, [f"sent {SPANS - arrived} spans to {BACK_END}", *found])
    assert receiver.counts() == made(tmp_path)


def test_what_nobody_can_look_up_is_for_the_user_to_decide(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """If the token may not search, spans in doubt are neither sent nor dropped until the user decides."""
    receiver.faults.append(closing)
    exported()
    receiver.faults.clear()
    receiver.may_search = False
    assert push(receiver) == (
        1,
        [
            f"sent 0 spans to {BACK_END}",
            UNTOLD,
        ],
    )
    assert receiver.spans == []
    assert push(receiver, "--in-doubt", "send") == (0, [f"sent 12 spans to {BACK_END}"])
    assert receiver.counts() == made(tmp_path)


def test_why_a_push_leaves_spans_in_doubt(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver
) -> None:
    """The output of `push` says what the back end did, not only that the fate of the spans is unknown."""
    receiver.faults.append(status(401))
    exported()
    receiver.faults[:] = [status(502)]
    assert push(receiver) == (
        1,
        [
            f"sent 0 spans to {BACK_END}",
            f"in doubt 12 spans: it answered 502; {UNASKED}",
        ],
    )


def test_a_push_that_was_killed(
    exported: Callable[..., Any],
    push: Callable[..., Any],
    receiver: Receiver,
    tmp_path: Path,
    child_environ: Callable[..., dict[str, str]],
) -> None:
    """Spans under way when a push was killed are left alone for a minute, then looked up: none arrives twice."""
    receiver.faults.append(status(401))
    exported()
    receiver.faults[:] = [slow_late]
    command = [sys.executable, "-c", "from pytest_llmtrace.cli import main; main()", "push"]
    with subprocess.Popen(command, cwd=tmp_path, env=child_environ(**receiver.environ)) as process:
        while not receiver.spans:
            assert process.poll() is None
            receiver.closed.wait(0.01)
        process.kill()
    receiver.faults.clear()
    under_way = "under way 12 spans: another process is sending them, or was stopped; push again in a few minutes"
    assert push(receiver) == (1, [f"sent 0 spans to {BACK_END}", under_way])
    for path in (tmp_path / ".pytest_cache/llmtrace/spool/openobserve").glob("*.sending"):
        os.utime(path, (0, 0))
    found = "found 12 spans there that had been in doubt"
    assert push(receiver) == (0, [f"sent 0 spans to {BACK_END}", found])
    assert receiver.counts() == made(tmp_path)


PASSING: dict[str, tuple[Callable[[Receiver], None], int]] = {
    "429 twice": (lambda receiver: receiver.times(status(429, retry_after="0.1"), 2), 3),
    "503 twice": (lambda receiver: receiver.times(status(503), 2), 3),
    "413 for more than 5": (lambda receiver: setattr(receiver, "largest", 5), 7),
    "413 for more than 1": (lambda receiver: setattr(receiver, "largest", 1), 23),
}


@pytest.mark.parametrize("what", PASSING)
def test_what_passes_is_outlasted(exported: Callable[..., Any], receiver: Receiver, tmp_path: Path, what: str) -> None:
    """A back end that asks for a later attempt or smaller requests gets all spans that way, each of them once."""
    prepare, requests = PASSING[what]
    prepare(receiver)
    assert said(exported(), receiver.url, tmp_path) == [FILE, SENT]
    assert len(receiver.requests) == requests
    assert receiver.counts() == made(tmp_path)


def test_rejections_are_read_from_the_answer(exported: Callable[..., Any], receiver: Receiver, tmp_path: Path) -> None:
    """Spans that the back end drops from an accepted request are counted, with its reason and the usual cause."""
    source = (
        SUITE
        + """
def test_frozen(llmtrace):
    from opentelemetry import trace
    trace.get_tracer("app").start_span("old", start_time=10**18).end(10**18 + 1)
"""
    )
    assert said(exported(source), receiver.url, tmp_path) == [
        FILE,
        SENT,
        f"  rejected     1 span by {BACK_END}: {REJECTED}",
    ]
    assert len(made(tmp_path) - receiver.counts()) == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_any_otlp_endpoint(exported: Callable[..., Any], receiver: Receiver, tmp_path: Path, protocol: str) -> None:
    """`otlp` follows OpenTelemetry's variables, beside other destinations."""
    done = exported(
        options=["--llmtrace-export=otlp"],
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"authorization={TOKEN.replace(' ', '%20').replace('=', '%3D')}",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )
    assert said(done, receiver.url, tmp_path) == [FILE, SENT, "  exported     12 spans to OTLP at URL/v1/traces"]
    assert receiver.requests == ["/api/default/v1/traces", "/v1/traces"]
    assert receiver.counts() == made(tmp_path) + made(tmp_path)


def test_a_run_sends_its_own_spans_and_names_those_of_others(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """Spans that an earlier run has left are reported, but not sent: another process may be sending them."""
    receiver.faults.append(status(401))
    exported()
    before = made(tmp_path)
    receiver.faults.clear()
    assert said(exported(), receiver.url, tmp_path) == [
        FILE,
        SENT,
        (
            "  waiting      12 spans of earlier runs in DIR/.pytest_cache/llmtrace/spool/openobserve; to send them: "
            f"{PUSH}"
        ),
    ]
    push(receiver)
    assert receiver.counts() == before + made(tmp_path)


def test_an_interrupted_run_sends_nothing(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """A user who stops a run does not have to wait for the back end; the spans are kept."""
    done = exported(SUITE + STOPPED.format("pytest.exit('enough')"), code=2)
    assert said(done, receiver.url, tmp_path) == [FILE, kept(f"  not sent     12 spans to {BACK_END}: {INTERRUPTED}")]
    assert push(receiver) == (0, [f"sent 12 spans to {BACK_END}"])
    assert receiver.counts() == made(tmp_path)


PATIENT = """
import os, signal
from pathlib import Path

def test_patience():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # A run in the background ignores it.
    Path("pid").write_text(str(os.getpid()))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT that one process sends to another")
def test_whoever_interrupts_the_sending_has_the_report_of_the_tests(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """Ctrl-C after the tests ends the wait for the back end, and changes neither their outcome nor their report."""

    def interrupting(request: Request) -> bool:
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), signal.SIGINT)
        return slow_late(request)

    receiver.faults.append(interrupting)
    done = exported(SUITE + PATIENT, OPENOBSERVE_TIMEOUT="60", LLMTRACE_EXPORT_BUDGET="60")
    why = "sending was interrupted; to find out and send what is missing"
    assert said(done, receiver.url, tmp_path) == [FILE, f"  in doubt     12 spans to {BACK_END}: {why}: {PUSH}"]
    assert "1 failed, 6 passed" in done.out
    receiver.faults.clear()
    assert push(receiver) == (0, [f"sent 0 spans to {BACK_END}", "found 12 spans there that had been in doubt"])
    assert receiver.counts() == made(tmp_path)


def test_whoever_interrupts_push_is_told_what_is_left(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a `push` shows no traceback, and the next push looks up the spans that were being sent."""
    receiver.faults.append(status(401))
    exported()

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pytest_llmtrace.export._push.post", interrupted)
        assert push(receiver) == (
            130,
            [f"sent 0 spans to {BACK_END}", f"in doubt 12 spans: sending was interrupted; {UNASKED}"],
        )
    receiver.faults.clear()
    assert push(receiver) == (0, [f"sent 12 spans to {BACK_END}"])


def test_a_run_that_dies_has_kept_its_spans(
    exported: Callable[..., Any], push: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """The spans of the tests before the process died are kept, complete."""
    exported(SUITE + STOPPED.format("import os; os._exit(70)"), code=70)
    assert push(receiver) == (0, [f"sent 12 spans to {BACK_END}"])
    assert receiver.counts() == made(tmp_path)


UNWRITABLE = """
class Odd:
    def __str__(self):
        raise RuntimeError("secret")

def test_odd(llmtrace):
    with span(Odd(), llm=False):
        pass
"""


def test_a_value_that_cannot_be_written(exported: Callable[..., Any], receiver: Receiver, tmp_path: Path) -> None:
    """A span with a value that has no text fails no test; the summary reports it, without the value's own message."""
    assert said(exported(SUITE + UNWRITABLE), receiver.url, tmp_path) == [
        "  not kept     the spans of 1 test: a value that cannot be written (RuntimeError)",
        FILE,
        f"  exported     12 spans to {BACK_END}",
    ]


def test_spans_that_cannot_be_kept(exported: Callable[..., Any], receiver: Receiver, tmp_path: Path) -> None:
    """A disk that cannot be written to fails no test; the summary reports it."""
    todo = "llmtrace_spool may name another folder"
    assert said(exported(LLMTRACE_SPOOL="test_it.py"), receiver.url, tmp_path) == [
        f"  not kept     the spans of 6 tests: Not a directory (DIR/test_it.py/openobserve); {todo}",
        FILE,
        f"  exported     0 spans to {BACK_END}",
    ]
    assert made(tmp_path).total() == SPANS


def test_the_command_that_sends_them_can_be_copied(
    exported: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """The `push` command in the summary quotes a folder with a space in its name, so that it can be copied."""
    done = exported(SUITE + STOPPED.format("pytest.exit('enough')"), code=2, LLMTRACE_SPOOL="the spool")
    why = f"  not sent     12 spans to {BACK_END}: {INTERRUPTED}; they are kept; to send them: "
    assert said(done, receiver.url, tmp_path) == [FILE, f"{why}pytest-llmtrace push --spool 'DIR/the spool'"]


def test_each_attempt_of_a_test_is_exported(exported: Callable[..., Any], receiver: Receiver) -> None:
    """A test that is run again has the spans of each attempt, with its own result."""
    pytest.importorskip("pytest_rerunfailures")
    exported(plugins=["pytest_rerunfailures"], options=["--reruns", "1"])
    results = Counter(plain(span["attributes"])["test.case.result.status"] for span in receiver.spans)
    assert results == {"pass": 10, "fail": 4}


RETRYING = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    attempts = 1
    while call.when == "call" and call.excinfo and attempts < 3:
        attempts += 1
        parent = pytest.Class.from_parent(item.session, name="Other")
        item.ihook.pytest_runtest_teardown(item=item, nextitem=parent)
        item._initrequest()
        pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_setup(item=item), when="setup")
        call = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
        report.outcome = pytest.TestReport.from_item_and_call(item, call).outcome
    return report
"""
"""Runs a test again like pytest-retry: within the report of its call, and without a report of the other attempts."""

RETRIED = """
import pytest
from child import span

runs = []

@pytest.fixture
def late(llmtrace):
    yield
    with span(f"after {runs[-1]}", llm=False):
        pass

@pytest.mark.parametrize("good_at", [1, 3, 9])
def test_it(late, good_at):
    runs.append(f"{good_at}.{sum(run.startswith(str(good_at)) for run in runs) + 1}")
    with span(f"in {runs[-1]}", llm=False):
        pass
    assert runs[-1] == f"{good_at}.{good_at}"

def test_setup_fails_then(request):
    runs.append("other")
    if "setup" in runs:
        request.getfixturevalue("nothing")
    runs.append("setup")
    request.getfixturevalue("llmtrace")
    with span("in other", llm=False):
        raise LookupError
"""


@WAYS
def test_each_attempt_is_exported_that_is_not_reported_as_over(
    exported: Callable[..., Any], receiver: Receiver, plugins: list[str], options: list[str]
) -> None:
    """A plugin may report only one of several attempts: the spans of each arrive once, with that attempt's result."""
    exported(RETRIED, plugins=plugins, options=options, files={"conftest.py": RETRYING})
    results = Counter((span["name"], plain(span["attributes"])["test.case.result.status"]) for span in receiver.spans)
    attempts = {"1.1": "pass", "3.1": "fail", "3.2": "fail", "3.3": "pass", "9.1": "fail", "9.2": "fail", "9.3": "fail"}
    of_each = [(f"{when} {attempt}", result) for attempt, result in attempts.items() for when in ("in", "after")]
    assert results == dict.fromkeys([*of_each, ("in other", "fail")], 1)


def test_an_attempt_that_its_fixtures_have_ended_leaves_no_guard(
    exported: Callable[..., Any], receiver: Receiver
) -> None:
    """The trace is closed before the next attempt, whatever opened it, so that later tests may call any host."""
    source = """
    import pytest
    from child import LIVE, ask, span

    attempts = []

    @pytest.fixture(scope="class")
    def wide():
        attempts.append("begun")
        with span(f"attempt {len(attempts)}", llm=False):
            assert len(attempts) != 2

    @pytest.mark.llmtrace
    class TestClass:
        def test_it(self, wide):
            assert len(attempts) == 3

    def test_after():
        assert ask(LIVE) == "live"
    """
    done = exported(source, code=0, files={"conftest.py": RETRYING})
    assert done.outcomes["test_after"] == "passed", done.text("test_after")
    results = Counter((span["name"], plain(span["attributes"])["test.case.result.status"]) for span in receiver.spans)
    assert results == {("attempt 1", "fail"): 1, ("attempt 2", "fail"): 1, ("attempt 3", "pass"): 1}


def test_results_have_their_own_words(exported: Callable[..., Any], receiver: Receiver) -> None:
    """A result other than passed or failed keeps pytest's word; a test whose fixture fails has failed."""
    source = """
    import pytest
    from child import span

    @pytest.fixture
    def bad():
        yield
        raise RuntimeError("bad")

    def outcome(name, act):
        with span(name, llm=False):
            act()

    def test_skipped(llmtrace):
        outcome("skipped", lambda: pytest.skip("no"))

    @pytest.mark.xfail
    def test_xfailed(llmtrace):
        outcome("xfailed", lambda: 1 / 0)

    def test_torn_down(llmtrace, bad):
        outcome("torn down", int)
    """
    exported(source)
    results = {span["name"]: plain(span["attributes"])["test.case.result.status"] for span in receiver.spans}
    assert results == {"skipped": "skipped", "xfailed": "xfailed", "torn down": "fail"}


@WAYS
@pytest.mark.parametrize("listing", ["--collect-only", "--setup-only", "--setup-plan", "--markers"])
def test_a_run_that_lists_tests_leaves_nothing_behind(
    exported: Callable[..., Any],
    receiver: Receiver,
    tmp_path: Path,
    plugins: list[str],
    options: list[str],
    listing: str,
) -> None:
    """A run that only lists tests writes no file of spans, and keeps no spans of fixtures, which nothing would send."""
    source = """
    import pytest
    from child import span

    @pytest.fixture
    def ready(llmtrace):
        with span("ready", llm=False):
            pass

    def test_chat(ready):
        pass
    """
    done = exported(source, code=0, plugins=plugins, options=[*options, listing])
    assert receiver.requests == []
    assert not (tmp_path / "spans.jsonl").exists()
    assert not (tmp_path / ".pytest_cache" / "llmtrace").exists(), done.out


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="a plugin has brought subtests until then")
def test_the_result_of_a_test_is_not_that_of_a_subtest(exported: Callable[..., Any], receiver: Receiver) -> None:
    """A test that passes has passed although a subtest was skipped; a test with a failing subtest has failed."""
    source = """
    import pytest
    from child import span

    def subtest(subtests, name):
        for number in range(2):
            with subtests.test(number=number), span(name, llm=False):
                if number == 0:
                    getattr(pytest, name)("so")

    def test_skipped(llmtrace, subtests):
        subtest(subtests, "skip")

    def test_xfailed(llmtrace, subtests):
        subtest(subtests, "xfail")

    def test_failed(llmtrace, subtests):
        subtest(subtests, "fail")
    """
    exported(source)
    results = Counter((span["name"], plain(span["attributes"])["test.case.result.status"]) for span in receiver.spans)
    assert results == {("skip", "pass"): 2, ("xfail", "pass"): 2, ("fail", "fail"): 2}


@WAYS
def test_tests_without_a_trace_stand_beside(
    exported: Callable[..., Any], receiver: Receiver, plugins: list[str], options: list[str]
) -> None:
    """Tests that are untraced, skipped by a mark, or fail before their trace opens have no spans, and break no run."""
    source = """
    import pytest
    from child import span

    def test_plain():
        pass

    @pytest.mark.skip
    def test_skipped(llmtrace):
        pass

    @pytest.mark.llmtrace(cassette="nowhere")
    def test_not_set_up():
        pass

    def test_chat(llmtrace):
        with span("chat", llm=False):
            pass
    """
    done = exported(source, plugins=plugins, options=options)
    assert done.outcomes == {
        "test_plain": "passed",
        "test_skipped": "skipped",
        "test_not_set_up": "error",
        "test_chat": "passed",
    }
    assert [span["name"] for span in receiver.spans] == ["chat"]


def test_mocks_that_tests_leave_behind_are_not_in_the_way(
    exported: Callable[..., Any], receiver: Receiver, tmp_path: Path
) -> None:
    """No blocked socket, frozen clock or proxy that tests leave behind keeps the spans from arriving."""
    assert said(exported(BROKEN), receiver.url, tmp_path) == [FILE, SENT]
    assert receiver.counts() == made(tmp_path)


WRONG = {
    "nothing is set": (
        {"OPENOBSERVE_URL": "", "OPENOBSERVE_AUTH_TOKEN": ""},
        "--llmtrace-export openobserve needs OPENOBSERVE_URL and OPENOBSERVE_AUTH_TOKEN, in the environment or .env",
    ),
    "no scheme": (
        {"OPENOBSERVE_AUTH_TOKEN": "c2VjcmV0"},
        (
            "OPENOBSERVE_AUTH_TOKEN must be `Basic ` and the base64 of `email:token`, or `Bearer ` and a token; its "
            "value is neither"
        ),
    ),
    "no address": (
        {"OPENOBSERVE_URL": "localhost:5080"},
        (
            "OPENOBSERVE_URL must be an http(s) address without a user name, such as http://localhost:5080; its value "
            "is not"
        ),
    ),
    "no time": (
        {"OPENOBSERVE_TIMEOUT": "soon"},
        "OPENOBSERVE_TIMEOUT is 'soon': it must be a number of seconds above 0",
    ),
    "no budget": (
        {"LLMTRACE_EXPORT_BUDGET": "0"},
        "LLMTRACE_EXPORT_BUDGET is '0': it must be a number of seconds above 0",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_settings_stop_the_run(run: Callable[..., Any], receiver: Receiver, what: str) -> None:
    """A missing or meaningless setting is one usage error at the start, which does not repeat a token."""
    environ, text = WRONG[what]
    done = run(SUITE, options=EXPORT, **{**receiver.environ, **environ})
    assert done.usage_error() == f"ERROR: llmtrace: {text}"
    assert "c2VjcmV0" not in done.out


def test_settings_may_stand_in_a_file(run: Callable[..., Any], receiver: Receiver) -> None:
    """`.env` in the root directory is read, and ini names the destination."""
    lines = [f'{name}="{value}"' for name, value in receiver.environ.items()]
    files = {".env": "# where\n" + "\n".join(lines), "pytest.ini": "[pytest]\nllmtrace_export = openobserve\n"}
    done = run(SUITE, files=files)
    assert done.code == 1, done.out
    assert receiver.counts().total() == SPANS


def test_without_the_option_nothing_is_exported(run: Callable[..., Any], receiver: Receiver, tmp_path: Path) -> None:
    """Environment variables alone cause no export and no import of the export's modules."""
    source = (
        SUITE
        + """
def test_modules():
    import sys
    loaded = [name for name in sys.modules if name.startswith("pytest_llmtrace.")]
    assert not [name for name in loaded if "export" in name.split(".")[1]]
"""
    )
    done = run(source, **receiver.environ)
    assert done.outcomes["test_modules"] == "passed"
    assert receiver.requests == []
    assert not (tmp_path / ".pytest_cache" / "llmtrace").exists()
