"""The messages of a model's answer, read from spans into one form, from which the facts are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from pytest_llmtrace.dialects._convert import Unreadable, brief, is_encoded, is_hidden, json_value
from pytest_llmtrace.dialects._place import Part
from pytest_llmtrace.model import SpanRecord
from pytest_llmtrace.reading import Chosen

__all__ = [
    "Message",
    "add_text",
    "call",
    "from_json",
    "from_value",
    "hear",
    "is_bare",
    "mapping",
    "message_of",
    "message_places",
    "numbered",
    "part_of",
    "sequence",
    "shows_prompt",
]

_LONGEST_INDEX = 9
_TEXT = (str, type(None))


@dataclass(kw_only=True, slots=True)
class Message:
    """One message of an answer.

    Attributes:
        texts: The pieces of its text; `reasoning` and `refusals` hold those of its reasoning and its refusals.
        repeated_texts: The same pieces, if the message states them a second time.
        transcripts: What is said in its audio, in words.
        calls: The tool calls that it asks for.
        repeated: The same calls, if the message states them a second time.
        finish_reason: The finish reason, as it stands on the span.
        hidden: Whether a text was masked.
        voiced: Whether some of it is audio, so that its text may be shown only as a transcript, or not at all.
        spoken: Whether it shows its content, so that the model did not write what it does not show.
        bare: Whether it has no content, only fields such as its role: either content is not captured, or there was
            none.
        partial: Whether it may have asked for tools that it does not show.
    """

    texts: list[str] = field(default_factory=list)
    repeated_texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    transcripts: list[str] = field(default_factory=list)
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    repeated: list[Mapping[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    hidden: bool = False
    voiced: bool = False
    spoken: bool = False
    bare: bool = False
    partial: bool = False


_OUTSIDE = frozenset({"role", "name", "index", "finish_reason"})


def is_bare(message: Mapping[str, Any]) -> bool:
    """Tell whether the fields of a message show none of its content."""
    return not any(value for key, value in message.items() if key not in _OUTSIDE)


def add_text(message: Message, into: list[str], value: Any) -> None:
    """Add a text to one of a message's lists (`into`), unless it is null, empty or masked."""
    if value is None:
        return
    if not isinstance(value, str):
        raise Unreadable(f"{brief(value)} is not a string")
    message.spoken = True
    if is_hidden(value):
        message.hidden = True
    elif value:
        into.append(value)


def hear(message: Message, transcript: Any) -> None:
    """Add audio to a message, with what is said in it, if the audio has a transcript."""
    message.voiced = True
    add_text(message, message.transcripts, transcript)


def call(identity: Any, name: Any, arguments: Any) -> Mapping[str, Any]:
    """Build a tool call; arguments that are a text are parsed, and stay a text if they are not JSON."""
    if not isinstance(identity, _TEXT) or not isinstance(name, _TEXT):
        raise Unreadable("the id or name of a tool call is not a string")
    return {"id": identity, "name": name, "arguments": _arguments(arguments)}


def _arguments(value: Any) -> Any:
    try:
        parsed = value if value is None else json_value(value)
    except Unreadable:
        return value
    return value if is_encoded(parsed) else parsed  # A reader of the span parses once, and gets no object.


# --- the answer as a whole, from which the facts are taken -----------------------------------------------------------


class _Said(NamedTuple):
    """What all messages of an answer say together: facts by their names, `None` for those that they do not state.

    Attributes:
        repeated: The tool calls, as they are stated a second time.
        repeated_texts: The texts, as they are stated a second time.
        transcripts: The texts where audio has them as transcripts.
        bare: Whether a message has no content: either content is not captured, or there was none.
    """

    output_texts: list[str | None] | None
    repeated_texts: list[str | None] | None
    transcripts: list[str | None] | None
    reasoning_texts: list[str | None] | None
    refusals: list[str] | None
    tool_calls: list[Mapping[str, Any]] | None
    repeated: list[Mapping[str, Any]] | None
    finish_reasons: list[str | None] | None
    bare: bool


def _said(messages: Sequence[Message]) -> _Said:
    texts, reasoning, reasons = [], [], []
    refusals: list[str] = []
    retold: list[str | None] = []
    spoken = hidden = twice = voiced = False
    for message in messages:
        spoken = spoken or message.spoken
        hidden = hidden or message.hidden or (message.voiced and not message.texts)
        voiced = voiced or message.voiced
        texts.append("".join(message.texts) or None)
        retold.append("".join(message.repeated_texts or message.texts) or None)
        twice = twice or bool(message.repeated_texts)
        reasoning.append("".join(message.reasoning) or None)
        reasons.append(message.finish_reason or None)
        refusals += message.refusals
    # Messages that show their content and ask for no tool state that no tool was called.
    alone = messages[0] if len(messages) == 1 else None
    calls = alone.calls if alone else Chosen.of([message.calls for message in messages])
    repeated = alone.repeated if alone else Chosen.of([message.repeated for message in messages])
    tells_calls = spoken and (bool(calls) or not any(message.partial for message in messages))
    return _Said(
        output_texts=texts if spoken and not hidden else None,
        repeated_texts=retold if twice else None,
        transcripts=_heard(messages) if voiced else None,
        reasoning_texts=reasoning if any(reasoning) else None,
        refusals=refusals or None,
        tool_calls=calls if tells_calls else None,
        repeated=repeated or None,
        finish_reasons=reasons if any(reasons) else None,
        bare=any(message.bare for message in messages),
    )


def _heard(messages: Sequence[Message]) -> list[str | None] | None:
    """Return the texts of messages, as transcripts where there are any; None if there are none."""
    if not any(message.transcripts for message in messages):
        return None
    return ["".join(message.transcripts or message.texts) or None for message in messages]


def message_places(
    key: str,
    reader: Callable[[Any], Sequence[Message]],
    labels: Mapping[str, str],
    *,
    flattened: bool = False,
) -> dict[str, Part]:
    """Make the places of the facts in the messages of an answer.

    Args:
        key: The attribute, or the prefix of the flattened list.
        reader: Reads its value into messages.
        labels: Fact -> the name of its place in reports: `output_texts` is at `...parts[text]`. `repeated` is the place
            that states tool calls a second time, `repeated_texts` the one that states texts a second time, and
            `transcripts` the one that states them as what is said in audio.
        flattened: Whether the key is a prefix.
    """

    def read(raw: Any) -> _Said:
        return _said(reader(raw))

    return {
        name: Part(
            keys=() if flattened else (key,),
            prefix=key if flattened else None,
            reader=read,
            take=attrgetter(name),
            otherwise=_OTHERWISE.get(name),
            label=label,
        )
        for name, label in labels.items()
    }


def _no_call(said: _Said, attributes: Mapping[str, Any]) -> list[Any] | None:
    """State that no tool was called, if a message has no content although the span shows the prompt.

    Switches for content govern both, so an answer that shows no content had none.
    """
    return [] if said.bare and _show_prompt(attributes) else None


def _no_text(said: _Said, attributes: Mapping[str, Any]) -> list[Any] | None:
    """State that there is no text, if a message has no content although the span shows the prompt."""
    return [None] if said.bare and _show_prompt(attributes) else None


_OTHERWISE = {"output_texts": _no_text, "tool_calls": _no_call}


def shows_prompt(span: SpanRecord) -> bool:
    """Tell whether a span shows content of its prompt."""
    return _show_prompt(span.attributes)


def _show_prompt(attributes: Mapping[str, Any]) -> bool:
    return any(_is_shown(key, value) for key, value in attributes.items())


def _is_shown(key: str, value: Any) -> bool:
    """Tell whether an attribute shows content of the prompt."""
    if key.startswith(_PROMPTS) and key.endswith(".content"):
        return isinstance(value, str) and bool(value) and not is_hidden(value)
    return key == _ASKED and _has_text(value)


_PROMPTS, _ASKED = ("gen_ai.prompt.", "llm.input_messages."), "gen_ai.input.messages"


def _has_text(raw: Any) -> bool:
    try:
        return not is_hidden(raw) and any(message.texts or message.calls for message in from_json(raw))
    except Unreadable:
        return False


# --- JSON: messages with parts, or as the chat API writes them -------------------------------------------------------


def sequence(value: Any, what: str) -> Sequence[Any]:
    """Return the value if it is a list, else raise `Unreadable`, in which `what` names the value."""
    if not isinstance(value, list | tuple):
        raise Unreadable(f"{what} is not a list")
    return value


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else raise `Unreadable`, in which `what` names the value."""
    if type(value) is not dict and not isinstance(value, Mapping):
        raise Unreadable(f"{what} is not an object")
    return value


def from_json(raw: Any) -> list[Message]:
    """Read messages from JSON: a list of them, or one."""
    return from_value(json_value(raw))


def from_value(value: Any) -> list[Message]:
    """Read messages from parsed JSON: a list of them, or one."""
    if type(value) is str and is_encoded(value):
        raise Unreadable("it was written as JSON twice, so it is a string and not a list")
    listed = [value] if isinstance(value, dict) else sequence(value, "the value")
    return [message_of(mapping(item, f"message {index}")) for index, item in enumerate(listed)]


def message_of(value: Mapping[str, Any]) -> Message:
    """Read one message of a list."""
    message = Message()
    reason = value.get("finish_reason", value.get("stop_reason"))  # The latter is Anthropic's.
    if not isinstance(reason, _TEXT):
        raise Unreadable("a finish reason is not a string")
    message.finish_reason = reason
    message.spoken = isinstance(value.get("parts"), list)  # A list of parts, even an empty one, shows all content.
    message.bare = is_bare(value)
    for part in _parts(value):
        part_of(message, mapping(part, "a part of a message"))
    return message


def _parts(value: Mapping[str, Any]) -> Iterator[Any]:
    parts = value.get("parts", value.get("content"))
    if isinstance(parts, str):
        yield {"type": "text", "content": parts}
    elif parts is not None:
        yield from sequence(parts, "the content of a message")
    if "parts" not in value:
        yield from _chat_extras(value)


def _chat_extras(value: Mapping[str, Any]) -> Iterator[Any]:
    """Yield, as parts, the audio, refusal and tool calls that the chat API writes beside the content of a message."""
    audio = value.get("audio")
    if isinstance(audio, Mapping):
        yield {"type": "audio", "transcript": audio.get("transcript")}
    if value.get("refusal") is not None:
        yield {"type": "refusal", "content": value["refusal"]}
    calls = value.get("tool_calls")
    for asked in () if calls is None else sequence(calls, "tool_calls"):
        function = mapping(asked, "a tool call").get("function", {})
        yield {**mapping(function, "the function of a tool call"), "type": "tool_call", "id": asked.get("id")}


def part_of(message: Message, part: Mapping[str, Any]) -> None:
    """Add a part to a message according to the part's type; parts of other types are skipped."""
    message.spoken = True
    kind = part.get("type")
    if kind in _CALLS:
        # An item of the Responses API has an id of its own beside the call's. From a stream, LangChain keeps the
        # arguments as a text, beside an empty `input`.
        identity, written = part.get("call_id") or part.get("id"), part.get("partial_json")
        asked = written or part.get("arguments", part.get("input"))
        message.calls.append(call(identity, part.get("name"), asked))
    elif isinstance(kind, str) and kind in _SAID:
        into, (name, other) = _SAID[kind]
        value = part.get(name)
        said = part.get(other) if value is None else value
        for text in _thoughts(said) if kind == "thinking" and isinstance(said, list) else (said,):
            add_text(message, getattr(message, into), text)
    elif kind in _AUDIO or part.get("modality") == "audio":
        hear(message, part.get("transcript"))


def _thoughts(thinking: Sequence[Any]) -> Iterator[Any]:
    """Yield the texts of Mistral's thinking, which is a list of parts."""
    return (part.get("text") for part in thinking if isinstance(part, Mapping))


_AUDIO = ("audio", "output_audio")  # In OpenTelemetry's form, audio is a `blob`, `file` or `uri` of that modality.
_CALLS = ("tool_call", "tool_use", "function_call")
_SAID: Mapping[str, tuple[str, tuple[str, str]]] = {
    "text": ("texts", ("content", "text")),
    "output_text": ("texts", ("text", "content")),
    "reasoning": ("reasoning", ("content", "text")),
    "thinking": ("reasoning", ("thinking", "content")),
    "refusal": ("refusals", ("content", "refusal")),
}


# --- flattened lists -------------------------------------------------------------------------------------------------


def numbered(flat: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Group the keys `<prefix><index>.<rest>` by index, in the order of the indexes; gaps of any width are allowed."""
    groups: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        if not key.startswith(prefix):
            continue
        index, dot, rest = key[len(prefix) :].partition(".")
        if dot and index.isdecimal() and index.isascii() and len(index) <= _LONGEST_INDEX:
            groups.setdefault(int(index), {})[rest] = value
    return [groups[index] for index in sorted(groups)]
