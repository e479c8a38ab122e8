"""Values of environment variables that must have a meaning."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_llmtrace.errors import UsageError

__all__ = ["checked_url"]


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
