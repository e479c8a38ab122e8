"""Read a span into a `Reading` of its LLM call, in the vocabulary that all readings share, from the span alone.

The `checks` compare this reading with that of `wire`, which is made from the bytes alone. A dialect is data: how to
recognise a span, and which attributes hold which facts. A span may be written in several dialects at once: the first
one names the reading, and the places of all of them are read. `register` puts a house style, a dialect of your own,
before the built-in ones.
"""

from pytest_llmtrace.dialects._builtin import other_names
from pytest_llmtrace.dialects._dialect import Dialect
from pytest_llmtrace.dialects._events import EventContent, answers_in_events, content_of_events
from pytest_llmtrace.dialects._files import text_files
from pytest_llmtrace.dialects._messages import shows_prompt
from pytest_llmtrace.dialects._nearly import lacking
from pytest_llmtrace.dialects._place import added, attribute, inside
from pytest_llmtrace.dialects._prompts import encoded_parts
from pytest_llmtrace.dialects._reader import (
    counted,
    is_llm,
    names_of,
    read,
    read_agent,
    read_events,
    read_note,
    read_own_events,
    read_tool,
    read_whole,
    register,
)
from pytest_llmtrace.dialects._steps import is_step

__all__ = [
    "Dialect",
    "EventContent",
    "added",
    "answers_in_events",
    "attribute",
    "content_of_events",
    "counted",
    "encoded_parts",
    "inside",
    "is_llm",
    "is_step",
    "lacking",
    "names_of",
    "other_names",
    "read",
    "read_agent",
    "read_events",
    "read_note",
    "read_own_events",
    "read_tool",
    "read_whole",
    "register",
    "shows_prompt",
    "text_files",
]
