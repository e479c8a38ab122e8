"""The settings that each instrumentor has for capturing content, and what each of them promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

__all__ = ["MODES", "Mode"]

_ALL = frozenset({"prompt", "system_prompt", "tool_result", "tool_arguments", "called", "output"})
_ASKED = frozenset({"prompt", "system_prompt", "tool_result", "tool_arguments"})
_ANSWERED = frozenset({"called", "output"})
_IMAGE = frozenset({"image"})
_TOOLS = frozenset({"described"})
_PUT = _ASKED | _IMAGE | _TOOLS
_PROMPT = frozenset({"prompt"})
_OUTPUT = frozenset({"output"})
_USER = frozenset({"user_id"})
_VECTOR = frozenset({"vector"})
_EVERYTHING = _ALL | _IMAGE | _TOOLS | _VECTOR


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One setting of an instrumentor.

    Attributes:
        environ: The environment variables that make the setting; empty for the default.
        promise: What its documentation promises, in a few words.
        hides: The places whose content does not come out where `where` says.
        where: The regular expression for the channels and keys, as `channel key`, to which `hides` applies.
        shows: By channel (`attribute` or `log`), the places whose content comes out there. It applies to conversations
            that have a span, and not to embeddings, since OTel GenAI has no place for what is embedded.
        logs: Whether such conversations, if they succeed, have log records; None if nothing is promised.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    promise: str = ""
    hides: AbstractSet[str] = frozenset()
    where: str = ".*"
    shows: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    logs: bool | None = None

    @property
    def name(self) -> str:
        """Its name on the page."""
        return ", ".join(f"{key}={value}" for key, value in self.environ.items()) or "default"


def _hide(name: str, promise: str, hides: AbstractSet[str], where: str) -> Mode:
    environ = {f"OPENINFERENCE_HIDE_{name}": "true"}
    return Mode(environ=environ, promise=promise, hides=hides, where=rf"attribute (?:{where})")


_TEXT = r"message\.(?:content|contents\.N\.message_content\.text)$"
_EMBEDDINGS = r"embedding\.embeddings\."
_EMIT = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def _on_spans(capture: str, promise: str, *, logs: bool, emit: str | None = None) -> Mode:
    return Mode(
        environ={_CAPTURE: capture, **({_EMIT: emit} if emit else {})},
        promise=promise,
        hides=_EVERYTHING,
        where=r"log .*",
        shows={"attribute": _ALL},
        logs=logs,
    )


MODES: Mapping[str, Sequence[Mode]] = {
    "openinference": (
        Mode(promise="all content comes out", shows={"attribute": _ALL}),
        _hide("INPUTS", "no input.value, llm.input_messages, llm.tools", _PUT, r"input\.value|llm\.(input_mess|tools)"),
        _hide("OUTPUTS", "no output.value, no llm.output_messages", _ANSWERED, r"output\.value|llm\.output_messages\."),
        _hide("INPUT_MESSAGES", "no llm.input_messages", _ASKED, r"llm\.input_messages\."),
        _hide("OUTPUT_MESSAGES", "no llm.output_messages", _ANSWERED, r"llm\.output_messages\."),
        _hide("INPUT_TEXT", "no text in llm.input_messages", _ASKED, rf"llm\.input_messages\.N\.{_TEXT}"),
        _hide("OUTPUT_TEXT", "no text in llm.output_messages", _ANSWERED, rf"llm\.output_messages\.N\.{_TEXT}"),
        _hide("INPUT_IMAGES", "no image in llm.input_messages", _IMAGE, r"llm\.input_messages\..*image"),
        _hide("LLM_TOOLS", "no llm.tools", _TOOLS, r"llm\.tools\."),
        _hide("LLM_INVOCATION_PARAMETERS", "no llm.invocation_parameters", _USER, r"llm\.invocation_parameters"),
        _hide("EMBEDDINGS_TEXT", "no text in embedding.embeddings", _PROMPT, _EMBEDDINGS),
        _hide("EMBEDDINGS_VECTORS", "no vector in embedding.embeddings", _VECTOR, _EMBEDDINGS),
        _hide("EMBEDDING_VECTORS", "no vector in embedding.embeddings (old name of the switch)", _VECTOR, _EMBEDDINGS),
        _hide("RETRIEVAL_DOCUMENTS", "no content in retrieval.documents", _EVERYTHING, r"retrieval\.documents\."),
        _hide("PROMPTS", "no llm.prompts", _PROMPT, r"llm\.prompts"),
        _hide("CHOICES", "no llm.choices", _OUTPUT, r"llm\.choices"),
    ),
    "traceloop": (
        Mode(promise="all content comes out", shows={"attribute": _ALL}),
        Mode(
            environ={"TRACELOOP_TRACE_CONTENT": "false"},
            promise="no prompt, completion or embedding",
            hides=_ALL | _IMAGE | _VECTOR,
        ),
    ),
    "otel-genai": (
        Mode(promise="no content", hides=_EVERYTHING, logs=False),
        Mode(environ={_CAPTURE: "NO_CONTENT"}, promise="no content", hides=_EVERYTHING, logs=False),
        _on_spans("SPAN_ONLY", "content on spans, no events", logs=False),
        Mode(
            environ={_CAPTURE: "EVENT_ONLY"},
            promise="content in events, none on spans",
            hides=_EVERYTHING,
            where=r"(attribute|event|link|name|status).*",
            shows={"log": _ALL},
        ),
        Mode(
            environ={_CAPTURE: "SPAN_AND_EVENT"},
            promise="content on spans and in events",
            shows={"attribute": _ALL, "log": _ALL},
        ),
        Mode(
            environ={_CAPTURE: "NO_CONTENT", _EMIT: "true"},
            promise="events without content",
            hides=_EVERYTHING,
            logs=True,
        ),
        _on_spans("SPAN_ONLY", "content on spans, events without content", logs=True, emit="true"),
        Mode(
            environ={_CAPTURE: "EVENT_ONLY", _EMIT: "false"},
            promise="no events, no content",
            hides=_EVERYTHING,
            logs=False,
        ),
        _on_spans("SPAN_AND_EVENT", "content on spans, no events", logs=False, emit="false"),
    ),
    "native-anthropic": (
        Mode(promise="no content", hides=_EVERYTHING),
        Mode(
            environ={"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"},
            promise="all content comes out",
            shows={"attribute": _ALL},
        ),
    ),
    "langfuse": (Mode(promise="all content comes out", shows={"attribute": _ALL}),),
    "logfire": (Mode(promise="all content comes out", shows={"attribute": _ALL}),),
    "mlflow": (Mode(promise="all content comes out", shows={"attribute": _ALL}),),
    "by-hand": (Mode(promise="only the attributes that the wrapper sets"),),
}  # fmt: skip
"""The modes of each instrumentor, its default first."""
