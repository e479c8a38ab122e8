"""Spans -> back ends: OTLP in its JSON form, kept on disk until it was accepted, pushed when the tests are over.

Standard library only. Nothing here is imported unless somebody exports.
"""

from pytest_llmtrace.export._command import run_push
from pytest_llmtrace.export._identity import identify
from pytest_llmtrace.export._lines import Lines
from pytest_llmtrace.export._link import links
from pytest_llmtrace.export._otlp import resource_spans
from pytest_llmtrace.export._process import main, push
from pytest_llmtrace.export._push import Outcome, Push
from pytest_llmtrace.export._readback import present
from pytest_llmtrace.export._settings import NAMES, Destination, destination, read_env_file
from pytest_llmtrace.export._spool import Spool

__all__ = [
    "NAMES",
    "Destination",
    "Lines",
    "Outcome",
    "Push",
    "Spool",
    "destination",
    "identify",
    "links",
    "main",
    "present",
    "push",
    "read_env_file",
    "resource_spans",
    "run_push",
]
