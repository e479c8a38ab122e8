"""How long the fuzzer runs, and the note that names the mutant of a failure."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

import pytest

# The modules of this folder import each other by their names below the project, wherever pytest was started.
sys.path.insert(0, str(Path(__file__).parents[2]))

QUICK = 250
"""How many mutants each test has in an ordinary run."""
LONGEST = 5.0
"""CPU seconds that one mutant may take, on any machine; a mutant that hangs takes longer."""


@pytest.fixture
def each_mutant() -> Callable[[Callable[[Random], None]], None]:
    """Run a check with a seeded `Random` for each mutant: a fixed few, or as many as fit `LLMTRACE_FUZZ` seconds."""
    seconds = float(os.environ.get("LLMTRACE_FUZZ", "0"))

    def run(check: Callable[[Random], None]) -> None:
        end = time.monotonic() + seconds
        for seed in count() if seconds else range(QUICK):
            began = time.process_time()
            try:
                check(Random(seed))  # noqa: S311 - a failure must be repeatable
                assert time.process_time() - began < LONGEST, "it takes too long"
            except Exception as error:
                error.add_note(f"mutant {seed}")
                raise
            if seconds and time.monotonic() > end:
                return

    return run
