"""Pair exchanges with spans into calls, the units that the checks judge: which spans describe which exchanges?"""

from pytest_llmtrace.pairing._pairing import match, pair

__all__ = ["match", "pair"]
