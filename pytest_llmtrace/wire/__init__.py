"""Bytes -> Reading: what an exchange says about its LLM call. Standard library only; knows no SDK and no spans."""

from pytest_llmtrace.wire._api import identify
from pytest_llmtrace.wire._read import is_llm_call, last_content_tick, read

__all__ = ["identify", "is_llm_call", "last_content_tick", "read"]
