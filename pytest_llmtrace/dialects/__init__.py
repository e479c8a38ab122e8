"""Span -> Reading: what a span says about its LLM call, in one vocabulary. Knows no HTTP.

A dialect is data: how to recognise a span, and which attributes hold which facts. The first dialect that recognises a
span reads it. `register` puts a house style in front of the ones that are built in.
"""

from pytest_llmtrace.dialects._reader import Dialect, is_llm, read, register

__all__ = ["Dialect", "is_llm", "read", "register"]
