"""Work on cassette files: `lint`, `scrub`, `show` and `read`."""

from pytest_llmtrace.upkeep._commands import PATH_HELP, add_commands, cassette_path

__all__ = ["PATH_HELP", "add_commands", "cassette_path"]
