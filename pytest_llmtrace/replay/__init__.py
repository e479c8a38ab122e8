"""What answers: cassettes, read, matched and played.

The gateways and the router are modules of their own, imported by those who use them.
"""

from pytest_llmtrace.replay.cache import CassetteCache, load
from pytest_llmtrace.replay.names import builtin_dirs, default_name, default_path, find, resolve
from pytest_llmtrace.replay.player import Chain, Player, Silence
from pytest_llmtrace.replay.settings import ReplaySettings, read_config

__all__ = [
    "CassetteCache",
    "Chain",
    "Player",
    "ReplaySettings",
    "Silence",
    "builtin_dirs",
    "default_name",
    "default_path",
    "find",
    "load",
    "read_config",
    "resolve",
]
