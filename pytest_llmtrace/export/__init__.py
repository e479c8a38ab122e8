"""Spans -> back ends: OTLP in its JSON form, kept on disk until it was accepted, pushed when the tests are over.

Standard library only. Nothing here is imported unless somebody exports.
"""

from pytest_llmtrace.export._answers import Answer, Fate
from pytest_llmtrace.export._command import run_push
from pytest_llmtrace.export._destination import Destination
from pytest_llmtrace.export._identity import identify
from pytest_llmtrace.export._lines import Lines
from pytest_llmtrace.export._link import links
from pytest_llmtrace.export._otlp import resource_spans
from pytest_llmtrace.export._probe import post_once, probe_span
from pytest_llmtrace.export._process import main, push
from pytest_llmtrace.export._push import Outcome, Push
from pytest_llmtrace.export._readback import UntoldError, look, present
from pytest_llmtrace.export._settings import NAMES, destination, read_env_file
from pytest_llmtrace.export._spool import Spool, key_of, spans_of

__all__ = [
    "NAMES",
    "Answer",
    "Destination",
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
    "main",
    "post_once",
    "present",
    "probe_span",
    "push",
    "read_env_file",
    "resource_spans",
    "run_push",
    "spans_of",
]
