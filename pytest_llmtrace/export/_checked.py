"""Values of environment variables that must have a meaning."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pytest_llmtrace.errors import UsageError

__all__ = ["checked_seconds", "checked_url"]


def checked_url(name: str, value: str) -> str:
    """Return the address of a server.

    Args:
        name: The variable.
        value: What it is set to; it may have a password, and is not repeated.

    Raises:
        UsageError: It is none, or says who we are.
    """
    url = value.strip()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        fits = False
    if not fits or parts.username is not None:
        raise UsageError(f"{name} must be the address of a server, as http://localhost:5080; what is set is not")
    return url


def checked_seconds(name: str, environ: Mapping[str, str], default: float) -> float:
    """Return a number of seconds above 0.

    Raises:
        UsageError: It is none.
    """
    value = environ.get(name) or str(default)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{name} is {value!r}: it must be a number of seconds above 0")
    return seconds
