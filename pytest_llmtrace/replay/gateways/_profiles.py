"""The table of gateways. A new one is a module with a profile, and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.replay.gateways import anannas, anthropic, azure, litellm, openai, openrouter
from pytest_llmtrace.replay.gateways._form import Profile

__all__ = ["GATEWAYS", "having_api", "having_option", "profile"]

GATEWAYS: Mapping[str, Profile] = {
    module.PROFILE.name: module.PROFILE for module in (openai, anthropic, openrouter, litellm, anannas, azure)
}
"""All gateways by name."""


def profile(name: str) -> Profile:
    """Return a gateway by name.

    Raises:
        UsageError: There is no such gateway.
    """
    if not isinstance(name, str) or name not in GATEWAYS:
        raise UsageError.unknown("gateway", name, GATEWAYS)
    return GATEWAYS[name]


def having_api(api: str) -> str:
    """Say which gateways have an API, as half a sentence."""
    return _listed(name for name, profile in GATEWAYS.items() if api in profile.forms)


def having_option(option: str) -> str:
    """Say which gateways have an option, as half a sentence."""
    return _listed(name for name, profile in GATEWAYS.items() if option in profile.options)


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last} have" if most else f"{last} has"
