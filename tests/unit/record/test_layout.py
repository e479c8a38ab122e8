"""Bodies are laid out for people, and nothing in them changes."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmtrace.record._layout import laid_out
from pytest_llmtrace.record._yaml import emitted
from pytest_llmtrace.replay.yaml_safe import parse_yaml

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_json_is_laid_out_with_a_line_a_value() -> None:
    """Each value has its own line; numbers and escapes stay as they were sent, and empty containers stay closed."""
    text = '{"a":1.0,"b":[1e-5,"\\u00e9 {\\"x\\": [1]}"],"c":{},"d":[ ],"e":{"f":null}}'
    assert laid_out(text) == (
        '{\n  "a": 1.0,\n  "b": [\n    1e-5,\n    "\\u00e9 {\\"x\\": [1]}"\n  ],\n  "c": {},\n  "d": [],\n'
        '  "e": {\n    "f": null\n  }\n}'
    )


@pytest.mark.parametrize("text", ["", "plain", '{"cut": ', "data: {}\n\n", '"only a string"', "{'a': 1}"])
def test_what_is_no_json_stays(text: str) -> None:
    """A text that is not a JSON document is left alone."""
    assert laid_out(text) == text


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_layout_keeps_every_value(value: object, indent: int | None, ascii_only: bool) -> None:
    """JSON that is laid out has the same value, however it was written, and laying it out again changes nothing."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert json.loads(laid_out(text)) == value
    assert laid_out(laid_out(text)) == laid_out(text)


# --- YAML ------------------------------------------------------------------------------------------------------------


def test_a_text_with_a_ruler_is_written_at_once() -> None:
    """The time grows with the length of a text only, although a pattern can read each `=` as a mark or as a word."""
    text = f"Title {'=' * 200}!"
    assert emitted({"string": text}) == f'string: "{text}"\n'
    assert emitted({"boundary": f"a{'=' * 200}"}) == f"boundary: a{'=' * 200}\n"


def test_a_document_reads_as_a_person_wrote_it() -> None:
    """Bodies are blocks, short lists stand on one line, what YAML would misread is quoted, bytes are base64."""
    document = {
        "a": {"json": '{\n  "x": "😀\t"\n}', "sse": "data: 1\n\ndata: [DONE]\n\n", "line": "one\n"},
        "items": [{"headers": {"content-type": ["text/plain; charset=utf-8"], "x": ["no", "1", "a: b", ""]}}],
        "binary": b"\xff\x00",
        "crlf": "a\r\nb",
        "indented": "  first\nsecond",
        "none": None,
        "numbers": [1, 0.25],
        "empty": [],
    }
    assert emitted(document) == (
        'a:\n  json: |-\n    {\n      "x": "😀\t"\n    }\n  sse: |+\n    data: 1\n\n    data: [DONE]\n\n'
        "  line: |\n    one\n"
        'items:\n- headers:\n    content-type: [text/plain; charset=utf-8]\n    x: ["no", "1", "a: b", ""]\n'
        'binary: !!binary |\n  /wA=\ncrlf: "a\\r\\nb"\nindented: |2-\n    first\n  second\nnone: null\n'
        "numbers: [1, 0.25]\nempty: []\n"
    )
    assert parse_yaml(emitted(document), "x.yaml") == document


texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    "ab \n\t\r:#-'\"\\é😀\u2028\x85\ufeff|>%@`{}[],&*!?"
)


@given(st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), texts | st.binary() | st.lists(texts), min_size=1))
def test_whatever_is_written_reads_back(values: dict[str, object]) -> None:
    """Texts, bytes and lists of texts are read back as they were, by our reader and by PyYAML's, which vcrpy uses."""
    text = emitted({"outer": values, "version": 1})
    assert parse_yaml(text, "x.yaml") == {"outer": values, "version": 1}
    assert yaml.safe_load(text) == {"outer": values, "version": 1}
