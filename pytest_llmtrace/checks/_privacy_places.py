"""The places in which the conventions put content, and the switches that keep it out of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pytest_llmtrace import dialects
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.model import LogRecord, MetricPoint, SpanRecord

__all__ = ["Holds", "content_in", "side_of", "switch_for"]

# The attributes of OpenInference; OTel GenAI, also in its old forms; OpenLLMetry; logfire; Langfuse and MLflow.
_INPUT = r"""
  input\.value | llm\.prompts\..+ | reranker\.query | reranker\.input_documents\.\d+\.document\.content
| llm\.input_messages\.\d+\.message\.(?:content|contents\.\d+\.message_content\.(?:text|image\.image\.url)
    |contents\.\d+\.tool_call\.function\.arguments|tool_calls\.\d+\.tool_call\.function\.arguments
    |function_call_arguments_json)
| embedding\.embeddings\.\d+\.embedding\.text
| gen_ai\.(?:input\.messages|system_instructions|prompt|tool\.call\.arguments|retrieval\.query\.text)
| gen_ai\.prompt\.\d+\.(?:content|tool_calls\.\d+\.arguments)
| traceloop\.entity\.input | request_data | all_messages_events
| langfuse\.(?:observation|trace)\.input | mlflow\.spanInputs
"""
_OUTPUT = r"""
  output\.value | llm\.choices\..+ | retrieval\.documents\.\d+\.document\.content
| llm\.output_messages\.\d+\.message\.(?:content|contents\.\d+\.message_content\.(?:text|image\.image\.url)
    |contents\.\d+\.tool_call\.function\.arguments|tool_calls\.\d+\.tool_call\.function\.arguments
    |function_call_arguments_json)
| reranker\.output_documents\.\d+\.document\.content
| gen_ai\.(?:output\.messages|completion|tool\.call\.result|retrieval\.documents)
| gen_ai\.completion\.\d+\.(?:content|reasoning|refusal|tool_calls\.\d+\.arguments)
| traceloop\.entity\.output | response_data
| langfuse\.(?:observation|trace)\.output | mlflow\.(?:spanOutputs|chunk\.value)
"""
_PLACES = re.compile(rf"(?x)(?P<input>{_INPUT})|(?P<output>{_OUTPUT})")
# A part of a value that is no text but a list or, for tools, a mapping.
_INSIDE = re.compile(
    rf"(?x)(?:(?P<input>{_INPUT})|(?P<output>{_OUTPUT}))(?:(?=\[)|(?<=\.arguments)(?=\.)|(?<=\.result)(?=\.))(?P<path>.+)"
)
_EVENTS = {"gen_ai.choice": "output", "gen_ai.assistant.message": "input", "gen_ai.content.completion": "output"}
_IN_EVENTS = re.compile(r"(?:gen_ai\.event\.)?(?:content|message|tool_calls|arguments)")
# Fields of messages that tell how something was said, not what was said.
_STRUCTURE = frozenset(
    {
        "call_id",
        "finish_reason",
        "id",
        "index",
        "kind",
        "mime_type",
        "modality",
        "model",
        "name",
        "object",
        "role",
        "tool_call_id",
        "tool_use_id",
        "type",
    }
)
_FREE = "arguments"
"""Below this field, names are the tool's own: its `name` or `type` is what was said."""


class Holds(StrEnum):
    """What stands in a place for content."""

    NOTHING = "nothing"
    MARKER = "marker"
    CONTENT = "content"


@lru_cache(maxsize=4096)
def side_of(channel: str, key: str) -> str | None:
    """Tell whether a place is one for what was asked (`input`) or answered (`output`); None if it is neither.

    A place in a message may be the whole of its JSON, or a single field of it where the message is no text; fields
    that tell how something was said are no such places.
    """
    found = _PLACES.fullmatch(key)
    if found is not None:
        return found.lastgroup
    inside = _INSIDE.fullmatch(key)
    if inside is not None:
        side = "input" if inside["input"] else "output"
        return side if _is_free(inside[side]) or _is_said(inside["path"]) else None
    event = channel.removeprefix("event ")
    if event.startswith("gen_ai.") and event != channel and _IN_EVENTS.match(key) and _is_said(key):
        return _EVENTS.get(event, "input")
    return None


def _is_said(path: str) -> bool:
    """Tell whether a field of a message, named by its path, is what was said, and not how."""
    for step in _STEPS.split(path):
        if step == _FREE:
            return True
        if step in _STRUCTURE:
            return False
    return True


_STEPS = re.compile(r"[.\[\]]+")


def _is_free(key: str) -> bool:
    return key.endswith((".arguments", ".result"))


def content_in(text: str, key: str = "") -> Holds:
    """Tell what stands in a place for content; of messages in JSON only what they say counts, not their structure.

    Args:
        text: The text that stands there.
        key: The key of the place, as in `Text`.
    """
    value: Any = text
    if text.lstrip().startswith(("{", "[")):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
    try:
        return _held(value, free=_is_free(key))
    except RecursionError:
        return Holds.CONTENT  # It is nested too deeply to be looked at; a mask never is.


def _held(value: Any, *, free: bool) -> Holds:
    if isinstance(value, str):
        return Holds.NOTHING if not value.strip() else Holds.MARKER if is_masked(value) else Holds.CONTENT
    inner: list[tuple[Any, bool]] = []
    if isinstance(value, Mapping):
        inner = [(item, free or key == _FREE) for key, item in value.items() if free or key not in _STRUCTURE]
    elif isinstance(value, list):
        inner = [(item, free) for item in value]
    elif value is not None:
        return Holds.CONTENT
    found = {_held(item, free=below) for item, below in inner}
    return next((held for held in (Holds.CONTENT, Holds.MARKER) if held in found), Holds.NOTHING)


# --- switches --------------------------------------------------------------------------------------------------------

_OPENINFERENCE = (
    ("llm.invocation_parameters", "OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS=true"),
    ("llm.tools.", "OPENINFERENCE_HIDE_LLM_TOOLS=true"),
    ("llm.prompts.", "OPENINFERENCE_HIDE_PROMPTS=true"),
    ("llm.choices.", "OPENINFERENCE_HIDE_CHOICES=true"),
    ("llm.input_messages.", "OPENINFERENCE_HIDE_INPUTS=true"),
    ("llm.output_messages.", "OPENINFERENCE_HIDE_OUTPUTS=true"),
    ("input.", "OPENINFERENCE_HIDE_INPUTS=true"),
    ("output.", "OPENINFERENCE_HIDE_OUTPUTS=true"),
    ("embedding.embeddings.", "OPENINFERENCE_HIDE_EMBEDDINGS_TEXT=true"),
    ("retrieval.documents.", "OPENINFERENCE_HIDE_RETRIEVAL_DOCUMENTS=true"),
    ("reranker.query", "OPENINFERENCE_HIDE_INPUTS=true"),
    ("reranker.input_documents.", "OPENINFERENCE_HIDE_INPUTS=true"),
    ("reranker.output_documents.", "OPENINFERENCE_HIDE_OUTPUTS=true"),
)
_CONTENT_SWITCHES = {
    "anthropic-native": "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE=metadata_only",
    "langfuse": "Langfuse(mask=...)",
    "litellm": "litellm.turn_off_message_logging = True",
    "mlflow": "mlflow.tracing.configure(span_processors=[...])",
    "pydantic-ai": "InstrumentationSettings(include_content=False)",
    "openllmetry": "TRACELOOP_TRACE_CONTENT=false",
    "otel-genai": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=NO_CONTENT",
}
_OTEL = "opentelemetry.instrumentation."
_UTIL = "opentelemetry.util.genai"
# OpenTelemetry's own instrumentations. Some of its names are also names of OpenLLMetry's; those are left out.
_OWN = ("genai.", "openai_v2", "google_genai", "botocore.")
_SHARED = ("langchain", "openai_agents", "vertexai")


def switch_for(subject: object, channel: str, key: str) -> str:
    """Name the setting of the instrumentation that keeps content out of a place; empty if none is known.

    Args:
        subject: The span, log record or metric point.
        channel: The channel of the place, as in `Text`.
        key: The key of the place, as in `Text`.
    """
    scope = getattr(subject, "scope", "")
    if scope.startswith("openinference."):
        return next((switch for prefix, switch in _OPENINFERENCE if key.startswith(prefix)), "")
    if side_of(channel, key) is None and not isinstance(subject, LogRecord):
        return ""
    return _CONTENT_SWITCHES.get(_source_of(subject, scope), "")


def _source_of(subject: object, scope: str) -> str:
    name = scope.removeprefix(_OTEL)
    if scope.startswith(_UTIL) or (name != scope and name.startswith(_OWN)):
        return "otel-genai"
    if isinstance(subject, SpanRecord):
        reading = dialects.read(subject)
        source = reading.source if reading else ""
        return "" if source == "otel-genai" and name == scope else source
    if isinstance(subject, LogRecord | MetricPoint) and name != scope and not name.startswith(_SHARED):
        return "openllmetry"
    return ""
