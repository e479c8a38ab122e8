"""Use the matchers that a suite has registered for pytest-recording, whose cassettes we play too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["with_registered"]

_HOOK: Final = "pytest_recording_configure"
"""pytest-recording's hook: it hands the suite a `vcr.VCR` before each cassette, to register matchers with."""
_REGISTERED: Final[pytest.StashKey[Mapping[str, Any]]] = pytest.StashKey()


def with_registered(config: pytest.Config, replay: dict[str, Any]) -> dict[str, Any]:
    """Replace the names of matchers that the suite has registered by the matchers.

    Args:
        config: The configuration of the run.
        replay: A `vcr_config` or `llmtrace_config`.
    """
    hook = getattr(config.hook, _HOOK, None)
    if hook is None or not hook.get_hookimpls():
        return replay
    from pytest_llmtrace.replay import registered, with_registered

    known = config.stash.get(_REGISTERED, None)
    if known is None:  # Asked once: a suite registers the same matchers for each cassette.
        known = config.stash[_REGISTERED] = registered(lambda vcr: hook(config=config, vcr=vcr))
    return with_registered(replay, known) if known else replay
