"""The settings that each instrumentor has for content, and what each of them promises."""

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
_EVERYTHING = _ALL | _IMAGE | _TOOLS
_PROMPT = frozenset({"prompt"})
_USER = frozenset({"user_id"})


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One setting.

    Attributes:
        environ: How it is said.
        promise: What its documentation says, in a few words.
        hides: The places from which nothing comes out ...
        where: ... in what this regular expression matches: `channel key`.
        shows: The places from which something comes out in a channel, as `attribute` or `log`; of conversations, since
            OTel GenAI has no place for what is embedded.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    promise: str = ""
    hides: AbstractSet[str] = frozenset()
    where: str = ".*"
    shows: Mapping[str, AbstractSet[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the page names it."""
        return ", ".join(f"{key}={value}" for key, value in self.environ.items()) or "default"


def _hide(name: str, promise: str, hides: AbstractSet[str], where: str) -> Mode:
    environ = {f"OPENINFERENCE_HIDE_{name}": "true"}
    return Mode(environ=environ, promise=promise, hides=hides, where=rf"attribute (?:{where})")


_TEXT = r"message\.(?:content|contents\.N\.message_content\.text)$"
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON_SPANS = r"(attribute|event|link|name|status).*"
_IN_LOGS = r"log .*"

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
        _hide("EMBEDDINGS_TEXT", "no text in embedding.embeddings", _PROMPT, r"embedding\.embeddings\."),
        _hide("PROMPTS", "no llm.prompts", _ASKED, r"llm\.prompts"),
        _hide("CHOICES", "no llm.choices", _ANSWERED, r"llm\.choices"),
    ),
    "traceloop": (
        Mode(promise="all content comes out", shows={"attribute": _ALL}),
        Mode(
            environ={"TRACELOOP_TRACE_CONTENT": "false"},
            promise="no prompt, completion or embedding",
            hides=_ALL | _IMAGE,
        ),
    ),
    "otel-genai": (
        Mode(promise="no content", hides=_EVERYTHING),
        Mode(environ={_CAPTURE: "NO_CONTENT"}, promise="no content", hides=_EVERYTHING),
        Mode(
            environ={_CAPTURE: "SPAN_ONLY"},
            promise="content on spans, none in events",
            hides=_EVERYTHING,
            where=_IN_LOGS,
            shows={"attribute": _ALL},
        ),
        Mode(
            environ={_CAPTURE: "EVENT_ONLY"},
            promise="content in events, none on spans",
            hides=_EVERYTHING,
            where=_ON_SPANS,
            shows={"log": _ALL},
        ),
        Mode(
            environ={_CAPTURE: "SPAN_AND_EVENT"},
            promise="content on spans and in events",
            shows={"attribute": _ALL, "log": _ALL},
        ),
    ),
    "native-anthropic": (
        Mode(promise="no content", hides=_EVERYTHING),
        Mode(
            environ={"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"},
            promise="all content comes out",
            shows={"attribute": _ALL},
        ),
    ),
    "by-hand": (Mode(promise="nothing but what is set"),),
}  # fmt: skip
"""The modes of each instrumentor, its default first."""
