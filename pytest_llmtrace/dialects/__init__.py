"""Span -> Reading: what a span says about its LLM call, in one vocabulary. Knows no HTTP.

A dialect is data: how to recognise a span, and which attributes hold which facts. A span may be written in several at
once: the first names the reading, and every place of each is looked at. `register` puts a house style in front of the
ones that are built in.
"""

from pytest_llmtrace.dialects._builtin import other_names
from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._messages import shows_prompt
from pytest_llmtrace.dialects._nearly import lacking
from pytest_llmtrace.dialects._place import added, attribute, inside
from pytest_llmtrace.dialects._prompts import encoded_parts
from pytest_llmtrace.dialects._reader import counted, is_llm, read, read_events, read_note, read_own_events, register

__all__ = [
    "Dialect",
    "added",
    "attribute",
    "counted",
    "encoded_parts",
    "inside",
    "is_llm",
    "lacking",
    "other_names",
    "read",
    "read_events",
    "read_note",
    "read_own_events",
    "register",
    "shows_prompt",
]
