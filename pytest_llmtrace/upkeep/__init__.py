"""Upkeep of cassette files: `lint`, `scrub` and `show`."""

from pytest_llmtrace.upkeep._commands import add_commands

__all__ = ["add_commands"]
