"""Files are replaced in one step, and nothing but their content changes."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from pytest_llmtrace._written import write_text


def test_lines_end_alike_on_every_system(tmp_path: Path) -> None:
    r"""The bytes are those of the text and a line break, also where the system would write `\r\n`."""
    file = tmp_path / "new" / "file.json"
    write_text(file, "a\n\ud83d é")
    assert file.read_bytes() == b"a\n\\ud83d \xc3\xa9\n"
    assert [path.name for path in file.parent.iterdir()] == ["file.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that a link leads to is replaced, and keeps its permissions."""
    there, link = tmp_path / "there.json", tmp_path / "link.json"
    there.write_text("old", encoding="utf-8")
    there.chmod(0o640)
    link.symlink_to(there)
    write_text(link, "new")
    assert (link.is_symlink(), there.read_bytes(), there.stat().st_mode & 0o777) == (True, b"new\n", 0o640)


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some teams mark files read-only until somebody checks them out; that the folder may be written is not enough."""
    file = tmp_path / "file.json"
    file.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (file, os.W_OK))  # Root may write any file.
    with pytest.raises(PermissionError):
        write_text(file, "new")
    assert file.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("number", "kept", "raised"),
    [
        (errno.EBUSY, b"new\n", nullcontext()),
        (errno.EACCES, b"new\n", nullcontext()),
        (errno.ENOSPC, b"old", pytest.raises(OSError, match=os.strerror(errno.ENOSPC))),
    ],
)
def test_a_file_that_cannot_be_replaced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kept: bytes,
    raised: AbstractContextManager[object],
) -> None:
    """A file that is mounted by itself is written in place; on a full disk it stays as it was."""
    file = tmp_path / "file.json"
    file.write_bytes(b"old")

    def refused(path: Path, to: Path) -> Path:
        raise OSError(number, os.strerror(number), str(to))

    monkeypatch.setattr(Path, "replace", refused)
    with raised:
        write_text(file, "new")
    assert (file.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (kept, ["file.json"])


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """What is no file stays what it is, and is given the text."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_text(pipe, "new")
    reader.join(10)
    assert (got, pipe.is_fifo()) == ([b"new\n"], True)
