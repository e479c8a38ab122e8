"""`python -m pytest_llmtrace` is `pytest-llmtrace`."""

from __future__ import annotations

import sys

from pytest_llmtrace.cli import main

if __name__ == "__main__":
    sys.exit(main())
