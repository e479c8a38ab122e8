"""`cassettes show`: an exchange as a person reads it. Whole outputs are compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]
Tool = Callable[..., str]

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
OPENAI = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
EMBEDDINGS = "https://api.openai.com/v1/embeddings"
ANTHROPIC = "https://api.anthropic.com/v1/messages"
JSON = {"content-type": ["application/json"]}
STREAM = {"content-type": ["text/event-stream; charset=utf-8"]}


def tape(url: str, body: Any, reply: Any, *, status: int = 200, **more: Any) -> str:
    """Return a cassette of one interaction; a reply that is text is a stream."""
    is_stream = isinstance(reply, str)
    headers = STREAM if is_stream else JSON
    response = {
        "status": {"code": status, "message": "OK" if status == 200 else "No"},
        "headers": headers | more.pop("headers", {}),
        "body": {"string": reply if is_stream else json.dumps(reply)},
        **more,
    }
    request = {"method": "POST", "uri": url, "headers": JSON | {"x-api-key": [KEY]}, "body": json.dumps(body)}
    interaction = {"request": request, "response": response}
    return json.dumps({"version": 1, "llmtrace": {"origin": "recorded"}, "interactions": [interaction]})


def events(*documents: dict[str, Any], end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps(document)}\n\n" for document in documents) + end


def test_a_chat_with_tools(write: Write, tool: Tool) -> None:
    """Messages, tools and calls are laid out; secrets are masked, in headers, query and text."""
    write(
        "tape.json",
        tape(
            f"{OPENAI}?key=9f8e7d6c5b4a",
            {
                "model": "gpt-4o",
                "temperature": 0,
                "stream": False,
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": f"My key is {KEY}.\nWeather?"},
                            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
                        ],
                    },
                    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
                ],
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {}, "b": {}}}}}
                ],
            },
            {
                "model": "gpt-4o-2024-08-06",
                "choices": [
                    {"finish_reason": "stop", "message": {"role": "assistant", "content": "Sunny.", "refusal": None}}
                ],
                "usage": {
                    "prompt_tokens": 12,
                    "completion_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
                },
            },
            headers={"x-request-id": ["req_1"], "set-cookie": ["a=8sFjK2l9"]},
        ),
    )
    assert tool("show", "tape.json") == (
        "tape.json: 1 interaction, origin recorded\n"
        "\n"
        "interaction 0  openai chat, model gpt-4o\n"
        "  POST https://api.openai.com/v1/chat/completions?key=[secret]\n"
        "    x-api-key: [secret]\n"
        "    with\n"
        "      temperature 0\n"
        "    tools\n"
        "      f(a, b)\n"
        "    system\n"
        "      Be brief.\n"
        "    user\n"
        "      My key is [secret].\n"
        "      Weather?\n"
        "    image_url\n"
        "      image/png 400 characters of base64\n"
        "    tool call f call_1\n"
        "      {\n"
        '        "a": 1\n'
        "      }\n"
        "    tool call_1\n"
        "      sunny\n"
        "\n"
        "  200 OK  application/json\n"
        "    x-request-id: req_1\n"
        "    assistant\n"
        "      Sunny.\n"
        "    model   gpt-4o-2024-08-06\n"
        "    finish  stop\n"
        "    usage   prompt_tokens 12, completion_tokens 5, prompt_tokens_details (cached_tokens 8)\n"
    )


def test_a_message_with_blocks(write: Write, tool: Tool) -> None:
    """Blocks of the messages API are shown by their kind: thoughts, calls, results, documents and unknown ones."""
    asked = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]},
                {"type": "document", "source": {"type": "url", "url": "https://a.test/b.pdf"}},
                {"type": "later", "of": [1]},
            ],
        },
    ]
    body = {"model": "c", "max_tokens": 9, "system": [{"type": "text", "text": "Be brief."}], "messages": asked}
    reply = {
        "type": "message",
        "role": "assistant",
        "model": "c-1",
        "content": [{"type": "thinking", "thinking": "Easy."}, {"type": "text", "text": "Sunny."}],
        "stop_reason": "end_turn",
    }
    write("tape.json", tape(ANTHROPIC, body, reply))
    assert tool("show", "tape.json").partition("    with\n")[2] == (
        "      max_tokens 9\n"
        "    system\n      Be brief.\n"
        "    user\n      Weather?\n"
        '    tool call f t1\n      {\n        "a": 1\n      }\n'
        "    tool result t1\n      sunny\n"
        "    document\n      https://a.test/b.pdf\n"
        '    later\n      {"type": "later", "of": [1]}\n'
        "\n"
        "  200 OK  application/json\n"
        "    thinking\n      Easy.\n"
        "    assistant\n      Sunny.\n"
        "    model   c-1\n"
        "    finish  end_turn\n"
    )


def test_items_of_responses(write: Write, tool: Tool) -> None:
    """Items of the responses API are shown by their kind: reasoning, calls, their results, refusals."""
    asked = [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Ask the tool."}]},
        {"type": "function_call", "name": "f", "call_id": "c1", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    ]
    body = {"model": "m", "instructions": "Be brief.", "input": asked, "tools": [{"type": "web_search"}]}
    refused = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    write("tape.json", tape(RESPONSES, body, {"model": "m-1", "status": "completed", "output": [refused]}))
    assert tool("show", "tape.json").partition("    tools\n")[2] == (
        "      web_search\n"
        "    system\n      Be brief.\n"
        "    user\n      Weather?\n"
        "    reasoning\n      Ask the tool.\n"
        "    tool call f c1\n      {}\n"
        "    tool result c1\n      sunny\n"
        "\n"
        "  200 OK  application/json\n"
        "    refusal\n      No.\n"
        "    model   m-1\n"
        "    finish  completed\n"
    )


def test_a_refusal_and_embeddings(write: Write, tool: Tool) -> None:
    """A chat's refusal, which has a field of its own, is shown; of vectors only number and length are shown."""
    refused = {"role": "assistant", "content": None, "reasoning": "Hm.", "refusal": "No."}
    write("chat.json", tape(OPENAI, {"messages": []}, {"choices": [{"message": refused, "finish_reason": "stop"}]}))
    assert tool("show", "chat.json").partition("application/json\n")[2] == (
        "    reasoning\n      Hm.\n    refusal\n      No.\n    finish  stop\n"
    )
    for vector, size in (([0.5, 0.25], "2 numbers each"), ("AAAAPwAAgD4=", "12 characters of base64 each")):
        reply = {"data": [{"embedding": vector}, {"embedding": vector}], "model": "e-1"}
        write("tape.json", tape(EMBEDDINGS, {"model": "e", "input": ["x", "y"]}, reply))
        said = tool("show", "tape.json").partition("application/json\n")[2]
        assert said == f"    embeddings\n      2, {size}\n    model   e-1\n"


CHAT_STREAM = events(
    {"model": "m-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo."}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
)
ANTHROPIC_STREAM = events(
    {"type": "message_start", "message": {"model": "c-1", "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "name": "f", "id": "t", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    end="",
)
RESPONSES_STREAM = events(
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"},
    {
        "type": "response.completed",
        "response": {
            "model": "m-1",
            "status": "completed",
            "output": [
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
                {"type": "function_call", "name": "f", "call_id": "t", "arguments": '{"a": 1}'},
            ],
            "usage": {"input_tokens": 9, "output_tokens": 7},
        },
    },
    end="",
)
SAID = '    assistant\n      Hello.\n    tool call f{id}\n      {{\n        "a": 1\n      }}\n'


@pytest.mark.parametrize(
    ("url", "body", "stream", "said"),
    [
        (
            OPENAI,
            {"messages": [], "stream": True},
            CHAT_STREAM,
            SAID.format(id="") + "    model   m-1\n    finish  tool_calls\n"
            "    usage   prompt_tokens 3, completion_tokens 2\n    stream  7 events\n",
        ),
        (
            ANTHROPIC,
            {"messages": [], "stream": True},
            ANTHROPIC_STREAM,
            SAID.format(id=" t") + "    model   c-1\n    finish  tool_use\n"
            "    usage   input_tokens 9, output_tokens 7\n    stream  6 events\n",
        ),
        (
            "https://api.openai.com/v1/responses",
            {"input": "hi", "stream": True},
            RESPONSES_STREAM,
            SAID.format(id=" t") + "    model   m-1\n    finish  completed\n"
            "    usage   input_tokens 9, output_tokens 7\n    stream  2 events\n",
        ),
        (
            OPENAI,
            {"messages": [], "stream": True},
            CHAT_STREAM[: CHAT_STREAM.index('{"choices": [{"index": 0, "delta": {"tool_calls"') - 6],
            (
                "    assistant\n      Hello.\n    model   m-1\n"
                "    stream  2 events; it ends without a finish reason: it was cut off\n"
            ),
        ),
    ],
    ids=["chat", "messages", "responses", "cut"],
)
def test_streams_are_put_together(
    write: Write, tool: Tool, url: str, body: dict[str, Any], stream: str, said: str
) -> None:
    """The events of a stream become the text and the calls that they add up to."""
    write("tape.json", tape(url, {"model": "m", **body}, stream))
    shown = tool("show", "tape.json", "0")
    assert shown.partition("  200 OK  text/event-stream\n")[2] == said


def test_recorded_timing(write: Write, tool: Tool) -> None:
    """How the chunks arrived is shown if it was recorded."""
    chunks = {"chunks": [20, len(CHAT_STREAM) - 20], "offsets": [0.25, 1.5]}
    write("tape.json", tape(OPENAI, {"model": "m", "messages": []}, CHAT_STREAM, llmtrace=chunks))
    assert tool("show", "tape.json").splitlines()[-1] == (
        "    timing  2 chunks, the first after 0.250 s, the last after 1.500 s"
    )


def test_errors_and_broken_connections(write: Write, tool: Tool) -> None:
    """An error is shown with its own message, masked; broken connections, missing replies and tests are named."""
    error = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    one = json.loads(tape(OPENAI, {"model": "m", "messages": []}, error, status=401))
    one["interactions"] += [
        {"request": one["interactions"][0]["request"], "response": None, "llmtrace": {"failure": "read-timeout"}},
        {
            "request": one["interactions"][0]["request"],
            "response": None,
            "llmtrace": {"test": f"test_it.py::test_one[{KEY}]"},
        },
    ]
    write("tape.json", json.dumps(one))
    head = f"  POST {OPENAI}\n    x-api-key: [secret]\n\n"
    assert tool("show", "tape.json") == (
        "tape.json: 3 interactions, origin recorded\n"
        "\n"
        f"interaction 0  openai chat, model m\n{head}"
        "  401 No  application/json\n"
        "    error\n"
        '      {"message": "Incorrect API key provided: [secret]", "code": "invalid_api_key"}\n'
        "\n"
        f"interaction 1  openai chat, model m\n{head}"
        "  the connection broke: read-timeout\n"
        "\n"
        f"interaction 2  openai chat, model m\n  recorded by test_it.py::test_one[[secret]]\n{head}"
        "  no reply was recorded\n"
    )


def test_what_is_no_llm_call(write: Write, tool: Tool) -> None:
    """Any other exchange is shown with its bodies; fields that are secret by their name are masked in them."""
    write(
        "tape.json",
        tape("https://a.example/v1", {"api_key": "Zq8-77-bb", "a": 1}, {"token": "t", "apiKey": "Zq8-77-bb"}),
    )
    assert tool("show", "tape.json") == (
        "tape.json: 1 interaction, origin recorded\n"
        "\n"
        "interaction 0\n"
        "  POST https://a.example/v1\n"
        "    x-api-key: [secret]\n"
        "      {\n"
        '        "api_key": "[secret]",\n'
        '        "a": 1\n'
        "      }\n"
        "\n"
        "  200 OK  application/json\n"
        "      {\n"
        '        "token": "t",\n'
        '        "apiKey": "[secret]"\n'
        "      }\n"
    )


@pytest.mark.parametrize("options", [(), ("--raw",), ("--full",)], ids=str)
def test_a_key_of_a_header_is_masked_everywhere(write: Write, tool: Tool, options: tuple[str, ...]) -> None:
    """A key that does not look like one is known by its header, and masked where request and reply repeat it."""
    said = json.loads(tape("https://a.test/v1", {"text": "my window-seat-4711"}, {"text": "your window-seat-4711"}))
    said["interactions"][0]["request"]["headers"] = {"authorization": ["Bearer window-seat-4711"]}
    write("tape.json", json.dumps(said))
    text = tool("show", *options, "tape.json")
    assert "window-seat" not in text
    assert "my [secret]" in text
    assert "your [secret]" in text


def test_raw_bodies(write: Write, tool: Tool) -> None:
    """--raw prints bodies as they are, except for secrets."""
    write("tape.json", tape(OPENAI, {"model": "m", "messages": [], "api_key": "Zq8-77-bb"}, CHAT_STREAM[:40]))
    assert tool("show", "--raw", "tape.json") == (
        "tape.json: 1 interaction, origin recorded\n"
        "\n"
        "interaction 0  openai chat, model m\n"
        f"  POST {OPENAI}\n"
        "    x-api-key: [secret]\n"
        '      {"model": "m", "messages": [], "api_key": "[secret]"}\n'
        "\n"
        "  200 OK  text/event-stream\n"
        f"      {CHAT_STREAM[:40].rstrip()}\n"
    )


def test_long_texts_are_cut(write: Write, tool: Tool) -> None:
    """A long text is cut with a note; --full shows all of it, base64 included."""
    text = "word " * 400 + "\n" + "Ab3/" * 100
    write("tape.json", tape(OPENAI, {"model": "m", "messages": [{"role": "user", "content": text}]}, {"choices": []}))
    lines = tool("show", "tape.json").splitlines()
    assert lines[5:8] == [
        "    user",
        "      " + ("word " * 240).rstrip(),
        "      … cut here: --full shows all 2,401 characters",
    ]
    full = tool("show", "--full", "tape.json").splitlines()
    assert full[6:8] == ["      " + ("word " * 400).rstrip(), "      " + "Ab3/" * 100]


def test_a_text_cannot_steer_the_terminal(write: Write, tool: Tool) -> None:
    """Control characters of a recording are shown escaped, and not sent to the terminal."""
    reply = {"choices": [{"message": {"role": "assistant", "content": "a\x1b[31mb\u202e"}}]}
    write("tape.json", tape(OPENAI, {"model": "m\x1b]0;x\x07", "messages": []}, reply))
    said = tool("show", "tape.json")
    assert "      a\\x1b[31mb\\x202e\n" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(("no_colour", "is_coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals(
    write: Write, tool: Tool, monkeypatch: pytest.MonkeyPatch, no_colour: str, is_coloured: bool
) -> None:
    """Colours are used at a terminal only, and not where NO_COLOR is set."""
    write("tape.json", tape(OPENAI, {"model": "m", "messages": []}, {"choices": []}))
    assert "\x1b" not in tool("show", "tape.json")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", no_colour)
    assert ("\x1b[1minteraction 0" in tool("show", "tape.json")) is is_coloured


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["tape.json", "1"], "tape.json has no interaction 1: it has 1, counted from 0"),
        (["tape.json", "-1"], "tape.json has no interaction -1: it has 1, counted from 0"),
        (["."], ". is a folder; show prints one cassette"),
    ],
)
def test_wrong_use(write: Write, tool: Tool, arguments: list[str], text: str) -> None:
    """The error names what cannot be shown: an interaction that does not exist, or a folder."""
    write("tape.json", tape(OPENAI, {"model": "m", "messages": []}, {"choices": []}))
    assert tool("show", *arguments, status=2) == f"pytest-llmtrace: {text}\n"


def test_a_missing_file_names_the_nearest(write: Write, tool: Tool) -> None:
    """The error for a file that does not exist gives the nearest names."""
    write("tape.json", tape(OPENAI, {"model": "m", "messages": []}, {"choices": []}))
    assert tool("show", "tapes.json", status=2) == (
        "pytest-llmtrace: tapes.json: there is no such cassette; the nearest in its folder: tape.json\n"
    )
