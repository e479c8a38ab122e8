"""Export spans to back ends: as OTLP in its JSON form, kept on disk until accepted, sent when the tests are over.

Standard library only. Nothing here is imported unless a run exports, and each name is loaded when it is first used
(PEP 562): a run that only keeps spans on disk does not load the code that sends them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmtrace.export._answers import Answer, Fate
    from pytest_llmtrace.export._command import run_push
    from pytest_llmtrace.export._destination import Destination
    from pytest_llmtrace.export._identity import identify
    from pytest_llmtrace.export._lines import Lines
    from pytest_llmtrace.export._link import links
    from pytest_llmtrace.export._otlp import Encoder
    from pytest_llmtrace.export._outcome import Outcome
    from pytest_llmtrace.export._process import push
    from pytest_llmtrace.export._push import Push
    from pytest_llmtrace.export._readback import UntoldError, look, present
    from pytest_llmtrace.export._sending import post_once, probe_span
    from pytest_llmtrace.export._settings import NAMES, destination, read_env_file, read_nearest_env_file
    from pytest_llmtrace.export._spool import Spool, key_of, spans_of

__all__ = [
    "NAMES",
    "Answer",
    "Destination",
    "Encoder",
    "Fate",
    "Lines",
    "Outcome",
    "Push",
    "Spool",
    "UntoldError",
    "destination",
    "identify",
    "key_of",
    "links",
    "look",
    "post_once",
    "present",
    "probe_span",
    "push",
    "read_env_file",
    "read_nearest_env_file",
    "run_push",
    "spans_of",
]

_HOME = {
    "Answer": "_answers",
    "Destination": "_destination",
    "Encoder": "_otlp",
    "Fate": "_answers",
    "Lines": "_lines",
    "NAMES": "_settings",
    "Outcome": "_outcome",
    "Push": "_push",
    "Spool": "_spool",
    "UntoldError": "_readback",
    "destination": "_settings",
    "identify": "_identity",
    "key_of": "_spool",
    "links": "_link",
    "look": "_readback",
    "post_once": "_sending",
    "present": "_readback",
    "probe_span": "_sending",
    "push": "_process",
    "read_env_file": "_settings",
    "read_nearest_env_file": "_settings",
    "run_push": "_command",
    "spans_of": "_spool",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return found
