"""`llmtrace` replays the files that pytest-recording and cassetter have recorded, with their configuration."""

from __future__ import annotations

import http.server
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Serving

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Within 30 days."}}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
}

APP = """
import os
import openai
from opentelemetry import trace

client = openai.OpenAI(api_key=os.environ["SHOP_KEY"], max_retries=0)
tracer = trace.get_tracer("shop.llm")

def answer(question):
    with tracer.start_as_current_span("chat", kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.request.model", "gpt-4o")
        completion = client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": question}],
            user=os.environ["SHOP_USER"],
            extra_query={"key": os.environ["SHOP_KEY"], "page": "1"},
        )
        span.set_attribute("gen_ai.usage.input_tokens", completion.usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", completion.usage.completion_tokens)
        return completion.choices[0].message.content
"""

SUITE = """
import os
import pytest
from app import answer

pytestmark = pytest.mark.vcr

def without_name(request):
    if request.body:
        request.body = request.body.replace(os.environ["SHOP_NAME"].encode(), b"NAME")
    return request

@pytest.fixture(scope="module")
def vcr_config():
    return {
        "match_on": ["method", "uri", "body"],
        "filter_headers": ["authorization"],
        "filter_query_parameters": ["key"],
        "filter_post_data_parameters": ["user"],
        "before_record_request": without_name,
    }

def ask():
    assert answer("May " + os.environ["SHOP_NAME"] + " return this?") == "Within 30 days."

def test_plain():
    ask()

@pytest.mark.parametrize("odd", ["a/b", 'c:d"e', "f<g>|h?*%", "back\\\\slash", "x" * 300, "\\u00fc"])
def test_parameter(odd):
    ask()

@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("second", ["a", None])
def test_parameters(first, second):
    ask()

class TestOuter:
    def test_method(self):
        ask()

    class TestInner:
        def test_method(self):
            ask()

@pytest.mark.default_cassette("{chosen}")
def test_default_cassette():
    ask()

@pytest.mark.default_cassette("of_class.yaml")
class TestDefault:
    def test_in_class(self):
        ask()

def test_twice():
    ask()
    ask()
"""


class Server(Serving):
    """A small server in OpenAI's form, which counts the requests that reach it."""

    def __init__(self) -> None:
        outer = self
        self.requests = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.requests += 1
                body = json.dumps(REPLY).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)
        self.url = f"http://127.0.0.1:{self.port}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=["pytest_recording.plugin", "cassetter.pytest_plugin"])
def recorder(request: pytest.FixtureRequest, installed: Callable[..., None]) -> str:
    """The plugin that records: each of the two in turn."""
    installed(request.param.partition(".")[0])
    return str(request.param)


def _suite(recorder: str) -> str:
    """Return the suite; cassetter uses the marker's name as it is, pytest-recording adds the suffix."""
    return SUITE.replace("{chosen}", "chosen" if recorder.startswith("pytest_recording") else "chosen.yaml")


def _files(suite: str) -> dict[str, str]:
    return {"app.py": APP, "test_answers.py": suite}


def _one(server: Server) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.url, "SHOP_KEY": "k-1", "SHOP_USER": "u-1", "SHOP_NAME": "Ada"}


def _other(server: Server) -> dict[str, str]:
    """Return an environment in which everything that the configuration filters or rewrites has another value."""
    return {"OPENAI_BASE_URL": server.url, "SHOP_KEY": "k-2", "SHOP_USER": "u-2", "SHOP_NAME": "Grace"}


def test_the_same_files_name_by_name(
    run: Any, server: Server, fingerprint: Callable[[], dict[str, str]], recorder: str
) -> None:
    """Each test finds the one file that was recorded for it, plays all of it, and leaves it unchanged.

    `vcr_config` is honoured: values that it filters or rewrites differ between the two runs.
    """
    suite = _suite(recorder)
    recorded = run(_files(suite), plugins=[recorder], options=["--record-mode=once"], traced=False, **_one(server))
    assert recorded.code == 0, recorded.out
    files, asked = fingerprint(), server.requests
    assert (len(files), asked) == (16, 17)
    suite = suite.replace("pytestmark = pytest.mark.vcr\n", "pytestmark = pytest.mark.llmtrace()\n")
    replayed = run(_files(suite), plugins=[recorder], **_other(server))
    assert replayed.code == 0, replayed.out
    assert server.requests == asked
    assert fingerprint() == files
    named = [line.split() for line in replayed.terminal.splitlines() if line.startswith("  replayed")]
    assert {" ".join(words[2:]): int(words[1]) for words in named} == {
        name: 2 if "test_twice" in name else 1 for name in files
    }


REGISTERED = """
import json
import pytest
from app import answer

pytestmark = pytest.mark.vcr

@pytest.fixture(scope="session")
def vcr_config():
    return {"match_on": ["method", "question"]}

def test_return():
    assert answer("May I return this?") == "Within 30 days."
"""

REGISTERING = """
import json

def same_question(sent, recorded):
    assert json.loads(sent.body)["messages"] == json.loads(recorded.body)["messages"]

def no_question(sent, recorded):
    assert "refused" == ""

def pytest_recording_configure(config, vcr):
    vcr.register_matcher("question", MATCHER)
"""


@pytest.mark.parametrize(("matcher", "outcome"), [("same_question", "call passed"), ("no_question", "call failed")])
def test_registered_matchers_hold(
    run: Any, server: Server, installed: Callable[..., None], matcher: str, outcome: str
) -> None:
    """A matcher that the suite registers in pytest-recording's hook decides for us too, by the name in `match_on`."""
    installed("pytest_recording")
    plugins, files = ["pytest_recording.plugin"], _files(REGISTERED)
    files["conftest.py"] = REGISTERING.replace("MATCHER", "same_question")
    recorded = run(files, plugins=plugins, options=["--record-mode=once"], traced=False, **_one(server))
    assert recorded.code == 0, recorded.out
    files["conftest.py"] = REGISTERING.replace("MATCHER", matcher)
    files["test_answers.py"] = REGISTERED.replace("pytest.mark.vcr", "pytest.mark.llmtrace()")
    played = run(files, plugins=plugins, **_other(server))
    assert played.outcomes == {"test_return": outcome}, played.out
    assert server.requests == 1


RECORDING = """
import pytest
from app import answer

pytestmark = pytest.mark.llmtrace()

{fixture}

@pytest.mark.vcr
def test_return():
    assert answer("May I return this?") == "Within 30 days."
"""


def test_recording_beside_llmtrace_is_refused(run: Any, server: Server, tmp_path: Path, recorder: str) -> None:
    """The neighbour's recorder lets the request pass, but our guard does not, and no file is written."""
    files = _files(RECORDING.format(fixture=""))
    result = run(files, plugins=[recorder], options=["--record-mode=once"], **_one(server))
    port = server.url.partition("127.0.0.1")[2].removesuffix("/v1")
    name = "vcrpy" if recorder.startswith("pytest_recording") else "cassetter"
    assert result.outcomes == {"test_return": "call failed"}
    [text] = result.texts["test_return"]
    assert text == (
        "pytest_llmtrace.errors.UnmatchedRequest: nothing answered "
        f"POST {server.url}/chat/completions?key=***&page=1 in test_return, and it was not sent\n"
        "nothing   no cassette, gateway or router is active here\n"
        f"{name:<9} let it pass, but can record only from hosts that allow_hosts= lets through\n"
        'next: name a cassette, @pytest.mark.llmtrace(cassette="..."), script llmtrace.gateway(...), '
        f'or let the host through with allow_hosts=("127.0.0.1{port}",)'
    )
    assert (server.requests, [*tmp_path.rglob("*.yaml")]) == (0, [])


def test_vcrpy_disabled_leaves_the_guard(run: Any, server: Server, installed: Callable[..., None]) -> None:
    """`--disable-recording` removes pytest-recording's cassette, but does not open our guard."""
    installed("pytest_recording")
    plugin, files = "pytest_recording.plugin", _files(RECORDING.format(fixture=""))
    result = run(files, plugins=[plugin], options=["--disable-recording"], **_one(server))
    assert result.outcomes == {"test_return": "call failed"}
    assert result.texts["test_return"][0].startswith("pytest_llmtrace.errors.UnmatchedRequest: nothing answered POST")
    assert server.requests == 0


def test_recording_beside_llmtrace_where_the_host_is_let_through(
    run: Any, page: Any, server: Server, fingerprint: Callable[[], dict[str, str]], recorder: str
) -> None:
    """With the fixture of the page the neighbour records as before, and `llmtrace` sees a call to the network."""
    may_record = page.recipe("pytest-recording").replace("api.openai.com", "127.0.0.1")
    files = _files(RECORDING.format(fixture=may_record))
    recorded = run(files, plugins=[recorder], options=["--record-mode=once"], **_one(server))
    assert recorded.code == 0, recorded.out
    assert "  reached      1  the network (host allowed)" in recorded.terminal.splitlines()
    kept = fingerprint()
    assert ([*kept], server.requests) == (["cassettes/test_answers/test_return.yaml"], 1)
    played = run(files, plugins=[recorder], **_one(server))
    assert played.code == 0, played.out
    assert "  replayed     1  another mock" in played.terminal.splitlines()
    assert (fingerprint(), server.requests) == (kept, 1)
