"""Read from environment variables where spans are sent.

`openobserve` reads the variables of the official SDK: OPENOBSERVE_URL, _ORG, _AUTH_TOKEN, _TRACES_STREAM_NAME and
_TIMEOUT (in seconds).
`otlp` reads OpenTelemetry's variables (`_otel_settings`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pytest_llmtrace._argtypes import checked_seconds
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.export._destination import Destination, checked_url
from pytest_llmtrace.export._otel_settings import otlp

__all__ = ["NAMES", "destination", "read_env_file", "read_nearest_env_file"]

NAMES: Final = ("openobserve", "otlp")
_SCHEME: Final = re.compile(r"(?i)(basic|bearer) \S+")
_LINE: Final = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(.*?))\s*(?:\s#.*)?")


def destination(name: str, environ: Mapping[str, str]) -> Destination:
    """Return the destination of a name, as the environment describes it.

    Raises:
        UsageError: If there is no destination of this name, or a variable is missing, or its value has no meaning.
    """
    if name not in NAMES:
        raise UsageError.unknown("destination of --llmtrace-export", name, (*NAMES, "file=PATH"))
    return _openobserve(environ) if name == "openobserve" else otlp(environ)


def read_nearest_env_file(folder: Path) -> dict[str, str]:
    """Read the `.env` of a folder, or the nearest one above it in its repository: a run may start anywhere in that.

    Folders above the repository are left out: they may belong to others, who must not decide where spans and the token
    are sent.

    Raises:
        UsageError: If the file cannot be read, or is not in UTF-8.
    """
    places = [folder, *folder.parents]
    top = next((number for number, place in enumerate(places) if (place / ".git").exists()), 0)
    files = (place / ".env" for place in places[: top + 1])
    return read_env_file(next(filter(Path.is_file, files), folder / ".env"))


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables in a `.env` file; none if there is no such file.

    The file is read by python-dotenv if that is installed, else as `NAME=VALUE` lines, whose values may be in quotes,
    with comments after `#`.

    Raises:
        UsageError: If the file cannot be read, or is not in UTF-8.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")  # Some editors put a byte order mark before the first name.
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8: save it in that encoding") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        from dotenv import dotenv_values
    except ImportError:
        lines = map(_LINE.fullmatch, text.splitlines())
        return {line[1]: line[2] or line[3] or line[4] or "" for line in lines if line}
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def _openobserve(environ: Mapping[str, str]) -> Destination:
    missing = [name for name in ("OPENOBSERVE_URL", "OPENOBSERVE_AUTH_TOKEN") if not environ.get(name)]
    if missing:
        raise UsageError(f"--llmtrace-export openobserve needs {' and '.join(missing)}, in the environment or .env")
    url = checked_url("OPENOBSERVE_URL", environ["OPENOBSERVE_URL"]).rstrip("/")
    if not {"?", "#"}.isdisjoint(url):  # Paths are added to it, and reports show it: a query would be lost, and seen.
        raise UsageError(
            "OPENOBSERVE_URL must be an address without ? and #, such as http://localhost:5080; its value is not"
        )
    token = environ["OPENOBSERVE_AUTH_TOKEN"].strip()
    if not _SCHEME.fullmatch(token) or not (token.isascii() and token.isprintable()):
        raise UsageError(
            "OPENOBSERVE_AUTH_TOKEN must be `Basic ` and the base64 of `email:token`, or `Bearer ` and a token; "
            "its value is neither"
        )
    organization = environ.get("OPENOBSERVE_ORG") or "default"
    stream = _stream_name(environ.get("OPENOBSERVE_TRACES_STREAM_NAME") or "default")
    path = quote(organization, safe="")
    return Destination(
        name="openobserve",
        label=f"OpenObserve at {url}, organization {organization}, stream {stream}",
        url=f"{url}/api/{path}/v1/traces",
        headers={"authorization": token, "stream-name": stream},
        timeout=checked_seconds("OPENOBSERVE_TIMEOUT", environ.get("OPENOBSERVE_TIMEOUT", ""), 30),
        search_url=f"{url}/api/{path}/_search?type=traces&use_cache=false",
        stream=stream,
        base=url,
        organization=organization,
    )


def _stream_name(name: str) -> str:
    """Return the name under which OpenObserve stores a stream (0.92; `ZO_FORMAT_STREAM_NAME_TO_LOWERCASE` not set)."""
    return re.sub(r"[^A-Za-z0-9_:]+", "_", name).lower()
