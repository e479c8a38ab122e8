"""Which attributes, and which fields of JSON in attributes, repeat a field of the request or the response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._words import place_of_exchange, shown
from pytest_llmtrace.reading import PRESENT

__all__ = ["ATTRIBUTES", "DUMPS", "SCALAR", "Bodies", "Right"]

SCALAR = (str, int, float)  # Boolean values are numbers in Python.

# A value that is right, the field that has it, and the place of that field.
Right = tuple[Any, str, str]


class Bodies:
    """The bodies of the exchanges of a call, each parsed only once, and only if one is asked for."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._seen: list[tuple[Mapping[str, Any], str]] = []

    @cached_property
    def asked(self) -> list[tuple[Mapping[str, Any], str]]:
        """The bodies of the requests with their places, that of the last attempt first."""
        return [
            (wire.request_body(exchange.request), f"{place_of_exchange(exchange)}, request body")
            for exchange in reversed(self.account.call.exchanges)
        ]

    def answered(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Yield the body of the last response, or those of its events, with their places; of a turn, of all responses.

        What is looked for mostly stands in one of the first events: the others are parsed only if they are needed.
        """
        yield from self._seen
        for answer in self._unseen:
            self._seen.append(answer)
            yield answer

    @cached_property
    def _unseen(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        account = self.account
        return (
            (body, f"{place_of_exchange(exchange)}, {where}")
            for exchange in (reversed(account.call.exchanges) if account.replies else (account.exchange,))
            for body, where in wire.answers(exchange.response)
        )


Source = Callable[[Bodies], Iterable[Right]]


def _asked(*fields: str, words: Mapping[str, str] = MappingProxyType({})) -> Source:
    """Return what reads one of several fields of the requests; the value of the last attempt comes first.

    Args:
        fields: The fields; a path has dots.
        words: The convention's words for values that it spells otherwise; the field's own spelling is right as well.
    """

    def read(bodies: Bodies) -> Iterator[Right]:
        for value, field, place in _values(bodies.asked, fields):
            yield value, field, place
            if value in words:
                yield words[value], field, place

    return read


def _answered(*fields: str) -> Source:
    """Return what reads one of several fields of the response; in a stream, those of any event."""

    def read(bodies: Bodies) -> Iterator[Right]:
        return _values(bodies.answered(), fields)

    return read


def _values(bodies: Iterable[tuple[Mapping[str, Any], str]], fields: tuple[str, ...]) -> Iterator[Right]:
    for body, where in bodies:
        for field in fields:
            value = wire.value_at(body, field)
            if isinstance(value, SCALAR):
                yield value, f"{field} = {shown(value)}", where


def _api(bodies: Bodies) -> Iterable[Right]:
    """Return the API that was called, if it is one of the two for which OpenAI's convention has a word."""
    account = bodies.account
    word = _APIS.get(account.asked.api or "")
    request = account.exchange.request
    called = f"{request.method} {urlsplit(request.url).path}"
    return [(word, called, place_of_exchange(account.exchange))] if word else []


def _status(bodies: Bodies) -> Iterable[Right]:
    """Return the statuses of all attempts, unless an error came inside a 200, whose own status a span may state."""
    account = bodies.account
    answered = [
        (exchange.response.status, exchange) for exchange in reversed(account.call.exchanges) if exchange.response
    ]
    if account.answered.fact("error").state is PRESENT and any(status < _ERRORS for status, _ in answered):
        return []
    return [(status, f"status {status}", place_of_exchange(exchange)) for status, exchange in answered]


_ERRORS = 400


def _method(bodies: Bodies) -> Iterable[Right]:
    exchange = bodies.account.exchange
    request = exchange.request
    return [(request.method, f"{request.method} {urlsplit(request.url).path}", place_of_exchange(exchange))]


def _counted(side: str, kind: str) -> Source:
    """Return what reads the tokens of one kind, as chat completions (`prompt`, `completion`) or responses name them."""
    older = {"input": "prompt", "output": "completion"}[side]
    return _of_one(_answered(f"usage.{side}_tokens_details.{kind}", f"usage.{older}_tokens_details.{kind}"))


def _used(field: str) -> Source:
    """Return what reads a field of the usage, which Anthropic's streams begin with."""
    return _of_one(_answered(f"usage.{field}", f"message.usage.{field}"))


def _of_one(source: Source) -> Source:
    """Return what reads a count of one reply: for a turn of several there is no field with its sum."""
    return lambda bodies: () if bodies.account.replies else source(bodies)


# Of Anthropic: the tokens that were written to a cache, by how long they live there.
_LIVES = ("cache_creation.ephemeral_1h_input_tokens", "cache_creation.ephemeral_5m_input_tokens")

_APIS = {"chat": "chat_completions", "responses": "responses"}
_JSON = {"json_object": "json", "json_schema": "json"}
_FORMATS = ("response_format.type", "text.format.type", "output_config.format.type", "output_format.type")

_TIER_ASKED = _asked("service_tier")
_TIER = _answered("service_tier")
_FINGERPRINT = _answered("system_fingerprint")
_EFFORT = _asked("reasoning.effort", "reasoning_effort", "output_config.effort")

ATTRIBUTES: Mapping[str, Source] = {
    "http.request.method": _method,
    "http.response.status_code": _status,
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
    "anthropic.response.service_tier": _answered("usage.service_tier", "message.usage.service_tier"),
    **{f"anthropic.usage.{name}": _used(name) for name in _LIVES},
}
"""The attributes that repeat a field."""


class Dump(NamedTuple):
    """What JSON in an attribute repeats.

    Attributes:
        needed: The fields without which it is something else.
        fields: Each field, and where its value comes from.
    """

    needed: tuple[str, ...]
    fields: Mapping[str, Source]


def _each(names: Iterable[str], make: Callable[[str], Source], before: str = "") -> dict[str, Source]:
    return {f"{before}{name}": make(name) for name in names}


# The fields of a request and a response that no other check compares. Lists and schemas are left out, since SDKs and
# frameworks change these on their way to the request, and so are the names of users, which some suites replace by a
# hash.
_PARAMETERS = _each(
    (
        *("background", "best_of", "cache_control.type", "echo", "encoding_format", "inference_geo", "logprobs"),
        *("max_tool_calls", "output_config.effort", "output_config.format.type", "output_format.type"),
        *("parallel_tool_calls", "previous_response_id", "prompt_cache_key", "prompt_cache_retention"),
        *("reasoning.effort", "reasoning.summary", "reasoning_effort", "response_format.type"),
        *("service_tier", "speed", "store", "stream_options.include_usage", "suffix", "text.format.type"),
        *("text.verbosity", "thinking.budget_tokens", "thinking.display", "thinking.type", "top_logprobs"),
        *("truncation", "verbosity"),
    ),
    _asked,
)
_COUNTS = (
    *_LIVES,
    *("completion_tokens_details.accepted_prediction_tokens", "completion_tokens_details.rejected_prediction_tokens"),
    *("inference_geo", "service_tier", "speed"),
)
_REPLY = {**_each(("service_tier", "system_fingerprint"), _answered), **_each(_COUNTS, _used, "usage.")}

DUMPS: Mapping[str, Dump] = {
    **dict.fromkeys(("llm.invocation_parameters", "embedding.invocation_parameters"), Dump((), _PARAMETERS)),
    "langfuse.observation.model.parameters": Dump((), _PARAMETERS),
    **dict.fromkeys(("input.value", "mlflow.spanInputs"), Dump(("model",), _PARAMETERS)),
    **dict.fromkeys(("output.value", "mlflow.spanOutputs"), Dump(("model",), _REPLY)),
    **dict.fromkeys(("gen_ai.usage.raw", "langfuse.observation.usage_details"), Dump((), _each(_COUNTS, _used))),
}
"""The attributes whose JSON repeats fields: of the request under the API's own names, or of the response."""
