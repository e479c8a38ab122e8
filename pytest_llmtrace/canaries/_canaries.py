"""Canaries: values that occur nowhere else, for a test to put where secrets and personal data travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pytest_llmtrace._stdlib import hashlib
from pytest_llmtrace.canaries._search import Kind, Sought
from pytest_llmtrace.errors import UsageError

__all__ = ["PLACES", "Canaries"]


class _Place(NamedTuple):
    what: str
    kind: Kind
    prefix: str
    home: str = ""


PLACES: Final[Mapping[str, _Place]] = {
    "api_key": _Place("the API key", "secret", "sk-canary-"),
    "provider_key": _Place("the provider's key", "secret", "sk-canary-provider-"),
    "organization": _Place("the organization", "secret", "org-canary-", "anthropic.organization.id"),
    "cookie": _Place("the cookie", "secret", "canary-cookie-"),
    "prompt": _Place("the prompt", "content", "canary-prompt-"),
    "system_prompt": _Place("the system prompt", "content", "canary-system-prompt-"),
    "tool_arguments": _Place("the tool's arguments", "content", "canary-tool-arguments-"),
    "tool_result": _Place("the tool's result", "content", "canary-tool-result-"),
    "output": _Place("the answer", "content", "canary-output-"),
    "user_id": _Place("the user's id", "id", "canary-user-"),
    "exception": _Place("the exception's message", "content", "canary-exception-"),
}
"""The places for a canary: what reports call it, the kind it stands for, its prefix, and the attribute meant for it."""


class Canaries:
    """The canaries of one trace.

    They are the same on every run, since a recording must match a request that holds one.

    Args:
        seed: The text that they are derived from; two seeds have no canary in common.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._given: dict[str, str] = {}

    def give(self, place: str) -> str:
        """Return the canary for a place; from now on it is looked for.

        Raises:
            UsageError: If there is no such place.
        """
        if not isinstance(place, str) or place not in PLACES:
            raise UsageError.unknown("place for a canary", place, PLACES)
        digest = hashlib.sha256(f"{self._seed}\0{place}".encode()).hexdigest()
        return self._given.setdefault(place, f"{PLACES[place].prefix}{digest[:24]}")

    def given(self) -> tuple[Sought, ...]:
        """Return the canaries that were handed out, as values to look for."""
        return tuple(
            Sought(value=value, what=at.what, where=f"canary {place!r}", kind=at.kind, home=at.home)
            for place, value in self._given.items()
            for at in (PLACES[place],)
        )
