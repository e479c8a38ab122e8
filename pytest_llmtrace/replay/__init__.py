"""What answers: cassettes, read, matched and played.

The gateways and the router are modules of their own, imported by those who use them.
"""

from pytest_llmtrace.replay.cache import load
from pytest_llmtrace.replay.names import (
    builtin_dirs,
    default_name,
    default_path,
    find,
    is_builtin,
    new_path,
    refuse_name,
    resolve,
)
from pytest_llmtrace.replay.player import Player, Silence
from pytest_llmtrace.replay.settings import AS_VCRPY, KNOWN_KEYS, READ_KEYS, ReplaySettings, read_config

__all__ = [
    "AS_VCRPY",
    "KNOWN_KEYS",
    "READ_KEYS",
    "Player",
    "ReplaySettings",
    "Silence",
    "builtin_dirs",
    "default_name",
    "default_path",
    "find",
    "is_builtin",
    "load",
    "new_path",
    "read_config",
    "refuse_name",
    "resolve",
]
