"""Which files are meant, and their text."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_llmtrace._argtypes import finite
from pytest_llmtrace.errors import CassetteError, UsageError
from pytest_llmtrace.replay.names import below

__all__ = ["File", "Text", "files_in", "looks_like_cassette", "text_of"]


@dataclass(frozen=True, slots=True)
class File:
    """A file, and whether it was named itself (or is below a folder that was)."""

    path: Path
    named: bool

    def is_other(self, error: CassetteError) -> bool:
        """Tell whether it cannot be read since it is below a folder and something else than a cassette."""
        return not self.named and "is no cassette: expected" in error.reason


def files_in(paths: Iterable[Path]) -> Iterator[File]:
    """Yield the files that are named, and those below the folders that are, sorted, each once.

    Raises:
        UsageError: There is no such file or folder, or what is named itself may have no end.
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
    """Judge cheaply whether a file of a folder is meant to be a cassette, be it broken.

    A file that is empty counts: a recorder that was killed leaves one.
    """
    return not content.strip() or b"interactions" in content or (b"request" in content and b"response" in content)


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a file, and the mark that it may begin with."""

    text: str
    mark: bytes

    def is_json(self, path: Path) -> bool:
        """Tell whether it is read as JSON, as `replay.cassette` does."""
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
