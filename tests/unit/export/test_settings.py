"""How environment variables become destinations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.export import Destination, destination, read_env_file, read_nearest_env_file
from tests.receiver import CERTIFICATE, KEY

UNKNOWN = (
    "unknown destination of --llmtrace-export 'openobserver': did you mean 'openobserve'? "
    "known: file=PATH, openobserve, otlp"
)
TOKEN = "Basic Y2k6c2VjcmV0LW9mLWNp"
PROTOCOLS = "grpc, http/json, http/protobuf"
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
OPENOBSERVE = {"OPENOBSERVE_URL": "https://o2.acme.com/base/", "OPENOBSERVE_AUTH_TOKEN": TOKEN}


def test_openobserve() -> None:
    """The official SDK's variables, with its defaults, say where spans go; the token is never shown."""
    environ = {**OPENOBSERVE, "OPENOBSERVE_ORG": "my org", "OPENOBSERVE_TRACES_STREAM_NAME": "LLM tests"}
    found = destination("openobserve", environ)
    assert found == Destination(
        name="openobserve",
        label="OpenObserve at https://o2.acme.com/base, organization my org, stream llm_tests",
        url="https://o2.acme.com/base/api/my%20org/v1/traces",
        headers={"authorization": TOKEN, "stream-name": "llm_tests"},
        timeout=30,
        search_url="https://o2.acme.com/base/api/my%20org/_search?type=traces&use_cache=false",
        stream="llm_tests",
        base="https://o2.acme.com/base",
        organization="my org",
    )
    assert "Basic" not in repr(found)
    least = destination("openobserve", {**OPENOBSERVE, "OPENOBSERVE_TIMEOUT": "2.5"})
    assert (least.organization, least.stream, least.timeout) == ("default", "default", 2.5)


def test_otlp() -> None:
    """OpenTelemetry's variables say where spans go; those for traces win, and their address is taken as it is."""
    found = destination("otlp", {})
    default = Destination(
        name="otlp",
        label="OTLP at http://localhost:4318/v1/traces",
        url="http://localhost:4318/v1/traces",
        headers={},
        timeout=10,
        protocol="http/protobuf",
    )
    assert found == default
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1/",
        "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20b, other=c",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    }
    all_signals = replace(
        default,
        label="OTLP at http://all:1/v1/traces",
        url="http://all:1/v1/traces",
        headers={"x-key": "a b", "other": "c"},
        timeout=3,
        protocol="http/json",
    )
    assert destination("otlp", environ) == all_signals
    environ |= {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:2/x?key=1"}
    found = destination("otlp", environ)
    assert (found.url, found.label) == ("http://traces:2/x?key=1", "OTLP at http://traces:2/x")


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://all:1/base/?key=1", "http://all:1/base/v1/traces?key=1"),
        ("http://all:1?key=1", "http://all:1/v1/traces?key=1"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_the_path_stands_before_the_query(endpoint: str, url: str) -> None:
    """The endpoint of all signals is a base: the path of traces is added to its path, whatever follows that."""
    assert destination("otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}).url == url


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:4317"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1/ignored"}, "http://all:1"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://all:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, "https://all:1"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "all:1"}, "https://all:1"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "all:1", "OTEL_EXPORTER_OTLP_INSECURE": "True"}, "http://all:1"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "dns:///all:1"}, "https://all:1"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "dns:///all:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, "http://all:1"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:2"},
            "http://traces:2",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "[::1]:4317",
                "OTEL_EXPORTER_OTLP_INSECURE": "true",
                "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "false",
            },
            "https://[::1]:4317",
        ),
    ],
)
def test_grpc(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], url: str) -> None:
    """A gRPC address has no path; its scheme decides about TLS and, where it has no scheme, `_INSECURE` does."""
    monkeypatch.setattr("pytest_llmtrace.export._otel_settings.find_spec", lambda _: SimpleNamespace(origin="there"))
    found = destination("otlp", {**GRPC, **environ})
    assert (found.url, found.label, found.protocol) == (url, f"OTLP by gRPC at {url}", "grpc")


@pytest.mark.parametrize("found", [None, SimpleNamespace(origin=None)], ids=["nothing", "a folder of that name"])
def test_grpc_is_not_installed(monkeypatch: pytest.MonkeyPatch, found: object) -> None:
    """Without its package gRPC is a usage error that says what to install."""
    monkeypatch.setattr("pytest_llmtrace.export._otel_settings.find_spec", lambda _: found)
    with pytest.raises(UsageError) as caught:
        destination("otlp", GRPC)
    text = "OTLP by gRPC needs its exporter: pip install opentelemetry-exporter-otlp-proto-grpc"
    assert str(caught.value) == text


def test_files_and_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates become absolute paths, which a process elsewhere can find; requests are compressed by default."""
    own = tmp_path / "own.pem"
    own.write_bytes(CERTIFICATE.read_bytes() + KEY.read_bytes())
    monkeypatch.chdir(tmp_path)
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": str(CERTIFICATE),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "own.pem",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    found = destination("otlp", environ)
    assert found.tls == {"certificate": str(CERTIFICATE), "client_certificate": str(own)}
    assert (found.is_compressed, destination("otlp", {}).is_compressed) == (False, True)


def test_nobody_is_asked_for_a_passphrase() -> None:
    """A key with a passphrase is refused: OpenSSL would ask for it on the terminal, and wait for an answer."""
    environ = {
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(CERTIFICATE),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(KEY.with_name("locked-key.pem")),
    }
    text = (
        "the file in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE or OTEL_EXPORTER_OTLP_CLIENT_KEY cannot be used for TLS: "
        "the key has a passphrase"
    )
    with pytest.raises(UsageError, match=f"^{text}$"):
        destination("otlp", environ)


@pytest.mark.parametrize(
    ("name", "environ", "text"),
    [
        (
            "openobserver",
            {},
            UNKNOWN,
        ),
        (
            "openobserve",
            {"OPENOBSERVE_URL": "http://x"},
            "--llmtrace-export openobserve needs OPENOBSERVE_AUTH_TOKEN, in the environment or .env",
        ),
        (
            "openobserve",
            {**OPENOBSERVE, "OPENOBSERVE_AUTH_TOKEN": "Basic a\nb"},
            (
                "OPENOBSERVE_AUTH_TOKEN must be `Basic ` and the base64 of `email:token`, or `Bearer ` and a token; "
                "its value is neither"
            ),
        ),
        (
            "openobserve",
            {**OPENOBSERVE, "OPENOBSERVE_URL": "http://me:secret@x"},
            (
                "OPENOBSERVE_URL must be an http(s) address without a user name, such as http://localhost:5080; its "
                "value is not"
            ),
        ),
        (
            "openobserve",
            {**OPENOBSERVE, "OPENOBSERVE_URL": "http://x/o2?key=secret"},
            "OPENOBSERVE_URL must be an address without ? and #, such as http://localhost:5080; its value is not",
        ),
        (
            "otlp",
            {"OTEL_EXPORTER_OTLP_HEADERS": "secret"},
            "OTEL_EXPORTER_OTLP_HEADERS must have the form `key=value,key=value`; its value does not",
        ),
        (
            "otlp",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "gprc"},
            f"unknown value of OTEL_EXPORTER_OTLP_PROTOCOL 'gprc': did you mean 'grpc'? known: {PROTOCOLS}",
        ),
        (
            "otlp",
            {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "zstd"},
            "unknown value of OTEL_EXPORTER_OTLP_TRACES_COMPRESSION 'zstd': known: gzip, none",
        ),
        (
            "otlp",
            {"OTEL_EXPORTER_OTLP_CERTIFICATE": "no/ca.pem"},
            "the file in OTEL_EXPORTER_OTLP_CERTIFICATE cannot be used for TLS: No such file or directory",
        ),
        (
            "otlp",
            {**GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": "dns://resolver/collector:4317"},
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address without a user name, such as "
                "http://localhost:5080; its value is not"
            ),
        ),
        (
            "otlp",
            {**GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": "unix:///run/collector"},
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address without a user name, such as "
                "http://localhost:5080; its value is not"
            ),
        ),
        (
            "otlp",
            {**GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": "unix:/run/collector"},
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address without a user name, such as "
                "http://localhost:5080; its value is not"
            ),
        ),
        (
            "otlp",
            {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": str(KEY)},
            (
                "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY is set, but OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is not: a key "
                "needs its certificate"
            ),
        ),
        (
            "otlp",
            {**GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": "user:secret@collector:4317"},
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address without a user name, such as "
                "http://localhost:5080; its value is not"
            ),
        ),
        (
            "otlp",
            {**GRPC, "OTEL_EXPORTER_OTLP_HEADERS": "x-key-bin=secret"},
            "OTEL_EXPORTER_OTLP_HEADERS must have the form `key=value,key=value`; its value does not",
        ),
        (
            "otlp",
            {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "-1"},
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is '-1': it must be a number of seconds above 0",
        ),
    ],
)
def test_wrong_settings(monkeypatch: pytest.MonkeyPatch, name: str, environ: dict[str, str], text: str) -> None:
    """A meaningless value is a usage error that names the variable and repeats nothing secret."""
    monkeypatch.setattr("pytest_llmtrace.export._otel_settings.find_spec", lambda _: SimpleNamespace(origin="there"))
    with pytest.raises(UsageError) as caught:
        destination(name, environ)
    assert str(caught.value) == text


def test_env_file(tmp_path: Path) -> None:
    """`.env` has names and values, which may be quoted; everything else in it is ignored."""
    text = "# a comment\nexport A=1\nB = 'two words'  # why\nC=\"x=y\"\nD=plain text # not this\nE=\n\nnonsense\n"
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert {name: value for name, value in read_env_file(tmp_path / ".env").items() if value is not None} == {
        "A": "1",
        "B": "two words",
        "C": "x=y",
        "D": "plain text",
        "E": "",
    }
    assert read_env_file(tmp_path / "none") == {}


def test_env_file_with_a_mark(tmp_path: Path) -> None:
    """A byte order mark, which some editors put before the first name, is ignored."""
    (tmp_path / ".env").write_text("A=1\nB=2\n", encoding="utf-8-sig")
    assert read_env_file(tmp_path / ".env") == {"A": "1", "B": "2"}


def test_env_file_in_another_encoding(tmp_path: Path) -> None:
    """A file that is not in UTF-8 is wrong use, and the error names it."""
    path = tmp_path / ".env"
    path.write_text("A=1\n", encoding="utf-16")
    with pytest.raises(UsageError) as caught:
        read_env_file(path)
    assert str(caught.value) == f"{path} is not UTF-8: save it in that encoding"


def test_what_a_server_says_is_masked() -> None:
    """Neither the token nor a part of it is repeated from the text of a server."""
    to = destination("openobserve", OPENOBSERVE)
    assert to.masked(f"bad {TOKEN}, {TOKEN.split()[1]}") == "bad [secret], [secret]"
    assert to.masked(f"it answered 400 (bad {TOKEN[:-3]}): check") == "it answered 400 (bad Basic [secret]): check"


def test_the_nearest_env_file(tmp_path: Path) -> None:
    """A command finds the nearest `.env` from its folder up to the root of the repository, and none outside of one."""
    below = tmp_path / "tests/unit"
    below.mkdir(parents=True)
    (tmp_path / ".env").write_text("A=root", encoding="utf-8")
    assert read_nearest_env_file(below) == {}
    (tmp_path / ".git").mkdir()
    assert read_nearest_env_file(below) == {"A": "root"}
    (tmp_path / "tests/.env").write_text("A=tests", encoding="utf-8")
    assert read_nearest_env_file(below) == {"A": "tests"}
