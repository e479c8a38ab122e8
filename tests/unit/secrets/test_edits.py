"""What is removed from a body; everything else stays."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from pytest_llmtrace.secrets.body_text import alarming, hits_in_body
from pytest_llmtrace.secrets.edits import applied, edits
from pytest_llmtrace.secrets.urls import scrubbed_url

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
PARTS = (
    '--b{0}Content-Disposition: form-data; name="client_secret"{0}{0}Zq8-77-bb{0}'
    '--b{0}Content-Disposition: form-data; name="file"; filename="/home/jdoe/x"{0}{0}{{"a": "\\n{1}"}}{0}--b--{0}'
)
TOLD_PARTS = (
    '--b{0}Content-Disposition: form-data; name="client_secret"{0}{0}[secret]{0}'
    '--b{0}Content-Disposition: form-data; name="file"; filename="/home/[removed]/x"{0}{0}{{"a": "\\n[secret]"}}'
    "{0}--b--{0}"
)


def scrubbed(text: str) -> str:
    changes = edits(text)
    new = applied(text, changes)
    assert edits(new) == ()
    return new


EVENTS = 'data: {{"delta": {{"content": "{}"}}}}\n\ndata: {{"delta": {{"content": "{}"}}}}\n\n'


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (EVENTS.format("jane.doe@corp.", "io/home/jane/x"), EVENTS.format("[removed]", "/home/[removed]/x")),
        (
            "jane.doe@corp.io\napi_key=api_key=+1 415 555 0100\n/home/jane/x",
            "[removed]\napi_key=[secret] 415 555 0100\n/home/[removed]/x",
        ),
        ("api_key==0/home/:", "api_key=[secret]"),
        ("api_key=api_key=0https://u:pa55word9@x.test/", "api_key=[secret]"),
    ],
    ids=["behind it", "between", "its end", "several"],
)
def test_what_is_seen_when_something_else_is_gone(text: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that another one had hidden is removed in a second round; nothing is found in the written text."""
    monkeypatch.setattr("pytest_llmtrace.secrets.edits._ROUNDS", 1)
    assert scrubbed(text) == new
    changes = edits(text)
    assert all(before.end <= after.start for before, after in itertools.pairwise(changes))


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apikey",
        "apiKey",
        "API-KEY",
        "OPENAI_API_KEY",
        "my-own-apiKey",
        "client_secret",
        "refresh_token",
        "access_token",
        "id_token",
        "assertion",
    ],
)
def test_fields_that_are_secret_by_their_name(name: str) -> None:
    """Secret fields are masked in JSON at any depth, JSON in a string, forms, and JSON that is cut off or quoted."""
    inner = json.dumps({"a": [{name: 'Zq8"\\\n77'}]})
    assert json.loads(scrubbed(inner)) == {"a": [{name: "[secret]"}]}
    outer = json.loads(scrubbed(json.dumps({"arguments": inner})))
    assert json.loads(outer["arguments"]) == {"a": [{name: "[secret]"}]}
    assert scrubbed(f"a=1&{name}=Zq8-77-bb&b=2") == f"a=1&{name}=[secret]&b=2"
    assert scrubbed(f'{{"a": 1, "{name}": "Zq8-77') == f'{{"a": 1, "{name}": "[secret]'
    assert scrubbed(f'use {{"{name}": "Zq8-77"}} here') == f'use {{"{name}": "[secret]"}} here'
    assert scrubbed(f"get https://a.dev/x?{name}=a1b2c3d4e5 now") == f"get https://a.dev/x?{name}=[secret] now"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ek_68a1b2c3d4e5f60718", "[secret]"),
        ("sk-proj-Nobody0123456789abcdefNobody", "[secret]"),
        (f"\t{KEY}\n{KEY}", "\t[secret]\n[secret]"),
        (
            "Incorrect API key provided: abc***xyz. You can find it",
            "Incorrect API key provided: [secret]. You can find it",
        ),
        (
            "Incorrect API key provided: sk-abcd9*****7fQz.",
            "Incorrect API key provided: [secret].",
        ),
        ("limit for org-GKgUkEpTs8iJbqUCqnL6JW5H, proj_GKgUkEpTs8iJbqUCqnL6JW5H", "limit for [removed], [removed]"),
        ("ask with req_011CSHoEeqs5C35K2UUqR7Fy", "ask with [removed]"),
        ("arn:aws:bedrock:eu-west-1:846215739046:model/x", "arn:aws:bedrock:eu-west-1:[removed]:model/x"),
        ("AKIAQ7RT5HWNZ3KXPLMD", "[secret]"),
        ("\tjane@x.io\n/home/jdoe/x", "\t[removed]\n/home/[removed]/x"),
        ("at C:\\Users\\nora\\x", "at C:\\Users\\[removed]\\x"),
        ("/Users/jdoe/x C:\\Users\\jdoe\\x", "/Users/[removed]/x C:\\Users\\[removed]\\x"),
        ("by http://jane:Zq8canary77@proxy.corp:3128/x", "by http://jane:[secret]@proxy.corp:3128/x"),
        ("Result: \\n/home/jdoe/x", "Result: \\n/home/[removed]/x"),
    ],
)
def test_looks(text: str, wanted: str) -> None:
    """A shape is removed alike from a string, JSON in a string, an event, lines of JSON and plain text."""
    document = json.dumps({"a": text})
    assert json.loads(scrubbed(document)) == {"a": wanted}
    assert json.loads(json.loads(scrubbed(json.dumps([document])))[0]) == {"a": wanted}
    assert scrubbed(f"event: x\r\ndata: {document}\r\n\r\n") == f"event: x\r\ndata: {json.dumps({'a': wanted})}\r\n\r\n"
    assert scrubbed(f"{document}\n{document}\n") == f"{json.dumps({'a': wanted})}\n" * 2
    assert scrubbed(f"it says: {text}") == f"it says: {wanted}"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            {"error": {"message": "No auth", "code": 401}, "user_id": "user_2ab"},
            {"error": {"message": "No auth", "code": 401}, "user_id": "[removed]"},
        ),
        ({"error": {"metadata": {"user_id": "org_1ab"}}}, {"error": {"metadata": {"user_id": "[removed]"}}}),
        (
            {"type": "error", "error": {"type": "x"}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"},
            {"type": "error", "error": {"type": "x"}, "request_id": "[removed]"},
        ),
        ({"metadata": {"user_id": "u-4711-ab"}}, {"metadata": {"user_id": "[removed]"}}),
        ({"user_id": "user_2"}, {"user_id": "user_2"}),
        ({"arguments": '{"user_id": "u-4711-ab"}'}, {"arguments": '{"user_id": "u-4711-ab"}'}),
        ({"jane@x.io": {"b": 1}}, {"[removed]": {"b": 1}}),
        ({"api_key": {"type": "string"}}, {"api_key": {"type": "string"}}),
    ],
)
def test_documents(body: object, wanted: object) -> None:
    """An id in an error is removed however short; elsewhere a plain one (`user_2`) stays; keys are searched too."""
    assert json.loads(scrubbed(json.dumps(body))) == wanted


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_parts(end: str) -> None:
    """Parts are removed by their name, and searched, as are their headers."""
    assert scrubbed(PARTS.format(end, KEY)) == TOLD_PARTS.format(end)


def test_a_form_stays_one() -> None:
    """Values are searched without their percent-encoding, and the result is still a form."""
    form = f"e=jane%40x.io&p=%2Fhome%2Fjdoe%2Fx&k={KEY}&j=%7B%22apiKey%22%3A%22Zq8%22%7D&u=%C3%A9%20jane%40x.io"
    assert (
        scrubbed(form)
        == "e=[removed]&p=%2Fhome%2F[removed]%2Fx&k=[secret]&j=%7B%22apiKey%22%3A%22[secret]%22%7D&u=%C3%A9%20[removed]"
    )
    assert [hit.place for hit in hits_in_body("a=[secret]&access_token=Zq8")] == ["field access_token"]


@pytest.mark.parametrize(
    "text",
    ['"api_key": "your-key"', '"client_secret": "REDACTED"', "jane@example.com", "support@openai.com"],
)
def test_places_for_secrets_and_addresses_are_emptied_whatever_they_hold(text: str) -> None:
    """Secret fields and addresses are removed from recordings even if their values are harmless, but not reported."""
    body = f"{{{text}}}" if text.startswith('"') else json.dumps([text])
    assert len(edits(body)) == 1
    assert [hit.stands_in for hit in hits_in_body(body)] == [True]
    assert [*alarming(hits_in_body(body))] == []


@pytest.mark.parametrize(
    "text",
    [
        "sk-test sk-test-1234 REDACTED [secret] [removed] AKIAIOSFODNN7EXAMPLE ${API_KEY} Bearer DUMMY",
        "hf_hub_download, hf_model_metadata_index, sk-learn-pipeline-for-beginners, fw_something_else",
        "logo@2x.png /home/user/x org-myaccount",
        "Incorrect API key provided: sk-test. arn:aws:iam::123456789012:user/x req_test",
        "sk-1234567890abcdef1234567890abcdef sk-abcdefghijklmnopqrstuvwxyz123456",
        "api_key: <API_KEY>",
        '{"authorization": "granted"}',
        '{"password": "must have 8 characters", "title": "password"} or {"passwd": " none at all"}',
        '{"properties": {"password": {"type": "string"}}, "required": ["password"]}',
        "postgres://user:password@localhost/db https://user:${PASSWORD}@a.test ws://x:y/@z http://a.test:80/@x",
    ],
)
def test_stand_ins_and_words_stay(text: str) -> None:
    """Placeholders, values reserved for examples, and words that begin like a key are left alone."""
    for body in (text, json.dumps({"a": text, "b": json.dumps([text])}), f"data: {json.dumps({'a': text})}\n\n"):
        assert edits(body) == ()


def test_a_place_shows_no_secret() -> None:
    """A place names the path to a value, also into JSON in a string, without keys that are finds themselves."""
    body = json.dumps({"jane@x.io": [{"a": json.dumps({"b": [KEY]})}]})
    assert [hit.place for hit in hits_in_body(body)] == ["$, a key", "$[…][0].a $.b[0]"]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://me:pw@a.test/v1?key=Zq8&b=1#x", "https://a.test/v1?key=[secret]&b=1#x"),
        ("https://a.test/v1?b=1#access_token=Zq8&c=2", "https://a.test/v1?b=1#access_token=[secret]&c=2"),
        (f"https://a.test/{KEY}/v1?a={KEY}#jane@x.io", "https://a.test/[secret]/v1?a=[secret]#[removed]"),
        ("https://a.test/users/jane%40x.io?by=jane%40x.io", "https://a.test/users/[removed]?by=[removed]"),
        (
            "https://a.test/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A846215739046%3Ax%2Fy/invoke",
            "https://a.test/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A[removed]%3Ax%2Fy/invoke",
        ),
        ("https://a.test/home/pages/x?key=REDACTED&token=", "https://a.test/home/pages/x?key=[secret]&token="),
        (f"https://{KEY}.test/", f"https://{KEY}.test/"),
        ("/v1?api_key=Zq8", "/v1?api_key=[secret]"),
        ("https://[broken/?key=Zq8", "https://[broken/?key=[secret]"),
    ],
)
def test_urls(url: str, wanted: str) -> None:
    """User, secret parameters, and secret or personal values in path, query and fragment go; the host stays."""
    assert scrubbed_url(url) == wanted
    assert scrubbed_url(wanted) == wanted


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "\\",
        '"api_key"',
        "@",
        "sk-",
        'name="api_key"\n',
        "a@",
        "%40",
        "&a=b",
        "[",
        "://a",
        "a@b.co ",
        f"\\n{KEY} ",
    ],
)
@pytest.mark.parametrize("start", ["", "{", "data: {", "--b\r\nContent-Disposition: x\r\n\r\n", "json"])
def test_the_time_is_that_of_the_length(piece: str, start: str) -> None:
    """Eight times the text takes about eight times as long, not 64 times; a busy machine has three tries."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        body = json.dumps({"a": text, "b": json.dumps([text])}) if start == "json" else start + text
        started = time.process_time()
        edits(body)
        return time.process_time() - started

    assert any(seconds(80_000) < 30 * max(seconds(10_000), 0.005) for _ in range(3))
