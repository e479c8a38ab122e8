"""`pytest-llmtrace compare --privacy`: each content mode is checked against its promise."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from pytest_llmtrace.canaries import Canaries
from pytest_llmtrace.cli import main
from pytest_llmtrace.compare._instrumentors import CLIENTS, INSTRUMENTORS
from pytest_llmtrace.compare._modes import MODES, Mode
from pytest_llmtrace.compare._privacy_calls import CALLS, PLACES, make, number_of
from pytest_llmtrace.compare._privacy_page import page
from pytest_llmtrace.compare._privacy_run import Privacy, Row, broken
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.secrets.body_text import assembled

HIDING = Mode(environ={"HIDE": "1"}, promise="no input", hides=frozenset({"prompt"}), where="attribute input")
SHOWING = Mode(promise="all", shows={"attribute": frozenset({"output"})})


NO_LOGS = Mode(promise="no events", logs=False)
LOGS = Mode(promise="events", logs=True)


def call(
    name: str = "chat",
    raised: str | None = None,
    *,
    client: str = "sync",
    spans: int = 1,
    found: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    places = {place: (found or {}).get(place, []) for place in PLACES}
    logs = sum(where.startswith("log ") for at in places.values() for where in at)
    said = {"call": name, "client": client, "raised": raised, "spans": spans, "logs": logs}
    return {**said, "put": list(PLACES), "found": places}


def both(**found: list[str]) -> tuple[dict[str, Any], ...]:
    return call(found=found), call(client="async", found=found)


@pytest.mark.parametrize(
    ("mode", "made", "lines"),
    [
        (
            HIDING,
            call(found={"prompt": ["attribute input.value"]}),
            ["prompt: in attribute input.value (chat, sync only)"],
        ),
        (HIDING, call(found={"prompt": ["attribute output.value"]}), []),
        (SHOWING, call(found={"output": ["attribute output.value"]}), []),
        (SHOWING, call(found={"output": ["log body"]}), ["answer: in no attribute (chat, sync only)"]),
        (SHOWING, call(raised="BadRequestError"), []),
        (SHOWING, call("embeddings"), []),
        (SHOWING, call(spans=0), []),
        (NO_LOGS, call(found={"prompt": ["log body"]}), ["a log record (chat, sync only)"]),
        (NO_LOGS, call(), []),
        (LOGS, call(), ["no log record (chat, sync only)"]),
        (LOGS, call(spans=0), []),
        (LOGS, call(raised="BadRequestError"), []),
    ],
)
def test_a_promise_is_kept_or_broken(mode: Mode, made: dict[str, Any], lines: list[str]) -> None:
    """Hidden content must not be in the mode's places; shown content must be in its channel, where it can be."""
    assert list(broken(Row(mode=mode, calls=(made,)))) == lines


def test_a_call_that_both_clients_have_made_is_named_once() -> None:
    """A line names a client only if the other one differs."""
    row = Row(
        mode=HIDING,
        calls=(*both(prompt=["attribute input.a"]), call(client="async", found={"prompt": ["attribute input.b"]})),
    )
    assert list(broken(row)) == [
        "prompt: in attribute input.a (chat)",
        "prompt: in attribute input.b (chat, async only)",
    ]


def test_the_page_names_channels_and_places() -> None:
    """Cells list channels, the lines below list promises and places, and clients are named where they differ."""
    rows = (
        Row(mode=SHOWING, calls=both(prompt=["attribute input.value", "log body"], output=["attribute o"])),
        Row(mode=HIDING, calls=(*both(prompt=["attribute other"]), call("responses", found={"prompt": ["log body"]}))),
    )
    text = page([Privacy(name="some", versions=("some 1",), rows=rows)], ["openai 3"])
    assert "| `HIDE=1` | no input | yes | prompt: `other`, `log body` (sync only) |" in text
    assert "| prompt | default | `input.value`, `log body` |" in text
    assert "| prompt | `HIDE=1` | `other`, `log body` (sync only) |" in text
    assert "| default |  |  |  |  | A L |" in text
    assert "| `HIDE=1` |  |  |  |  | sync: A L; async: A |" in text


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ({"prompt": ["attribute input.value"], "output": ["attribute input.value"]}, "yes"),
        ({"prompt": ["attribute input.value"], "output": ["attribute output.value"]}, "yes; nothing to hide: answer"),
        ({"prompt": ["log body"]}, "nothing to hide"),
        ({}, "nothing to hide"),
    ],
)
def test_what_is_in_no_mode_is_not_hidden(shown: dict[str, list[str]], kept: str) -> None:
    """A switch can only hide content that comes out without it; of other content nothing is claimed."""
    mode = replace(HIDING, hides=frozenset({"prompt", "output"}))
    rows = (Row(mode=Mode(promise="all"), calls=both(**shown)), Row(mode=mode, calls=both()))
    text = page([Privacy(name="some", versions=(), rows=rows)], ())
    assert f"| `HIDE=1` | no input | {kept} |  |" in text


def test_calls_without_a_span_are_named() -> None:
    """A call that the instrumentor has not seen says nothing about its switches."""
    calls = (*both(), *(call("completions", client=client, spans=0) for client in ("sync", "async")))
    text = page([Privacy(name="some", versions=("some 1",), rows=(Row(mode=SHOWING, calls=calls),))], ())
    assert "some 1. Calls without a span: completions." in text


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_made_with_all_its_canaries(name: str, client: str) -> None:
    """The canaries put into a call, and into its answer, all go over the wire, with either client."""
    called = CALLS[name]
    canaries: dict[str, str] = {}

    def put(place: str) -> str:
        return canaries.setdefault(place, Canaries(f"{name} {client} {place}").give("cookie"))

    with LLMTrace(verify=False) as trace:
        with contextlib.suppress(openai.BadRequestError, anthropic.BadRequestError):
            make(called, trace, put, client=client, native=False)
        [exchange] = trace.exchanges()
    assert exchange.response is not None
    said = "".join((repr(exchange.request), repr(exchange.response), *assembled(exchange.response.body.decode())))
    wanted = {place: repr(number_of(one)) if place == "vector" else one for place, one in canaries.items()}
    assert [place for place, one in wanted.items() if one not in said] == []
    assert ("exception" in canaries) is name.endswith("failed")


def test_each_instrumentor_has_modes() -> None:
    """Each instrumentor has modes, and the default is the first."""
    assert MODES.keys() == INSTRUMENTORS.keys()
    assert all(modes[0].name == "default" for modes in MODES.values())


def test_cases_are_not_for_privacy(capsys: pytest.CaptureFixture[str]) -> None:
    """The comparison of privacy has calls of its own, so `--case` is refused."""
    assert main(["compare", "--privacy", "--case", "scripted:"]) != 0
    said = "pytest-llmtrace: --privacy makes its own calls, with both clients: leave out --case, --sync and --async\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--output", "page.txt"], "unknown suffix of --output with --privacy '.txt': known: .json, .md"),
        (["--output", "page"], "unknown suffix of --output with --privacy 'page': known: .json, .md"),
        (["--format", "text"], "unknown value of --format with --privacy 'text': known: json, markdown"),
    ],
)
def test_formats_that_privacy_does_not_have(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A format that does not exist is a usage error before any call is made; nothing else is written instead."""
    assert main(["compare", "--privacy", *options]) == 2
    assert capsys.readouterr().err == f"pytest-llmtrace: {said}\n"
