"""OpenAI's embeddings: bodies are read whole."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace.model import Reading, State

KNOWN = {"truncated": False, "response_model": "m", "input_tokens": 8, "total_tokens": 8}
PACKED = base64.b64encode(struct.pack("<3f", 1, 2, 3)).decode()


def body(*vectors: Any) -> dict[str, Any]:
    """Return a list of embeddings in the form of OpenAI's API reference."""
    data = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]
    return {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 8, "total_tokens": 8}}


@pytest.mark.parametrize(
    ("vectors", "facts"),
    [
        ([[1.0, 2.0, 3.0]], {"embedding_count": 1, "embedding_dimensions": 3}),
        ([PACKED, PACKED], {"embedding_count": 2, "embedding_dimensions": 3}),
        ([], {"embedding_count": 0}),
    ],
    ids=["floats", "base64", "none"],
)
def test_replies(said: Callable[..., dict[str, Any]], vectors: list[Any], facts: dict[str, Any]) -> None:
    """Embeddings are counted and measured even if they are packed, four bytes a number."""
    assert said("embeddings", body(*vectors)) == KNOWN | facts


@pytest.mark.parametrize(
    ("vectors", "note"),
    [
        ([[1.0], [1.0, 2.0]], "the embeddings differ in their number of dimensions: 1 and 2"),
        (["AAA="], "2 bytes do not divide into 32-bit numbers"),
        (["?"], "'?' is not valid base64"),
        ([{}], "an object is neither a list of numbers nor base64"),
    ],
    ids=["uneven", "no floats", "no base64", "object"],
)
def test_what_has_no_dimensions(read: Callable[..., Reading], vectors: list[Any], note: str) -> None:
    """Embeddings that are not lists of numbers, or differ in size, have no dimensions, and the reading says why."""
    reading = read("embeddings", body(*vectors))
    fact = reading.fact("embedding_dimensions")
    assert (fact.state, fact.note, reading.embedding_count) == (State.UNREADABLE, note, len(vectors))


def test_facts_that_embeddings_do_not_have(read: Callable[..., Reading]) -> None:
    """Facts that only a model that writes text can have are not looked for."""
    reading = read("embeddings", body([1.0]))
    assert not [name for name in ("finish_reasons", "output_texts", "temperature") if reading.has_place_for(name)]


@pytest.mark.parametrize(
    ("data", "note"),
    [({}, "an object is not a list of embeddings"), ([1], "1 is not an embedding object")],
    ids=["object", "number"],
)
def test_data_of_wrong_types(read: Callable[..., Reading], data: Any, note: str) -> None:
    """A value that is not a list of embeddings cannot be counted."""
    fact = read("embeddings", {"data": data}).fact("embedding_count")
    assert (fact.state, fact.note) == (State.UNREADABLE, note)
