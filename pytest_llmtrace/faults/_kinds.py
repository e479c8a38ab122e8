"""The kinds of faults: data, each with the options that it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_llmtrace.errors import UsageError

__all__ = ["ERRORS", "KINDS", "STATUS", "Kind", "kind_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: The name by which a test asks for it.
        options: The names of the options that it accepts.
        comes_instead: Whether it comes instead of a reply, which is then left to the next attempt.
    """

    name: str
    options: frozenset[str] = frozenset()
    comes_instead: bool = False


_ERROR: Final = frozenset({"gateway", "message"})

STATUS: Final = Kind(name="status", options=_ERROR | {"retry_after"}, comes_instead=True)
"""An HTTP status, which a test names by its number."""

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(name="connect-error", comes_instead=True),
        Kind(name="connect-timeout", comes_instead=True),
        Kind(name="read-timeout", options=frozenset({"after"})),
        Kind(name="disconnect", options=frozenset({"after"})),
        Kind(name="truncate", options=frozenset({"after"})),
        Kind(name="error-in-body", options=_ERROR | {"status"}),
        Kind(name="error-in-stream", options=_ERROR | {"after", "status"}),
        Kind(name="malformed-sse", options=frozenset({"after"})),
        Kind(name="invalid-json"),
        Kind(name="stall", options=frozenset({"after", "seconds"})),
        Kind(name="slow-first-byte", options=frozenset({"seconds"})),
        Kind(name="wrong-content-type"),
        Kind(name="empty-body"),
    )
}
"""All kinds of faults other than a status, by name."""

ERRORS = range(400, 600)
"""The statuses that say that something went wrong."""


def kind_of(kind: int | str, given: Mapping[str, Any]) -> Kind:
    """Return a kind by its name or its status.

    Args:
        kind: The name or status that a test has given.
        given: The options that a test has given.

    Raises:
        UsageError: If there is no such kind, or the kind does not accept an option.
    """
    if isinstance(kind, int):
        if kind not in ERRORS:
            raise UsageError(f"the status of a fault must be from 400 to 599, got {kind!r}")
        found = STATUS
    elif kind in tuple(KINDS):
        found = KINDS[kind]
    else:
        raise UsageError.unknown("kind of fault", kind, [*KINDS, "a status such as 429"])
    for option in given:
        if option not in found.options:
            having = [name for name, other in {"a status": STATUS, **KINDS}.items() if option in other.options]
            raise UsageError(f"the fault {kind!r} takes no {option}=; these do: {', '.join(having)}")
    return found
