"""Find the files that a command is to read, and read their text."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_llmtrace._argtypes import finite
from pytest_llmtrace.errors import CassetteError, UsageError
from pytest_llmtrace.replay.cassette import LFS_POINTER
from pytest_llmtrace.replay.names import below

__all__ = ["File", "Text", "files_in", "looks_like_cassette", "text_of"]


@dataclass(frozen=True, slots=True)
class File:
    """A file, and whether it was named itself, or else a folder above it."""

    path: Path
    named: bool

    def is_other(self, error: CassetteError) -> bool:
        """Tell whether the error only means that a file in a named folder is something other than a cassette."""
        return not self.named and "is not a cassette: expected" in error.reason


def files_in(paths: Iterable[Path]) -> Iterator[File]:
    """Yield the named files, and the files below the named folders, those of a folder sorted, each file once.

    Raises:
        UsageError: If there is no such file or folder, or a named file may have no end, as a pipe.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found = [File(file, named=False) for file in below(path)]
        elif path.exists():
            found = [File(path, named=True)]
        else:
            raise UsageError.no_path(path)
        for file in found:
            if file.path not in seen and not file.path.is_dir():
                seen.add(finite(file.path))
                yield file


def looks_like_cassette(content: bytes) -> bool:
    """Judge cheaply whether a file of a folder is meant to be a cassette, even a broken one.

    An empty file counts as one: a recorder that was killed leaves such a file. So does a pointer of Git LFS, and a file
    in UTF-16, which some editors and shells write: nobody can play them. Those of VCR for Ruby and R do not.
    """
    if content.startswith(LFS_POINTER):
        return True
    if b"\0" in content[:4]:
        content = content.replace(b"\0", b"")
    if _OF_ANOTHER_VCR.search(content):
        return False
    return not content.strip() or b"interactions" in content or (b"request" in content and b"response" in content)


_OF_ANOTHER_VCR = re.compile(rb"^http_interactions:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a file, and the byte order mark that it may begin with."""

    text: str
    mark: bytes

    def is_json(self, path: Path) -> bool:
        """Tell whether the file is read as JSON, by the rule of `replay.cassette`."""
        if path.suffix.lower() == ".json":
            return True
        if self.text.lstrip()[:1] not in {"{", "["}:
            return False
        try:
            json.loads(self.text)
        except ValueError:
            return False
        return True

    def encoded(self, text: str) -> bytes:
        """Return another text as the content of this file."""
        return self.mark + text.encode("utf-8", "surrogatepass")


def text_of(content: bytes) -> Text:
    """Return the text of a file that is known to be UTF-8. Ends of lines stay as they are."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    return Text(content[len(mark) :].decode("utf-8"), mark)
