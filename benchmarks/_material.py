"""The calls and their cassettes: one request and its reply, numbered, in vcrpy's form and in cassetter's."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import openai

from pytest_llmtrace import replay
from pytest_llmtrace.model import Response

__all__ = [
    "CASSETTER_READS",
    "LIBRARY",
    "MODEL",
    "Chunks",
    "cassette",
    "cassetter_form",
    "events",
    "headers",
    "messages",
    "mocked",
    "numbered",
    "reply",
    "sent",
]

LIBRARY: Any = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")  # noqa: PLR2004
"""The HTTP library of the installed SDK."""
MODEL = "gpt-4o-mini"
CASSETTER_READS = 4_000
"""How many interactions cassetter can read: it refuses more than 250,000 YAML nodes, and each of these has 52."""
NUMBER = "00000"
"""Numbers have five digits, so that all interactions are equally long."""
SYSTEM = "You are a support agent of a company that sells telescopes. Answer in one sentence, and name no prices."


class Chunks(LIBRARY.SyncByteStream, LIBRARY.AsyncByteStream):
    """A body in chunks, which is all that a `MockTransport` needs to stream."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk


def _written_as(name: str) -> Response:
    response = replay.load(replay.resolve(f"builtin:openai/{name}", dirs=())).recordings[0].response
    assert response is not None
    return response


_written = {False: _written_as("chat"), True: _written_as("stream")}


def messages(number: int) -> list[Any]:
    """Return the messages of a call, which its number makes different from all others."""
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Question{number:05}: what is a span?"},
    ]


def numbered(text: str, number: int) -> str:
    """Return a text with another number; it is part of a word, since YAML never breaks a word over two lines."""
    return text.replace(f"Question{NUMBER}", f"Question{number:05}").replace(f"Reply{NUMBER}", f"Reply{number:05}")


def headers(*, stream: bool) -> list[tuple[str, str]]:
    """Return the headers of a reply."""
    return list(_written[stream].headers)


def events(number: int, *, stream: bool) -> list[bytes]:
    """Return the chunks of a reply, one for each event of a stream; the reply's id contains the number."""
    chunks = [chunk.decode().replace("Written", f"Reply{number:05}Written") for chunk in _written[stream].chunks]
    return [chunk.encode() for chunk in chunks]


def reply(number: int, *, stream: bool) -> bytes:
    """Return the body of a reply."""
    return b"".join(events(number, stream=stream))


def cassette(folder: Path, size: int, *, stream: bool, number: int = 0, name: str = "") -> Path:
    """Write a cassette in vcrpy's form, with requests as the SDK sends them, and return its path.

    Args:
        folder: The folder to write to.
        size: How many interactions it has, numbered upwards.
        stream: Whether the replies are streams.
        number: The number of the first interaction.
        name: The file's name, without its suffix.
    """
    path = folder / f"{name or f'{size}-{stream}'}.yaml"
    if not path.exists():
        one = _interaction(stream=stream)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write("interactions:\n")
            file.writelines(numbered(one, index) for index in range(number, number + size))
            file.write("version: 1\n")
    return path


def cassetter_form(path: Path) -> Path:
    """Write a cassette again in cassetter's form, and return its path."""
    from cassetter.cli import convert_file

    own = path.with_suffix(".cassetter.yaml")
    if not own.exists():
        convert_file(path, own)
    return own


_interactions: dict[bool, str] = {}


def _interaction(*, stream: bool) -> str:
    """Return the lines of interaction 0 in the file that vcrpy writes."""
    if stream not in _interactions:
        from vcr.request import Request
        from vcr.serialize import serialize
        from vcr.serializers import yamlserializer

        asked = sent(stream=stream)
        request = Request(asked.method, str(asked.url), asked.content, dict(asked.headers))
        response = {
            "status": {"code": 200, "message": "OK"},
            "headers": {key: [value] for key, value in headers(stream=stream)},
            "body": {"string": reply(0, stream=stream)},
        }
        text = serialize({"requests": [request], "responses": [response]}, yamlserializer)
        _interactions[stream] = text.removeprefix("interactions:\n").removesuffix("version: 1\n")
    return _interactions[stream]


def sent(*, stream: bool) -> Any:
    """Return the request that the SDK sends, without its key."""
    noted: list[Any] = []

    def answer(request: Any) -> Any:
        noted.append(request)
        return LIBRARY.Response(200, headers=headers(stream=stream), content=reply(0, stream=stream))

    client = openai.OpenAI(api_key="bench", http_client=mocked(answer))
    client.chat.completions.create(model=MODEL, messages=messages(0), stream=stream)
    del noted[0].headers["authorization"]
    return noted[0]


def mocked(handler: Callable[[Any], Any]) -> Any:
    """Return an HTTP client whose transport is a function."""
    return openai.DefaultHttpxClient(transport=LIBRARY.MockTransport(handler))
