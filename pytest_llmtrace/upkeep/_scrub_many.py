"""`scrub` for files and folders: show the changes, ask, write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from pytest_llmtrace._lines import counted
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.upkeep._files import File, files_in, looks_like_cassette
from pytest_llmtrace.upkeep._scrub import Scrubbed, scrubbed

__all__ = ["scrub_all"]


def scrub_all(
    paths: Iterable[Path],
    *,
    mode: Literal["ask", "check", "yes"],
    say: Callable[[str], None],
    ask: Callable[[str], bool] | None,
) -> int:
    """Scrub files and folders.

    Args:
        paths: Cassettes and folders of them.
        mode: Whether to write after asking, without asking, or not at all.
        say: Prints a line.
        ask: Asks a question, and returns whether the answer is yes; `None` if nobody can answer.

    Returns:
        0 if no secret is left in any of them, else 1.

    Raises:
        UsageError: If there is no such file or folder.
    """
    changed, number, troubles = [], 0, 0
    for file in files_in(paths):
        try:
            result = _result(file)
        except CassetteError as error:
            say(f"pytest-llmtrace: {error}")
            troubles += 1
            continue
        if result is None:
            continue
        number += 1
        for line in result.diff() if result.patches else ():
            say(line)
        if result.patches:
            changed.append(result)
    if not changed:
        say(f"nothing to scrub in {counted(number, 'file')}")
        return 1 if troubles else 0
    written = _write(changed, mode=mode, say=say, ask=ask)
    return 0 if written and not troubles else 1


def _result(file: File) -> Scrubbed | None:
    """Return one file with its secrets taken out; `None` if it was found in a folder and is not a cassette."""
    try:
        if not file.named and not looks_like_cassette(file.path.read_bytes()):
            return None
        return scrubbed(file.path)
    except OSError as error:
        raise CassetteError(file.path, f"the file cannot be read: {error.strerror or error}") from None
    except CassetteError as error:
        if file.is_other(error):
            return None
        raise


def _write(
    changed: list[Scrubbed],
    *,
    mode: Literal["ask", "check", "yes"],
    say: Callable[[str], None],
    ask: Callable[[str], bool] | None,
) -> bool:
    values = sum(result.values for result in changed)
    what = f"{counted(values, 'value')} in {counted(len(changed), 'file')}"
    if mode == "check":
        say(f"{what} to scrub; nothing was written")
        return False
    if mode == "ask" and ask is None:
        say(f"{what} to scrub; nothing was written: use --yes to write")
        return False
    if mode == "ask" and ask is not None and not ask(f"Scrub {what}? [y/N] "):
        say("nothing was written")
        return False
    return _written(changed, say)


def _written(changed: list[Scrubbed], say: Callable[[str], None]) -> bool:
    done = []
    for result in changed:
        try:
            result.write()
        except CassetteError as error:
            say(f"pytest-llmtrace: {error}")
        else:
            done.append(result)
    values = sum(result.values for result in done)
    say(f"scrubbed {counted(values, 'value')} in {counted(len(done), 'file')}; withdraw the keys if they were pushed")
    return len(done) == len(changed)
