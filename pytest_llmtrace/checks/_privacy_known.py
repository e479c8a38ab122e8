"""The secrets and the content of a call, taken from its exchanges: nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import base64, json, re
from pytest_llmtrace.canaries import PLACES, Kind, Sought, is_wordy
from pytest_llmtrace.model import Call, Exchange, Headers, Reading, SpanRecord
from pytest_llmtrace.secrets.body_text import hits_in_body
from pytest_llmtrace.secrets.names import is_mask, is_secret_header, may_hold_secret_field
from pytest_llmtrace.secrets.shapes import is_stand_in
from pytest_llmtrace.secrets.urls import hits_in_url

__all__ = ["answered_in", "asked_in", "contents", "ids_of", "secrets_of"]

# --- secrets ---------------------------------------------------------------------------------------------------------

_SOUNDS_SECRET = re.compile(r"(?i)api-?key|secret|passw|credential|cookie|auth(?!or(?:$|-))|token(?!s)")
# Left out of cassettes like secrets, since they are new on every run; but spans are where they belong.
_TRACE_CONTEXT = frozenset({"amz-sdk-invocation-id", "baggage", "traceparent", "tracestate", "x-amz-date"})
_NOUNS = {
    "api-key": "the API key",
    "authorization": "the API key",
    "cookie": "a cookie",
    "openai-organization": "the organization",
    "openai-project": "the project",
    "anthropic-organization-id": "the organization",
    "set-cookie": "a cookie",
    "x-api-key": "the API key",
    "x-goog-api-key": "the API key",
    "x-provider-api-key": "the provider's key",
}
_HOMES = {"anthropic-organization-id": PLACES["organization"].home}
_OF_RESPONSES = frozenset({"anthropic-organization-id", "openai-organization", "openai-project", "set-cookie"})


def secrets_of(
    exchanges: Sequence[Exchange], canaries: Iterable[Sought] = (), spans: Sequence[SpanRecord] = ()
) -> Iterator[Sought]:
    """Yield the secrets of a trace: the canaries that stand for secrets, and the secrets that its exchanges carry.

    Args:
        exchanges: The exchanges.
        canaries: The canaries that were handed out to the test.
        spans: The spans, which name providers.
    """
    yield from (canary for canary in canaries if canary.kind == "secret")
    yield from (sought for sought in _secrets(exchanges) if not _is_name(sought.value, exchanges, spans))


def _secrets(exchanges: Iterable[Exchange]) -> Iterator[Sought]:
    """Yield the secrets that exchanges carry: in headers, in the URL, and in fields of the body whose names say so.

    A mask that stands in the place of a secret in a recording is not a secret.
    """
    seen: set[tuple[object, ...]] = set()
    for exchange in exchanges:
        carried = _in_heads(exchange, seen)
        if may_hold_secret_field(exchange.request.body):
            carried += _in_body(exchange.request.body)
        for value, what, where, home in carried:
            if not is_mask(value):
                where = f"{where}, exchange {exchange.index}"  # noqa: PLW2901
                yield Sought(value=value, what=what, where=where, kind="secret", home=home)


def _is_name(value: str, exchanges: Iterable[Exchange], spans: Iterable[SpanRecord]) -> bool:
    """Tell whether a value of words alone is the name of a host or of a provider, as `lm-studio` is, and no secret.

    Other values of words, as `dummy-key`, are looked for: where a test's key comes out, a real one does too.
    """
    if not is_wordy(value):
        return False
    named = any(value == span.attributes.get(key) for span in spans for key in _PROVIDERS)
    return named or any(value in _labels_of_host(one.request.url) for one in exchanges)


def _labels_of_host(url: str) -> list[str]:
    try:
        return (urlsplit(url).hostname or "").split(".")
    except ValueError:  # A URL that no client would have sent.
        return []


_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")


_Carried = tuple[str, str, str, str]
"""A value, what it is, where it stands, and the attribute that is documented to hold it, empty if there is none."""


def _in_heads(exchange: Exchange, seen: set[tuple[object, ...]]) -> list[_Carried]:
    """Return the secrets in headers and URL; none if an earlier exchange had exactly the same ones."""
    request, response = exchange.request, exchange.response
    asked = _named(request.headers, _of_requests)
    answered = _named(response.headers, _of_responses) if response else ()
    in_url = _in_url(request.url)
    heads = (*asked, *answered, *in_url)
    if not heads or heads in seen:
        return []
    seen.add(heads)
    return [
        *((part, _NOUNS.get(name, f"the header {name}"), f"request header {name}", "") for name, part in _apart(asked)),
        *((part, _NOUNS[name], f"response header {name}", _HOMES.get(name, "")) for name, part in _apart(answered)),
        *in_url,
    ]


def _apart(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, part) for name, value in headers for part in _parts(name, value))


def _in_body(body: bytes) -> list[_Carried]:
    hits = (hit for hit in hits_in_body(body.decode("utf-8", "replace")) if hit.by == "field")
    secret = (hit for hit in hits if not (_IN_CONTENT.match(hit.place) and _is_talk(hit.value)))
    return [(hit.value, hit.what, f"request body {hit.place}", "") for hit in secret]


_IN_CONTENT = re.compile(r"\$\.(?:messages|input|instructions|prompt|system)(?![\w'])")
_TALK = re.compile(
    r"""(?x)
      [a-z]+ (?:[^A-Za-z0-9]+ [a-z]+)* [^A-Za-z0-9]* | [^A-Za-z0-9]+ [a-z]+ (?:[^A-Za-z0-9]+ [a-z]+)*
    | [a-z]+ (?:[._] [a-z0-9]+){2,}                    # The name of a rule: min_length_12.
    | \$ [{(].* | \{\{.* | %\w+% | \#/.* | \^.*\$         # Variables, JSON pointers, patterns.
    | (?i:env|os|process|secrets?|vault) [:.].* | ENV\[.*
    | (?:[^0-9]*[^A-Za-z0-9])? (?i:passw(?:or)?d) (?:[^A-Za-z0-9][^0-9]*)?  # It names itself.
    """
)


def _is_talk(value: str) -> bool:
    """Tell whether the value of a secret's field, in a prompt, only speaks of a secret.

    Prompts hold code, forms and the messages of validators: `{"password": "too_short"}`, `${DB_PASSWORD}`,
    `input[type=password]`. In fields of the request itself, each value is looked for: where a test's key comes out, a
    real one does too.
    """
    return _TALK.fullmatch(value) is not None or (is_stand_in(value) and not _HASHED.match(value))


_HASHED = re.compile(r"\$[0-9]")  # As bcrypt writes a password; a variable of a shell may look like it.


@lru_cache(maxsize=256)
def _in_url(url: str) -> tuple[_Carried, ...]:
    """Return the secrets in a URL; cached, since most calls go to the same URLs."""
    return tuple(
        (unquote(hit.value).removesuffix("@").rpartition(":")[2], hit.what, f"request URL {hit.place}".rstrip(), "")
        for hit in hits_in_url(url)
        if hit.by in {"field", "user"}
    )


def _named(headers: Headers, choose: Callable[[tuple[str, ...]], tuple[int, ...]]) -> list[tuple[str, str]]:
    """Return the headers whose names `choose` picks, in lower case; most exchanges share all names, so it is cached."""
    chosen = choose(tuple([name for name, _ in headers]))
    return [(headers[index][0].lower(), headers[index][1]) for index in chosen] if chosen else []


@lru_cache(maxsize=256)
def _of_requests(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(index for index, name in enumerate(names) if _is_secret_name(name.lower()))


@lru_cache(maxsize=256)
def _of_responses(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(index for index, name in enumerate(names) if name.lower() in _OF_RESPONSES)


def _is_secret_name(lower: str) -> bool:
    """Tell whether a header, in lower case, is secret by its name."""
    return lower not in _TRACE_CONTEXT and (is_secret_header(lower) or _SOUNDS_SECRET.search(lower) is not None)


def _parts(name: str, value: str) -> Iterator[str]:
    """Yield the secrets in a header: its value without a scheme, cookies without names, a `Basic` password too."""
    if "cookie" in name:
        pairs = value.split(";") if name == "cookie" else value.split(";")[:1]
        yield from (pair.partition("=")[2].strip() for pair in pairs)
        return
    scheme, _, credentials = value.partition(" ")
    yield credentials.strip() or value
    if scheme.lower() == "basic":
        try:
            yield base64.b64decode(credentials).decode("utf-8").partition(":")[2]
        except ValueError:
            return


# --- ids -------------------------------------------------------------------------------------------------------------

_REQUEST_IDS = frozenset({"request-id", "x-request-id"})


def ids_of(calls: Iterable[Call]) -> Iterator[Sought]:
    """Yield the ids that belong to one call or to something in it: of responses, requests and tool calls.

    An id of words alone, as a mock may have, is left out: it may be a name as well.
    """
    for call in calls:
        for exchange, truth in zip(call.exchanges, call.truths, strict=False):
            for value, what in _ids(exchange, truth):
                if isinstance(value, str) and not is_wordy(value):
                    yield Sought(value=value, what=what, where=f"response, exchange {exchange.index}", kind="id")


def _ids(exchange: Exchange, truth: Reading) -> Iterator[tuple[Any, str]]:
    yield truth.response_id, "the id of a response"
    yield from ((made.get("id"), "the id of a tool call") for made in truth.tool_calls or ())
    for name, value in exchange.response.headers if exchange.response else ():
        if name.lower() in _REQUEST_IDS:
            yield value, "the id of a request"


# --- contents --------------------------------------------------------------------------------------------------------

_USER = "the user's id"
_ROOTS: Mapping[str, str] = {
    "input": "the prompt",
    "instructions": "the system prompt",
    "messages": "the prompt",
    "prompt": "the prompt",
    "safety_identifier": _USER,
    "system": "the system prompt",
    "user": _USER,
}
_BY_ROLE = {
    "assistant": "an earlier answer",
    "developer": "the system prompt",
    "function": "the tool's result",
    "system": "the system prompt",
    "tool": "the tool's result",
    "user": "the prompt",
}
_BY_TYPE = {
    "custom_tool_call": "the tool's arguments",
    "custom_tool_call_output": "the tool's result",
    "function_call": "the tool's arguments",
    "function_call_output": "the tool's result",
    "tool_result": "the tool's result",
    "tool_use": "the tool's arguments",
}
# Fields that tell how something was said, not what was said.
_STRUCTURE = frozenset(
    {
        "cache_control",
        "call_id",
        "detail",
        "encrypted_content",
        "format",
        "id",
        "media_type",
        "model",
        "name",
        "role",
        "signature",
        "status",
        "tool_call_id",
        "tool_use_id",
        "type",
    }
)
_ANSWERS = {"output_texts": "the answer", "reasoning_texts": "the reasoning", "refusals": "the answer"}


def contents(calls: Iterable[Call]) -> Iterator[Sought]:
    """Yield what was said in calls: prompts, system prompts, tool arguments and results, answers, ids of users."""
    for call in calls:
        yield from asked_in(call)
        yield from answered_in(call)


def asked_in(call: Call) -> Iterator[Sought]:
    """Yield the content of a call's request, and the id of its user."""
    exchange = call.exchanges[-1]
    body = wire.request_body(exchange.request)
    elsewhere = {value for key in body.keys() - _ROOTS.keys() for _, value, _ in _leaves(body[key], key, "")}
    roots = [(key, body[key], what) for key, what in _ROOTS.items() if key in body]
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping) and "user_id" in metadata:
        roots.append(("metadata.user_id", metadata["user_id"], _USER))
    for key, value, what in roots:
        for place, text, noun in _leaves(value, key, what):
            if text not in elsewhere:  # A text that is also the name of a model or a tool is not the user's content.
                kind: Kind = "id" if noun == _USER else "content"
                where = f"request body {place}, exchange {exchange.index}"
                yield Sought(value=text, what=noun, where=where, kind=kind)


def answered_in(call: Call) -> Iterator[Sought]:
    """Yield the content of a call's response."""
    for truth in call.truths[-1:]:
        yield from _answered(truth)


def _answered(truth: Reading) -> Iterator[Sought]:
    for name, what in _ANSWERS.items():
        fact = truth.fact(name)
        for text in fact.value or ():
            if isinstance(text, str):
                yield Sought(value=text, what=what, where=fact.place, kind="content")
    fact = truth.fact("tool_calls")
    for made in fact.value or ():
        for _, text, what in _leaves(made["arguments"], "", "the tool's arguments"):
            yield Sought(value=text, what=what, where=fact.place, kind="content")


def _leaves(value: Any, place: str, what: str, deepest: int = 12) -> Iterator[tuple[str, str, str]]:
    """Yield the texts in a value, each with its place and what it is; if a text is JSON, also the texts in that."""
    if isinstance(value, str):
        yield place, value, what
        inner = _parsed(value)
        if inner is not None and deepest:
            yield from _leaves(inner, place, what, deepest - 1)
    elif isinstance(value, list) and deepest:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]", what, deepest - 1)
    elif isinstance(value, Mapping) and deepest:
        what = _noun_of(value) or what
        for key, item in value.items():
            if key not in _STRUCTURE:
                noun = "the tool's arguments" if key == "arguments" else what
                yield from _leaves(item, f"{place}.{key}", noun, deepest - 1)


def _noun_of(message: Mapping[str, Any]) -> str | None:
    kind, role = message.get("type"), message.get("role")
    by_type = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    return by_type or (_BY_ROLE.get(role) if isinstance(role, str) else None)


def _parsed(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
