"""Header lines of requests and responses, whose names are compared case-insensitively."""

from __future__ import annotations

from pytest_llmtrace.model import Headers

__all__ = ["by_name", "header", "without"]


def header(headers: Headers, name: str) -> str:
    """Return the first value of a header, whose name is given in lower case; empty if the header is missing."""
    for key, value in headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return ""


def by_name(headers: Headers) -> dict[str, str]:
    """Return the first value of each header, by its name in lower case."""
    found: dict[str, str] = {}
    for key, value in headers:
        found.setdefault(key.lower(), value)
    return found


def without(headers: Headers, *names: str) -> Headers:
    """Return the header lines except those with these names, which are given in lower case."""
    return tuple(line for line in headers if line[0].lower() not in names)
