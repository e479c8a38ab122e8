"""Do values that a span copies unchanged from the request or the response stand there?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.model import Finding
from pytest_llmtrace.secrets.json_text import parsed

__all__ = ["COPIED"]


# The values that are right, each with the field that has it and the place of that field.
_Right = dict[Any, tuple[str, str]]
_Source = Callable[[Account], _Right]


def _asked(*fields: str, words: Mapping[str, str] = MappingProxyType({})) -> _Source:
    """Return what reads one of several fields of the requests; the value of the last attempt comes first.

    Args:
        fields: The fields; a path has dots.
        words: The convention's words for values that it spells otherwise; the field's own spelling is right as well.
    """

    def read(account: Account) -> _Right:
        right: _Right = {}
        for exchange in reversed(account.call.exchanges):
            for field in fields:
                value = wire.asked_with(exchange.request, field)
                if isinstance(value, _SCALAR):
                    place = (f"{field} = {shown(value)}", f"{place_of_exchange(exchange)}, request body")
                    right.update(dict.fromkeys((value, words.get(str(value), value)), place))
        return right

    return read


def _answered(*fields: str) -> _Source:
    """Return what reads one of several fields of the response; in a stream, those of any event."""

    def read(account: Account) -> _Right:
        exchange = account.exchange
        return {
            value: (f"{field} = {shown(value)}", f"{place_of_exchange(exchange)}, {where}")
            for field in fields
            for value, where in wire.answered_with(exchange, field).items()
        }

    return read


def _api(account: Account) -> _Right:
    """Return the API that was called, if it is one of the two for which OpenAI's convention has a word."""
    word = _APIS.get(account.asked.api or "")
    request = account.exchange.request
    called = (f"{request.method} {urlsplit(request.url).path}", place_of_exchange(account.exchange))
    return {word: called} if word else {}


def _counted(side: str, kind: str) -> _Source:
    """Return what reads the tokens of one kind, as chat completions (`prompt`, `completion`) or responses name them."""
    older = {"input": "prompt", "output": "completion"}[side]
    return _answered(f"usage.{side}_tokens_details.{kind}", f"usage.{older}_tokens_details.{kind}")


_APIS = {"chat": "chat_completions", "responses": "responses"}
_JSON = {"json_object": "json", "json_schema": "json"}
_FORMATS = ("response_format.type", "text.format.type", "output_config.format.type", "output_format.type")

_TIER_ASKED = _asked("service_tier")
_TIER = _answered("service_tier")
_FINGERPRINT = _answered("system_fingerprint")
_EFFORT = _asked("reasoning.effort", "reasoning_effort", "output_config.effort")

_SOURCES: Mapping[str, _Source] = {
    "openai.api.type": _api,
    "openai.request.service_tier": _TIER_ASKED,
    "gen_ai.openai.request.service_tier": _TIER_ASKED,
    "openai.response.service_tier": _TIER,
    "gen_ai.openai.response.service_tier": _TIER,
    "openai.response.system_fingerprint": _FINGERPRINT,
    "gen_ai.openai.response.system_fingerprint": _FINGERPRINT,
    "gen_ai.openai.system_fingerprint": _FINGERPRINT,
    "gen_ai.request.reasoning.level": _EFFORT,
    "gen_ai.request.reasoning_effort": _EFFORT,
    "gen_ai.request.encoding_formats": _asked("encoding_format"),
    "gen_ai.request.previous_response.id": _asked("previous_response_id"),
    "gen_ai.output.type": _asked(*_FORMATS, words=_JSON),
    "gen_ai.openai.request.response_format": _asked(*_FORMATS),
    "gen_ai.response.status": _answered("status"),
    "gen_ai.usage.text.input_tokens": _counted("input", "text_tokens"),
    "gen_ai.usage.text.output_tokens": _counted("output", "text_tokens"),
    "gen_ai.usage.text.cache_read.input_tokens": _counted("input", "cached_tokens_details.text_tokens"),
    "gen_ai.usage.image.input_tokens": _counted("input", "image_tokens"),
    "gen_ai.usage.image.output_tokens": _counted("output", "image_tokens"),
    "gen_ai.usage.image.cache_read.input_tokens": _counted("input", "cached_tokens_details.image_tokens"),
    "gen_ai.usage.audio.cache_read.input_tokens": _counted("input", "cached_tokens_details.audio_tokens"),
}


# Attributes with the parameters of a request as JSON, under the API's own names, and the fields that no other check
# compares. Lists and schemas are left out, since SDKs and frameworks change these on their way to the request, and so
# are the names of users, which some suites replace by a hash.
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    # The attribute -> the fields without which its JSON is something else than a request.
    "llm.invocation_parameters": (),
    "embedding.invocation_parameters": (),
    "langfuse.observation.model.parameters": (),
    "input.value": ("model",),
    "mlflow.spanInputs": ("model",),
}
_COPIES: Mapping[str, _Source] = {
    field: _asked(field)
    for field in (
        *("background", "best_of", "cache_control.type", "echo", "encoding_format", "inference_geo", "logprobs"),
        *("max_tool_calls", "output_config.effort", "output_config.format.type", "output_format.type"),
        *("parallel_tool_calls", "previous_response_id", "prompt_cache_key", "prompt_cache_retention"),
        *("reasoning.effort", "reasoning.summary", "reasoning_effort", "response_format.type"),
        *("service_tier", "speed", "store", "stream_options.include_usage", "suffix", "text.format.type"),
        *("text.verbosity", "thinking.budget_tokens", "thinking.display", "thinking.type", "top_logprobs"),
        *("truncation", "verbosity"),
    )
}


def _copied(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        attributes = account.span.attributes
        for name, source in _SOURCES.items():
            if name in attributes:
                yield _judged(check, account, name, attributes[name], source(account))
        for name in _PARAMETERS:
            for field, mine in _copies(name, attributes.get(name)).items():
                yield _judged(check, account, f"{name}[{field}]", mine, _COPIES[field](account))


def _copies(name: str, raw: Any) -> Mapping[str, str | int | float]:
    return _copies_in(raw, _PARAMETERS[name]) if isinstance(raw, str) else {}


@lru_cache(maxsize=64)
def _copies_in(raw: str, needed: tuple[str, ...]) -> Mapping[str, str | int | float]:
    parameters = parsed(raw)
    if not isinstance(parameters, dict) or not parameters.keys() >= set(needed):
        return {}
    values = {field: wire.value_at(parameters, field) for field in _COPIES}
    return {field: value for field, value in values.items() if isinstance(value, _SCALAR)}


_SCALAR = (str, int, float)  # Boolean values are numbers in Python.


def _judged(check: Check, account: Account, place: str, mine: Any, right: _Right) -> Finding | None:
    values = mine if isinstance(mine, tuple | list) else (mine,)
    of_kinds = {type(value) for value in right}  # What is written in another type is for the checks of conventions.
    if all(type(value) not in of_kinds or value in right or is_masked(str(value)) for value in values):
        return None
    stated, where = next(iter(right.values()))
    return check.finding(account.span, ("span", f"{place} = {shown(mine)}"), ("wire", f"{stated}\n{where}"))


COPIED = Check(
    id="wire/copied",
    title="A value that a span copies from the request or the response is the one there",
    why="whoever looks up how a call was set up, or how it was billed, reads a value that nobody stated",
    next="take it from the field of the request or the response that the attribute is named after, if that field is "
    "there",
    look=_copied,
    compares="Attributes that repeat a field, under the names that OTel GenAI and OpenLLMetry have for them: the "
    "service tier that was asked for and the one that served, the system fingerprint, the reasoning effort, the "
    "encoding format of embeddings, the format of the output (`json` for a JSON schema or object), the previous "
    "response's id, the status of a response, and the tokens of each modality for which there is no check of its own. "
    "Each is compared with its field of the request or the response; in a stream, the field of any event is right. "
    "`openai.api.type` is compared with the API that was called. In JSON with the parameters of the request "
    "(OpenInference, Langfuse), the texts, numbers and switches that no other check compares are compared too, such as "
    "`store` or `thinking.budget_tokens`. Where the wire does not have the field, nothing is "
    "judged.",
    source="OTel GenAI, OpenAI: `openai.api.type`, `openai.request.service_tier`, `openai.response.service_tier`, "
    "`openai.response.system_fingerprint`; client inference span: `gen_ai.request.reasoning.level`, "
    "`gen_ai.request.encoding_formats`, `gen_ai.request.previous_response.id`, `gen_ai.output.type`, "
    "`gen_ai.usage.*`; fetching a response: `gen_ai.response.status`; OpenInference: `llm.invocation_parameters`",
)
