"""Write a file so that half of it is never seen, and nothing that another process has written is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep, time

from pytest_llmtrace._stdlib import hashlib, is_file
from pytest_llmtrace.errors import CassetteError

__all__ = ["read", "write"]

PATIENCE = 10.0
"""Seconds to wait for another process that writes the file; if it makes no progress in that time, it counts as dead."""

LONGEST = 255
"""How many bytes most file systems allow for the name of a file."""


def read(path: Path) -> bytes | None:
    """Return the content of a file, `None` if there is no file.

    Raises:
        CassetteError: If the file cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CassetteError(path, f"the file cannot be read: {error.strerror or error}") from None


def write(path: Path, make: Callable[[bytes | None], bytes | None]) -> bool:
    """Replace the content of a file in one step.

    The unfinished file stands beside it as `.name.recording` (see `_unfinished`), and is made by one process at a time.

    Args:
        path: The file; missing folders are made.
        make: Called when no other process can write the file any more. Takes its content, `None` if there is no file,
            and returns the new content, or `None` to leave the file.

    Returns:
        Whether the file was written.

    Raises:
        CassetteError: If the file could not be written; it is as it was.
    """
    path = Path(os.path.realpath(path))  # A link stays a link.
    unfinished = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _claimed(unfinished)
    except OSError as error:
        raise _failed(path, error) from None
    ours = os.fstat(handle)
    try:
        with os.fdopen(handle, "wb") as file:
            content = make(read(path))
            if content is None:
                return False
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if not _is_still(ours, unfinished):  # It took so long that another process has taken us for dead.
                raise FileExistsError
        if is_file(path):
            unfinished.chmod(path.stat().st_mode & 0o7777)
        unfinished.replace(path)
    except OSError as error:
        raise _failed(path, error) from None
    else:
        return True
    finally:
        if _is_still(ours, unfinished):  # Otherwise the file of that name is another process's.
            unfinished.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """Return the unfinished file of a file; a hash stands for a name so long that nothing can be added to it."""
    name = f".{path.name}.recording"
    if len(os.fsencode(name)) > LONGEST:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()}.recording"
    return path.with_name(name)


def _claimed(unfinished: Path) -> int:
    """Create and open the unfinished file; wait for another process that has one, remove what a killed one left."""
    waited_until = monotonic() + PATIENCE
    while True:
        try:
            return os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            with suppress(FileNotFoundError):
                if time() - unfinished.stat().st_mtime > PATIENCE:
                    unfinished.unlink()
                    continue
            if monotonic() > waited_until:
                raise
            sleep(0.05)


def _is_still(ours: os.stat_result, path: Path) -> bool:
    """Tell whether a path leads to our file."""
    try:
        return os.path.samestat(ours, path.stat())
    except FileNotFoundError:
        return False


def _failed(path: Path, error: OSError) -> CassetteError:
    if isinstance(error, FileExistsError):
        reason, step = "another process is writing it", "record each cassette from one process only"
    else:
        reason, step = error.strerror or str(error), "free disk space or make the folder writable, and record again"
    kept = "the file was not changed" if path.exists() else "no file was created"
    return CassetteError(path, f"the recording could not be written: {reason}; {kept}. Next: {step}")
