"""The reader without a YAML parser gives what the parser gives, and leaves every other layout to the parser."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.replay import cassette, yaml_layout
from pytest_llmtrace.replay.yaml_safe import Located, parse_yaml

TAPE = r"""llmtrace:
  origin: recorded
  recorded_at: "2026-11-21"
interactions:
- request:
    body: '{"messages": [{"content": "It''s


      two
      lines"}]}'
    headers:
      accept:
      - application/json
      - '*/*'
      x-number:
      - 1.5
      x-long:
      - 'default-src ''self'' a.test;
        script-src b.test'
      x-none:
      x-text: REDACTED
    method: POST
    uri: https://a.test/v1?a=b#c
  response:
    body:
      string: "{\n  \"a\": \"\xE9 \u2014 \U0001F600\",\n
        \ \"b\":
        1}\n"
    headers: {}
    status:
      code: 200
      message: OK
- request:
    method: POST
    uri: https://a.test/v2
    headers:
      accept: [application/json, "*/*", 'a']
    body: |-
      {
        "a": 1
      }
  response:
    status: {code: 200, message: OK}
    headers:
      content-type: [text/event-stream]
    body:
      string: |+

        data: 1

        data: [DONE]

    llmtrace:
      chunks: [10, 14]
      offsets: [0.1, 0.25]
- request: {}
  response:
    body:
      string: !!binary |
        H4sIAAAAAAAA/wMAAAAAAAAAAAA=
    status: null
version: 1
"""


def read(text: str, interaction: Callable[[int, Any], Any] = lambda _, item: item) -> Any:
    return yaml_layout.read_layout(io.BytesIO(text.encode()), interaction)


def exactly(value: Any) -> Any:
    """Return a value together with its types and lines, so that only exactly equal values compare equal."""
    if isinstance(value, dict):
        items = [(exactly(key), exactly(item)) for key, item in value.items()]
        return type(value), value.line if isinstance(value, Located) else None, items
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return type(value), repr(value)


@pytest.mark.parametrize("block", [1, 7, 64, yaml_layout.BLOCK])
def test_the_layout_of_vcrpy_and_of_our_recorder(monkeypatch: pytest.MonkeyPatch, block: Any) -> None:
    """A file in this layout is read without the parser, with each mapping's line, in blocks of any size."""
    monkeypatch.setattr(yaml_layout, "BLOCK", block)
    assert exactly(read(TAPE)) == exactly(parse_yaml(TAPE, "x.yaml"))


def test_interactions_are_replaced_as_soon_as_they_are_read() -> None:
    """Each interaction is replaced once it is read, so that a large file is never in memory as plain values."""
    found = read(TAPE, lambda index, item: (index, item["request"].get("uri")))
    assert found["interactions"] == [(0, "https://a.test/v1?a=b#c"), (1, "https://a.test/v2"), (2, None)]


ADDED = [
    "\n", "\n\n", " ", "  ", "\t", ": ", ":", " #", "'", "''", '"', "\\", "\\n", "\\\n", "- ", "? ", "| ", "|\n", ">\n",
    "&a ", "*a", "!!binary ", "!!python/object:a ", "{", "}", "[", "]", ", ", "~", "null", "yes", "<<", "---\n",
    "...\n", "\r", "\x85", "\u2028", "\xa0", "\U0001f600", "\\x41", "\\ud83d", "\\ ", "\\0", "\x00", "\ufeff", "1:30",
    "%", "@", "interactions:\n", "- request:\n", "    a: b\n", "      a:\n      - b\n",
]  # fmt: skip


@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(TAPE)), st.integers(0, 12), st.sampled_from(["", *ADDED])), min_size=1, max_size=3
    )
)
def test_a_changed_file_is_read_as_by_the_parser_or_left_to_it(changes: list[tuple[int, int, str]]) -> None:
    """Whatever is cut out or put in, the reader returns the parser's value or None, and None if this is not YAML."""
    text = TAPE
    for at, length, added in changes:
        text = text[:at] + added + text[at + length :]
    found = read(text)
    if found is not None:
        assert exactly(found) == exactly(parse_yaml(text, "x.yaml"))


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    is_ascii=st.booleans(),
)
def test_any_value_that_pyyaml_writes(value: Any, is_ascii: bool) -> None:
    """Any value that PyYAML writes is read as the parser reads it, or left to the parser."""
    document = {"interactions": [{"request": {"body": value, "headers": {"a": [value]}}}], "version": 1}
    text = yaml.safe_dump(document, allow_unicode=not is_ascii)
    found = read(text)
    if found is not None:
        assert exactly(found) == exactly(parse_yaml(text, "x.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "# a comment\na: 1\n", "a: 1 # a comment\n", "a: &x 1\nb: *x\n", "a: !!str 1\n", "a: >-\n  b\n",
        "? a\n", "- a: 1\n", "a:\n- b: 1\n", "a: 1\n b: 2\n", "a:\n  b: 1\n c: 2\n", "a: 'b\nc'\n", "a: 'b",
        'a: "\\ud83d"\n', 'a: "\\q"\n', "a: b\n  c\n", "a: b: c\n", "a: |\n  b\n \n", "a: |\nb: 1\n", "\ufeffa: 1\n",
        "a: b\r\n",
        "a: b\x85c\n", "---\na: 1\n", "a: 1\n---\nb: 2\n", "a: {b: [c]}\n", "a:\n  b: c\n  - d\n", "'a': 1\n",
        "".join(f"{' ' * depth}a:\n" for depth in range(60)), "<<: {a: 1}\n",
    ],
)  # fmt: skip
def test_what_is_laid_out_in_another_way_is_left_to_the_parser(text: str) -> None:
    """Other layouts are left to the parser, whether they are YAML or not."""
    assert read(text) is None


def test_bytes_that_are_no_text_are_left_to_the_parser() -> None:
    """Bytes that are not text are left to the parser, which says where they are."""
    assert yaml_layout.read_layout(io.BytesIO(b"a: b\xff\n"), lambda _, item: item) is None


def test_reading_takes_time_in_proportion_to_the_length() -> None:
    """Texts on which a regular expression could backtrack take linear time; quadratic time would be hours."""
    many = 1_000_000
    for start, part, end in (("b", " ", "#"), ("'", " ", ""), ('"', "\\ ", ""), ("[", "b, ", ""), ("'", "\n ", "")):
        assert read(f"a: {start}{part * many}{end}\n") is None
    assert read(f"a: '{' x' * many}'\n") == {"a": " x" * many}


@pytest.mark.parametrize("tag", ["", "!!str "])
def test_a_large_file_is_read_bit_by_bit(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    """A large file gives the same recordings when it is read in blocks, also by the parser."""
    item = f"- request: {{method: GET, uri: {tag}'https://a.test/é'}}\n  response: {{status: 200, body: b}}\n"
    path = write(f"interactions:\n{item * 50}version: 1\n")
    whole = cassette.load(path)
    monkeypatch.setattr(cassette, "LARGE", 0)
    monkeypatch.setattr(cassette, "BLOCK", 10)
    monkeypatch.setattr(yaml_layout, "BLOCK", 10)
    assert cassette.load(path) == whole
    assert len(whole.recordings) == 50


def test_where_a_large_file_is_wrong(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors name the line, wherever the blocks end."""
    monkeypatch.setattr(cassette, "LARGE", 0)
    monkeypatch.setattr(cassette, "BLOCK", 4)
    path = write("a: é\nb: é\nc: 1\n")
    path.write_bytes(path.read_bytes() + b"d: \xc3\n")
    with pytest.raises(CassetteError) as no_text:
        cassette.load(path)
    assert (no_text.value.line, "byte 0xc3 is not UTF-8" in str(no_text.value)) == (4, True)
    with pytest.raises(CassetteError) as no_yaml:
        cassette.load(write("a: é\nb: \x07\n"))
    assert (no_yaml.value.line, "this is not valid YAML: " in str(no_yaml.value)) == (2, True)
