"""Starts the real LiteLLM Proxy in front of `upstream.py`. Tests whose venv is not named are not collected.

`LLMTRACE_LIVE_GATEWAY`, `LLMTRACE_LIVE_PHOENIX` and `LLMTRACE_LIVE_MLFLOW` name the venvs; `tox -e live` makes all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.servers import environ, free_port, running, wait

GATEWAY = os.environ.get("LLMTRACE_LIVE_GATEWAY")
HERE = Path(__file__).parent
KEY = "sk-CanaryMaster000000000001"
UPSTREAM_KEY = "sk-CanaryUpstream0000000001"
ASKS_NOBODY = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
"""Variables that make the proxy use its own price list and send no telemetry."""

NEEDED = {
    "test_litellm.py": ("LLMTRACE_LIVE_GATEWAY",),
    "test_backends.py": ("LLMTRACE_LIVE_PHOENIX", "LLMTRACE_LIVE_MLFLOW"),
}
collect_ignore = [file for file, names in NEEDED.items() if not any(map(os.environ.get, names))]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print once why some of these tests did not run."""
    for file in collect_ignore:
        names = " or ".join(NEEDED[file])
        terminalreporter.write_line(f"tests/live/{file} was left out: {names} names no venv; tox -e live makes one")


class Gateway(NamedTuple):
    """The running proxy.

    Attributes:
        url: Its address.
        key: The key that it requires.
        upstream: The address of the server behind it.
        process: Its process.
    """

    url: str
    key: str
    upstream: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Suspend the proxy for the length of a block, so that it answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def upstream_is(self, behaviour: str) -> Iterator[None]:
        """Give the server behind it one of the behaviours of `upstream.py` for the length of a block."""
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
    """The running proxy, with the server behind it."""
    assert GATEWAY
    folder = tmp_path_factory.mktemp("gateway")
    with running([sys.executable, str(HERE / "upstream.py")], stdout=subprocess.PIPE) as behind:
        assert behind.stdout
        upstream = f"http://127.0.0.1:{int(behind.stdout.readline())}"
        config = folder / "litellm.json"  # JSON is valid YAML, which the proxy reads.
        config.write_text(json.dumps(_config(upstream)), encoding="utf-8")
        port = free_port()
        command = [str(Path(GATEWAY) / "bin" / "litellm"), "--config", str(config), "--drop_params"]
        with (folder / "log").open("wb") as log, running(
            [*command, "--host", "127.0.0.1", "--port", str(port)], cwd=folder, env=environ(**ASKS_NOBODY), stdout=log
        ) as process:  # fmt: skip
            url = f"http://127.0.0.1:{port}"
            wait("LiteLLM Proxy", f"{url}/health/liveliness", process, folder / "log")
            yield Gateway(url, KEY, upstream, process)


def _config(upstream: str) -> dict[str, object]:
    behind = {"api_base": f"{upstream}/v1", "api_key": UPSTREAM_KEY}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", **behind}}
            for name in ("gpt-4o-mini", "text-embedding-3-small")
        ],
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        # Otherwise it calls /v1/responses of the upstream when a client calls its /v1/messages.
        "litellm_settings": {"use_chat_completions_url_for_anthropic_messages": True, "telemetry": False},
        "general_settings": {"master_key": KEY},
    }
