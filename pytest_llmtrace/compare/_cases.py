"""The cases for every instrumentor: the built-in cassettes, and scripted replies in each gateway's form."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final

from pytest_llmtrace import _sdks, replay, wire
from pytest_llmtrace.compare._addresses import BASES, request_to
from pytest_llmtrace.compare._case import Case
from pytest_llmtrace.compare._mishaps import QUESTION, WITH_USAGE, mishaps
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Cassette
from pytest_llmtrace.replay.gateways import GATEWAYS, Gateway

__all__ = ["Case", "chosen", "every_case", "lacking", "refuse"]


def every_case() -> tuple[Case, ...]:
    """Return all cases in which nothing is made to go wrong, in a fixed order."""
    return (*_recorded(), *_scripted())


def chosen(ids: Iterable[str]) -> tuple[Case, ...]:
    """Return the cases, mishaps included, whose id begins with one of the given ids; all cases if none is given."""
    wanted = tuple(ids)
    return tuple(case for case in (*every_case(), *mishaps()) if not wanted or case.id.startswith(wanted))


def refuse(ids: Iterable[str]) -> None:
    """Refuse an id if no case's id begins with it, or if none of its cases can be made here.

    Raises:
        UsageError: If there is such an id; the text names the nearest cases, or the packages to install.
    """
    for wanted in ids:
        cases = chosen([wanted])
        if not cases:
            near = difflib.get_close_matches(wanted, [case.id for case in chosen(())], 3, 0.4)
            hint = f"the nearest: {', '.join(near)}" if near else "docs/instrumentors.md lists all cases"
            raise UsageError(f"no case has an id that begins with {wanted!r}; {hint}")
        needed = lacking(cases)
        if needed.total() == len(cases):
            raise UsageError(f"{wanted}: {', '.join(map(_sdks.advice, needed))}")


def lacking(cases: Iterable[Case]) -> Counter[str]:
    """Count the cases that cannot be made here, by the missing package that their SDK needs besides itself."""
    missing = (_sdks.missing(case.request) for case in cases)
    return Counter(package for package in missing if package and package not in _sdks.INSTRUMENTORS)


# --- recorded --------------------------------------------------------------------------------------------------------


def _recorded() -> Iterator[Case]:
    folder = next(folder for folder in replay.builtin_dirs() if folder.is_dir())
    for path in sorted(folder.rglob("*.yaml")):
        label = f"builtin:{path.relative_to(folder).with_suffix('').as_posix()}"
        cassette = replay.load(path, label=label)
        for recording in cassette.recordings:
            if wire.identify(recording.request) is not None:
                alone = replace(cassette, recordings=(recording,))
                yield Case(id=f"{label}#{recording.index}", request=recording.request, prepare=_playing(alone))


def _playing(cassette: Cassette) -> Callable[[LLMTrace], AbstractContextManager[object]]:
    return lambda trace: trace.replay(cassette)


# --- scripted --------------------------------------------------------------------------------------------------------

Script = Callable[[Gateway], Gateway]

_CALLS: Final = (
    {"name": "get_weather", "arguments": {"city": "Paris", "days": 2}},
    {"name": "get_time", "arguments": {"zone": "CET"}},
)
_CHAT_USAGE: Final = {
    "prompt_tokens": 1040,
    "completion_tokens": 57,
    "prompt_tokens_details": {"cached_tokens": 1024},
    "completion_tokens_details": {"reasoning_tokens": 32},
}
_RESPONSES_USAGE: Final = {
    "input_tokens": 1040,
    "output_tokens": 57,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens_details": {"reasoning_tokens": 32},
}
_MESSAGES_USAGE: Final = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "output_tokens": 5,
}
_TOOLS: Final = [
    {
        "type": "function",
        "function": {"name": name, "description": name, "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("get_weather", "get_time")
]


def _scripted() -> Iterator[Case]:
    for name in BASES:
        for api, modes in _MODES.items():
            if api in GATEWAYS[name].forms:
                for mode, body, script in modes:
                    request = request_to(name, api, {**_ASKED[api], **body})
                    yield Case(id=f"scripted:{name}/{api}-{mode}", request=request, prepare=_scripting(name, script))


def _scripting(gateway: str, script: Script) -> Callable[[LLMTrace], AbstractContextManager[object]]:
    return lambda trace: nullcontext(script(trace.gateway(gateway)))


_ASKED: Final[Mapping[str, Mapping[str, Any]]] = {
    "chat": {"messages": QUESTION, "max_tokens": 256, "temperature": 0.5, "top_p": 0.9},
    "responses": {"input": "What is OpenTelemetry?", "max_output_tokens": 256, "temperature": 0.5},
    "embeddings": {"input": ["one", "two"], "dimensions": 8, "encoding_format": "float"},
    "messages": {"messages": QUESTION, "max_tokens": 256, "temperature": 0.5, "stop_sequences": ["END"]},
}
_STREAM: Final = {"stream": True}

Mode = tuple[str, Mapping[str, Any], Script]


def _talk(api: str, usage: Mapping[str, Any], stream: Mapping[str, Any], tools: Mapping[str, Any]) -> tuple[Mode, ...]:
    """Return the modes that the three conversational APIs share."""

    def says(**said: Any) -> Script:
        return lambda gateway: getattr(gateway, api)(**said)

    answers: tuple[tuple[str, Mapping[str, Any], Script], ...] = (
        ("plain", {}, says(text="A standard.")),
        ("cached", {}, says(text="A standard.", usage=usage)),
        ("tools", tools, says(tool_calls=_CALLS, usage=usage)),
        ("text-and-tools", tools, says(text="Let me see.", tool_calls=_CALLS[:1])),
    )
    streamed = tuple((f"{mode}-stream", {**body, **stream}, script) for mode, body, script in answers)
    failed: tuple[Mode, ...] = (
        ("limited", {}, lambda gateway: gateway.error(429, retry_after=0, api=api)),
        ("overloaded-stream", stream, lambda gateway: gateway.error(503, api=api)),
        ("fails-midway-stream", stream, lambda gateway: gateway.error(500, text="A standard.", after=2, api=api)),
    )
    return (*answers, *streamed, *failed)


_MODES: Final[Mapping[str, tuple[Mode, ...]]] = {
    "chat": (
        *_talk("chat", _CHAT_USAGE, WITH_USAGE, {"tools": _TOOLS}),
        ("choices", {"n": 2}, lambda gateway: gateway.chat(choices=["One.", "Two three."])),
        ("choices-stream", {"n": 2, **WITH_USAGE}, lambda gateway: gateway.chat(choices=["One.", "Two three."])),
        ("length", {}, lambda gateway: gateway.chat(text="A stan", finish_reason="length")),
        ("refusal", {}, lambda gateway: gateway.chat(refusal="I will not.")),
        ("no-usage-stream", _STREAM, lambda gateway: gateway.chat(text="A standard.")),
    ),
    "responses": (
        *_talk(
            "responses",
            _RESPONSES_USAGE,
            _STREAM,
            {"tools": [{"type": "function", "strict": False, **tool["function"]} for tool in _TOOLS]},  # type: ignore[dict-item]
        ),
        ("incomplete", {}, lambda gateway: gateway.responses(text="A stan", incomplete="max_output_tokens")),
        ("reasoning", {}, lambda gateway: gateway.responses(text="A standard.", reasoning="Think.")),
    ),
    "embeddings": (
        ("plain", {}, lambda gateway: gateway.embeddings()),
        ("base64", {"encoding_format": "base64"}, lambda gateway: gateway.embeddings()),
        ("limited", {}, lambda gateway: gateway.error(429, retry_after=0, api="embeddings")),
    ),
    "messages": (
        *_talk(
            "messages",
            _MESSAGES_USAGE,
            _STREAM,
            {
                "tools": [
                    {"name": name, "description": name, "input_schema": {"type": "object", "properties": {}}}
                    for name in ("get_weather", "get_time")
                ]
            },
        ),
        ("length", {}, lambda gateway: gateway.messages(text="A stan", stop_reason="max_tokens")),
        ("reasoning-stream", _STREAM, lambda gateway: gateway.messages(text="A standard.", reasoning="Think.")),
    ),
}
