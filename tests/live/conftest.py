"""Starts the real LiteLLM Proxy in front of `upstream.py`. Without a venv that holds it nothing here is collected.

`LLMTRACE_LIVE_GATEWAY` names the venv; `tox -e live` makes one and sets it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

GATEWAY = os.environ.get("LLMTRACE_LIVE_GATEWAY")
HERE = Path(__file__).parent
PATIENCE = 180
KEY = "sk-CanaryMaster000000000001"
UPSTREAM_KEY = "sk-CanaryUpstream0000000001"

collect_ignore_glob = [] if GATEWAY else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once why nothing here ran."""
    if not GATEWAY:
        terminalreporter.write_line(
            "tests/live was left out: LLMTRACE_LIVE_GATEWAY names no venv with LiteLLM Proxy; tox -e live makes one"
        )


class Gateway(NamedTuple):
    """The running proxy.

    Attributes:
        url: Where it answers.
        key: What it wants to hear.
        upstream: Where the server behind it answers.
        process: It itself.
    """

    url: str
    key: str
    upstream: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Let it answer nobody for the length of a block."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def upstream_is(self, behaviour: str) -> Iterator[None]:
        """Let the server behind it behave in a way of `upstream.py` for the length of a block."""
        self._behave(behaviour)
        try:
            yield
        finally:
            self._behave("well")

    def _behave(self, behaviour: str) -> None:
        with urllib.request.urlopen(f"{self.upstream}/behave", json.dumps(behaviour).encode(), timeout=10):  # noqa: S310
            pass


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run the proxy and the server behind it."""
    assert GATEWAY
    folder = tmp_path_factory.mktemp("gateway")
    with _running([sys.executable, str(HERE / "upstream.py")], stdout=subprocess.PIPE) as behind:
        assert behind.stdout
        upstream = f"http://127.0.0.1:{int(behind.stdout.readline())}"
        config = folder / "litellm.json"  # YAML to those who read it
        config.write_text(json.dumps(_config(upstream)), encoding="utf-8")
        port = _free_port()
        command = [str(Path(GATEWAY) / "bin" / "litellm"), "--config", str(config), "--drop_params"]
        with (folder / "log").open("wb") as log, _running(
            [*command, "--host", "127.0.0.1", "--port", str(port)], cwd=folder, env=_environ(), stdout=log
        ) as process:  # fmt: skip
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, folder / "log")
            yield Gateway(url, KEY, upstream, process)


def _config(upstream: str) -> dict[str, object]:
    behind = {"api_base": f"{upstream}/v1", "api_key": UPSTREAM_KEY}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", **behind}}
            for name in ("gpt-4o-mini", "text-embedding-3-small")
        ],
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        # Otherwise it asks upstream for /v1/responses where a client asks it for /v1/messages.
        "litellm_settings": {"use_chat_completions_url_for_anthropic_messages": True, "telemetry": False},
        "general_settings": {"master_key": KEY},
    }


def _environ() -> dict[str, str]:
    """Return an environment in which it asks nobody for prices and tells nobody of itself."""
    left_out = ("LLMTRACE_", "OPENAI_", "ANTHROPIC_", "LITELLM_", "OTEL_", "PYTHON", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}


@contextmanager
def _running(command: list[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process: subprocess.Popen[bytes] = subprocess.Popen(command, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    try:
        with process:
            try:
                yield process
            finally:
                process.terminate()
                process.wait(20)
    finally:
        process.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until it answers; it needs about half a minute."""
    for _ in range(PATIENCE):
        try:
            with urllib.request.urlopen(f"{url}/health/liveliness", timeout=10):  # noqa: S310
                return
        except urllib.error.URLError:
            try:
                process.wait(1)  # a second, or until it has ended
            except subprocess.TimeoutExpired:
                continue
        break
    pytest.fail(f"LiteLLM Proxy did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
