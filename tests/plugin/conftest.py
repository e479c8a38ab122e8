"""Runs of pytest on given tests in a process of its own, beside a server that counts the connections to it."""

from __future__ import annotations

import http.server
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.serving import Serving
from tests.warm import Warm

collect_ignore = [] if find_spec("grpc") else ["test_export_grpc.py"]
HERE = Path(__file__).parent

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "live"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class Server(Serving):
    """A server in OpenAI's form. It counts connections and requests, and answers `/count` with the numbers.

    Connections are accepted in the order in which they were made, so a client that asks for the count on a new
    connection gets the number of all that were made before.
    """

    def __init__(self) -> None:
        outer = self
        self.requests = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.requests += 1
                self._reply(CHAT, moved_to=self.path.partition("?to=")[2])

            def do_GET(self) -> None:
                if self.path == "/count":
                    outer.connections -= 1
                    self.close_connection = True
                    self._reply({"connections": outer.connections, "requests": outer.requests})
                else:
                    outer.requests += 1
                    self._reply(CHAT)

            def do_CONNECT(self) -> None:
                outer.requests += 1
                self.send_error(502)

            def _reply(self, content: object, *, moved_to: str = "") -> None:
                body = json.dumps(content).encode()
                self.send_response(307 if moved_to else 200)
                if moved_to:
                    self.send_header("location", moved_to)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


@dataclass
class Result:
    """The result of a child run.

    Attributes:
        code: Its exit code.
        out: What it printed on both streams.
        reports: The reports of each test by its name, in order: `when`, `outcome` (pytest's word, such as `xfailed`),
            `text`, `sections` and `properties`.
        junit: The JUnit file that it wrote, parsed.
        folder: The folder in which it ran.
    """

    code: int
    out: str
    folder: Path
    reports: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    junit: ET.Element | None = None

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each test in pytest's word, or several words where pytest counts a test several times."""
        words = {
            name: " ".join(report["outcome"] for report in reports if report["outcome"])
            for name, reports in self.reports.items()
        }
        assert any(words.values()), self.out
        return words

    def text(self, name: str) -> str:
        """The failure texts of a test, masked."""
        return masked("\n".join(report["text"] for report in self.reports[name] if report["text"]))

    def section(self, name: str, title: str = "llmtrace") -> str:
        """The sections with that title beside a failure, masked."""
        return masked("\n".join(text for known, text in self.reports[name][-1]["sections"] if title in known))

    def properties(self, name: str) -> dict[str, Any]:
        """The properties of a test, as its last report has them."""
        return dict(self.reports[name][-1]["properties"])

    def junit_properties(self, name: str) -> dict[str, str]:
        """The properties of a test, as the JUnit file has them."""
        assert self.junit is not None, self.out
        found = self.junit.findall(f".//testcase[@name='{name}']/properties/property")
        return {one.attrib["name"]: one.attrib["value"] for one in found}

    def summary(self) -> list[str]:
        """The lines of our section in the terminal summary."""
        found = re.search(r"^=+ llmtrace =+\n(.*?)^=+ ", self.out, re.DOTALL | re.MULTILINE)
        return masked(found[1]).splitlines() if found else []

    def usage_error(self) -> str:
        """The line of pytest's output that reports the usage error."""
        assert self.code == pytest.ExitCode.USAGE_ERROR, self.out
        return next(line for line in self.out.splitlines() if line.startswith("ERROR: "))


def masked(text: str) -> str:
    """Mask durations, ports and the number of checks."""
    text = re.sub(r"\b\d+ ms\b", "1 ms", text)
    text = re.sub(r"(?<=\.test):\d+\b", ":1", text)
    return re.sub(r"\b\d+ checks?\b", "N checks", text)


Run = Callable[..., Result]


def run_in(
    folder: Path, environ: dict[str, str], warm: Warm, *, plugins: Sequence[str], options: Sequence[str]
) -> Result:
    """Run pytest in a folder, with no plugin but the named ones and ours, warnings as errors."""
    loaded = [word for name in ("child", *plugins, "pytest_llmtrace.plugin") for word in ("-p", name)]
    arguments = [*loaded, "-W", "error", "-rN", "--junitxml=junit.xml", *options]
    reports, junit = folder / "reports.json", folder / "junit.xml"
    for stale in (reports, junit):
        stale.unlink(missing_ok=True)
    done = warm.pytest(arguments, folder=folder, env=environ)
    return Result(
        code=done.returncode,
        out=done.stdout,
        folder=folder,
        reports=json.loads(reports.read_text(encoding="utf-8")) if reports.exists() else {},
        junit=ET.parse(junit).getroot() if junit.exists() else None,  # noqa: S314
    )


@pytest.fixture(scope="session")
def counting_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def beside_server(
    counting_server: Server, child_environ: Callable[..., dict[str, str]]
) -> Callable[..., dict[str, str]]:
    """Return the environment of a child run that knows the server's port."""

    def beside_server(folder: Path, **env: str) -> dict[str, str]:
        return child_environ(folder, HERE / "suites", CHILD_PORT=str(counting_server.port), COLUMNS="120", **env)

    return beside_server


@pytest.fixture
def run(tmp_path: Path, beside_server: Callable[..., dict[str, str]], warm: Warm) -> Run:
    """Run pytest on the source of a test module.

    Call it with the source, `plugins=` to load, `options=` for the command line, further files as `files={name: text}`,
    and environment variables. The source may import from `child` (see suites/child.py).
    """

    def run(
        source: str = "",
        *,
        plugins: Sequence[str] = (),
        options: Sequence[str] = (),
        files: dict[str, str] | None = None,
        **env: str,
    ) -> Result:
        for name, text in {"test_it.py": source, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text:
                path.write_text(dedent(text), encoding="utf-8")
        return run_in(tmp_path, beside_server(tmp_path, **env), warm, plugins=plugins, options=options)

    return run


@pytest.fixture(scope="session")
def run_suite(
    tmp_path_factory: pytest.TempPathFactory, beside_server: Callable[..., dict[str, str]], warm: Warm
) -> Run:
    """Run a file of suites/, once for each set of options and environment variables."""
    done: dict[tuple[str, ...], Result] = {}

    def run_suite(name: str, *, plugins: Sequence[str] = (), options: Sequence[str] = (), **env: str) -> Result:
        key = (name, *options, *env.values())
        if key not in done:
            folder = tmp_path_factory.mktemp(name.removesuffix(".py"))
            shutil.copy(HERE / "suites" / name, folder / f"test_{name}")
            done[key] = run_in(folder, beside_server(folder, **env), warm, plugins=plugins, options=options)
        return done[key]

    return run_suite
