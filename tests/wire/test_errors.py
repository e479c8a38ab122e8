"""Errors as a status, inside a 200, and in mid-stream, in the form of each provider."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Reading, State


def error(status: int | None = None, type: Any = None, code: Any = None, message: Any = None) -> dict[str, Any]:  # noqa: A002
    return {"status": status, "type": type, "code": code, "message": message}


NESTED = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}
STATUSES: list[tuple[str, int, Any, dict[str, Any]]] = [
    ("openai", 400, NESTED, error(400, "t", "c", "no")),
    ("openai, nulls", 429, {"error": {"message": "no", "type": None, "code": None}}, error(429, message="no")),
    (
        "anthropic",
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "r"},
        error(529, "overloaded_error", None, "Overloaded"),
    ),
    (
        "openrouter",
        429,
        {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "x"}}, "user_id": "u"},
        error(429, None, 429, "Provider returned error"),
    ),
    # LiteLLM Proxy writes the status as a text.
    (
        "litellm",
        401,
        {"error": {"message": "no", "type": "auth_error", "param": "None", "code": "401"}},
        error(401, "auth_error", "401", "no"),
    ),
    (
        "azure",
        404,
        {"error": {"code": "DeploymentNotFound", "message": "no"}},
        error(404, None, "DeploymentNotFound", "no"),
    ),
    ("azure's gateway", 401, {"statusCode": 401, "message": "no"}, error(401, message="no")),
    ("ollama", 404, {"error": "model not found"}, error(404, message="model not found")),
    # vLLM and Mistral, recorded: there is no `error` object inside.
    (
        "vllm",
        400,
        {"object": "error", "message": "no", "type": "BadRequestError", "param": None, "code": 400},
        error(400, "BadRequestError", 400, "no"),
    ),
    ("fastapi", 422, {"detail": "no"}, error(422, message="no")),
    ("google", 400, json.dumps([NESTED]).encode(), error(400, "t", "c", "no")),
    (
        "google's own",
        429,
        b'[{\n  "error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}\n}\n]\n',
        error(429, "RESOURCE_EXHAUSTED", 429, "no"),
    ),
    ("text", 503, b"upstream connect error", error(503, message="upstream connect error")),
    ("text, the lowest status", 400, b"no such model", error(400, message="no such model")),
    ("text in brackets", 503, b"[error] no", error(503, message="[error] no")),
    ("page", 502, b"<html>Bad Gateway</html>", error(502)),
    ("nothing", 500, b"", error(500)),
    ("wrong types", 400, {"error": {"message": ["no"], "type": 1, "code": True}}, error(400)),
]


@pytest.mark.parametrize("api", ["chat", "embeddings", "messages", "responses"])
@pytest.mark.parametrize(("status", "body", "facts"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES])
def test_a_status(said: Callable[..., dict[str, Any]], api: str, status: int, body: Any, facts: dict[str, Any]) -> None:
    """An error with a status is read in each form; nothing else is read, and nothing was cut."""
    assert said(api, body, status=status) == {"error": facts, "truncated": False}


@pytest.mark.parametrize(
    "name", ["ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/", "a.b#ThrottlingException"]
)
def test_amazon_names_the_type_in_a_header(said: Callable[..., dict[str, Any]], name: str) -> None:
    """The body has a message only; a header has the exception's name, with an address or a namespace around it."""
    found = said("messages", {"message": "no"}, status=429, headers=(("x-amzn-ErrorType", name),))
    assert found == {"error": error(429, "ThrottlingException", None, "no"), "truncated": False}


@pytest.mark.parametrize("body", [b'{"error": {"mess', b'[{\n  "error": {"mess', b"["])
def test_a_cut_error(read: Callable[..., Reading], body: bytes) -> None:
    """If the body of an error was cut, only the status is read; what is left of its JSON is not taken for a message."""
    reading = read("chat", body, status=500)
    assert (reading.error, reading.truncated, reading.problems) == (error(500), True, ())


CHOICE = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
CHUNK = {"id": "c1", "model": "m1", "choices": [CHOICE]}


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        # The whole reply is an error in a 200, as from OpenRouter.
        ({"error": {"code": 502, "message": "no"}, "user_id": "u"}, error(502, None, 502, "no")),
        ({"error": {"code": "server", "status": 400, "message": "no"}}, error(400, None, "server", "no")),
        ({"error": "no"}, error(None, message="no")),
        (
            {"choices": [{"index": 0, "error": {"code": 502, "message": "no"}, "finish_reason": "error"}]},
            error(502, None, 502, "no"),
        ),
        # OpenRouter in mid-stream: the error is beside the choices, and the stream ends as usual.
        ([CHUNK, {**CHUNK, "error": {"code": 502, "message": "no"}}, "data: [DONE]\n\n"], error(502, None, 502, "no")),
        # LiteLLM Proxy, whose upstream died, sends no [DONE].
        ([CHUNK, {"error": {"message": "no", "type": "t", "code": "500"}}], error(500, "t", "500", "no")),
        # Groq sends an event with a name of its own.
        (
            [
                CHUNK,
                ("error", {"error": {"message": "no", "type": "t", "code": "tool_use_failed", "status_code": 400}}),
            ],
            error(400, "t", "tool_use_failed", "no"),
        ),
        ([CHUNK, ("error", {"message": "no", "code": 99999})], error(None, None, 99999, "no")),
        ([CHUNK, {**CHUNK, "x_groq": {"id": "r", "error": "over capacity"}}], error(None, message="over capacity")),
        # OpenRouter in mid-stream: the error is in one choice.
        (
            [CHUNK, {"choices": [{**CHOICE, "error": {"code": 502, "message": "no"}}]}, "data: [DONE]\n\n"],
            error(502, None, 502, "no"),
        ),
        ([CHUNK, ("error", {"response": {"error": {"code": "c", "message": "no"}}})], error(None, None, "c", "no")),
        ([CHUNK, "event: error\ndata: no\n\n"], error(None, message="no")),
    ],
)
def test_an_error_inside_a_200(read: Callable[..., Reading], body: Any, facts: dict[str, Any]) -> None:
    """An error that comes after the status is an error as well; its status is the number that it states."""
    reading = read("chat", body)
    assert (reading.error, reading.truncated) == (facts, False)


@pytest.mark.parametrize("nothing", [None, {}, "", False, []])
def test_no_error(read: Callable[..., Reading], nothing: Any) -> None:
    """An empty error does not count: every reply of the Responses API has `"error": null`."""
    assert read("responses", {"id": "r", "error": nothing}).fact("error").state is State.ABSENT


def test_where_an_error_stood(read: Callable[..., Reading]) -> None:
    """The parts of an error are the status and what the body says; the place is the body, or its event."""
    fact = read("chat", NESTED, status=400).fact("error")
    assert fact.parts == (("status", 400), ("error", NESTED["error"]))
    assert fact.where == "chat.yaml, exchange 3, response body"
    assert read("chat", [CHUNK, NESTED]).fact("error").where == "chat.yaml, exchange 3, event 1 of the response"
    assert read("chat", b"", status=500).fact("error").where == "chat.yaml, exchange 3, status of the response"
