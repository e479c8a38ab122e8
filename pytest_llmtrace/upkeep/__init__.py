"""Work on cassette files: `lint`, `scrub`, `show` and `read`."""

from pytest_llmtrace.upkeep._commands import add_commands

__all__ = ["add_commands"]
