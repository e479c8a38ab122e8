"""Look after cassette files: the commands `cassettes lint`, `scrub` and `show`, and the command `read`."""

from pytest_llmtrace.upkeep._commands import PATH_HELP, add_commands, cassette_path

__all__ = ["PATH_HELP", "add_commands", "cassette_path"]
