"""The replay side of the HTTP port: cassettes are found, read, matched and played here.

The scripted gateways and the respx router answer as well; only the code that uses them imports their modules.
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
from pytest_llmtrace.replay.registered import registered, with_registered
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
    "registered",
    "resolve",
    "with_registered",
]
