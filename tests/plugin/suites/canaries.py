"""A test for each place that a canary can be in: the parts of a recorded call, and of telemetry."""

from __future__ import annotations

import http.server
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from child import library_named  # type: ignore[import-not-found]
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.trace import Status, StatusCode

REQUEST_HEADERS = (
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "x-provider-api-key", "cookie", "openai-organization",
    "openai-project", "x-amz-security-token", "dd-api-key", "proxy-authorization", "traceparent", "tracestate",
    "baggage", "x-forwarded-for",
)  # fmt: skip
RESPONSE_HEADERS = (
    "set-cookie", "openai-organization", "openai-project", "anthropic-organization-id", "x-request-id",
    "llm_provider-openai-organization", "x-litellm-key-spend", "x-litellm-model-api-base", "x-said",
)  # fmt: skip
PARAMETERS = ("key", "api_key", "access_token", "token")
FIELDS = ("api_key", "apikey", "client_secret", "refresh_token", "access_token", "id_token", "assertion")
MESSAGE = {"role": "assistant", "content": "A standard."}
CHAT = {"id": "c", "model": "m", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the current test has set."""

    headers_now: dict[str, str]
    body_now: bytes

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        for name, value in {"content-length": str(len(self.body_now)), **self.headers_now}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body_now)

    def log_message(self, *args: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def llmtrace_config() -> dict[str, str]:
    return {"verify": "warn"}


@pytest.fixture
def ask(llmtrace: Any, server: str) -> Callable[..., str]:
    """Make a call in a span; return the request and the response as they were on the wire, as text."""

    def ask(
        query: str = "",
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
        says: dict[str, str] | None = None,
        reply: bytes = json.dumps(CHAT).encode(),
    ) -> str:
        Handler.headers_now, Handler.body_now = {"content-type": "application/json", **(says or {})}, reply
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **(more or {})}
        with trace.get_tracer("app").start_as_current_span("chat", attributes={"gen_ai.request.model": "m"}):
            library_named().post(f"{server}{query}", json=body, headers=headers or {})
        [exchange] = llmtrace.exchanges()
        return repr((exchange.request, exchange.response))

    return ask


@pytest.mark.parametrize("name", REQUEST_HEADERS)
def test_request_header(llmtrace: Any, ask: Callable[..., str], name: str) -> None:
    canary = llmtrace.canary("cookie")
    assert canary in ask(headers={name: f"one={canary}"})


@pytest.mark.parametrize("name", RESPONSE_HEADERS)
def test_response_header(llmtrace: Any, ask: Callable[..., str], name: str) -> None:
    canary = llmtrace.canary("cookie")
    assert canary in ask(says={name: f"one={canary}"})


@pytest.mark.parametrize("name", PARAMETERS)
def test_query(llmtrace: Any, ask: Callable[..., str], name: str) -> None:
    canary = llmtrace.canary("cookie")
    assert canary in ask(query=f"?{name}={canary}")


@pytest.mark.parametrize("name", FIELDS)
def test_request_field(llmtrace: Any, ask: Callable[..., str], name: str) -> None:
    canary = llmtrace.canary("cookie")
    assert canary in ask(more={name: canary})


@pytest.mark.parametrize("name", FIELDS)
def test_response_field(llmtrace: Any, ask: Callable[..., str], name: str) -> None:
    canary = llmtrace.canary("cookie")
    assert canary in ask(reply=json.dumps({**CHAT, name: canary}).encode())


def test_answer(llmtrace: Any, ask: Callable[..., str]) -> None:
    canary = llmtrace.canary("cookie")
    assert canary in ask(reply=json.dumps({**CHAT, "note": f"You have said {canary}."}).encode())


def test_stream(llmtrace: Any, ask: Callable[..., str]) -> None:
    canary = llmtrace.canary("cookie")
    event = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": f"You have said {canary}."}}]}
    reply = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
    assert canary in ask(more={"stream": True}, says={"content-type": "text/event-stream"}, reply=reply)


def attribute(canary: str) -> None:
    trace.get_current_span().set_attribute("app.note", canary)


def attribute_key(canary: str) -> None:
    trace.get_current_span().set_attribute(f"gen_ai.{canary}", 1)


def name(canary: str) -> None:
    trace.get_current_span().update_name(f"chat {canary}")


def operation(canary: str) -> None:
    trace.get_current_span().set_attribute("gen_ai.operation.name", canary)


def model(canary: str) -> None:
    trace.get_current_span().set_attribute("gen_ai.request.model", canary)


def event_name(canary: str) -> None:
    trace.get_current_span().add_event(canary)


def event_attribute(canary: str) -> None:
    trace.get_current_span().add_event("said", {"note": canary, canary: 1})


def exception(canary: str) -> None:
    trace.get_current_span().record_exception(ValueError(canary))


def status(canary: str) -> None:
    trace.get_current_span().set_status(Status(StatusCode.ERROR, canary))


def link(canary: str) -> None:
    span = trace.get_current_span()
    span.add_link(span.get_span_context(), {"note": canary, canary: 1})


def emit(body: object, event: str, **attributes: object) -> None:
    logger: Any = _logs.get_logger("app")
    if "body" in inspect.signature(logger.emit).parameters:
        logger.emit(body=body, event_name=event, attributes=attributes)
        return
    fields = {"attributes": {**attributes, "event.name": event}, "trace_id": 0, "span_id": 0, "trace_flags": 0}
    logger.emit(vars(sdk_logs)["LogRecord"](body=body, **fields))  # before opentelemetry-api 1.36


def log_body(canary: str) -> None:
    emit(canary, "app.said")


def log_event(canary: str) -> None:
    emit(None, canary)


def log_attribute(canary: str) -> None:
    emit(None, "app.said", **{"note": canary, canary: 1})


def metric_name(canary: str) -> None:
    metrics.get_meter("app").create_counter(canary).add(1)


def metric_attribute(canary: str) -> None:
    metrics.get_meter("app").create_counter("app.calls").add(1, {"note": canary, canary: 1})


def scope(canary: str) -> None:
    trace.get_tracer(canary).start_span("tool", attributes={"gen_ai.operation.name": "execute_tool"}).end()


OUT = (
    attribute, attribute_key, name, operation, model, event_name, event_attribute, exception, status, link, log_body,
    log_event, log_attribute, metric_name, metric_attribute, scope,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["api_key", "cookie", "prompt", "user_id"])
@pytest.mark.parametrize("put", OUT)
def test_telemetry(llmtrace: Any, put: Callable[[str], None], kind: str) -> None:
    canary = llmtrace.canary(kind)
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    with trace.get_tracer("app").start_as_current_span("chat", attributes=told):
        put(canary)
    spans = "".join(span.to_json() for span in llmtrace.exporter.get_finished_spans())
    assert canary in spans + repr((llmtrace.spans(), llmtrace.logs(), llmtrace.metrics()))
