"""Exported spans are in real back ends as they were sent, except for what each of them does not keep."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.cli import main
from pytest_llmtrace.export import destination
from tests.live.backends import BACKENDS, Running, Span, as_sent, running

SUITE = Path(__file__).parent / "backend_suite.py"
SPANS = 5
_PATIENCE = 20
"""How often OpenObserve is asked for spans, at two requests a second."""
NAMED = [name for name in BACKENDS if os.environ.get(f"LLMTRACE_LIVE_{name.upper()}")]
REFUSED = {
    "phoenix": (
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
        "it answered 415 (Unsupported content type: application/json): check the protocol",
    ),
    "mlflow": (
        {"OTEL_EXPORTER_OTLP_HEADERS": "x-mlflow-experiment-id=77"},
        "it answered 404 (No Experiment with id=77 exists): check the address",
    ),
}
Exported = Callable[..., tuple[str, list[Span]]]


@pytest.fixture(scope="session", params=NAMED)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run each back end whose venv is named, one after the other."""
    venv = Path(os.environ[f"LLMTRACE_LIVE_{request.param.upper()}"])
    with running(request.param, venv, tmp_path_factory.mktemp(request.param)) as backend:
        yield backend


@pytest.fixture
def exported(tmp_path: Path, child_environ: Callable[..., dict[str, str]]) -> Exported:
    """Run the suite with export; return the summary's section about the export, and the spans that were sent."""

    def exported(*options: str, **environ: str) -> tuple[str, list[Span]]:
        shutil.copy(SUITE, tmp_path / "test_agent.py")
        plugin = ["-p", "pytest_llmtrace.plugin", "-W", "error", "--llmtrace-export=file=spans.jsonl"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugin, *options], cwd=tmp_path,
            env=child_environ(tmp_path, COLUMNS="120", LLMTRACE_EXPORT_BUDGET="60", **environ),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        sent = as_sent(tmp_path / "spans.jsonl")
        assert len(sent) == SPANS, done.stdout
        return done.stdout.partition("= llmtrace export =")[2], sent

    return exported


def as_text(spans: list[Span]) -> str:
    """Write spans as JSON, so that 1, 1.0 and true differ."""
    return json.dumps(spans, indent=1, sort_keys=True, ensure_ascii=False)


def test_each_span_is_there_as_it_was_sent(backend: Running, exported: Exported) -> None:
    """Ids, names, parents, statuses, times, events and attributes with their types are the same, span by span.

    This holds for each protocol that the back end accepts; `backends.py` lists what it does not keep.
    """
    for protocol in backend.kind.protocols:
        said, sent = exported("--llmtrace-export=otlp", **backend.environ_of(protocol))
        assert f"  exported     5 spans to {backend.label(protocol)}\n" in said
        assert as_text(backend.spans(sent)) == as_text(backend.kept(sent, protocol))


def test_what_it_refuses_is_sent_later(
    backend: Running, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary quotes the back end's reason, and `push` sends the same spans once the settings are right."""
    wrong, why = REFUSED[backend.name]
    said, sent = exported("--llmtrace-export=otlp", **{**backend.environ, **wrong})
    assert f"  not sent     5 spans to OTLP at {backend.url}/v1/traces: {why}; they are kept; to send them: " in said
    monkeypatch.chdir(tmp_path)
    for variable, value in backend.environ.items():
        monkeypatch.setenv(variable, value)
    assert main(["push"]) == 0
    assert as_text(backend.spans(sent)) == as_text(backend.kept(sent))


@pytest.mark.skipif(
    "OPENOBSERVE_URL" not in os.environ, reason="OPENOBSERVE_URL names no OpenObserve, and none can be installed"
)
def test_openobserve_stores_the_columns_that_we_say(exported: Exported, tmp_path: Path) -> None:
    """Each span is stored once, with every column of its record in `--llmtrace-report openobserve`.

    OPENOBSERVE_AUTH_TOKEN must be the token of a user who may read.
    """
    reached = {name: value for name, value in os.environ.items() if name.startswith("OPENOBSERVE_")}
    said, sent = exported("--llmtrace-export=openobserve", "--llmtrace-report=openobserve=records.json", **reached)
    assert "  exported     5 spans to OpenObserve at " in said
    tests = json.loads((tmp_path / "records.json").read_text(encoding="utf-8"))["tests"]
    records = {each["columns"]["span_id"]: each["columns"] for test in tests.values() for each in test}
    rows = rows_of(sent)
    assert sorted(row["span_id"] for row in rows) == sorted(records)
    found = {row["span_id"]: {name: row.get(name) for name in records[row["span_id"]]} for row in rows}
    assert found == records


def rows_of(sent: list[Span]) -> list[dict[str, Any]]:
    """Return OpenObserve's rows of the spans' traces, once there are as many; a cluster may take some time."""
    for _ in range(_PATIENCE):
        found = _searched(sent)
        if len(found) >= len(sent):
            break
        time.sleep(0.5)
    return found


def _searched(sent: list[Span]) -> list[dict[str, Any]]:
    to = destination("openobserve", os.environ)
    traces = ", ".join(sorted({f"'{span['trace']}'" for span in sent}))
    starts = [span["start"] // 1000 for span in sent]
    query = {
        "sql": f'SELECT * FROM "{to.stream}" WHERE trace_id IN ({traces})',  # noqa: S608  # Our own hex digits
        "start_time": min(starts),
        "end_time": max(starts) + 1,
        "from": 0,
        "size": 1000,
    }
    headers = {"authorization": to.headers["authorization"], "content-type": "application/json"}
    request = urllib.request.Request(to.search_url, json.dumps({"query": query}).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=to.timeout) as answer:  # noqa: S310
        found: list[dict[str, Any]] = json.load(answer)["hits"]
        return found
