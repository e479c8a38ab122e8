"""Cassette files, read by a safe loader of our own: nothing in a file can construct an object."""

from __future__ import annotations

import codecs
import difflib
import io
import os
from os import getcwd
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from pytest_llmtrace import _stdlib
from pytest_llmtrace._stdlib import json
from pytest_llmtrace.codings import is_gzip, unpacked
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Cassette
from pytest_llmtrace.replay.forms import Forms

__all__ = ["LFS_POINTER", "default_label", "load", "open_file", "parse", "plain_of", "read_file"]

LARGE = 1024 * 1024
"""Files with more bytes than this are never in memory as a whole."""
BLOCK = 128 * 1024
LFS_POINTER = b"version https://git-lfs.github.com/"
"""The first bytes of a file that stands for one that Git LFS has not fetched."""


def load(path: Path | str, *, label: str | None = None) -> Cassette:
    """Read a cassette file, in whatever form it is written.

    Args:
        path: The file.
        label: The cassette's name in reports; default: the path, relative to the current directory if it lies below it.

    Raises:
        CassetteError: If the file is missing or is not a cassette; the message says where and why.
    """
    file, _ = open_file(path)
    with file:
        return parse(file, path, label=label)


def open_file(path: Path | str) -> tuple[BinaryIO, os.stat_result]:
    """Open a cassette file; return it with its size and times. A small file is read into memory, so it cannot change.

    Raises:
        CassetteError: If the file is missing or cannot be read; the message names files beside it with similar names.
    """
    try:
        # System calls take most of the time that a small file costs, so none is made without need.
        file: Any = _stdlib.open_file(path, "rb", buffering=0)
        try:
            stat = os.fstat(file.fileno())
            if stat.st_size > LARGE:
                return file, stat
            content = file.read(stat.st_size + 1)
            if len(content) != stat.st_size:  # The file is growing, or is a pipe.
                content += file.read()
        except BaseException:
            file.close()
            raise
        file.close()
    except (OSError, ValueError) as error:
        raise _no_file(Path(path), error) from None
    return io.BytesIO(content), stat


def read_file(path: Path | str) -> bytes:
    """Return the bytes of a cassette file.

    Raises:
        CassetteError: If the file is missing or cannot be read; the message names files beside it with similar names.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise _no_file(Path(path), error) from None


def _no_file(path: Path, error: Exception) -> CassetteError:
    """Return the error that says what is wrong with a path; a null byte in it comes as a ValueError."""
    if isinstance(error, FileNotFoundError):
        return CassetteError(path, f"there is no such cassette{_near(path)}")
    if isinstance(error, IsADirectoryError):
        return CassetteError(path, "this is a directory, not a cassette")
    return CassetteError(path, f"the file cannot be read: {getattr(error, 'strerror', None) or error}")


def _near(path: Path) -> str:
    try:
        names = {entry.stem: entry.name for entry in sorted(path.parent.iterdir()) if entry.is_file()}
    except OSError:
        return f", and no folder {path.parent}"
    near = difflib.get_close_matches(path.stem, names, 3)
    if near:
        return f"; the nearest in its folder: {', '.join(names[stem] for stem in near)}"
    return "; no file in its folder has a similar name" if names else "; its folder is empty"


def parse(content: bytes | BinaryIO, path: Path | str, *, label: str | None = None) -> Cassette:
    """Read a cassette from its content, or from its open file, which is read from the start.

    Raises:
        CassetteError: If this is not a cassette; the message says where and why.
    """
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    file.seek(0)
    if is_gzip(file.read(2)):
        file.seek(0)
        file = io.BytesIO(plain_of(file.read(), path))
    try:
        forms = Forms(path)
        document = _document(file, path, forms)
        recordings = forms.recordings(document)
        origin = forms.origin(document)
    except RecursionError:
        raise CassetteError(path, "it is nested too deeply") from None
    return Cassette(label=label or default_label(path), recordings=recordings, origin=MappingProxyType(dict(origin)))


def plain_of(content: bytes, path: Path | str) -> bytes:
    """Return the content of a file without gzip, in which LangChain keeps its cassettes.

    Raises:
        CassetteError: If the file is cut off or broken.
    """
    plain = unpacked(content)
    if plain is content and is_gzip(content):
        raise CassetteError(path, "this file in gzip is cut off or broken, so it cannot be read")
    return plain


def default_label(path: Path | str) -> str:
    """Return the name of a file in reports: relative to the current directory if it lies below it, with slashes."""
    text = (path if isinstance(path, Path) else Path(path)).as_posix()
    try:
        return text.removeprefix(f"{getcwd().replace(os.sep, '/').rstrip('/')}/")  # noqa: PTH109 - a tenth of a Path
    except (OSError, ValueError):
        return text


def _document(file: BinaryIO, path: Path | str, forms: Forms) -> Any:
    # Imported here because a run without cassettes, or with cached ones only, needs neither module.
    from pytest_llmtrace.replay.yaml_layout import read_layout
    from pytest_llmtrace.replay.yaml_safe import parse_yaml

    is_json = Path(path).suffix.lower() == ".json"
    file.seek(0)
    if not is_json and (known := read_layout(file, forms.early)) is not None:
        return known
    start = _start(file, path)
    if not start:
        raise CassetteError(path, "the file is empty; record it again, or delete it")
    file.seek(0)
    if file.read(len(LFS_POINTER)) == LFS_POINTER:
        raise CassetteError(path, "this is a pointer of Git LFS, which has not fetched the file. Next: git lfs pull")
    file.seek(0)
    if is_json or start in {"{", "["}:
        try:
            return json.loads(file.read().decode("utf-8-sig"))
        except json.JSONDecodeError as error:
            if is_json:
                raise CassetteError(path, f"this is not valid JSON: {error.msg}", line=error.lineno) from None
        except ValueError as error:  # Such as a number with more digits than Python converts.
            raise CassetteError(path, f"this is not valid JSON: {error}") from None
    return parse_yaml(file, path, interaction=forms.early)


def _start(file: BinaryIO, path: Path | str) -> str:
    """Return the first character that is not white space, empty if there is none; the whole file must be UTF-8."""
    file.seek(0)
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    start, line, block = "", 1, b"-"
    while block:
        block = file.read(BLOCK)
        try:
            text = decode(block, final=not block)
        except UnicodeDecodeError as error:
            line += error.object.count(b"\n", 0, error.start)
            byte = error.object[error.start]
            raise CassetteError(path, f"byte {byte:#04x} is not UTF-8, so this is not a cassette", line=line) from None
        start = start or text.lstrip()[:1]
        line += block.count(b"\n")
    return start
