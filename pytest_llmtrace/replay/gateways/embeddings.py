"""The wire form of embeddings as OpenAI writes them; other gateways build on it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmtrace._stdlib import base64
from pytest_llmtrace.replay.gateways._form import Form
from pytest_llmtrace.replay.gateways._layout import noise
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways._usage import merged, total

__all__ = ["Embeddings"]

_DIMENSIONS = 8


class Embeddings(Form):
    """Embeddings: a vector for each input, as numbers or as base64, as the request asks."""

    def body(self, reply: Reply) -> Mapping[str, Any]:
        """Return the JSON of a whole reply."""
        return {"object": "list", "data": self.data(reply), "model": reply.model, "usage": self.usage(reply)}

    def data(self, reply: Reply) -> list[Mapping[str, Any]]:
        """Return the vectors, one for each input."""
        return [
            {"object": "embedding", "index": index, "embedding": _encoded(reply, vector)}
            for index, vector in enumerate(vectors(reply))
        ]

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Return the usage: the queued counts, and defaults for those that are missing."""
        given = {"prompt_tokens": 12, **reply.script.usage}
        return merged({"prompt_tokens": 0, "total_tokens": total(given, "prompt_tokens")}, given)


def vectors(reply: Reply) -> Sequence[Sequence[float]]:
    """Return the queued vectors, else made-up ones of the length that the request asks for (8 if it does not say)."""
    if reply.script.vectors:
        return reply.script.vectors
    wanted = reply.body.get("dimensions")
    length = wanted if isinstance(wanted, int) and wanted > 0 else _DIMENSIONS
    return [_made(index, length) for index in range(_inputs(reply.body.get("input")))]


def _inputs(value: object) -> int:
    """Count the inputs: a text is one, and so is a list of tokens."""
    return len(value) if isinstance(value, list) and value and not isinstance(value[0], int) else 1


def _made(index: int, length: int) -> list[float]:
    # Sixteenths are exact in 32-bit floats, so that both encodings give the very same numbers.
    return [(ord(letter) - 104) / 16 for letter in noise(f"vector/{index}", length, "abcdefghijklmnop")]


def _encoded(reply: Reply, vector: Sequence[float]) -> object:
    if reply.body.get("encoding_format") != "base64":
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
