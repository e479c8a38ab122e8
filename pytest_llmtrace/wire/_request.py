"""Read the facts in a request: what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmtrace.wire._facts import (
    MISSING,
    Facts,
    Spot,
    anything,
    count,
    flag,
    integer,
    number,
    placed,
    text,
    texts,
)
from pytest_llmtrace.wire._history import state_past_calls
from pytest_llmtrace.wire._offered import state_tools
from pytest_llmtrace.wire._prompt import state_prompt
from pytest_llmtrace.wire._url import Asked, asked

__all__ = ["PARAMETERS", "state_request"]

_WHERE = "request body"
_URL = "request URL"
# Fact -> the type that it must have, and the fields that may state it, by preference.
PARAMETERS: Mapping[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "max_tokens": (count, ("max_completion_tokens", "max_output_tokens", "max_tokens")),
    "temperature": (number, ("temperature",)),
    "top_p": (number, ("top_p",)),
    "top_k": (integer, ("top_k",)),
    "frequency_penalty": (number, ("frequency_penalty",)),
    "presence_penalty": (number, ("presence_penalty",)),
    "seed": (integer, ("seed", "random_seed")),  # The latter is Mistral's.
    "stop": (texts, ("stop", "stop_sequences")),
    "choice_count": (count, ("n",)),
    "tool_choice": (anything, ("tool_choice", "function_call")),  # The latter came before `tool_choice`.
}
_NAMED = {key: name for name, (_, keys) in PARAMETERS.items() for key in keys}


def state_request(facts: Facts, body: Mapping[str, Any], url: str, api: str) -> None:
    """State the facts of a request from its body, or from the path of its URL where the body leaves them out."""
    spots = [placed((body.get("model", MISSING), "model", _WHERE))]
    by_path = None if isinstance(body.get("model"), str) else asked(url)
    if by_path:
        spots.append(Spot(by_path.model, by_path.key, _URL))
    facts.take("request_model", text, spots)
    _state_streaming(facts, body, by_path)
    state_prompt(facts, body, api)
    state_past_calls(facts, body, api)
    state_tools(facts, body, api)
    if api == "embeddings":
        facts.take("dimensions", count, [Spot(body.get("dimensions", MISSING), "dimensions", _WHERE)])
        return
    facts.expect(PARAMETERS, _WHERE)
    named = {_NAMED[key] for key in body if key in _NAMED}
    for name in PARAMETERS if named else ():
        if name in named:
            kind, keys = PARAMETERS[name]
            facts.take(name, kind, [placed((body[key], key, _WHERE)) for key in keys if key in body])


def _state_streaming(facts: Facts, body: Mapping[str, Any], by_path: Asked | None) -> None:
    said = body.get("stream")
    if by_path and by_path.streamed is not None:
        parts = (("invoke-with-response-stream", True),) if by_path.streamed else ()
        facts.put("streaming", value=by_path.streamed, parts=parts, where=_URL)
    elif said is None:  # The API's default.
        facts.put("streaming", value=False, parts=(("stream", None),) if "stream" in body else (), where=_WHERE)
    else:
        facts.take("streaming", flag, [Spot(said, "stream", _WHERE)])
