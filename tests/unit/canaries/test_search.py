"""A known value is found in every form in which it comes out, and nothing else is found."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmtrace.canaries import Glance, Search, Sought, _layers
from pytest_llmtrace.canaries._search import is_telling
from pytest_llmtrace.secrets.words import runs_of

KEY = "zq8-77f0c2b1d9"
PROMPT = 'What is "OpenTelemetry",\nand why does the café of ours need it for its orders?'


def search(*values: str, kind: str = "secret") -> Search:
    return Search(Sought(value=value, what="it", where="", kind=kind) for value in values)  # type: ignore[arg-type]


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS = {
    "alone": KEY,
    "in a text": f"The key ({KEY}) is wrong.",
    "in JSON": json.dumps({"headers": {"authorization": f"Bearer {KEY}"}}),
    "in JSON in JSON": json.dumps({"request": json.dumps({"text": f"\n{KEY}\n"})}),
    "in a query": f"https://llm.test/?to={quote_plus(f'a b&key={KEY}')}&n=1",
    "base64": coded(KEY),
    "base64, one before it": f"Basic {coded(f':{KEY}')}",
    "base64, two before it": f"Basic {coded(f'u:{KEY}')}",
    "base64, three before it": f"Basic {coded(f'us:{KEY}')}",
    "base64 of bytes": coded("") + base64.b64encode(b"\xff\xfe\xff" + f" {KEY} ".encode() + b"\xff").decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"??>{KEY}".encode()).decode(),
    "base64 of JSON": coded(json.dumps({"key": f"\t{KEY}"})),
    "base64 of base64": coded(f"Basic {coded(f':{KEY}')}"),
    "JSON in base64 with escaped slashes": json.dumps({"a\\n": coded(f"???{KEY}")}).replace("/", "\\/"),
    "JSON, and a letter escaped": json.dumps({"text": f"\n{KEY}"}).replace("z", "\\u007a"),
    "base64 in a query": quote_plus(coded(f"??>{KEY}")),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_every_form_is_found_and_masked(text: str) -> None:
    """A secret is found as it is, in JSON, in a URL and in base64 at any alignment; after masking no longer."""
    sought = search(KEY)
    assert [one.value for one in sought.within(text)] == [KEY]
    masked = sought.masked(text)
    assert "[secret]" in masked
    assert sought.within(masked) == ()


@pytest.mark.parametrize("around", ["", "o " * 2_000], ids=["short", "long"])
@pytest.mark.parametrize("others", [0, 100])
@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_no_form_is_missed_by_the_quick_look(text: str, others: int, around: str) -> None:
    """The quick look misses no form, among few values and many, in short texts and long ones."""
    sought = search(KEY, *(f"{number}-of-many-others" for number in range(others)))
    assert sought.may_be_in(Glance(["chat", f"{around}{text}"]))
    assert not sought.may_be_in(Glance(["chat", around, "gpt-4o"]))


@given(
    before=st.text(alphabet='ab"\\\n/%+é 1', max_size=12),
    after=st.text(alphabet='ab"\\\n/%+é 1', max_size=12),
    depth=st.integers(0, 3),
)
def test_the_quick_look_is_no_narrower_than_the_search(before: str, after: str, depth: int) -> None:
    """Every value that the search finds, at any depth of JSON, passes the quick look first: rough, but never blind."""
    text = f"{before}{KEY}{after}"
    for _ in range(depth):
        text = json.dumps({"t": text})
    sought = search(KEY)
    assert not sought.within(text) or sought.may_be_in(Glance([text]))


@pytest.mark.parametrize(
    "text", ["", KEY[:-1], f"{KEY}0", f"a{KEY}", KEY.upper(), KEY.replace("-", "_"), coded(KEY[:-1])]
)
def test_only_the_value_itself_is_found(text: str) -> None:
    """A value inside a longer word, or one that differs in a letter, is another value."""
    assert search(KEY).within(text) == ()


@pytest.mark.parametrize(
    "text",
    [PROMPT, PROMPT[:50], f"Asked: {PROMPT}", f"...{PROMPT[-45:]}", json.dumps([PROMPT[:60]]), quote(PROMPT)],
)
def test_a_long_value_is_found_where_it_was_cut(text: str) -> None:
    """The first or the last 40 characters of a long value are enough to find it."""
    assert [one.value for one in search(PROMPT, kind="content").within(text)] == [PROMPT]


def test_long_words_are_found_whole() -> None:
    """A long value that is a single word is found as a whole."""
    value = "f00d" * 30
    assert [one.value for one in search(value).within(f"key={value}")] == [value]


@pytest.mark.parametrize(
    ("value", "kind", "tells"),
    [
        ("test", "secret", False),
        ("anthropic", "secret", False),
        ("not-needed", "secret", True),
        ("abcd1234", "secret", True),
        ("abcdefghijklmnop", "secret", True),
        ("u-31415926", "id", True),
        ("hello", "content", False),
        ("Hello, world!", "content", False),
        ("What is OpenTelemetry?", "content", True),
        ("----------------", "content", False),
        ("今天天气怎么样你觉得我出门去公司应该穿什么衣服", "content", True),
    ],
)
def test_what_is_too_short_tells_nothing(value: str, kind: str, tells: bool) -> None:
    """Words that may stand in any text are not searched for."""
    assert is_telling(value, kind) is tells  # type: ignore[arg-type]
    assert len(search(value, kind=kind)) == tells


def test_part_of_a_secret_is_masked() -> None:
    """A secret that a report has cut off, or quotes in part, is masked too."""
    key = "sk-canary-8fd698cefae0a6f9d5b24d47"
    assert search(key).masked(f"{key[:-5]}... and '{key[10:]}'") == "[secret]... and '[secret]'"


@given(st.text(), st.sampled_from(list(FORMS.values())))
def test_no_text_makes_it_raise(text: str, form: str) -> None:
    """Any text can be searched and masked without an error."""
    sought = search(KEY, PROMPT)
    assert sought.within(sought.masked(text + form)) == ()


def test_takes_linear_time() -> None:
    """Ten thousand values are searched for in ten thousand texts, one by one, within a second."""
    sought = search(*(f"What is OpenTelemetry, asked for the time number {n}?" for n in range(10_000)), kind="content")
    start = time.process_time()
    found = [sought.within(f"prompt: What is OpenTelemetry {n}, and what is it for?") for n in range(10_000)]
    assert not any(found)
    assert time.process_time() - start < 1


@given(st.text(alphabet="azAZ09+/_-=. \n", max_size=80))
def test_base64_stands_in_long_runs(text: str) -> None:
    """The quick look searches the long runs of a text for base64, and finds all that the pattern describes."""
    assert [part for run in runs_of(text) for part in _layers.BASE64.findall(run)] == _layers.BASE64.findall(text)


@given(st.lists(st.sampled_from(["%", "a", "C", "3", "%C3", "%A9", "%e4%b8%ad", "%2", "%00", "é", "中", "+", " "])))
def test_escapes_of_a_url(pieces: list[str]) -> None:
    """They are undone as Python's own function undoes them, which takes longer, also where they are cut or no UTF-8."""
    text = "".join(pieces)
    assert _layers._unquoted(text) == unquote(text)
