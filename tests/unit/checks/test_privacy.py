"""The checks of privacy: telemetry holds no secret, and content only as intended; false alarms are avoided."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.canaries import Canaries
from pytest_llmtrace.checks import Evidence, _privacy_suspicions, refuse_content, verify
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import (
    Exchange,
    Finding,
    LogRecord,
    MetricPoint,
    Request,
    Response,
    SpanEvent,
    SpanKey,
    SpanLink,
)
from pytest_llmtrace.pairing import pair
from pytest_llmtrace.report import render

KEY = "zq8-77f0c2b1d9"
SHAPED = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
PROMPT = "What is OpenTelemetry?"
ANSWER = "A standard for telemetry."
HEADERS = (
    ("Authorization", f"Bearer {KEY}"),
    ("X-Provider-Api-Key", "prov-31415"),
    ("Cookie", "a=1; session=crumb-42-and-more"),
    ("OpenAI-Organization", "org-4242"),
    ("X-Team-Token", "team:token:1"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)
FOUND = {"name": "find", "arguments": '{"who": "Jane Doe, Oslo street 3"}'}
ASKED: dict[str, Any] = {
    "model": "gpt-4o",
    "user": "customer-4711-x",
    "messages": [
        {"role": "system", "content": "You are the assistant of Acme."},
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": FOUND}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Jane owes us 31 dollars."},
    ],
}
REPLY = {
    "id": "chatcmpl-1",
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
}

Make = Callable[..., Any]
Judge = Callable[..., list[Finding]]


@pytest.fixture
def exchange(make_exchange: Make) -> Exchange:
    made: Exchange = make_exchange(span=1, body=ASKED, chunks=(json.dumps(REPLY).encode(),), headers=HEADERS)
    return made


@pytest.fixture
def judged(make_span: Make, exchange: Exchange) -> Judge:
    """Judge one call with one span by the checks of privacy; `fields` are the span's, `evidence` is the evidence's."""

    def judged(*, evidence: dict[str, Any] | None = None, **fields: Any) -> list[Finding]:
        span = make_span(**{"attributes": {"gen_ai.request.model": "gpt-4o"}, **fields})
        seen = Evidence(exchanges=(exchange,), spans=(span,), calls=pair((exchange,), (span,)), **(evidence or {}))
        return [finding for finding in verify(seen, {}).findings if finding.check.startswith("privacy/")]

    return judged


def said(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.details[0][0], finding.details[0][1]) for finding in findings]


# --- secrets ---------------------------------------------------------------------------------------------------------

KEY_SHOWN = "the API key, …(14 characters)"
CHANNELS: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": f"chat {KEY}"}, f"name: {KEY_SHOWN}"),
    "attribute": ({"attributes": {"http.key": KEY}}, f"attribute http.key: {KEY_SHOWN}"),
    "list": ({"attributes": {"keys": ("nothing here", KEY)}}, f"attribute keys[1]: {KEY_SHOWN}"),
    "json": (
        {"attributes": {"llm.invocation_parameters": json.dumps({"headers": {"Authorization": f"Bearer {KEY}"}})}},
        f"attribute llm.invocation_parameters $.headers.Authorization: {KEY_SHOWN}",
    ),
    "key of json": (
        {"attributes": {"used": json.dumps({"by": {KEY: 1}})}},
        f"attribute used $.by, a key: {KEY_SHOWN}",
    ),
    "key": ({"attributes": {f"count.{KEY}": 1}}, f"attribute, a key: {KEY_SHOWN}"),
    "event": (
        {"events": (SpanEvent(name="sent", time_ns=1, attributes={"header": f"Bearer {KEY}"}),)},
        f"event sent header: {KEY_SHOWN}",
    ),
    "event's name": ({"events": (SpanEvent(name=f"sent {KEY}", time_ns=1),)}, f"name of an event: {KEY_SHOWN}"),
    "link": (
        {"links": (SpanLink(key=SpanKey(1, 9), attributes={"header": KEY}),)},
        f"link 0 header: {KEY_SHOWN}",
    ),
    "status": (
        {"status": "ERROR", "status_description": f"401: {KEY} is wrong"},
        f"status description: {KEY_SHOWN}",
    ),
    "base64": (
        {"attributes": {"auth": base64.b64encode(f"jane:{KEY}".encode()).decode()}},
        f"attribute auth: {KEY_SHOWN}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "line"), CHANNELS.values(), ids=CHANNELS.keys())
def test_a_secret_is_found_in_every_channel_of_a_span(judged: Judge, fields: dict[str, Any], line: str) -> None:
    """The finding names the channel, the place and the kind of secret, and never shows the secret."""
    assert said(judged(**fields)) == [("privacy/secret", "span", line)]


OTHERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "log": (
        {"logs": (LogRecord(scope="app", severity="WARN", body={"error": [f"bad key {KEY}"]}),)},
        "log record 'WARN' (app)",
        f"body error[0]: {KEY_SHOWN}",
    ),
    "log's attribute": (
        {"logs": (LogRecord(scope="app", event_name="sent", attributes={"auth": KEY}),)},
        "log record 'sent' (app)",
        f"attribute auth: {KEY_SHOWN}",
    ),
    "log's event": (
        {"logs": (LogRecord(scope="app", event_name=f"sent.{KEY}"),)},
        "log record 'sent.[secret]' (app)",
        f"name of the event: {KEY_SHOWN}",
    ),
    "metric": (
        {"metrics": (MetricPoint(scope="app", name="calls", attributes={"api_key": KEY}),)},
        "metric 'calls' (app)",
        f"attribute api_key: {KEY_SHOWN}",
    ),
}


@pytest.mark.parametrize(("evidence", "subject", "line"), OTHERS.values(), ids=OTHERS.keys())
def test_a_secret_is_found_beside_spans(judged: Judge, evidence: dict[str, Any], subject: str, line: str) -> None:
    """Log records and metrics are searched for secrets, too, since they are exported like spans."""
    [finding] = judged(evidence=evidence)
    assert (finding.check, finding.subject, finding.details[0][1]) == ("privacy/secret", subject, line)
    assert [maker.scope for maker in finding.makers] == ["app"]


def test_a_scope_is_searched(judged: Judge) -> None:
    """The attributes of a scope are searched, since they are exported with each of its spans."""
    [finding] = judged(scope_attributes={"deployment.key": KEY})
    assert finding.details[0] == ("span", f"scope deployment.key: {KEY_SHOWN}")


def test_a_resource_is_told_once(judged: Judge, make_span: Make) -> None:
    """A secret in a resource is one finding, however many spans and log records share the resource."""
    resource = {"service.name": "shop", "deployment.key": KEY}
    others = {"logs": tuple(LogRecord(scope="app", resource=resource) for _ in range(3))}
    [finding] = judged(resource=resource, evidence=others)
    assert (finding.subject, finding.details[0]) == ("resource", ("found", f"attribute deployment.key: {KEY_SHOWN}"))


SOURCES = {
    "prov-31415": "the provider's key, …(10 characters)",
    "crumb-42-and-more": "a cookie, …(17 characters)",
    "org-4242": "the organization, …(8 characters)",
    "team:token:1": "the header x-team-token, …(12 characters)",
}


@pytest.mark.parametrize(("value", "shown"), SOURCES.items())
def test_each_secret_header_is_known(judged: Judge, value: str, shown: str) -> None:
    """The API key is not the only secret: so is the value of each of these headers."""
    [finding] = judged(attributes={"x": f"it is {value}!"})
    assert finding.details[0] == ("span", f"attribute x: {shown}")


HOME = "anthropic.organization.id"


def of_anthropic(make_exchange: Make, make_span: Make, **attributes: Any) -> list[Finding]:
    answered = Response(status=200, headers=(("Anthropic-Organization-Id", "org-3141"),))
    exchange = make_exchange(headers=HEADERS, response=answered)
    seen = Evidence(exchanges=(exchange,), spans=(make_span(attributes=attributes),))
    return [finding for finding in verify(seen, {}).findings if finding.check == "privacy/secret"]


def test_the_home_of_an_organization_may_have_it(make_exchange: Make, make_span: Make) -> None:
    """The Anthropic SDK's own spans may name the organization that answered; any other place or value is a finding."""
    assert of_anthropic(make_exchange, make_span, **{HOME: "org-3141"}) == []
    found = "the organization, …(8 characters)"
    for key, value, shown in (
        ("tenant", "org-3141", found),
        (HOME, "org-4242", found),
        (HOME, f"org-3141 {KEY}", KEY_SHOWN),
    ):
        [finding] = of_anthropic(make_exchange, make_span, **{key: value})
        assert finding.details[0] == ("span", f"attribute {key}: {shown}")


def test_an_organization_in_base64_is_the_providers_doing(make_exchange: Make, make_span: Make) -> None:
    """Anthropic's signatures of thinking hold the organization: a span that repeats them leaks nothing of its own.

    What stands in the same text openly is a finding, and so is a key in base64.
    """
    signature = base64.b64encode(b"\x12\xa1\x03\n*\x08\x0c\x18\x02\x22\x08org-3141\x12\x0cs\xe4\xe3").decode()
    said = json.dumps([{"type": "thinking", "thinking": "", "signature": signature}])
    assert of_anthropic(make_exchange, make_span, answer=said) == []
    for tail in ("org-3141", base64.b64encode(f"say {KEY}".encode()).decode(), f"sk-ant-api03-{'x1Y2z3' * 8}"):
        assert of_anthropic(make_exchange, make_span, answer=f"{said} {tail}") != []


def test_the_home_of_an_organization_may_have_its_canary(judged: Judge) -> None:
    """A canary for an organization is not a finding in the attribute that is meant for the organization."""
    canaries = Canaries("test_a")
    attributes = {HOME: canaries.give("organization")}
    assert judged(attributes=attributes, evidence={"canaries": canaries.given()}) == []


def test_secrets_of_url_and_body_are_known(judged: Judge, make_exchange: Make, make_span: Make) -> None:
    """Keys in the query of a URL and in fields of a body are known as secrets, too."""
    sent = make_exchange(path="/v1/chat/completions?api_key=query-31415", body={**ASKED, "api_key": "body-31415"})
    span = make_span(attributes={"url.full": "https://x.test/?api_key=query-31415", "y": "body-31415"})
    [finding] = [
        one for one in verify(Evidence(exchanges=(sent,), spans=(span,)), {}).findings if "secret" in one.check
    ]
    came_out = (
        "attribute url.full: the parameter api_key, …(11 characters)",
        "attribute y: the field api_key, …(10 characters)",
    )
    sources = (
        "the parameter api_key: request URL query api_key, exchange 0",
        "the field api_key: request body $.api_key, exchange 0",
    )
    assert finding.details[:2] == (("span", "\n".join(came_out)), ("wire", "\n".join(sources)))


def test_what_looks_like_a_key_is_found_without_a_source(judged: Judge) -> None:
    """A key of another service is not in any exchange, but its shape gives it away."""
    [finding] = judged(attributes={"note": f"used {SHAPED}"})
    assert finding.details[0] == ("span", "attribute note: an OpenAI key, sk-…(32 characters)")


def test_what_looks_like_a_key_is_found_behind_an_escape(judged: Judge) -> None:
    """A line feed in JSON is written as an escape that ends in a letter; the text behind it still begins a word."""
    [finding] = judged(attributes={"note": json.dumps({"text": f"used:\n{SHAPED}"})})
    assert finding.details[0] == ("span", "attribute note $.text: an OpenAI key, sk-…(32 characters)")


def test_a_shape_in_base64_is_found(judged: Judge) -> None:
    """Text in base64 is decoded, so a key in it is found by its shape."""
    [finding] = judged(attributes={"note": base64.b64encode(f"used {SHAPED}".encode()).decode()})
    assert finding.details[0] == ("span", "attribute note: an OpenAI key, sk-…(32 characters)")


@pytest.mark.parametrize("size", [10, 30_000, 70_000], ids=["together", "two together", "each alone"])
@pytest.mark.parametrize("guilty", range(3))
def test_of_spans_that_are_looked_at_together_only_the_guilty_is_told(make_span: Make, size: int, guilty: int) -> None:
    """The texts of several spans are searched as one, up to a size; a finding names the span that has the secret."""
    spans = tuple(make_span(key=SpanKey(1, number + 1), attributes={"text": "x " * (size // 2)}) for number in range(3))
    spans[guilty].attributes["key"] = SHAPED
    found = verify(Evidence(spans=spans), {}).findings
    assert [(finding.check, finding.span) for finding in found if finding.check == "privacy/secret"] == [
        ("privacy/secret", SpanKey(1, guilty + 1))
    ]


def test_the_keys_of_odd_spans_are_not_kept(make_span: Make) -> None:
    """Searched keys are cached for spans with the same keys, unless they are more than OpenTelemetry's limit of 128."""
    kept = _privacy_suspicions._kept.cache_info().currsize
    many = make_span(attributes={f"key {number} of this very span": "" for number in range(129)})
    assert Evidence(spans=(many,)).suspicions == ((False, False),)
    assert _privacy_suspicions._kept.cache_info().currsize == kept


def test_a_canary_is_found(judged: Judge) -> None:
    """A canary is found although the secret that it stands for was not in any exchange."""
    canaries = Canaries("test_a")
    [finding] = judged(attributes={"tenant": canaries.give("organization")}, evidence={"canaries": canaries.given()})
    assert finding.details[:2] == (
        ("span", "attribute tenant: the organization, …(35 characters)"),
        ("wire", "the organization: canary 'organization'"),
    )


QUIET: dict[str, Any] = {
    "gen_ai.request.model": "gpt-4o",
    "server.address": "api.openai.com",
    "gen_ai.response.id": "chatcmpl-1",
    "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "prompt": PROMPT,
    "user.id": "customer-4711-x",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "b64": base64.b64encode(PROMPT.encode()).decode(),
    "tokens": 12,
    "ratio": 0.5,
    "flags": (True, False),
}


def test_nobody_is_alarmed_without_cause(judged: Judge) -> None:
    """Without `content=`, content is not judged; and ids, digests and trace context are not secrets."""
    assert judged(attributes=QUIET) == []


@pytest.mark.parametrize("key", ["test", "anthropic", "[secret]", ""])
def test_what_stands_for_a_key_is_none(make_exchange: Make, make_span: Make, key: str) -> None:
    """A key that is an ordinary word, empty or a recording's mask is not a secret, since it may stand anywhere."""
    sent = make_exchange(headers=(("authorization", f"Bearer {key}"),))
    span = make_span(attributes={"gen_ai.system": "anthropic", "note": f"a {key} test"})
    found = verify(Evidence(exchanges=(sent,), spans=(span,)), {}).findings
    assert [finding for finding in found if finding.check.startswith("privacy/")] == []


@pytest.mark.parametrize(
    ("url", "attributes"),
    [
        ("http://localhost:1234/v1/chat/completions", {"gen_ai.provider.name": "lm-studio"}),
        ("http://localhost:1234/v1/chat/completions", {"llm.system": "lm-studio", "note": "a lm-studio call"}),
        ("http://lm-studio:1234/v1/chat/completions", {"server.address": "lm-studio"}),
        ("http://lm-studio.internal/v1/chat/completions", {"server.address": "lm-studio.internal"}),
    ],
)
def test_a_key_that_is_the_name_of_its_server_is_none(
    make_exchange: Make, make_span: Make, url: str, attributes: dict[str, str]
) -> None:
    """Local servers take any key, and their own name is a usual one: spans have that name for what it names."""
    request = Request(method="POST", url=url, headers=(("authorization", "Bearer lm-studio"),), body=b"{}")
    sent = make_exchange(request=request)
    found = verify(Evidence(exchanges=(sent,), spans=(make_span(attributes=attributes),)), {}).findings
    assert [finding for finding in found if finding.check == "privacy/secret"] == []


@pytest.mark.parametrize("key", ["dummy-key", "not-needed", "sk-no-key-required", "open-sesame"])
def test_another_key_of_words_is_one(make_exchange: Make, make_span: Make, key: str) -> None:
    """A test's key is always a placeholder: where it comes out, the real one does too, which may be a pass phrase."""
    sent = make_exchange(headers=(("authorization", f"Bearer {key}"),))
    span = make_span(attributes={"gen_ai.provider.name": "lm-studio", "headers": f"Bearer {key}"})
    found = verify(Evidence(exchanges=(sent,), spans=(span,)), {}).findings
    assert [finding.check for finding in found if finding.check == "privacy/secret"] == ["privacy/secret"]


def test_a_key_with_digits_is_no_name(make_exchange: Make, make_span: Make) -> None:
    """A key that somebody has made at random is a secret even where a span gives it as the name of the provider."""
    sent = make_exchange(headers=(("authorization", f"Bearer {KEY}"),))
    span = make_span(attributes={"gen_ai.provider.name": KEY})
    found = verify(Evidence(exchanges=(sent,), spans=(span,)), {}).findings
    assert [finding.check for finding in found if finding.check == "privacy/secret"] == ["privacy/secret"]


HASH = "$2b$12$KIXQ4S1vG0pWmTzR8yLhUe9aNcBdFgHjKlQwErTyUiOpAsDfGh72K"
TALK = [
    *("too_short", "your-password", "errors.password.too_short", "min_length_12", "#login-password", "password.min"),
    *(
        "${DB_PASSWORD}",
        "{{ password }}",
        "%DB_PASSWORD%",
        "os.environ['PW']",
        "env:DB_PASSWORD",
        "secrets.DB_PASSWORD",
    ),
    *("process.env.PASSWORD", "input[type=password]", "^(?=.*[A-Z]).{12,}$", "#/components/schemas/Password"),
    *("must be at least 12 characters", "<your password>", "************", "changeme-please"),
]


@pytest.mark.parametrize("form", ["{}", "Why does the form say {} here?"], ids=["JSON", "a text with JSON"])
@pytest.mark.parametrize(
    ("password", "is_secret"),
    [
        *[(talk, False) for talk in TALK],
        *[(real, True) for real in ("Correct-Horse-9!", "password123", "summer-2024", "my-password-8812", HASH)],
    ],
)
def test_a_password_in_a_prompt(
    make_exchange: Make, make_span: Make, form: str, password: str, is_secret: bool
) -> None:
    """Prompts hold code, forms and what validators say: a value that only speaks of a password is no secret."""
    content = form.format(json.dumps({"user": "bob", "password": password}))
    for body in ({"messages": [{"role": "user", "content": content}]}, {"input": content}):
        span = make_span(attributes={"gen_ai.input.messages": json.dumps(body)})
        found = verify(Evidence(exchanges=(make_exchange(body=body),), spans=(span,)), {}).findings
        assert [finding.check for finding in found if finding.check == "privacy/secret"] == [
            "privacy/secret"
        ] * is_secret


@pytest.mark.parametrize("token", ["my-token", "${MCP_TOKEN}", "Zk8-q"])
def test_a_secret_of_the_request_itself(make_exchange: Make, make_span: Make, token: str) -> None:
    """What signs the request in is looked for, whatever its looks: where a test's token comes out, a real one does."""
    body = {"messages": [], "mcp_servers": [{"authorization_token": token * 3}]}
    span = make_span(attributes={"note": f"sent {token * 3} there"})
    found = verify(Evidence(exchanges=(make_exchange(body=body),), spans=(span,)), {}).findings
    assert [finding.check for finding in found if finding.check == "privacy/secret"] == ["privacy/secret"]


def test_a_tool_with_a_password(make_exchange: Make, make_span: Make) -> None:
    """The schema of a tool may have a property of that name, with a description of what it wants."""
    wanted = {"type": "string", "description": "At least 12 characters.", "default": "Choose-1-now"}
    parameters = {"type": "object", "properties": {"password": wanted}, "required": ["password"]}
    body = {"messages": [], "tools": [{"type": "function", "function": {"name": "sign_up", "parameters": parameters}}]}
    span = make_span(attributes={"gen_ai.tool.definitions": json.dumps(body["tools"])})
    found = verify(Evidence(exchanges=(make_exchange(body=body),), spans=(span,)), {}).findings
    assert [finding.check for finding in found if finding.check == "privacy/secret"] == []


def test_a_password_of_basic_credentials(make_exchange: Make, make_span: Make) -> None:
    """The password alone is a secret, as name and password together are; a value that is not base64 has no password."""
    coded = base64.b64encode(b"shop:open-sesame-7").decode()
    sent = [make_exchange(headers=(("authorization", f"Basic {value}"),)) for value in (coded, "%%%-no-base64-7")]
    for exchange, text in zip(sent, ("open-sesame-7", "%%%-no-base64-7"), strict=True):
        span = make_span(attributes={"note": f"sent {text}"})
        found = verify(Evidence(exchanges=(exchange,), spans=(span,)), {}).findings
        assert [finding.check for finding in found if finding.check.startswith("privacy/")] == ["privacy/secret"]


@pytest.mark.parametrize("key", ["sk-abcd9*****7fQz", "abc***canary"])
def test_a_key_that_is_masked_is_none(judged: Judge, key: str) -> None:
    """OpenAI masks the key in its message about a wrong key, which instrumentations record with the exception."""
    told = f"Error code: 401 - {{'error': {{'message': 'Incorrect API key provided: {key}.'}}}}"
    assert judged(status="ERROR", status_description=told) == []
    [finding] = judged(status="ERROR", status_description=f"{told} {SHAPED}")
    assert finding.details[0][1] == "status description: an OpenAI key, sk-…(32 characters)"


def test_no_report_shows_a_secret(make_span: Make, exchange: Exchange) -> None:
    """Secrets are also masked in the findings of other checks, and in the tree of spans."""
    span = make_span(name=f"chat {KEY}", attributes={"gen_ai.request.model": f"gpt-4o {KEY}", "a": KEY})
    evidence = Evidence(exchanges=(exchange,), spans=(span,), calls=pair((exchange,), (span,)))
    verdict = verify(evidence, {})
    assert {finding.check for finding in verdict.findings} >= {"privacy/secret", "wire/request-model"}
    assert KEY not in repr(verdict.findings)
    assert KEY not in render("test_a", evidence, verdict)


# --- content ---------------------------------------------------------------------------------------------------------

LONG = "You are the assistant of Acme."
SPOKEN: dict[str, tuple[dict[str, Any], str]] = {
    "prompt": ({"attributes": {"app.note": f"asked: {PROMPT}"}}, "attribute app.note: the prompt, 22 characters"),
    "system": ({"name": LONG}, "name: the system prompt, 30 characters"),
    "arguments": (
        {"attributes": {"x": "to Jane Doe, Oslo street 3"}},
        "attribute x: the tool's arguments, 23 characters",
    ),
    "result": ({"attributes": {"x": "Jane owes us 31 dollars."}}, "attribute x: the tool's result, 24 characters"),
    "answer": ({"attributes": {"x": ANSWER}}, "attribute x: the answer, 25 characters"),
    "user": ({"attributes": {"y": "customer-4711-x!"}}, "attribute y: the user's id, 15 characters"),
    "short, by its place": (
        {"attributes": {"gen_ai.prompt.0.content": "hi"}},
        "attribute gen_ai.prompt.0.content: content (input), 2 characters",
    ),
    "messages": (
        {"attributes": {"gen_ai.output.messages": '[{"role": "user", "parts": [{"content": "A"}]}]'}},
        "attribute gen_ai.output.messages: content (output), 47 characters",
    ),
    "Langfuse's": (
        {"attributes": {"langfuse.observation.output": "hi"}},
        "attribute langfuse.observation.output: content (output), 2 characters",
    ),
    "MLflow's": (
        {"attributes": {"mlflow.spanInputs": '{"prompt": "hi"}'}},
        "attribute mlflow.spanInputs: content (input), 16 characters",
    ),
    "MLflow's chunks": (
        {"events": (SpanEvent(name="mlflow.chunk.item.0", time_ns=1, attributes={"mlflow.chunk.value": '"hi"'}),)},
        "event mlflow.chunk.item.0 mlflow.chunk.value: content (output), 4 characters",
    ),
    "event": (
        {"events": (SpanEvent(name="gen_ai.user.message", time_ns=1, attributes={"content": "hi there"}),)},
        "event gen_ai.user.message content: content (input), 8 characters",
    ),
    "a list": (
        {"attributes": {"gen_ai.output.messages": ({"role": "user", "parts": ({"type": "text", "content": "A"},)},)}},
        "attribute gen_ai.output.messages[0].parts[0].content: content (output), 1 characters",
    ),
    "a mapping": (
        {"attributes": {"gen_ai.tool.call.arguments": {"name": "Ann"}}},
        "attribute gen_ai.tool.call.arguments.name: content (input), 3 characters",
    ),
    "arguments that are named as structure is": (
        {"attributes": {"gen_ai.tool.call.arguments": '{"name": "Ann"}'}},
        "attribute gen_ai.tool.call.arguments: content (input), 15 characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("intention", ["absent", "redacted"])
@pytest.mark.parametrize(("fields", "line"), SPOKEN.values(), ids=SPOKEN.keys())
def test_content_is_found_where_it_is_not_wanted(
    judged: Judge, intention: str, fields: dict[str, Any], line: str
) -> None:
    """Content is found by its value in any place, and by its place however short it is; it is never shown."""
    found = said(judged(**fields, evidence={"content": intention}))
    assert ("privacy/content", "span", line) in found
    assert judged(**fields) == []


TOLD_AS = {"id": "call_1", "type": "function", "function": {"name": "find"}}
STRUCTURE: dict[str, Any] = {
    "gen_ai.choice": {
        "index": 0,
        "finish_reason": "tool_calls",
        "message": {"role": "assistant", "tool_calls": [TOLD_AS]},
    },
    "gen_ai.assistant.message": {"tool_calls": [TOLD_AS]},
    "gen_ai.tool.message": {"id": "call_1"},
    "gen_ai.user.message": None,
}


@pytest.mark.parametrize("event", STRUCTURE)
@pytest.mark.parametrize("intention", ["absent", "redacted"])
def test_the_structure_of_a_message_in_a_log_event_is_no_content(judged: Judge, event: str, intention: str) -> None:
    """With capture off, OpenTelemetry's events keep roles, ids and names of tools: nobody has said any of these."""
    log = LogRecord(scope="opentelemetry.instrumentation.openai_v2", event_name=event, body=STRUCTURE[event])
    assert judged(evidence={"content": intention, "logs": (log,)}) == []


def test_what_a_message_in_a_log_event_says_is_content(judged: Judge) -> None:
    """Beside the structure, each text of a message counts; below `arguments`, so do names that structure has too."""
    asked = {**TOLD_AS, "function": {"name": "find", "arguments": {"name": "Ann", "who": "me"}}}
    body = {"message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}], "tool_calls": [asked]}}
    log = LogRecord(scope="opentelemetry.instrumentation.openai_v2", event_name="gen_ai.choice", body=body)
    lines = (
        "event gen_ai.choice message.content[0].text: content (output), 2 characters",
        "event gen_ai.choice message.tool_calls[0].function.arguments.name: content (output), 3 characters",
        "event gen_ai.choice message.tool_calls[0].function.arguments.who: content (output), 2 characters",
    )
    found = said(judged(evidence={"content": "absent", "logs": (log,)}))
    assert found == [("privacy/content", "log", "\n".join(lines))]


@pytest.mark.parametrize(
    ("scope", "switch"),
    [
        ("opentelemetry.instrumentation.openai.v1", "set TRACELOOP_TRACE_CONTENT=false, or waive"),
        (
            "opentelemetry.instrumentation.openai_v2",
            "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=NO_CONTENT",
        ),
        ("opentelemetry.util.genai.handler", "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=NO_CONTENT"),
        ("opentelemetry.instrumentation.vertexai", "keep it out of this place, or waive"),
        ("app", "keep it out of this place, or waive"),
    ],
)
def test_the_switch_for_log_events_is_that_of_their_scope(judged: Judge, scope: str, switch: str) -> None:
    """OpenTelemetry's and OpenLLMetry's scopes begin alike; if both have one of that name, no switch is named."""
    log = LogRecord(scope=scope, event_name="gen_ai.user.message", body={"content": "hi"})
    [finding] = judged(evidence={"content": "absent", "logs": (log,)})
    assert finding.details[-1][1].startswith(switch)


def test_the_switch_of_the_instrumentation_is_named(judged: Judge) -> None:
    """The advice names the setting of the instrumentation that made the span."""
    advice = {
        ("openinference.instrumentation.openai", "input.value"): "OPENINFERENCE_HIDE_INPUTS=true",
        ("openinference.instrumentation.openai", "llm.invocation_parameters"): (
            "OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS=true"
        ),
        ("opentelemetry.instrumentation.genai.openai", "gen_ai.input.messages"): (
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=NO_CONTENT"
        ),
        ("opentelemetry.instrumentation.openai.v1", "gen_ai.prompt.0.content"): "TRACELOOP_TRACE_CONTENT=false",
        ("pydantic-ai", "gen_ai.input.messages"): "InstrumentationSettings(include_content=False)",
        ("com.anthropic.sdk.python", "gen_ai.input.messages"): (
            "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=metadata_only"
        ),
    }
    advice |= {
        ("langfuse-sdk", "langfuse.observation.input"): "Langfuse(mask=...)",
        ("mlflow.tracing.provider", "mlflow.spanInputs"): "mlflow.tracing.configure(span_processors=[...])",
    }
    kinds = {"langfuse-sdk": {"langfuse.observation.type": "generation"}}
    kinds["mlflow.tracing.provider"] = {"mlflow.spanType": '"LLM"'}
    for (scope, key), switch in advice.items():
        usual = {"gen_ai.request.model": "gpt-4o", "llm.request.type": "chat"}
        attributes = {**kinds.get(scope, usual), key: PROMPT}
        [finding] = judged(scope=scope, attributes=attributes, evidence={"content": "absent"})
        assert finding.details[-1][1].startswith(f"set {switch}, or waive"), scope


MARKED = {
    "input.value": "__REDACTED__",
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "__REDACTED__"}]}]',
}


def test_a_marker_is_redacted_and_not_absent(judged: Judge) -> None:
    """`content="absent"` forbids even a marker in the place of content; `content="redacted"` allows it."""
    assert judged(attributes=MARKED, evidence={"content": "redacted"}) == []
    [finding] = judged(attributes=MARKED, evidence={"content": "absent"})
    line = 'a marker in place of content, which only content="redacted" allows'
    assert finding.details[0] == ("span", f"attribute input.value: {line}\nattribute gen_ai.input.messages: {line}")


def test_content_that_is_nested_deeply_is_content(judged: Judge) -> None:
    """JSON that is nested more deeply than can be looked at is not a marker, and raises nothing."""
    nested = "[" * 700 + "1" + "]" * 700
    [finding] = judged(attributes={"gen_ai.input.messages": nested}, evidence={"content": "redacted"})
    assert finding.check == "privacy/content"


@pytest.mark.parametrize("intention", ["absent", "redacted"])
def test_what_is_no_content_is_no_finding(judged: Judge, intention: str) -> None:
    """Models, counts, structure without content, and the user's id where conventions want it are not content."""
    attributes = {
        **{key: value for key, value in QUIET.items() if key not in {"prompt", "b64"}},
        "gen_ai.input.messages": '[{"role": "user", "parts": []}]',
        "gen_ai.prompt.0.role": "assistant",
        "llm.input_messages.0.message.role": "user",
        "gen_ai.completion.0.finish_reason": "stop",
        "input.mime_type": "application/json",
    }
    assert judged(attributes=attributes, evidence={"content": intention}) == []


CAPTURED = {
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": PROMPT}]}]),
    "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]),
}
NOWHERE = "{} is nowhere: not on the span, its events or its log records"


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ((), []),
        (("gen_ai.output.messages",), ["what was answered"]),
        (("gen_ai.input.messages", "gen_ai.output.messages"), ["what was asked", "what was answered"]),
    ],
)
def test_content_that_was_promised_is_there(judged: Judge, left_out: tuple[str, ...], missing: list[str]) -> None:
    """The question and the answer are looked for separately, since instrumentations lose the one or the other."""
    attributes = {key: value for key, value in CAPTURED.items() if key not in left_out}
    found = said(judged(attributes=attributes, evidence={"content": "captured"}))
    lines = "\n".join(NOWHERE.format(noun) for noun in missing)
    assert found == ([("privacy/content", "span", lines)] if missing else [])


@pytest.mark.parametrize(
    "attributes",
    [
        {"acme.prompt": PROMPT, "acme.answer": f"The model said: {ANSWER}"},
        {"acme.call": json.dumps({"messages": [{"role": "user", "content": PROMPT}], "reply": [ANSWER]})},
    ],
    ids=["texts", "JSON"],
)
def test_content_in_an_attribute_of_a_houses_own_is_captured(judged: Judge, attributes: dict[str, str]) -> None:
    """Content is recognised by its value in an attribute that no convention knows."""
    assert judged(attributes=attributes, evidence={"content": "captured"}) == []


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ({"acme.call": '["hi", "ok"]'}, 0),
        ({"acme.ask": "hi", "acme.answer": "ok"}, 0),
        ({"acme.x": "hi there, ok?"}, 1),
    ],
)
def test_short_content_is_captured_where_it_is_all_that_a_text_says(
    make_span: Make, make_exchange: Make, attributes: dict[str, str], count: int
) -> None:
    """A text of two letters counts as captured only as a whole value; within a longer text it may be a coincidence."""
    reply = {**REPLY, "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    exchange = make_exchange(span=1, body=asked, chunks=(json.dumps(reply).encode(),))
    span = make_span(attributes={"gen_ai.request.model": "gpt-4o", **attributes})
    seen = Evidence(exchanges=(exchange,), spans=(span,), calls=pair((exchange,), (span,)), content="captured")
    assert [finding.check for finding in verify(seen, {}).findings].count("privacy/content") == count


def test_content_in_a_log_record_is_captured(judged: Judge) -> None:
    """The log records of a span carry its content as well as its attributes do."""
    logs = (
        LogRecord(scope="app", event_name="gen_ai.user.message", body={"content": "hi"}, span=SpanKey(1, 1)),
        LogRecord(scope="app", attributes={"gen_ai.output.messages": ANSWER}, span=SpanKey(1, 1)),
    )
    assert judged(evidence={"content": "captured", "logs": logs}) == []


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_an_oversized_attribute_is_a_warning(judged: Judge) -> None:
    """An attribute that is longer than the limit is a warning; the limit can be set."""
    attributes = {"image": "x" * 65_537, "vector": (0.5,) * 10, "text": "x" * 65_536}
    assert said(judged(attributes=attributes)) == [
        ("privacy/oversized", "span", "attribute image: 65,537 characters, more than 65,536")
    ]
    assert judged(attributes=attributes, evidence={"longest_attribute": 70_000}) == []
    [finding] = judged(attributes=attributes, evidence={"longest_attribute": 70})
    assert finding.severity == "warning"
    assert finding.details[0][1].splitlines()[1] == "attribute vector: 80 characters, more than 70"


UUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (UUID, "attribute x contains an id"),
        ("resp_0af7651916cd43dd8448eb211c80319c", "attribute x contains an id"),
        (f"about {PROMPT}", "attribute x contains the prompt"),
        ("word " * 60, "attribute x contains 300 characters"),
        ("chatcmpl-1", "attribute x contains the id of a response"),
        ("chatcmpl-12", ""),
        ("gpt-4o-2024-08-06", ""),
        ("fp_2fe1e4a3a9c84d4e8d1f", ""),
        ("api.openai.com", ""),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ""),
    ],
)
def test_a_metric_has_few_series(judged: Judge, value: str, line: str) -> None:
    """Each value of an attribute makes another series of a metric, so ids, prompts and long texts are a finding."""
    points = (MetricPoint(scope="app", name="calls", attributes={"x": value}),)
    found = said(judged(evidence={"metrics": points}))
    assert found == ([("privacy/high-cardinality", "metric", line)] if line else [])


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("of req_Zk2LwVnR", "attribute x contains the id of a request"),
        ("call_aX7kQ", "attribute x contains the id of a tool call"),
        ("chat-reply", ""),
        ("find", ""),
    ],
)
def test_a_metric_has_no_id_of_the_exchange(make_exchange: Make, make_span: Make, value: str, line: str) -> None:
    """Ids that the exchange gives are known whatever they look like; a mock's id of words alone may be a name."""
    asked = {"id": "call_aX7kQ", "type": "function", "function": FOUND}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [asked]}, "finish_reason": "tool_calls"}
    body = json.dumps({**REPLY, "id": "chat-reply", "choices": [choice]}).encode()
    sent = make_exchange(
        span=1, body=ASKED, response=Response(status=200, headers=(("X-Request-Id", "req_Zk2LwVnR"),), chunks=(body,))
    )
    span = make_span(attributes={"gen_ai.request.model": "gpt-4o"})
    points = (MetricPoint(scope="app", name="calls", attributes={"x": value}),)
    seen = Evidence(exchanges=(sent,), spans=(span,), calls=pair((sent,), (span,)), metrics=points)
    found = [one for one in verify(seen, {}).findings if one.check == "privacy/high-cardinality"]
    assert said(found) == ([("privacy/high-cardinality", "metric", line)] if line else [])


def test_a_metric_with_a_secret_is_told_once(judged: Judge) -> None:
    """A secret in several series of a metric is one finding for the metric, with each of its places."""
    series = ({"key": KEY, "type": "input"}, {"key": KEY, "type": "output"}, {"user": KEY})
    points = [MetricPoint(scope="app", name="tokens", attributes=attributes) for attributes in series]
    points.append(MetricPoint(scope="app", name="calls", attributes={"key": KEY}))
    found = judged(evidence={"metrics": tuple(points)})
    assert [(one.subject, one.details[0][1]) for one in found] == [
        ("metric 'tokens' (app)", f"attribute key: {KEY_SHOWN}\nattribute user: {KEY_SHOWN}"),
        ("metric 'calls' (app)", f"attribute key: {KEY_SHOWN}"),
    ]


def test_a_metric_of_many_calls_is_told_once(judged: Judge) -> None:
    """An id makes a point for each call, which is one finding for each metric and attribute."""
    ids = [UUID.replace("3fa8", f"{number:04}") for number in range(9)]
    points = [MetricPoint(scope="app", name=name, attributes={"x": one}) for name in ("calls", "time") for one in ids]
    points.append(MetricPoint(scope="app", name="time", attributes={"y": UUID}))
    found = judged(evidence={"metrics": tuple(points)})
    assert [(finding.subject, finding.details[0][1]) for finding in found] == [
        ("metric 'calls' (app)", "attribute x contains an id"),
        ("metric 'time' (app)", "attribute x contains an id"),
        ("metric 'time' (app)", "attribute y contains an id"),
    ]


def test_the_name_of_a_span_has_no_id(judged: Judge, make_span: Make, exchange: Exchange) -> None:
    """Only spans that are not an LLM call are judged here; `structure/span-name` judges those that are."""
    spans = (make_span(1, name=f"order {UUID}"), make_span(2, name="orders of 2024"))
    found = verify(Evidence(spans=spans), {}).findings
    assert said(list(found)) == [("privacy/high-cardinality", "span", "its name contains an id")]


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"content": "hidden"}, "unknown value of content= 'hidden': known: absent, captured, redacted"),
        ({"longest_attribute": 0}, "longest_attribute= takes a number of characters, 1 or more, not 0"),
        ({"longest_attribute": True}, "longest_attribute= takes a number of characters, 1 or more, not True"),
    ],
)
def test_values_without_a_meaning_are_refused(given: dict[str, Any], message: str) -> None:
    """A wrong value of a setting is a usage error, not a finding."""
    with pytest.raises(UsageError) as error:
        refuse_content(**given)
    assert str(error.value) == message


def test_the_name_of_a_span_may_have_the_name_of_a_tool(make_span: Make, make_exchange: Make) -> None:
    """A tool that looks for tools is called with their names; the step that runs one of them is named after it."""
    tools = [{"type": "function", "function": {"name": name}} for name in ("load_tools", "lookup_refund_policy")]
    asked = {"name": "load_tools", "arguments": '{"names": ["lookup_refund_policy", "the refunds of Ann Other"]}'}
    message = {"tool_calls": [{"id": "c1", "type": "function", "function": asked}]}
    exchange = make_exchange(
        span=1,
        body={"model": "gpt-4o", "messages": [], "tools": tools},
        chunks=(json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode(),),
    )
    chat = make_span(1, attributes={"gen_ai.request.model": "gpt-4o"})
    names = ("execute_tool lookup_refund_policy", "look up the refunds of Ann Other")
    spans = (chat, *(make_span(number, name=name) for number, name in enumerate(names, start=2)))
    found = verify(Evidence(exchanges=(exchange,), spans=spans, calls=pair((exchange,), spans)), {}).findings
    assert [finding.subject for finding in found if finding.check == "privacy/high-cardinality"] == [
        "span 'look up the refunds of Ann Other' (app)"
    ]
