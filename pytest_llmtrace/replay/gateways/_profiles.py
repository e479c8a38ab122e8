"""The table of gateways. A new one is a module with a profile, and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

__all__ = ["GATEWAYS", "cloud_of", "elsewhere", "having_api", "having_option", "profile"]

GATEWAYS: Mapping[str, Profile] = {
    module.PROFILE.name: module.PROFILE
    for module in (openai, anthropic, openrouter, litellm, anannas, azure, bedrock, mantle, vertex)
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


def cloud_of(request: Request) -> str | None:
    """Name the cloud whose path a request has, on whatever host; None if it is no cloud's."""
    clouds = (profile for profile in GATEWAYS.values() if profile.path is not None)
    return next((cloud.name for cloud in clouds if cloud.path and cloud.path.read(request)), None)


def elsewhere(gateway: Profile, request: Request) -> str:
    """Say of a request that a gateway answers under other paths, and which gateway does under this one."""
    own = [gateway.path.shown] if gateway.path else [APIS[api] for api in gateway.forms]
    paths, other = ", ".join(f"...{path}" for path in own), cloud_of(request)
    which = f", which is for gateway({other!r})" if other else ""
    return f"answers POST to {paths}; this is {request.method} {urlsplit(request.url).path}{which}"


def having_api(api: str) -> str:
    """Say which gateways have an API, as half a sentence."""
    return _listed(name for name, profile in GATEWAYS.items() if api in profile.forms)


def having_option(option: str) -> str:
    """Say which gateways have an option, as half a sentence."""
    return _listed(name for name, profile in GATEWAYS.items() if option in profile.options)


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last} have" if most else f"{last} has"
