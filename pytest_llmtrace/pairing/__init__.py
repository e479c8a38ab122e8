"""Exchanges + spans -> calls: which spans describe which exchanges."""

from pytest_llmtrace.pairing._pairing import match, pair

__all__ = ["match", "pair"]
