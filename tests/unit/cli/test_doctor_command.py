"""`pytest-llmtrace doctor`: its report, its forms and its exit status."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from pytest_llmtrace.cli import main
from tests.receiver import Receiver

NAMES = "distributions that import as openobserve"
EXPORTERS = (
    "none of opentelemetry-exporter-otlp-proto-http, opentelemetry-exporter-otlp-proto-grpc, openobserve-python-sdk, "
    "openobserve-telemetry-sdk is installed"
)


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """Let nothing be installed, and only `.env` lead to the receiver."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("OPENOBSERVE_", "OTEL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    for name, found in (("of_openobserve", {}), ("versions", {}), ("instrumentors", [])):
        monkeypatch.setattr(f"pytest_llmtrace.doctor._command.{name}", lambda found=found: found)
    (tmp_path / ".env").write_text("".join(f"{name}={value!r}\n" for name, value in receiver.environ.items()))


def test_text(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    """Each check has a line; an unknown state is not a problem."""
    assert main(["doctor"]) == 0
    said = re.sub(r"\b[0-9a-f]{32}\b", "ID", capsys.readouterr().out.replace(receiver.url, "URL"))
    assert said.splitlines() == [
        (
            "ok       settings of --llmtrace-export openobserve: well-formed, OpenObserve at URL, organization "
            "default, stream default"
        ),
        "ok       connection to openobserve: the server accepts connections",
        "ok       a span to openobserve: it accepted 'pytest-llmtrace doctor', trace ID",
        "ok       the span read back from openobserve: its search API found it in stream default",
        (
            "unknown  settings of --llmtrace-export otlp: neither OTEL_EXPORTER_OTLP_ENDPOINT nor "
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set; set OTEL_EXPORTER_OTLP_ENDPOINT in the environment or .env if "
            "you export there"
        ),
        f"ok       {NAMES}: none is installed",
        f"ok       exporters of the app: {EXPORTERS}",
    ]


def test_json_and_a_problem(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    """A back end that is asked for must be set up; a problem makes the exit status 1, and `--no-send` sends nothing."""
    assert main(["doctor", "--export", "otlp", "--no-send", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {
            "state": "problem",
            "about": "settings of --llmtrace-export otlp",
            "found": "neither OTEL_EXPORTER_OTLP_ENDPOINT nor OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set",
            "next": "set OTEL_EXPORTER_OTLP_ENDPOINT in the environment or .env",
        },
        {"state": "ok", "about": NAMES, "found": "none is installed", "next": ""},
        {"state": "ok", "about": "exporters of the app", "found": EXPORTERS, "next": ""},
    ]
    assert receiver.requests == []
