"""The standard library as it was when this package was imported, for our code that runs during a test and judges it.

A test may put a mock in the place of `json.loads` or `open` until its end, and count the calls: those of this package
must not be among them. So its modules take from here what tests like to replace. Functions of `time` and `os` they bind
by name, as pytest does in `_pytest.timing` (pytest issue 185), where freezegun and pyfakefs find them.
"""

from __future__ import annotations

import base64 as _base64
import builtins as _builtins
import hashlib as _hashlib
import inspect as _inspect
import io as _io
import json as _json
import os as _os
import pathlib as _pathlib
import re as _re
import time as _time
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Final

__all__ = ["base64", "hashlib", "is_file", "json", "open_file", "re", "replaced"]


def _kept(module: ModuleType) -> ModuleType:
    kept = ModuleType(module.__name__, module.__doc__)
    vars(kept).update(vars(module))
    return kept


if TYPE_CHECKING:
    import base64
    import hashlib
    import json
    import re
else:
    base64, hashlib, json, re = map(_kept, (_base64, _hashlib, _json, _re))

is_file: Final = _os.path.isfile
open_file: Final = _builtins.open

_WATCHED: Final[tuple[Any, ...]] = (
    _base64, _builtins, _hashlib, _inspect, _io, _json, _json.JSONDecoder, _json.JSONEncoder, _os, _os.path,
    _pathlib.Path, _re, _time,
)  # fmt: skip
_BEFORE: Final = tuple((watched, MappingProxyType(dict(vars(watched)))) for watched in _WATCHED)


def replaced() -> list[str]:
    """Return the names of what somebody has replaced and not put back, such as `json.loads`.

    Names of one underscore are left out: nothing of ours uses them, and logfire replaces `os._exit` for good.
    """
    return [
        f"{'os.path' if watched is _os.path else _named(watched)}.{name}"
        for watched, before in _BEFORE
        for name, value in before.items()
        if vars(watched).get(name) is not value and (name[0] != "_" or name.startswith("__"))
    ]


def _named(watched: Any) -> str:
    return watched.__name__ if isinstance(watched, ModuleType) else f"{watched.__module__}.{watched.__qualname__}"
