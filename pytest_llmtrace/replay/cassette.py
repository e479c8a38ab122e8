"""Cassette files, read by a safe loader of our own: nothing in a file can construct an object."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Cassette
from pytest_llmtrace.replay.forms import Forms
from pytest_llmtrace.replay.yaml_safe import parse_yaml

__all__ = ["default_label", "load", "parse", "read_file"]


def load(path: Path | str, *, label: str | None = None) -> Cassette:
    """Read a cassette, in whatever form it is written.

    Args:
        path: The file.
        label: How reports name it; default: the path, relative to the current directory where it is below that.

    Raises:
        CassetteError: The file is missing, or is no cassette; says where and why.
    """
    return parse(read_file(path), path, label=label)


def read_file(path: Path | str) -> bytes:
    """Return the bytes of a cassette file.

    Raises:
        CassetteError: There is none; names the files of its folder that are called alike.
    """
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CassetteError(path, f"there is no such cassette{_near(path)}") from None
    except IsADirectoryError:
        raise CassetteError(path, "this is a directory, not a cassette") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise CassetteError(path, f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _near(path: Path) -> str:
    try:
        names = {entry.stem: entry.name for entry in sorted(path.parent.iterdir()) if entry.is_file()}
    except OSError:
        return f", and no folder {path.parent}"
    near = difflib.get_close_matches(path.stem, names, 3)
    if near:
        return f"; the nearest in its folder: {', '.join(names[stem] for stem in near)}"
    return "; no file in its folder is called alike" if names else "; its folder is empty"


def parse(content: bytes, path: Path | str, *, label: str | None = None) -> Cassette:
    """Read a cassette from the content of its file.

    Raises:
        CassetteError: It is no cassette; says where and why.
    """
    try:
        forms = Forms(path)
        document = _document(content, path, forms)
        recordings = forms.recordings(document)
        origin = forms.origin(document)
    except RecursionError:
        raise CassetteError(path, "it nests too deeply; refused") from None
    return Cassette(label=label or default_label(path), recordings=recordings, origin=MappingProxyType(dict(origin)))


def default_label(path: Path | str) -> str:
    """Name a file as reports do: relative to the current directory where it is below that, with slashes."""
    path = Path(path)
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except (OSError, ValueError):
        return path.as_posix()


def _document(content: bytes, path: Path | str, forms: Forms) -> Any:
    text = _text(content, path)
    if not text.strip():
        raise CassetteError(path, "the file is empty; record it again, or delete it")
    is_json = Path(path).suffix.lower() == ".json"
    if is_json or text.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            if is_json:
                raise CassetteError(path, f"this is no valid JSON: {error.msg}", line=error.lineno) from None
        except ValueError as error:  # a number with too many digits
            raise CassetteError(path, f"this is no valid JSON: {error}") from None
    return parse_yaml(text, path, interaction=forms.early)


def _text(content: bytes, path: Path | str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CassetteError(
            path, f"byte {content[error.start]:#04x} is no UTF-8, so this is no cassette", line=line
        ) from None
