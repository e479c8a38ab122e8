"""Whatever a file holds, the loader returns a cassette or raises a CassetteError."""

import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Cassette
from pytest_llmtrace.replay.cassette import parse
from pytest_llmtrace.replay.payload import in_chunks

FAST = settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None)
KEYS = st.sampled_from(
    [
        "interactions",
        "version",
        "request",
        "response",
        "method",
        "uri",
        "url",
        "headers",
        "body",
        "string",
        "base64",
        "parsed_body",
        "content",
        "status",
        "code",
        "llmtrace",
        "chunks",
        "offsets",
        "failure",
        "type",
        "encoding",
        "message",
        "<<",
    ]
)
WORDS = st.sampled_from(["1", "200", "POST", "https://a.test", "json", "text", "aGk=", "", "*a", "&a b", "!!binary x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 999) | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def survives(content: bytes, name: str) -> None:
    with contextlib.suppress(CassetteError):
        assert isinstance(parse(content, name), Cassette)


@FAST
@given(st.binary(max_size=200))
def test_any_bytes(content: Any) -> None:
    """Any bytes are loaded or refused."""
    survives(content, "tape.yaml")
    survives(content, "tape.json")


@FAST
@given(st.text(alphabet="{}[],:-?&*!|>'\"%@`# \n\tab1.~<=", max_size=120))
def test_any_punctuation(content: Any) -> None:
    """YAML's own characters are loaded or refused, in any order."""
    survives(content.encode(), "tape.yaml")


@FAST
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.lists(VALUES, max_size=2))
def test_any_document(document: Any, interactions: Any) -> None:
    """Documents made of the words of cassettes are loaded or refused; they are JSON, which is YAML too."""
    for value in (
        document,
        {"interactions": interactions},
        {"interactions": [document]},
        document | {"request": document},
    ):
        text = json.dumps(value)
        survives(text.encode(), "tape.json")
        survives(b"# yaml\n" + text.encode(), "tape.yaml")


@FAST
@given(st.text(alphabet="\r\nab:", max_size=60).map(str.encode))
def test_no_byte_is_lost(body: Any) -> None:
    """The chunks joined are the body, and none is empty."""
    chunks = in_chunks(body, (("content-type", "text/event-stream"),))
    assert b"".join(chunks) == body
    assert all(chunks)
