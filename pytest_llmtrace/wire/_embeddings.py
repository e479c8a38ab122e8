"""Facts in the body of an embeddings reply: OpenAI's, and other bodies of the same shape."""

from __future__ import annotations

import binascii
from typing import Any

from pytest_llmtrace.wire._document import Document
from pytest_llmtrace.wire._facts import MISSING, Facts, Misfit, shown
from pytest_llmtrace.wire._usage import openai_tokens

__all__ = ["state"]

_FLOAT = 4  # bytes


def state(facts: Facts, document: Document) -> None:
    """State the facts in the body of a list of embeddings."""
    openai_tokens(facts, document)
    spot = document.spot("data")
    facts.derive("embedding_count", lambda data: len(_vectors(data)), spot, "data[]")
    facts.derive("embedding_dimensions", _dimensions, spot, "data[].embedding")


def _vectors(data: Any) -> list[dict[str, Any]]:
    if not isinstance(data, list):
        raise Misfit(f"{shown(data)} is not a list of embeddings", data)
    for item in data:
        if not isinstance(item, dict):
            raise Misfit(f"{shown(item)} is not an embedding object", item)
    return data


def _dimensions(data: Any) -> Any:
    sizes = {_size(item.get("embedding")) for item in _vectors(data)}
    if len(sizes) > 1:
        raise Misfit(
            f"the embeddings differ in their number of dimensions: {' and '.join(map(str, sorted(sizes)[:5]))}"
        )
    return sizes.pop() if sizes else MISSING


def _size(vector: Any) -> int:
    if isinstance(vector, list):
        return len(vector)
    if not isinstance(vector, str):
        raise Misfit(f"{shown(vector)} is neither a list of numbers nor base64", vector)
    try:
        packed = binascii.a2b_base64(vector, strict_mode=True)
    except ValueError as error:
        raise Misfit(f"{shown(vector)} is not valid base64", vector) from error
    if len(packed) % _FLOAT:
        raise Misfit(f"{len(packed)} bytes do not divide into 32-bit numbers")
    return len(packed) // _FLOAT
