"""Keys that no search for words in the bytes finds: in UTF-16, in XML, in base64, in parts of a form."""

from __future__ import annotations

import base64
import json
import time
from collections import deque

import pytest

from pytest_llmtrace.secrets.body_text import as_bytes, as_text, hits_in_body
from pytest_llmtrace.secrets.edits import applied, edits
from pytest_llmtrace.secrets.urls import keys_in_host

KEY = "sk-ant-api03-Zq8Canary0123456789abcdefCanary"
DOCUMENT = json.dumps({"api_key": "Zq8-77-bb", "note": f"你好 😀 Łódź {KEY}", "b": "ą"}, ensure_ascii=False)
TOLD = json.dumps({"api_key": "[secret]", "note": "你好 😀 Łódź [secret]", "b": "ą"}, ensure_ascii=False)


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def scrubbed(body: bytes) -> bytes:
    text = as_text(body)
    return as_bytes(applied(text, edits(text)))


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_body_in_utf_16(coding: str) -> None:
    """It stays in UTF-16, with its mark, and only the secrets are replaced."""
    assert scrubbed(DOCUMENT.encode(coding)) == TOLD.encode(coding)
    assert scrubbed(f"it is {KEY}, says jane@x.io".encode(coding)) == "it is [secret], says [removed]".encode(coding)
    assert scrubbed(TOLD.encode(coding)) == TOLD.encode(coding)
    assert scrubbed(DOCUMENT.encode(coding)[:-1]).startswith(TOLD.encode(coding)[:-4])


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('<?xml version="1.0"?>\n<a><apiKey>{}</apiKey></a>', "Zq8-77-bb"),
        ("<a b='c' api_key='{}'/>", "Zq8-77-bb"),
        ('\ufeff<a x:password = "{}" b="c"><d/></a>', "Zq8 77"),
        ("<s:a><s:password><![CDATA[{}]]></s:password></s:a>", "Zq8-77-bb"),
        ("<a>\n <SessionToken>\n  {}\n </SessionToken>\n</a>", "Zq8/77+bb"),
        ("<a><note>it is {} here</note></a>", KEY),
    ],
)  # fmt: skip
def test_xml(body: str, wanted: str) -> None:
    """An element or an attribute with a secret name is a secret, and any key is, in a body of XML."""
    masked = "[secret]" if "password =" not in body else wanted
    assert scrubbed(body.format(wanted).encode()).decode() == body.format(masked)


@pytest.mark.parametrize(
    "text",
    [
        "<html><input type='password' name='password'><p>password</p></html>",
        "<a><api_key/><api_key></api_key><b>authorization</b></a>",
        "<authorization>granted</authorization>",
        "<password>must have 8 characters</password>",
        "the element <api_key>is described</api_key> here",
    ],
)
def test_xml_without_secrets(text: str) -> None:
    """A name alone, or a sentence in a place for secrets, is none; a text about XML is no XML."""
    assert scrubbed(text.encode()).decode() == text


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (json.dumps({"file": packed(f"x {KEY}\n")}), json.dumps({"file": "[secret]"})),
        (json.dumps({"url": f"data:text/plain;base64,{packed(f'it is {KEY}')}"}),
         json.dumps({"url": "data:text/plain;base64,[secret]"})),
        (json.dumps({"data": packed(f"??>>~~ {KEY}").replace("/", "_").replace("+", "-").rstrip("=")}),
         json.dumps({"data": "[secret]"})),
        (f"a=1&file={packed(f'x {KEY}').replace('=', '%3D')}", "a=1&file=[secret]"),
        (f"it was {packed(KEY)}, once", "it was [secret], once"),
        (json.dumps({"file": base64.encodebytes(f"{'x' * 30} a text with {KEY} in it".encode()).decode()}),
         json.dumps({"file": "[secret]\n"})),
        (json.dumps({"a": json.dumps({"b": packed(f"né {KEY}")})}), json.dumps({"a": json.dumps({"b": "[secret]"})})),
    ],
)  # fmt: skip
def test_base64(body: str, wanted: str) -> None:
    """A text in base64 with a key in it is removed as a whole."""
    assert scrubbed(body.encode()).decode() == wanted


@pytest.mark.parametrize(
    "text",
    [
        packed("a text without any key, of some length"),
        packed("a key of sk-test, or sk-ant-your-key-here"),
        base64.b64encode(b"\x89PNG\r\n\x1a\n" + KEY.encode()).decode(),
        "a/path/of/Words/that/is/long/enough/to/be/base64",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    ],
)
def test_base64_without_keys(text: str) -> None:
    """Other texts in base64, files that are no texts, paths and digests stay as they are."""
    assert scrubbed(json.dumps({"a": text}).encode()).decode() == json.dumps({"a": text})


PART = "{}--b\r\nContent-Disposition: form-data; name={}{}\r\n\r\n{}\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("before", "name", "more", "content"),
    [
        ("", '"api_key"', "", "Zq8-77-bb"),
        ("", "api_key", "", "Zq8-77-bb"),
        ("\r\n", '"api_key"', "", "Zq8-77-bb"),
        ("", '"purpose"', "", KEY),
        ("", '"file"', '; filename="a.txt"\r\nContent-Transfer-Encoding: base64', packed(f"it is {KEY}")),
    ],
)
def test_parts(before: str, name: str, more: str, content: str) -> None:
    """The parts of a form are searched, however their names are written and their contents encoded."""
    body = PART.format(before, name, more, content).encode()
    assert scrubbed(body) == PART.format(before, name, more, "[secret]").encode()


@pytest.mark.parametrize(
    ("url", "places"),
    [
        (f"https://{KEY}.proxy.test/v1", ["host"]),
        (f"https://jane:x@{KEY.lower()}.proxy.test:8080/v1", ["host"]),
        ("https://api.openai.com/v1", []),
        ("https://sk-test.proxy.test/v1", []),
        ("/v1", []),
    ],
)
def test_a_key_in_a_host(url: str, places: list[str]) -> None:
    """A host that looks like a key is noticed, in the lower case that clients write hosts in."""
    assert [hit.place for hit in keys_in_host(url)] == places


@pytest.mark.parametrize(
    "piece",
    [packed("text without a key, "), "<a b='c' ", "<a>x", "<", " a", "A/b_" * 8 + "=", "a\0", "\udcff\udcfe"],
)
@pytest.mark.parametrize("start", ["", "<a ", '{"a": "', "\udcff\udcfe"])
def test_the_time_is_that_of_the_length(piece: str, start: str) -> None:
    """Eight times the text takes about eight times as long, not 64 times; a busy machine has three tries."""

    def seconds(length: int) -> float:
        text = start + piece * (length // len(piece))
        started = time.process_time()
        deque(hits_in_body(text), maxlen=0)
        return time.process_time() - started

    assert any(seconds(80_000) < 30 * max(seconds(10_000), 0.005) for _ in range(3))
