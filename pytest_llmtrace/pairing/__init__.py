"""Pair exchanges with spans into calls, the units that the checks judge: which spans describe which exchanges?

`wire` reads the exchanges, and `dialects` the spans; both readings of a call go to `checks`.
"""

from pytest_llmtrace.pairing._matching import fits
from pytest_llmtrace.pairing._pairing import match, pair

__all__ = ["fits", "match", "pair"]
