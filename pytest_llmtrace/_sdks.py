"""Send a recorded LLM call again, through the SDK that its API belongs to; for `replay` and `compare`."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
from collections.abc import Awaitable, Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pytest_llmtrace import wire
from pytest_llmtrace.errors import UnmatchedRequest
from pytest_llmtrace.model import Request

if TYPE_CHECKING:
    from pytest_llmtrace.capture.instrumentors import Instrumentor

__all__ = [
    "INSTRUMENTORS",
    "Client",
    "advice",
    "anthropic_client",
    "begin",
    "drain",
    "installed",
    "instrumentor_of",
    "missing",
    "sdk_of",
    "send",
    "switch_of",
]

INSTRUMENTORS = {
    "openai": "openinference-instrumentation-openai",
    "anthropic": "openinference-instrumentation-anthropic",
}
"""The instrumentor that is switched on for each SDK, if it is installed."""

_REQUIREMENTS = {
    "openai": "pytest-llmtrace[openai]",
    "anthropic": "pytest-llmtrace[anthropic]",
    "botocore": "anthropic[bedrock]",
}
"""What to install for each package that a call may need."""


class _Endpoint(NamedTuple):
    """How OpenAI's SDK calls an endpoint: the client's method, and the types of its reply and of a stream's events."""

    method: str
    reply: str
    event: str = ""


_MESSAGES = "/v1/messages"
_OPENAI = {
    "/chat/completions": _Endpoint("chat.completions.create", "chat.ChatCompletion", "chat.ChatCompletionChunk"),
    "/completions": _Endpoint("completions.create", "Completion", "Completion"),
    "/responses": _Endpoint("responses.create", "responses.Response", "responses.ResponseStreamEvent"),
    "/responses/compact": _Endpoint("responses.compact", "responses.CompactedResponse"),
    "/embeddings": _Endpoint("embeddings.create", "CreateEmbeddingResponse"),
}
"""The endpoints, by the end of their paths."""


def installed(distribution: str) -> str | None:
    """Return the version of a distribution, None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def instrumentor_of(request: Request) -> str | None:
    """Return the name and version of the instrumentor for a call; None if it is not installed."""
    name = INSTRUMENTORS[sdk_of(request)]
    version = installed(name)
    return version and f"{name} {version}"


def switch_of(request: Request) -> Instrumentor | None:
    """Return a call's instrumentor and its state: if it refuses the SDK's version, a missing span is not a gap."""
    from pytest_llmtrace.capture.instrumentors import installed as instrumentors

    name = INSTRUMENTORS[sdk_of(request)]
    return next((found for found in instrumentors() if found.package == name), None)


def missing(request: Request) -> str | None:
    """Return the name of a package that a call needs and that is not installed; None if all are installed."""
    asked = wire.asked(request.url)
    frames = ("botocore",) if asked and asked.streamed else ()  # The SDK decodes Amazon's frames with it.
    return next((name for name in (sdk_of(request), *frames) if not importlib.util.find_spec(name)), None)


def advice(package: str) -> str:
    """Say that a package which a call needs is not installed, and how to install it."""
    return f'{package} is not installed: pip install "{_REQUIREMENTS[package]}"'


def send(
    request: Request, *, typed: bool, native: bool | None = None, asynchronous: bool = False, retries: int = 0
) -> None:
    """Make the call, and read its reply to the end. An API error that the SDK makes of the reply is ignored.

    Args:
        request: A recorded LLM call.
        typed: Whether the SDK's typed method makes the call. It may send another body than the recorded one (openai
            adds `encoding_format` to embeddings) or want an argument that the recording does not have. If False, the
            same client posts the recorded body.
        native: Whether the SDK makes spans of its own. Default: only if no instrumentor for it is installed.
        asynchronous: Whether the SDK's asynchronous client makes the call, in an event loop of its own.
        retries: How often the SDK tries again.

    Raises:
        UnmatchedRequest: If nothing answered.
        TypeError: If the typed method wants an argument that was not recorded.
    """
    try:
        drain(begin(request, typed=typed, native=native, asynchronous=asynchronous, retries=retries))
    except importlib.import_module(sdk_of(request)).APIError as error:
        if isinstance(error, UnmatchedRequest):
            raise


def begin(
    request: Request, *, typed: bool, native: bool | None = None, asynchronous: bool = False, retries: int = 0
) -> Any:
    """Make the call as `send` does, and return its reply: a stream is unread, that of an async client is awaitable.

    Raises:
        Exception: Whatever the SDK raises.
    """
    body = dict(wire.request_body(request))
    native = installed(INSTRUMENTORS["anthropic"]) is None if native is None else native
    prefix = "Async" if asynchronous else ""
    if sdk_of(request) == "anthropic":
        return _through_anthropic(request, body, prefix, typed=typed, native=native, retries=retries)
    return _through_openai(request, body, prefix, typed=typed, retries=retries)


def sdk_of(request: Request) -> str:
    """Name the SDK that speaks a call's API."""
    return "anthropic" if wire.identify(request) == "messages" else "openai"


class Client(NamedTuple):
    """A client of the Anthropic SDK.

    Attributes:
        name: The name of its class; that of the asynchronous client has `Async` before it.
        options: The arguments of its constructor.
        arguments: Arguments of its method which the recorded call has in its path.
    """

    name: str
    options: dict[str, Any]
    arguments: dict[str, Any]


def anthropic_client(request: Request) -> Client:
    """Return the client that makes a call: the client for a cloud if a cloud serves the call."""
    asked = wire.asked(request.url)
    if asked is not None and asked.key == "model":
        options = {"api_key": "replayed", "aws_region": "us-east-1", "base_url": request.url.partition("/model/")[0]}
        streamed = {"stream": True} if asked.streamed else {}
        return Client("AnthropicBedrock", options, {"model": asked.model, **streamed})
    if asked is not None and asked.key == "models":
        base, _, place = request.url.partition("/projects/")
        project, _, region, *_ = place.split("/")
        options = {"access_token": "replayed", "project_id": project, "region": region, "base_url": base}
        return Client("AnthropicVertex", options, {"model": asked.model})
    base = _base_of(request, _MESSAGES)
    if wire.gateway(request) == "bedrock-mantle":
        return Client(
            "AnthropicBedrockMantle", {"api_key": "replayed", "aws_region": "us-east-1", "base_url": base}, {}
        )
    return Client("Anthropic", {"api_key": "replayed", "base_url": base}, {})


def _through_openai(request: Request, body: dict[str, Any], prefix: str, *, typed: bool, retries: int) -> Any:
    import openai

    path = urlsplit(request.url).path.rstrip("/")
    ending, endpoint = next((ending, known) for ending, known in _OPENAI.items() if path.endswith(ending))
    cls = getattr(openai, f"{prefix}OpenAI")
    base, query = _base_of(request, ending), _query_of(request)
    client = cls(api_key="replayed", base_url=base, default_query=query, max_retries=retries)
    if typed:
        return _call(attrgetter(endpoint.method)(client), body)
    stream = bool(body.get("stream"))
    reply = attrgetter(endpoint.reply)(openai.types)
    stream_cls = getattr(openai, f"{prefix}Stream")[attrgetter(endpoint.event)(openai.types)] if stream else None
    return client.post(ending, body=body, cast_to=reply, stream=stream, stream_cls=stream_cls)


def _through_anthropic(
    request: Request, body: dict[str, Any], prefix: str, *, typed: bool, native: bool, retries: int
) -> Any:
    import anthropic

    wanted = anthropic_client(request)
    options = {**wanted.options, "max_retries": retries, "timeout": 600}
    # Beside an instrumentor the SDK's own span would be a second one.
    if not native and "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters:
        options["open_telemetry"] = False
    client = getattr(anthropic, f"{prefix}{wanted.name}")(**options)
    query = _query_of(request)
    beta = query.get("beta") == "true"  # anthropic 2 no longer sends this by itself.
    create: Callable[..., Any] = client.beta.messages.create if beta else client.messages.create
    if typed:
        body.pop("anthropic_version", None)  # Clients for clouds add it by themselves; applications do not.
    return _call(create, body | wanted.arguments, query=query, only_required=not typed)


def _call(
    create: Callable[..., Any],
    body: Mapping[str, Any],
    *,
    query: Mapping[str, str] | None = None,
    only_required: bool = False,
) -> Any:
    """Call a typed method; fields that it does not know (or all but the required ones) travel in `extra_body`."""
    parameters = inspect.signature(create).parameters
    required = {"model", "messages", "max_tokens", "stream"}
    known = {key: body[key] for key in body if key in parameters and (not only_required or key in required)}
    rest = {key: value for key, value in body.items() if key not in known}
    return create(**known, extra_body=rest or None, extra_query=dict(query) if query else None)


def _base_of(request: Request, ending: str) -> str:
    """Return the base URL for a client: the URL of a request without this ending and without its query."""
    url = urlsplit(request.url)
    return urlunsplit((url.scheme, url.netloc, url.path.rstrip("/").removesuffix(ending), "", ""))


def _query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def drain(reply: Any) -> None:
    """Read a reply to its end; the reply of an async client, in an event loop of its own."""
    if inspect.isawaitable(reply):
        import asyncio

        asyncio.run(_drained(reply))
    elif hasattr(reply, "__next__"):
        for _ in reply:
            pass


async def _drained(awaited: Awaitable[Any]) -> None:
    reply = await awaited
    if hasattr(reply, "__anext__"):
        async for _ in reply:
            pass
