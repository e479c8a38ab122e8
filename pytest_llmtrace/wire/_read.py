"""Read an exchange into a `Reading`: the entry point of this package, which puts the facts of its modules together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_llmtrace.headers import by_name, header
from pytest_llmtrace.model import LOWEST_ERROR, Exchange, Reading, Request, Response, State
from pytest_llmtrace.wire import _chat, _chat_facts, _embeddings, _messages, _responses, _usage
from pytest_llmtrace.wire._api import fetched_id, read_request
from pytest_llmtrace.wire._body import is_stream, readable
from pytest_llmtrace.wire._document import Document, where_of
from pytest_llmtrace.wire._errors import state_error
from pytest_llmtrace.wire._events import Events
from pytest_llmtrace.wire._facts import Facts, text
from pytest_llmtrace.wire._gateway import gateway
from pytest_llmtrace.wire._headers import state_headers, state_provider
from pytest_llmtrace.wire._json import Broken, parse
from pytest_llmtrace.wire._request import state_request
from pytest_llmtrace.wire._sse import events, says_its_end
from pytest_llmtrace.wire._usage import fixed_input, state_cost

__all__ = [
    "billed_tokens",
    "executed_calls",
    "fetches",
    "is_done",
    "is_paused",
    "is_whole",
    "nameless_calls",
    "paused_at",
    "place_of_event",
    "read",
    "read_fetched",
    "resumed_at",
    "summaries",
]

T = TypeVar("T")

_STATE = {
    "chat": _chat_facts.state,
    "completions": _chat_facts.state,
    "embeddings": _embeddings.state,
    "messages": _messages.state,
    "responses": _responses.state,
}
# Facts that are put together from all events of a stream: if one event cannot be read, they cannot be known.
_FROM_ALL_EVENTS = frozenset({"finish_reasons", "output_texts", "reasoning_texts", "refusals", "tool_calls"})
_BODY = "response body"
_IN_BODY = (_BODY, "of the response")
# Gateways whose recorded streams all end with a usage object and `[DONE]` if the request asked for the usage.
_GIVE_USAGE = frozenset({"anannas", "azure", "deepseek", "litellm", "openai", "openrouter"})
_LONGEST_PLAIN = 1000


def is_whole(response: Response) -> bool:
    """Tell whether a body is complete, by its declared length or its last event, even if the client stopped reading."""
    if header(response.headers, "content-length") == str(len(response.body)):
        return True
    if not is_stream(response):
        return False
    try:
        return says_its_end(readable(response))
    except ValueError:
        return False


def is_done(response: Response) -> bool:
    """Tell whether a stream has its `[DONE]`: SDKs read nothing after it, and do not raise if the rest breaks."""
    if not is_stream(response):
        return False
    try:
        return any(event.data.startswith(b"[DONE]") for event in events(readable(response)))
    except ValueError:
        return False


def place_of_event(exchange: Exchange, data: str) -> str | None:
    """Return the place of the last event with exactly this data that clients parse, or `None` if there is none."""
    api, _ = read_request(exchange.request)
    if exchange.response is None:
        return None
    try:
        number = _events(readable(exchange.response), api).last_with(data)
    except ValueError:
        return None
    return None if number is None else where_of(number)


def nameless_calls(exchange: Exchange) -> frozenset[str]:
    """Return the ids of the calls that a reply asks the client to make with a computer, a shell or a patch.

    These calls have no name, so the reading does not list them as tool calls; a span may list them or leave them out.
    """
    return _of_reply(exchange, {"responses": _responses.nameless}, frozenset())


def summaries(exchange: Exchange) -> tuple[str, ...]:
    """Return the summaries of the conversation in a reply of the Messages API; a span may show them as texts."""
    return _of_reply(exchange, {"messages": _messages.summaries}, ())


def other_thoughts(exchange: Exchange) -> str:
    """Return the reasoning of a reply in the other form that some replies have it in; a span may show either.

    That is a summary of it (Responses API), or all of it with what the server has encrypted (Messages API).
    """
    return _of_reply(exchange, {"messages": _messages.with_encrypted, "responses": _responses.summary}, "")


def is_paused(reading: Reading) -> bool:
    """Tell whether a reply has paused its turn: the client is to send it back, for the model to go on from there.

    Source: Anthropic, "Handling stop reasons", on `pause_turn`.
    """
    return reading.api == "messages" and reading.finish_reasons == ["pause_turn"]


def paused_at(exchange: Exchange) -> tuple[str, str] | None:
    """Return by what the end of a reply of the Messages API can be recognised in a request that continues it."""
    return _of_reply(exchange, {"messages": lambda reply: _messages.end_of(reply.body.get("content"))}, None)


def resumed_at(request: Request) -> tuple[str, str] | None:
    """Return by what the reply can be recognised that a request continues; `None` if it continues none.

    A request that continues a reply has it as its last message.
    """
    api, body = read_request(request)
    messages = body.get("messages")
    last = messages[-1] if api == "messages" and isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return None
    content = last.get("content")
    return _messages.end_of([{"text": content}] if isinstance(content, str) else content)


def executed_calls(exchange: Exchange) -> tuple[tuple[Any, Any], ...]:
    """Return the names and arguments of the calls that the server itself has made, such as searches.

    They are not for the client to make, so the reading does not list them as tool calls; a span may list them or leave
    them out. Groq's compound systems give them no name.
    """
    return _of_reply(exchange, _EXECUTED, ())


_EXECUTED = {"chat": _chat_facts.executed, "messages": _messages.executed, "responses": _responses.executed}


def billed_tokens(exchange: Exchange) -> Mapping[str, int]:
    """Return, by fact, the counts of all iterations of a reply of Anthropic's API, those that compact included.

    Returns:
        The counts; none if the reply does not list several iterations.
    """
    return _of_reply(exchange, {"messages": _usage.billed_tokens}, {})


def _of_reply(exchange: Exchange, by_api: Mapping[str, Callable[[Document], T]], none: T) -> T:
    """Return what the function for its API finds in the reply to a call; `none` if there is no function or no reply."""
    api, body = read_request(exchange.request)
    if api is None or api not in by_api or exchange.response is None:
        return none
    return by_api[api](_open(exchange.response, api, body))


def fetches(exchange: Exchange) -> str | None:
    """Return the id of the response that an exchange fetched for an earlier call; `None` if it fetched none."""
    identity, response = fetched_id(exchange.request), exchange.response
    if identity is None or response is None or response.status >= LOWEST_ERROR:
        return None
    return identity if _open(response, "responses", {}).body.get("id") == identity else None


def read(exchange: Exchange, fetched: Exchange | None = None) -> Reading | None:
    """Return the reading of an exchange, or `None` if it is not a call of a known LLM API. No bytes make it raise.

    Args:
        exchange: The call.
        fetched: The later exchange that fetched the response of this call, as `fetches` tells.
    """
    api, body = read_request(exchange.request)
    if api is None:
        return None
    facts = Facts(_name(exchange))
    state_request(facts, body, exchange.request.url, api)
    if fetched is not None:
        facts.go_on_in(_name(fetched))
    return _reading(facts, api, body, exchange.request, fetched or exchange)


def read_fetched(exchange: Exchange) -> Reading:
    """Return the reading of a fetch (see `fetches`) by itself: it does not contain the call's request.

    The facts of the request are unreadable.
    """
    facts = Facts(_name(exchange))
    state_request(facts, {}, exchange.request.url, "responses")
    for name in [*facts.found, *facts.missing]:
        facts.unreadable(name, "another request asked for this response", "request")
    return _reading(facts, "responses", {}, exchange.request, exchange)


def _name(exchange: Exchange) -> str:
    return f"{exchange.origin}, exchange {exchange.index}"


def _reading(facts: Facts, api: str, body: Mapping[str, Any], request: Request, answered: Exchange) -> Reading:
    """Return the reading: the facts of the request, which `facts` has already, and those of the answering exchange."""
    response = answered.response
    # If the transfer failed before the body began, there is no body that could have stated anything.
    lost = answered.failure is not None and not (response and response.body)
    name = gateway(request, response)
    document = None if response is None else _open(response, api, body, name)
    problems = _state_response(facts, response, document, api, lost=lost)
    return Reading(
        source=api,
        api=api,
        gateway=name,
        facts=facts.found,
        places=facts.missing,
        others=tuple(facts.again),
        problems=tuple(problems),
    )


# --- The response ----------------------------------------------------------------------------------------------------


def _state_response(
    facts: Facts, response: Response | None, opened: Document | None, api: str, *, lost: bool
) -> list[str]:
    """State the facts of a response, and return what could not be read; `lost` says that no body arrived."""
    if response is None or opened is None:
        document, headers = Document(body={}, where="no response"), dict[str, str]()
        facts.absent("error", document.where)
        facts.absent("truncated", document.where)
    else:
        document, headers = opened, by_name(response.headers)
        state_error(facts, document, headers, response.status)
        facts.put("truncated", document.truncated, (), document.where)
    state_headers(facts, headers, api)
    state_provider(facts, document, headers)
    state_cost(facts, document, headers)
    facts.take("response_id", text, [document.spot("id")])
    facts.take("response_model", text, [document.spot("model")])
    _STATE[api](facts, document)
    if not document.broken:
        return []
    if not lost:
        _spoil(facts, document)
    return [f"{facts.at[document.where]}: {document.broken}"]


_FIRST_LINES = (b"data:", b"event:", b"id:", b"retry:", b":")
"""How an event stream begins: some servers send one under another content type. OpenRouter's begin with comments."""


def _open(response: Response, api: str, asked: Mapping[str, Any], name: str = "other") -> Document:
    try:
        body = readable(response)
    except ValueError as error:
        return _unread(Broken(str(error)), response)
    if is_stream(response) or body.lstrip().startswith(_FIRST_LINES):
        return _fold(_events(body, api), api, asked, name)
    value = parse(body)
    if isinstance(value, list) and len(value) == 1:  # Google sends an error as a list of one object.
        value = value[0]
    if isinstance(value, dict):
        return Document(body=value, where=_BODY)
    return _unread(value if isinstance(value, Broken) else Broken("it is not a JSON object"), response)


def _events(body: bytes, api: str | None) -> Events:
    return Events(body, skips_some=api == "messages")


def _usage_due(asked: Mapping[str, Any], name: str) -> _chat.Due:
    """Tell whether a stream must end with a usage: if the request asks for it, and the server gives or promises it."""
    options = asked.get("stream_options")
    if not isinstance(options, dict) or options.get("include_usage") is not True:
        return _chat.Due.NO
    return _chat.Due.YES if name in _GIVE_USAGE else _chat.Due.IF_PROMISED


def _fold(found: Events, api: str, asked: Mapping[str, Any], name: str) -> Document:
    if api == "messages":
        return _messages.fold(found)
    if api == "responses":
        return _responses.fold(found)
    return _chat.fold(found, _wanted(asked), _usage_due(asked, name))


def _wanted(asked: Mapping[str, Any]) -> int:
    """Return how many choices a request asks for: `n` for each prompt, of which a completion may have several."""
    each, prompts = asked.get("n"), asked.get("prompt")
    several = isinstance(prompts, list) and all(isinstance(prompt, str | list) for prompt in prompts)
    return (each if isinstance(each, int) else 1) * (len(prompts) if several and prompts else 1)


def _unread(broken: Broken, response: Response) -> Document:
    """Return the document of a body that is not a JSON object; that of an error may be a text for people, or empty."""
    if response.status < LOWEST_ERROR:
        return Document(body={}, where=_BODY, truncated=broken.cut, broken=broken.note)
    said = broken.text.strip()
    is_json = said.startswith("{") or (broken.cut and said.startswith("["))  # Google's are in a list.
    is_page = said.startswith("<") or len(said) > _LONGEST_PLAIN
    plain = "" if is_json or is_page else said
    return Document(body={}, where=_BODY, truncated=is_json and broken.cut, plain=plain)


def _spoil(facts: Facts, document: Document) -> None:
    """Mark as unreadable the facts that cannot be known if a body, or some events of a stream, could not be read."""
    for name, fact in list(facts.found.items()):
        if name in _FROM_ALL_EVENTS or (fact.state is State.NULL and fact.where.endswith(_IN_BODY)):
            facts.unreadable(name, document.broken, document.where, fact.parts)
    fixed = fixed_input(document)
    for name, where in facts.missing.items():
        if name not in fixed and (name in _FROM_ALL_EVENTS or where.endswith(_IN_BODY)):
            found = facts.found.get(name)
            facts.unreadable(name, document.broken, document.where, found.parts if found else ())
