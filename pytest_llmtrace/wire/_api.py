"""Which API of an LLM provider a request calls, recognised by its path and the shape of its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.codings import decoded
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Request
from pytest_llmtrace.wire._json import encoding_of
from pytest_llmtrace.wire._url import is_hosted, path_of

__all__ = ["api_of_path", "counts_tokens", "fetched_id", "identify", "read_request", "request_body", "unread_api"]


def _has_messages(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("messages"), list)


def _has_input(body: Mapping[str, Any]) -> bool:
    return not _INPUTS.isdisjoint(body)


# One of these fields is enough: a request that continues a conversation kept by the server may add no input.
_INPUTS = frozenset({"conversation", "input", "previous_response_id", "prompt"})


# Path ending -> API, and a test of the request body. By the path alone, any web service with a resource called
# `messages` would be taken for a model.
_APIS: tuple[tuple[str, str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("/chat/completions", "chat", _has_messages),
    ("/completions", "completions", lambda body: "prompt" in body),
    ("/responses", "responses", _has_input),
    ("/responses/compact", "responses", _has_input),
    ("/embeddings", "embeddings", lambda body: "input" in body),
    ("/messages", "messages", _has_messages),
)
# The field that distinguishes Anthropic's messages from other makers' models at the paths of a cloud.
_VERSION = "anthropic_version"


# The paths of model APIs that this package does not read, each with the name of the API.
_UNREAD = (
    (re.compile(r":(stream)?generateContent$", re.IGNORECASE), "Gemini's generateContent"),
    (re.compile(r":(embedContent|batchEmbedContents)$"), "Gemini's embedContent"),
    (re.compile(r"/v1(alpha|beta)\d?/(projects/[^/]+/locations/[^/]+/)?interactions$"), "Gemini's Interactions"),
    (re.compile(r"/model/[^/]+/converse(-stream)?$"), "Bedrock's Converse"),
    (re.compile(r"/model/[^/]+/invoke(-with-response-stream)?$"), "Bedrock's InvokeModel"),
    (re.compile(r"/threads(/[^/]+)?/runs$"), "OpenAI's Assistants"),
    (re.compile(r"/realtime/(calls|sessions|client_secrets)$"), "OpenAI's Realtime"),
    (re.compile(r"/live/sessions(/[^/]+/(accept|fork))?$"), "OpenAI's Live"),
    (re.compile(r"/v1/decisions$"), "OpenAI's Decisions"),
    (re.compile(r"/images/(generations|edits|variations)$"), "OpenAI's Images"),
    (re.compile(r"/v1/videos$"), "OpenAI's Videos"),
    (re.compile(r"/v1/agents/completions$"), "Mistral's Agents"),
    (re.compile(r"/v1/ocr$"), "Mistral's OCR"),
    (re.compile(r"/hf-inference/models/.+"), "Hugging Face's own API"),
    (re.compile(r"/audio/(speech|transcriptions|translations)$"), "OpenAI's Audio"),
    (re.compile(r"/moderations$"), "OpenAI's Moderations"),
    (re.compile(r"/api/(chat|generate|embed)$"), "Ollama's own API"),
    (re.compile(r"/v[12]/(chat|embed|rerank)$"), "Cohere's own API, or one in its form"),
    (re.compile(r"/v1/complete$"), "Anthropic's Text Completions"),
    (re.compile(r"/prompts/[^/]+/completions$"), "Portkey's stored prompts"),
)


def unread_api(request: Request) -> str | None:
    """Return the model API that a request calls if it is one that is not read, such as `Gemini's generateContent`.

    `None` if the API is read, or if the request calls no known model API.
    """
    if request.method.upper() != "POST" or identify(request) is not None:
        return None
    path = path_of(request.url)
    return next((name for pattern, name in _UNREAD if pattern.search(path)), None)


def api_of_path(request: Request) -> str | None:
    """Return the API at whose path a request is made, whatever its body, as `identify` names it."""
    if request.method.upper() != "POST":
        return None
    path = path_of(request.url)
    return next((api for ending, api, _ in _APIS if path.endswith(ending)), None)


# The endpoints that only count the tokens that a request would have: OpenAI's, Anthropic's, Gemini's.
_COUNTING = re.compile(r"/responses/input_tokens$|/messages/count_tokens$|:countTokens$")


def counts_tokens(request: Request) -> bool:
    """Tell, by its path, whether a request only asks for a count of tokens."""
    return request.method.upper() == "POST" and _COUNTING.search(path_of(request.url)) is not None


_STORED = re.compile(r"/responses/([^/]+)$")


def fetched_id(request: Request) -> str | None:
    """Return the id of the response that a request fetches or whose stream it resumes; `None` if it does neither.

    OpenAI API reference, Get a model response: a client waits for a background response by fetching it repeatedly.
    """
    if request.method.upper() != "GET":
        return None
    found = _STORED.search(path_of(request.url))
    return found[1] if found else None


def identify(request: Request) -> str | None:
    """Return the API of an LLM call: `chat`, `completions`, `responses`, `embeddings` or `messages`; otherwise `None`.

    The paths are those of the OpenAI and Anthropic API references, under whatever prefix a gateway puts before them,
    and those of Anthropic's messages on Amazon Bedrock and Google's Vertex AI.
    A request that fetches a response or resumes its stream is not a call: the call is the request that created the
    response.
    """
    return read_request(request)[0]


def read_request(request: Request) -> tuple[str | None, Mapping[str, Any]]:
    """Return the API of an LLM call, as `identify` does, and the JSON object in its body."""
    if request.method.upper() != "POST":
        return None, {}
    path = path_of(request.url)
    for ending, api, fits in _APIS:
        if path.endswith(ending):
            body = request_body(request)
            model_known = "model" in body or "/deployments/" in path or api == "responses"
            return (api if model_known and fits(body) else None), body
    if not is_hosted(path):
        return None, {}
    body = request_body(request)
    return ("messages" if _VERSION in body and _has_messages(body) else None), body


def request_body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object in a request's body, or an empty mapping if there is none."""
    try:
        said = decoded(request.body, header(request.headers, "content-encoding"))
        body = json.loads(said.decode(encoding_of(said), "surrogatepass"))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
