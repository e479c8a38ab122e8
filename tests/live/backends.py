"""Arize Phoenix and MLflow: how each is started, how its spans are read, and what it does not keep of a span.

Here a span is a mapping of `trace`, `id`, `parent`, `name`, `kind`, `status`, `message`, `start` and `end` (in
nanoseconds), `attributes`, `events` and `links`, made of JSON types. Neither back end returns scopes; Phoenix returns
no resources, and MLflow some of them as tags of the trace, so scopes and resources are not compared.
"""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.live import servers

__all__ = ["BACKENDS", "Running", "Span", "as_sent", "running"]

Span = dict[str, Any]
_PATIENCE: Final = 60
_STATUSES: Final = ("UNSET", "OK", "ERROR")
_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A back end.

    Attributes:
        title: Its name in texts.
        command: Returns its command within its venv, given a port.
        environ: Returns further environment variables, given its folder, its port and one for gRPC.
        ready: The path that answers once it is ready.
        headers: The value that OTEL_EXPORTER_OTLP_HEADERS must have.
        protocols: The values that OTEL_EXPORTER_OTLP_PROTOCOL may have.
        read: Returns the spans of some traces, given its address.
        kept: Returns a span as the back end keeps it, given the span and the protocol that it came by.
    """

    title: str
    command: Callable[[int], list[str]]
    environ: Callable[[Path, int, int], dict[str, str]]
    ready: str
    headers: str
    protocols: tuple[str, ...]
    read: Callable[[str, Collection[str]], Iterable[Span]]
    kept: Callable[[Span, str], Span]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A back end that runs.

    Attributes:
        name: Its name in BACKENDS.
        url: Its address for HTTP.
        grpc: Its address for gRPC.
        process: Its process.
    """

    name: str
    url: str
    grpc: str
    process: subprocess.Popen[bytes]

    @property
    def kind(self) -> Kind:
        """The description of this back end."""
        return BACKENDS[self.name]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make an exporter send to it."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_EXPORTER_OTLP_HEADERS": self.kind.headers}

    def environ_of(self, protocol: str) -> dict[str, str]:
        """Return the variables that make an exporter send to it by a protocol."""
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.grpc} if protocol == "grpc" else {}
        return {**self.environ, **endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}

    def label(self, protocol: str) -> str:
        """Return the name that the summary gives it."""
        return f"OTLP by gRPC at {self.grpc}" if protocol == "grpc" else f"OTLP at {self.url}/v1/traces"

    def spans(self, sent: Collection[Span]) -> list[Span]:
        """Return its spans of the traces of `sent`, once there are as many; it may take some time to store them."""
        traces = {span["trace"] for span in sent}
        for _ in range(_PATIENCE):
            found = sorted(self.kind.read(self.url, traces), key=_by_id)
            if len(found) >= len(sent) or servers.has_ended(self.process, within=0.5):
                break
        return found

    def kept(self, sent: Iterable[Span], protocol: str = "http/protobuf") -> list[Span]:
        """Return the spans that it should have, given those that were sent."""
        return sorted((self.kind.kept(span, protocol) for span in sent), key=_by_id)


@contextmanager
def running(name: str, venv: Path, folder: Path) -> Iterator[Running]:
    """Run a back end that stores its data in a folder."""
    kind, port, grpc, log = BACKENDS[name], servers.free_port(), servers.free_port(), folder / "log"
    program, *arguments = kind.command(port)
    environ = servers.environ(**kind.environ(folder, port, grpc))
    with log.open("wb") as out, servers.running(
        [str(venv / "bin" / program), *arguments], cwd=folder, env=environ, stdout=out
    ) as process:  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        servers.wait(kind.title, f"{url}{kind.ready}", process, log)
        yield Running(name=name, url=url, grpc=f"http://127.0.0.1:{grpc}", process=process)


def as_sent(path: Path) -> list[Span]:
    """Return the spans that a run wrote by `--llmtrace-export file=PATH`."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    scopes = (scope for line in lines for resource in line["resourceSpans"] for scope in resource["scopeSpans"])
    return [_of_otlp(span) for scope in scopes for span in scope["spans"]]


def _of_otlp(said: Mapping[str, Any]) -> Span:
    return {
        "trace": said["traceId"],
        "id": said["spanId"],
        "parent": said.get("parentSpanId"),
        "name": said["name"],
        "kind": _KINDS[said["kind"]],
        "status": _STATUSES[said["status"]["code"]],
        "message": said["status"]["message"],
        "start": int(said["startTimeUnixNano"]),
        "end": int(said["endTimeUnixNano"]),
        "attributes": _attributes(said),
        "events": [
            {"name": event["name"], "time": int(event["timeUnixNano"]), "attributes": _attributes(event)}
            for event in said.get("events", ())
        ],
        "links": [
            {"trace": link["traceId"], "id": link["spanId"], "attributes": _attributes(link)}
            for link in said.get("links", ())
        ],
    }


def _attributes(said: Mapping[str, Any]) -> dict[str, Any]:
    return {pair["key"]: _value(pair["value"]) for pair in said.get("attributes", ())}


def _value(said: Mapping[str, Any]) -> Any:
    """Return the value of an `AnyValue`, in either spelling of its JSON form."""
    for kind, value in said.items():
        match kind.lower().replace("_", ""):
            case "intvalue":
                return int(value)
            case "doublevalue":
                return float(value)
            case "arrayvalue":
                return [_value(item) for item in value.get("values", ())]
            case "kvlistvalue":
                return {pair["key"]: _value(pair.get("value", {})) for pair in value.get("values", ())}
        return value
    return None


def _by_id(span: Span) -> str:
    return str(span["id"])


def _asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # Our own server
        return json.load(answer)


# --- Arize Phoenix ---------------------------------------------------------------------------------------------------


def _read_phoenix(url: str, traces: Collection[str]) -> Iterator[Span]:
    rows = _asked(f"{url}/v1/projects/default/spans?limit=1000")["data"]
    for row in rows:
        if row["context"]["trace_id"] in traces:
            yield {
                "trace": row["context"]["trace_id"],
                "id": row["context"]["span_id"],
                "parent": row["parent_id"],
                "name": row["name"],
                "openinference kind": row["span_kind"],
                "status": row["status_code"],
                "message": row["status_message"],
                "start": _time(row["start_time"]),
                "end": _time(row["end_time"]),
                "attributes": row["attributes"],
                "events": [
                    {
                        "name": event["name"],
                        "time": _time(event["timestamp"]),
                        "attributes": event["attributes"],
                    }
                    for event in row["events"]
                ],
            }


def _kept_by_phoenix(span: Span, _protocol: str) -> Span:
    """Return the span as Phoenix keeps it: without links and nanoseconds, and with OpenInference's kind only.

    That kind is set for OpenTelemetry's tool spans too; their tool's name is repeated under OpenInference's name.
    """
    attributes = dict(span["attributes"])
    kind = attributes.pop("openinference.span.kind", None)
    if kind is None and attributes.get("gen_ai.operation.name") == "execute_tool":
        kind, attributes["tool.name"] = "TOOL", attributes["gen_ai.tool.name"]
    kept = {
        **span,
        "start": _rounded(span["start"]),
        "end": _rounded(span["end"]),
        "attributes": attributes,
        "events": [{**event, "time": _rounded(event["time"])} for event in span["events"]],
        "openinference kind": kind or "UNKNOWN",
    }
    del kept["kind"], kept["links"]
    return kept


def _rounded(nanoseconds: int) -> str:
    """Return the time as Phoenix computes it, by a float (`phoenix/trace/otel.py`)."""
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC).isoformat()


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


# --- MLflow ----------------------------------------------------------------------------------------------------------


def _read_mlflow(url: str, traces: Collection[str]) -> Iterator[Span]:
    asked = "&".join(f"trace_ids=tr-{trace}" for trace in sorted(traces))
    for trace in _asked(f"{url}/api/3.0/mlflow/traces/batchGet?{asked}").get("traces", ()):
        yield from map(_of_mlflow, trace["spans"])


def _of_mlflow(said: Mapping[str, Any]) -> Span:
    """Read a span from protobuf's own JSON form of OTLP: with base64 ids, full names, and without defaults."""
    status = said.get("status", {})
    return {
        "trace": _hex(said["trace_id"]),
        "id": _hex(said["span_id"]),
        "parent": _hex(said["parent_span_id"]) if "parent_span_id" in said else None,
        "name": said["name"],
        "status": status.get("code", "STATUS_CODE_UNSET").removeprefix("STATUS_CODE_"),
        "message": status.get("message", ""),
        "start": int(said["start_time_unix_nano"]),
        "end": int(said["end_time_unix_nano"]),
        "attributes": {name: value for name, value in _attributes(said).items() if not name.startswith("mlflow.")},
        "events": [
            {"name": event["name"], "time": int(event["time_unix_nano"]), "attributes": _attributes(event)}
            for event in said.get("events", ())
        ],
        "links": [
            {"trace": _hex(link["trace_id"]), "id": _hex(link["span_id"]), "attributes": _attributes(link)}
            for link in said.get("links", ())
        ],
    }


def _kept_by_mlflow(span: Span, protocol: str) -> Span:
    """Return the span as MLflow keeps it: without kind, and with JSON texts of objects and lists parsed.

    Attributes that MLflow adds begin with `mlflow.` and are not compared. From OTLP's JSON form it loses links, since
    it takes their ids for base64 (`mlflow/server/otel_api.py`).
    """
    kept = {**span, "attributes": {name: _parsed(value) for name, value in span["attributes"].items()}}
    if protocol == "http/json":
        kept["links"] = []
    del kept["kind"]
    return kept


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, dict | list) else value


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()


BACKENDS: Final = {
    "phoenix": Kind(
        title="Arize Phoenix",
        command=lambda _: ["phoenix", "serve"],
        environ=lambda folder, port, grpc: {
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(grpc),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        },
        ready="/readyz",
        headers="",
        protocols=("http/protobuf", "grpc"),
        read=_read_phoenix,
        kept=_kept_by_phoenix,
    ),
    "mlflow": Kind(
        title="MLflow",
        command=lambda port: [
            *("mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", "sqlite:///mlflow.db", "--workers", "1"),
        ],
        environ=lambda _folder, _port, _grpc: {
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        ready="/health",
        headers="x-mlflow-experiment-id=0",
        protocols=("http/protobuf", "http/json"),
        read=_read_mlflow,
        kept=_kept_by_mlflow,
    ),
}
"""The back ends by the name that `LLMTRACE_LIVE_...` uses for its venv."""
