"""A report shows foreign text of spans and bodies so that it is harmless in any terminal and any log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from pytest_llmtrace._lines import legible
from pytest_llmtrace.checks import Evidence, Verdict, verify
from pytest_llmtrace.checks._words import error_in_words, shown
from pytest_llmtrace.model import Call, Exchange, Outcome, Reading, SpanKey, SpanRecord, Stray
from pytest_llmtrace.report import account, contribution, render, totals

# Put together here, so that tools that search files for keys find none in this one.
NOISE = "hT7Qb2wLrX9mKd4VzPq8"
KEY = f"sk-ant-api03-{NOISE}"
LINE = "chat  INTERNAL  UNSET  412 ms"
MORE = "... 3 lines more; print(llmtrace.tree()) shows all spans"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\x1b[2Jgone\r\n\u202e", r"'\x1b[2Jgone\r\n\u202e'"),
        ("\ud800", r"'\ud800'"),
        (f"Incorrect key: {KEY}", "'Incorrect key: [secret]'"),
        ("x" * 100_000, f"'{'x' * 80}'... (100,000 characters)"),
        # A part of a key is not recognised as one, so texts are masked before they are cut.
        (f"{'y' * 70} {KEY}", f"'{'y' * 70} [secret]'... (104 characters)"),
        ({KEY: [KEY]}, "{'[secret]': ['[secret]']}"),
        (10**5000, "an integer of 16610 bits"),
    ],
    ids=["control", "surrogate", "secret", "long", "cut", "nested", "huge"],
)
def test_values(value: object, text: str) -> None:
    """A value is shown on one line, cut, with its length, and without what looks like a secret."""
    assert shown(value) == text


def test_an_error_that_repeats_the_key() -> None:
    """Providers repeat the key that they refuse, so it is masked in the words of an error."""
    error = {"status": 401, "type": "authentication_error", "message": f"invalid x-api-key {KEY}"}
    assert error_in_words(error) == "401 authentication_error 'invalid x-api-key [secret]'"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("chat  CLIENT  OK  412 ms", "chat  CLIENT  OK  412 ms"),
        ("\x1b[31mred\x00", r"\x1b[31mred\x00"),
        (f"GET {KEY}", "GET [secret]"),
        ("n" * 100_000, f"{'n' * 500}... (100,000 characters)"),
        (f"{'n' * 490}{' '}{KEY}", f"{'n' * 490} [secret]... (524 characters)"),
    ],
    ids=["plain", "control", "secret", "long", "cut"],
)
def test_lines(line: str, text: str) -> None:
    """Text outside quotes, such as names in the tree, is made harmless line by line."""
    assert legible(line) == text


def test_a_hostile_name(make_span: Callable[..., SpanRecord]) -> None:
    """The name of a span can neither clear the screen nor fill the log, in a finding or in the tree."""
    span = make_span(name=f"\x1b[2J {KEY}\n{'n' * 1000}", scope="\x07", ended=None, end_ns=None)
    evidence = Evidence(spans=(span,))
    text = render("test_chat", evidence, verify(evidence, {}))
    assert all(line.isprintable() and len(line) < 600 for line in text.split("\n"))
    assert KEY not in text
    assert r"error  structure/span-never-ended  span '\x1b[2J [secret]\n" in text


@pytest.mark.parametrize(("number", "lines", "last"), [(100, 100, LINE), (103, 101, MORE)])
def test_a_large_tree(make_span: Callable[..., SpanRecord], number: int, lines: int, last: str) -> None:
    """A tree that would fill the terminal is shown in part, with a hint how to see the rest."""
    evidence = Evidence(spans=tuple(make_span(key=SpanKey(1, index + 1)) for index in range(number)))
    tree = render("test_chat", evidence, verify(evidence, {})).partition("\n\n")[2].rpartition("\n\n")[2].splitlines()
    assert (len(tree), tree[-1]) == (lines, last)


def test_many_alike(make_span: Callable[..., SpanRecord]) -> None:
    """Of more than four similar findings three are shown and the others counted; another scope's are listed apart."""
    names = ["a"] * 4 + ["b", "c", "d"]
    spans = [make_span(n, name=name, ended=None, end_ns=None) for n, name in enumerate(names)]
    evidence = Evidence(spans=(*spans, make_span(9, name="x", scope="other", ended=None, end_ns=None)))
    verdict = verify(evidence, {})
    text = render("test_chat", evidence, verdict)
    assert len(verdict.findings) == 8
    assert text.startswith("llmtrace: 8 findings in test_chat ")
    headings = [line for line in text.splitlines() if line.startswith("error")]
    found = "error  structure/span-never-ended"
    assert headings == [
        *[f"{found}  span 'a' (app)"] * 3,
        f"{found}  4 more like these; llmtrace.findings() returns all",
        f"{found}  span 'x' (other)",
    ]
    assert (
        "returns all\n       span 'a' (app)\n       span 'b' (app)\n       span 'c' (app)\n       and 1 other\n" in text
    )
    four = Evidence(spans=tuple(spans[:4]))
    assert render("test_chat", four, verify(four, {})).count(f"{found}  span 'a' (app)") == 4


def test_llm_spans_without_a_call_are_counted(make_span: Callable[..., SpanRecord]) -> None:
    """If a mock answers for the SDK there is no exchange, but the LLM spans are counted."""
    stray = Stray(span=make_span(1, scope="app"), reading=Reading(source="handwritten"))
    evidence = Evidence(spans=(stray.span,), strays=(stray,))
    verdict = verify(evidence, {})
    headline = render("test_chat", evidence, verdict).partition("\n")[0]
    assert "(0 exchanges, 1 LLM span, " in headline
    assert account(evidence, verdict)["spans"] == {"app": 1}


def test_calls_that_are_not_read_are_named(make_exchange: Callable[..., Exchange]) -> None:
    """A run names each model API that is not read, since its spans are unproved; a refused call is a finding."""
    path, read = "/v1beta/models/gemini-2.5-flash:generateContent", make_exchange(index=0)
    unread = [make_exchange(index=number, path=path, outcome=become) for number, become in enumerate(Outcome, 1)]
    other = make_exchange(index=9, path="/v1/weather")
    evidence = Evidence(exchanges=(read, *unread, other), calls=(Call(exchanges=(read,), spans=()),))
    counts = account(evidence, Verdict.none())["unread"]
    assert counts == {"Gemini's generateContent": len(Outcome) - 1}
    lines = [*totals(1, Counter(), Counter(), Counter(), Counter(), Counter(counts))]
    assert lines[1:] == ["  not read     3  Gemini's generateContent: its spans are not compared"]


def test_a_run_says_what_has_become_of_its_requests() -> None:
    """Replayed, forwarded and refused requests are counted apart, each by its origin."""
    origins = {"nobody": 2, "the network (host allowed)": 1, "scripted openai chat": 10, "another mock": 1}
    captured, findings = Counter({"shop.llm": 12}), Counter({"replay/unmatched": 2})
    assert [*totals(5, Counter(origins), captured, findings, Counter(waived=1), Counter())] == [
        "5 tests, 14 exchanges, 12 LLM spans, 2 findings, 1 waived",
        "  replayed     1  another mock",
        "  replayed    10  scripted openai chat",
        "  reached      1  the network (host allowed)",
        "  refused      2  nothing answered",
        "  captured    12  shop.llm",
        "  found        2  replay/unmatched",
    ]


def test_no_secret_becomes_a_column(make_span: Callable[..., SpanRecord]) -> None:
    """OpenObserve's columns are in lower case, where a key is no longer known as one: it is masked before that."""
    attributes = {f"app.{KEY}": 1, "app.tags": ("a", "b")}
    spans = (
        make_span(1, attributes=attributes, resource={f"host.{KEY}": "here"}),
        make_span(2, attributes={"app.tags": ("a", "b")}),
    )
    first, second = (one["columns"] for one in contribution("openobserve", Evidence(spans=spans), Verdict.none()))
    assert set(first) - set(second) == {"app__secret_", "service_host__secret_"}
    assert (first["app__secret_"], first["app_tags"], second["app_tags"]) == ("1", '["a","b"]', '["a","b"]')
