"""Draw the ids of the spans of traced tests so that no seed repeats them.

The SDK draws the ids of spans from Python's global random generator. Hypothesis seeds it before each example,
pytest-randomly before each phase of each test, in all of xdist's workers alike, and applications do it too. Then spans
of different tests have the same ids: they cannot be told apart, and a back end takes all tests for one trace.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from pytest_llmtrace import ownership

__all__ = ["draw_unseeded"]


def draw_unseeded() -> None:
    """Make the SDK's own id generator, in all providers, draw ids from the system while a test is traced.

    Other generators are left alone, and so is code that belongs to no traced test, whose seed may be on purpose.
    """
    for name, bits in (("generate_span_id", 64), ("generate_trace_id", 128)):
        setattr(RandomIdGenerator, name, _unseeded(getattr(RandomIdGenerator, name), bits))


def _unseeded(generate: Callable[[RandomIdGenerator], int], bits: int) -> Callable[[RandomIdGenerator], int]:
    @functools.wraps(generate)
    def generate_unseeded(self: RandomIdGenerator) -> int:
        drawn = generate(self)  # In any case, so that the application's next draws from a seed stay what they were.
        if ownership.current() is None:
            return drawn
        return secrets.randbits(bits) or 1  # 0 is not a valid id.

    return generate_unseeded
