"""A secret anywhere in a body is removed, and nothing else is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmtrace.secrets.edits import applied, edits
from pytest_llmtrace.secrets.shapes import is_stand_in

# A secret, what replaces it, and the part that must be nowhere.
SECRETS = [
    ("sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x", "[secret]", "Ab3dEf6hIj9lMn2pQr5tUv8x"),
    ("ek_68a1b2c3d4e5f60718", "[secret]", "68a1b2c3d4e5f60718"),
    ("jane.doe@acme-research.com", "[removed]", "jane.doe"),
    ("/home/jdoe7/x", "/home/[removed]/x", "jdoe7"),
    ("req_011CSHoEeqs5C35K2UUqR7Fy", "[removed]", "011CSHoEeqs5C35K2UUqR7Fy"),
]
FIELD_VALUE = "Zq8-77-bb"


def is_plain(text: str) -> bool:
    """Tell whether a text is neither a find itself nor turns the value before it into a stand-in."""
    return edits(f" {text} ") == () and not is_stand_in(FIELD_VALUE + text)


SIGNS = st.sampled_from("\n\t\r\"'\\ /{}[],&%+=#")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "N"], exclude_characters="@:") | SIGNS, max_size=30).filter(
    is_plain
)
EDGES = st.sampled_from([" ", "\n", "\t", '"', "'", "\\ ", " <", "\u2028", "\r\n"])


class Planted:
    """A marker for a secret until a body is written."""


class Field(Planted):
    """A marker for the value of a field that is secret by its name."""


@st.composite
def strings(draw: st.DrawFn) -> list[Any]:
    """A string with a secret somewhere in it, as the list of its parts."""
    return [draw(TEXTS), draw(EDGES), Planted(), draw(EDGES), draw(TEXTS)]


KEYS = st.sampled_from(["a", "content", "\n\t", "caf\u00e9", 'q"'])
LEAVES = TEXTS | strings() | st.booleans() | st.none() | st.integers(-9, 9)


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=2).map(lambda value: {**value, "api_key": Field()})
        | inner.map(lambda value: {"arguments": {"__json__": value}})
    )


DOCUMENTS = st.recursive(LEAVES, larger, max_leaves=8).map(lambda value: {"body": value})


def filled(value: Any, secret: str, field: str) -> Any:
    """Put a secret in each place marked for one; JSON in a string is written last."""
    if isinstance(value, list):
        return "".join(secret if isinstance(part, Planted) else part for part in value)
    if isinstance(value, tuple):
        return [filled(item, secret, field) for item in value]
    if isinstance(value, dict):
        if "__json__" in value:
            return json.dumps([filled(value["__json__"], secret, field)])
        return {key: filled(item, secret, field) for key, item in value.items()}
    return field if isinstance(value, Field) else value


def scrubbed(text: str, *canaries: str) -> str:
    new = applied(text, edits(text))
    assert [canary for canary in canaries if canary in unquote_plus(new)] == []
    assert edits(new) == ()
    return new


@settings(max_examples=300)
@given(
    document=DOCUMENTS,
    secret=st.sampled_from(SECRETS),
    value=TEXTS,
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_json(document: Any, secret: tuple[str, str, str], value: str, ascii_only: bool, indent: int | None) -> None:
    """JSON stays JSON, with only the secrets replaced; so it is with events and lines of JSON."""
    old, new, canary = secret
    before = filled(document, old, FIELD_VALUE + value)
    after = filled(document, new, "[secret]")
    canaries = canary, FIELD_VALUE
    text = json.dumps(before, ensure_ascii=ascii_only, indent=indent)
    assert json.loads(scrubbed(text, *canaries)) == after
    line = json.dumps(before, ensure_ascii=ascii_only)
    events = scrubbed(f"event: x\r\ndata: {line}\r\n\r\ndata: [DONE]\r\n\r\n", *canaries)
    assert json.loads(events.split("\r\n")[1].removeprefix("data: ")) == after
    assert [json.loads(one) for one in scrubbed(f"{line}\n{line}\n", *canaries).split("\n")[:2]] == [after, after]


@settings(max_examples=200)
@given(document=DOCUMENTS, text=strings(), secret=st.sampled_from(SECRETS), value=TEXTS)
def test_forms_and_parts(document: Any, text: Any, secret: tuple[str, str, str], value: str) -> None:
    """A form keeps its pairs and a multipart body its parts, with only the secrets replaced."""
    old, new, canary = secret
    canaries = canary, FIELD_VALUE
    pairs = [
        [("a", filled(text, *put)), ("j", json.dumps(filled(document, *put))), ("client_secret", put[1])]
        for put in ((old, FIELD_VALUE + value), (new, "[secret]"))
    ]
    assert parse_qsl(scrubbed(urlencode(pairs[0]), *canaries), keep_blank_values=True) == pairs[1]
    contents = [dict(one[1:]) for one in pairs]
    bodies = [
        "".join(f'--b0\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in content.items())
        + "--b0--\r\n"
        for content in contents
    ]
    if "\n" not in value and "\r" not in value:
        assert scrubbed(bodies[0], *canaries) == bodies[1]
