"""The matchers that a suite registers with vcrpy, so that its `match_on` names them like the parts of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmtrace.replay.settings import DEFAULT_MATCH_ON

__all__ = ["registered", "with_registered"]


def registered(configure: Callable[[Any], object]) -> dict[str, Any]:
    """Return the matchers that a suite registers, by name, without those that are vcrpy's own.

    Args:
        configure: The suite's function; it is called with a `vcr.VCR`.
    """
    from vcr import VCR

    vcr = VCR()
    own = dict(vcr.matchers)
    configure(vcr)
    return {name: matcher for name, matcher in vcr.matchers.items() if own.get(name) is not matcher}


def with_registered(config: Mapping[str, Any], matchers: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the names of registered matchers by the matchers.

    A suite may register one under the name of a part, such as `body`: it then holds wherever that name stands.

    Args:
        config: A `vcr_config` or `llmtrace_config`.
        matchers: The matchers, by name.
    """
    named = {
        "match_on": config.get("match_on") or DEFAULT_MATCH_ON,
        "additional_matchers": config.get("additional_matchers"),
    }
    return {**config, **{key: _replaced(names, matchers) for key, names in named.items()}}


def _replaced(names: Any, matchers: Mapping[str, Any]) -> Any:
    if not isinstance(names, list | tuple | set | frozenset):
        return names  # Whoever reads the configuration says what is wrong with it.
    return [matchers.get(name, name) if isinstance(name, str) else name for name in names]
