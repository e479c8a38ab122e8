"""The table of gateways. A new gateway needs a module with a profile, and an entry here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Request
from pytest_llmtrace.replay.gateways import (
    anannas,
    anthropic,
    azure,
    bedrock,
    litellm,
    mantle,
    openai,
    openrouter,
    vertex,
)
from pytest_llmtrace.replay.gateways._form import Profile
from pytest_llmtrace.replay.gateways._paths import APIS

__all__ = ["GATEWAYS", "cloud_of", "elsewhere", "having_api", "profile", "refuse_options"]

GATEWAYS: Mapping[str, Profile] = {
    module.PROFILE.name: module.PROFILE
    for module in (openai, anthropic, openrouter, litellm, anannas, azure, bedrock, mantle, vertex)
}
"""All gateways by name."""


def profile(name: str) -> Profile:
    """Return the profile of a gateway by its name.

    Raises:
        UsageError: If there is no gateway of that name.
    """
    if not isinstance(name, str) or name not in GATEWAYS:
        raise UsageError.unknown("gateway", name, GATEWAYS)
    return GATEWAYS[name]


def cloud_of(request: Request) -> str | None:
    """Return the name of the cloud that a request's path belongs to, on any host; None if it belongs to none."""
    clouds = (profile for profile in GATEWAYS.values() if profile.path is not None)
    return next((cloud.name for cloud in clouds if cloud.path and cloud.path.read(request)), None)


def elsewhere(gateway: Profile, request: Request) -> str:
    """Say that a gateway lacks a request's path: name its paths and, if there is one, the cloud with that path."""
    own = [gateway.path.shown] if gateway.path else [APIS[api] for api in gateway.forms]
    paths, other = ", ".join(f"...{path}" for path in own), cloud_of(request)
    which = f", which is for gateway({other!r})" if other else ""
    return f"answers POST to {paths}; this is {request.method} {urlsplit(request.url).path}{which}"


def having_api(api: str) -> str:
    """Say which gateways have an API, as a clause."""
    return _listed(name for name, profile in GATEWAYS.items() if api in profile.forms)


def refuse_options(profile: Profile, api: str | None, given: Mapping[str, Any]) -> None:
    """Refuse options of a reply that the gateway does not write to the wire of that API.

    Raises:
        UsageError: If there is such an option.
    """
    for option in ("cost", "provider", "reasoning", "older"):
        # All have a place for reasoning except plain chat completions, to which some gateways have added one.
        gated = option != "reasoning" or api == "chat"
        if not gated or given.get(option) in (None, False):
            continue
        if option not in profile.options:
            having = _listed(name for name, other in GATEWAYS.items() if option in other.options)
            raise UsageError(f"{profile.name} has no {option!r} on the wire; {having} it")
        apis = profile.options_of.get(option)
        if apis is not None and api is not None and api not in apis:
            raise UsageError(f"{profile.name} has no {option!r} in the {api} API; {_listed(apis)} it")


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last} have" if most else f"{last} has"
