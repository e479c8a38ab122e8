"""Environment variables -> settings. A mapping is handed in, so that nothing here depends on the process."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmtrace.errors import UsageError

__all__ = ["flag", "text"]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


def text(environ: Mapping[str, str], name: str) -> str | None:
    """Return the twin of an ini option, None where it is not set: `LLMTRACE_STRICT` for `llmtrace_strict`."""
    return environ.get(name.upper())


def flag(name: str, value: str) -> bool:
    """Read a yes or no.

    Raises:
        UsageError: It is neither.
    """
    if value.strip().lower() in _TRUE:
        return True
    if value.strip().lower() in _FALSE:
        return False
    raise UsageError(f"{name} is {value!r}: write 1 or 0")
