"""Conflicts happen as docs/migrate.md describes: which mock answers, whose failure stands, and our reports."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

# Neighbour -> the section of the page with an application that it can reach, its module, and its pytest plugins.
NEIGHBOURS: dict[str, tuple[str, str, list[str]]] = {
    "vcrpy": ("vcrpy", "vcr", []),
    "pytest-recording": ("vcrpy", "pytest_recording", ["pytest_recording.plugin"]),
    "cassetter": ("vcrpy", "cassetter", ["cassetter.pytest_plugin"]),
    "respx": ("respx", "respx", ["respx.plugin"]),
    "pytest-httpx": ("pytest-httpx", "pytest_httpx", ["pytest_httpx"]),
    "pytest-httpx2": ("pytest-httpx2", "pytest_httpx2", ["pytest_httpx2"]),
}

IMPORTS = """
import pytest
import app
from app import answer
from replies import REPLY, URL

def ask(question="May I return this?"):
    return answer(question)
"""

# The start of a test in which the neighbour has an answer ready: by a mark, or by the fixture `theirs`.
ANSWERING = {
    "vcrpy": """
import vcr

@pytest.fixture
def theirs():
    with vcr.use_cassette("cassettes/return.yaml", record_mode="none"):
        yield
""",
    "pytest-recording": """
pytestmark = pytest.mark.vcr("return.yaml")

@pytest.fixture
def theirs():
    pass
""",
    "cassetter": """
pytestmark = pytest.mark.vcr("return.yaml")

@pytest.fixture
def theirs():
    pass
""",
    "respx": """
@pytest.fixture
def theirs(respx_mock):
    respx_mock.post(URL).respond(json=REPLY)
""",
    "pytest-httpx": """
@pytest.fixture
def theirs(httpx_mock):
    httpx_mock.add_response(method="POST", url=URL, json=REPLY)
""",
    "pytest-httpx2": """
@pytest.fixture
def theirs(httpx2_mock):
    httpx2_mock.post(URL).respond(json=REPLY)
""",
}

BOTH = """
def test_both(llmtrace, theirs):
    llmtrace.gateway("openai").chat(text="scripted")
    assert ask() == "Within 30 days."

def test_without_span(llmtrace, theirs):
    with app.tracer.start_as_current_span("work"):
        app.client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "May I return this?"}])
"""

# Tests that the neighbour itself fails, and the outcomes of their phases.
FAILING: dict[str, tuple[str, dict[str, str]]] = {
    "vcrpy": (
        """
import vcr

@vcr.use_cassette("cassettes/return.yaml", record_mode="none", match_on=["method", "uri", "body"])
def test_another_request():
    ask("May I?")

@vcr.use_cassette("cassettes/missing.yaml", record_mode="none")
def test_no_cassette():
    ask()
""",
        {"test_another_request": "call failed", "test_no_cassette": "call failed"},
    ),
    "pytest-recording": (
        """
@pytest.mark.vcr
@pytest.mark.block_network
def test_no_cassette():
    ask()
""",
        {"test_no_cassette": "call failed"},
    ),
    "cassetter": (
        """
@pytest.mark.vcr("return.yaml", match_on=["method", "uri", "body"])
def test_another_request():
    ask("May I?")

@pytest.mark.vcr("return.yaml", on_unplayed="fail")
def test_not_played():
    pass
""",
        {"test_another_request": "call failed", "test_not_played": "call passed, teardown failed"},
    ),
    "respx": (
        """
def test_no_route(respx_mock):
    ask()

@pytest.mark.respx(assert_all_called=True)
def test_not_called(respx_mock):
    respx_mock.post(URL).respond(json=REPLY)

def test_count(respx_mock):
    route = respx_mock.post(URL).respond(json=REPLY)
    ask()
    assert route.call_count == 2
""",
        {
            "test_no_route": "call failed",
            "test_not_called": "call passed, teardown failed",
            "test_count": "call failed",
        },
    ),
    "pytest-httpx": (
        """
import httpx

def test_not_expected(httpx_mock):
    httpx.post(URL)

def test_not_requested(httpx_mock):
    httpx_mock.add_response(method="POST", url=URL, json=REPLY)
""",
        {
            "test_not_expected": "call failed, teardown failed",
            "test_not_requested": "call passed, teardown failed",
        },
    ),
    "pytest-httpx2": (
        """
def test_no_route(httpx2_mock):
    ask()

def test_not_called(httpx2_mock):
    httpx2_mock.post(URL).respond(json=REPLY)
""",
        {"test_no_route": "call failed", "test_not_called": "call passed, teardown failed"},
    ),
}

# The page quotes two of these texts.
QUOTED = {
    "pytest-httpx": "The following responses are mocked but not requested",
    "pytest-httpx2": "RESPX: some routes were not called!",
}

# Tests in which the neighbour lets the request pass, by the fixture `passing`.
RECORDER = """
import {module}

@pytest.fixture
def passing():
    with {module}.use_cassette("cassettes/new.yaml", record_mode="none", ignore_hosts=["api.openai.com"]):
        yield

@pytest.fixture
def recording():
    with {module}.use_cassette("cassettes/recorded.yaml", record_mode="once"):
        yield

def test_recorded(recording, llmtrace):
    ask()
"""
PASSING = {
    "vcrpy": RECORDER.format(module="vcr"),
    "cassetter": RECORDER.format(module="cassetter"),
    "respx": """
@pytest.fixture
def passing(respx_mock):
    respx_mock.post(URL).pass_through()
""",
    "pytest-httpx": """
pytestmark = pytest.mark.httpx_mock(should_mock=lambda request: False)

@pytest.fixture
def passing(httpx_mock):
    pass
""",
    "pytest-httpx2": """
@pytest.fixture
def passing(httpx2_mock):
    httpx2_mock.post(URL).pass_through()
""",
}
PASSED = """
def test_refused(passing, llmtrace):
    ask()

def test_ours(passing, llmtrace):
    llmtrace.gateway("openai").chat(text="scripted")
    assert ask() == "scripted"
"""

OVERRULED = """
def test_recorded_ours(recording, llmtrace):
    llmtrace.gateway("openai").chat(text="scripted")
    assert ask() == "scripted"
"""


@pytest.fixture
def plugins(name: str, installed: Callable[..., None]) -> list[str]:
    _, module, plugins = NEIGHBOURS[name]
    installed(module)
    return plugins


def _files(page: Any, name: str, source: str) -> dict[str, str]:
    section = NEIGHBOURS[name][0]
    files = {**page.files(section, "before"), "test_answers.py": IMPORTS + source}
    if section == "vcrpy":
        files["cassettes/test_answers/return.yaml"] = files["cassettes/return.yaml"]
    return files


@pytest.mark.parametrize("name", FAILING)
def test_their_failures_stand(run: Any, page: Any, name: str, plugins: list[str]) -> None:
    """A neighbour's own failure keeps its phases and words, and we report nothing beside it."""
    source, outcomes = FAILING[name]
    files = _files(page, name, source)
    alone = run(files, plugins=plugins, traced=False)
    beside = run(files, plugins=plugins, options=["-o", "usefixtures=llmtrace"])
    assert alone.outcomes == outcomes, alone.out
    assert beside.outcomes == outcomes, beside.out
    assert _without_addresses(beside.texts) == _without_addresses(alone.texts)
    assert not any(beside.sections.values())
    if name in QUOTED:
        assert QUOTED[name] in str(beside.texts)
        assert f"`{QUOTED[name]}`" in page.sections[name]
    assert beside.terminal.splitlines()[0].endswith(" 0 findings")


def _without_addresses(texts: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [re.sub(r"0x[0-9a-f]+", "0x1", text) for text in several] for name, several in texts.items()}


@pytest.mark.parametrize("name", ANSWERING)
def test_their_answer_comes_first(run: Any, page: Any, name: str, plugins: list[str]) -> None:
    """If a neighbour answers, our unplayed reply is a finding, and the neighbour's reply is verified."""
    result = run(_files(page, name, ANSWERING[name] + BOTH), plugins=plugins)
    assert result.outcomes == {"test_both": "call failed", "test_without_span": "call failed"}, result.out
    assert result.texts == {
        "test_both": [
            """\
llmtrace: replay/unplayed

llmtrace: 1 finding in test_both (1 exchange, 1 LLM span, N checks)

error  replay/unplayed  scripted openai
       wire   1 of 1 never requested
              reply 1, chat: 'scripted'
       why    no request came for it: the application makes fewer calls than expected, or something else answers them
       next   remove it, or say why it may stay: @pytest.mark.llmtrace(allow_unused="reason"), or waive: \
@pytest.mark.llmtrace(ignore={"replay/unplayed": "reason"})

chat gpt-4o  CLIENT  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)"""
        ],
        "test_without_span": [
            """\
llmtrace: structure/exchange-without-span

llmtrace: 1 finding in test_without_span (1 exchange, 0 LLM spans, N checks)

error  structure/exchange-without-span  POST /v1/chat/completions  (exchange 0)
       span   none describes this exchange; these were captured:
              'work' (shop.llm)
       wire   chat call to model 'gpt-4o', answered 200
              another mock, exchange 0
       why    the call was made and no LLM span describes it: its cost, latency and errors are invisible
       next   switch on an instrumentor for this SDK, or put a span with gen_ai.request.model around it, or waive: \
@pytest.mark.llmtrace(ignore={"structure/exchange-without-span": "reason"})

work  INTERNAL  UNSET  1 ms
  `- POST /v1/chat/completions  200  (exchange 0)"""
        ],
    }


@pytest.mark.parametrize("name", PASSING)
def test_what_they_let_pass(
    run: Any, page: Any, name: str, plugins: list[str], fingerprint: Callable[[], dict[str, str]]
) -> None:
    """A neighbour that records or lets a host pass opens no guard and writes no file; our reply may answer."""
    records = "recording()" in PASSING[name]
    files = _files(page, name, PASSING[name] + PASSED)
    result = run(files, plugins=plugins)
    refused = ["test_refused", "test_recorded"] if records else ["test_refused"]
    assert result.outcomes == {"test_ours": "call passed", **dict.fromkeys(refused, "call failed")}, result.out
    let_pass = f"{name:<9} let it pass, but can record only from hosts that allow_hosts= lets through\n"
    for test in refused:
        [text] = result.texts[test]
        assert text == (
            "pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST https://api.openai.com/v1/chat/completions "
            f"in {test}, and it was not sent\n"
            "nothing   no cassette, gateway or router is active here\n"
            f"default   there is no cassettes/test_answers/{test}.yaml; --llmtrace-record=once records it\n"
            f"{let_pass if records and not _is_below_us(name) else ''}"
            'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
            'or let the host through with allow_hosts=("api.openai.com",)'
        )
    assert "  replayed     1  scripted openai chat" in result.terminal.splitlines()
    assert {*fingerprint()} == {known for known in files if known.endswith(".yaml")}


@pytest.mark.parametrize("name", ["vcrpy", "cassetter"])
def test_a_neighbour_that_records_takes_our_answer_for_a_recording(
    run: Any, page: Any, name: str, plugins: list[str], tmp_path: Path
) -> None:
    """As the page warns, the file then holds our scripted reply; vcrpy 8 does not see the reply."""
    result = run(_files(page, name, PASSING[name].partition("def test_recorded")[0] + OVERRULED), plugins=plugins)
    assert result.outcomes == {"test_recorded_ours": "call passed"}, result.out
    path = tmp_path / "cassettes" / "recorded.yaml"
    if _is_below_us(name):
        assert not path.exists()
    else:
        assert "scripted" in path.read_text(encoding="utf-8")


def _is_below_us(name: str) -> bool:
    """Tell whether a recorder sees only what has passed us: vcrpy 8 stands in httpcore."""
    return name == "vcrpy" and metadata.version("vcrpy").startswith("8.")


BLIND = """
import openai

def test_blind(llmtrace, theirs):
    app.client = openai.OpenAI(api_key="x")
    ask()
"""


@pytest.mark.parametrize("name", ["respx", "pytest-httpx"])
def test_a_mock_of_httpx_cannot_see_httpx2(
    run: Any, page: Any, name: str, plugins: list[str], installed: Callable[..., None]
) -> None:
    """Openai 3's own client is httpx2's: the request is refused, and the error has the sentence of the page."""
    installed("httpx2")
    marked = ANSWERING[name].replace("(method=", "(is_optional=True, method=")
    result = run(_files(page, name, marked + BLIND), plugins=plugins)
    assert result.outcomes == {"test_blind": "call failed"}, result.out
    said = next(line for line in result.texts["test_blind"][0].splitlines() if " is active, but " in line)
    assert f"`{said}`" in page.sections[name]
