"""Parsed cassettes, kept in the process and between runs.

A file is identified by its content, so the cache is never out of date. Between runs a cassette is kept as JSON, never
as a pickle: one line for what the file says about itself, one for each recording, and a checksum. It is read and
written line by line, so that a large cassette is never in memory twice; small cassettes share a file. A disk that
cannot be written, or a cache file that is broken or not ours, only costs the time to parse again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from time import time_ns
from types import MappingProxyType
from typing import Any, BinaryIO

from pytest_llmtrace._stdlib import base64, hashlib, json
from pytest_llmtrace.model import Cassette, Failure, Recording, Request, Response
from pytest_llmtrace.replay.cassette import default_label, open_file, parse
from pytest_llmtrace.replay.payload import Shared
from pytest_llmtrace.replay.shelf import Shelf

__all__ = ["CassetteCache", "load"]

FORMAT = 4
"""The version of the cache's content, raised whenever the loader reads the same file in another way."""
IN_PROCESS = 256
ON_DISK = 2000
SMALLEST = 8 * 1024
"""Cassettes of fewer bytes have no cache file of their own: it would be read about as fast as they are parsed."""
BLOCK = 128 * 1024
SETTLED_NS = 2_000_000_000

Signature = tuple[int, ...]
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def load(path: Path | str, *, label: str | None = None, cache_dir: Path | None = None) -> Cassette:
    """Return a cassette as `cassette.load` does, parsed once in this process, or once in all runs with a `cache_dir`.

    Args:
        path: The file.
        label: The cassette's name in reports; default: as for `cassette.load`.
        cache_dir: The directory that keeps parsed cassettes between runs; None to keep none.

    Raises:
        CassetteError: If the file is missing or is not a cassette; the message says where and why.
    """
    cache = _caches.get(cache_dir)
    if cache is None:
        cache = _caches.setdefault(cache_dir, CassetteCache(cache_dir))
    return cache.load(path, label=label)


class CassetteCache:
    """A loader of cassettes that parses each content once.

    Args:
        directory: The directory that keeps parsed cassettes between runs; None to keep none.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._shelf = None if directory is None else Shelf(directory / f"cassettes-v{FORMAT}.jsonl")
        self._lock = threading.Lock()
        self._by_content: OrderedDict[str, Cassette] = OrderedDict()
        self._by_file: dict[Path, tuple[Signature, str]] = {}
        self._is_ready = False

    def load(self, path: Path | str, *, label: str | None = None) -> Cassette:
        """Return a cassette as `cassette.load` does.

        Raises:
            CassetteError: If the file is missing or is not a cassette; the message says where and why.
        """
        path = Path(path)
        label = label or default_label(path)
        with self._lock:
            digest = self._known_digest(path)
            cassette = self._by_content.get(digest or "")
            if cassette is None:
                cassette = self._from_content(path, label)
        return cassette if cassette.label == label else replace(cassette, label=label)

    def _known_digest(self, path: Path) -> str | None:
        signature, digest = self._by_file.get(path, ((), ""))
        if not signature:
            return None
        try:
            return digest if signature == _signature(path.stat()) else None
        except (OSError, ValueError):
            return None

    def _from_content(self, path: Path, label: str) -> Cassette:
        file, stat = open_file(path)
        with file:
            digest = _digest(path, file)
            is_large = file.tell() >= SMALLEST
            cassette = self._by_content.get(digest) or self._from_disk(digest, is_large=is_large)
            if cassette is None:
                cassette = parse(file, path, label=label)
                if not isinstance(file, BytesIO) and _digest(path, file) != digest:  # It was changed meanwhile.
                    return cassette
                self._to_disk(digest, cassette, is_large=is_large)
        self._by_content[digest] = cassette
        self._by_content.move_to_end(digest)
        if len(self._by_content) > IN_PROCESS:
            self._by_content.popitem(last=False)
        if signature := _signature(stat):
            self._by_file[path] = signature, digest
        return cassette

    # --- between runs ---

    def _from_disk(self, digest: str, *, is_large: bool) -> Cassette | None:
        if self._directory is None or self._shelf is None:
            return None
        try:
            if not is_large:
                known = self._shelf.take(digest)
                return None if known is None else _read(BytesIO(known))
            with (self._directory / _name(digest)).open("rb") as lines:
                return _read(lines)
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return None

    def _to_disk(self, digest: str, cassette: Cassette, *, is_large: bool) -> None:
        if self._directory is None or self._shelf is None:
            return
        if not is_large:
            self._shelf.add(digest, _written(cassette))
            return
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
            if not self._is_ready:  # Once: the first run of a suite writes a file for each test.
                self._directory.mkdir(parents=True, exist_ok=True)
                _tidy(self._directory)
                self._is_ready = True
            _write(self._directory / _name(digest), _written(cassette))


_caches: dict[Path | None, CassetteCache] = {}


def _signature(stat: os.stat_result) -> Signature:
    """Return values that change whenever a file does; none if it changed just now: another change might not show."""
    if abs(time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns)) < SETTLED_NS:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _digest(path: Path, file: BinaryIO) -> str:
    # Some forms are recognised by the suffix, so the same content may be two different cassettes.
    digest = hashlib.blake2b(path.suffix.lower().encode() + b"\0", digest_size=20)
    file.seek(0)
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _name(digest: str) -> str:
    return f"cassette-v{FORMAT}-{digest}.json"


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file atomically, so that no reader sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(lines)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _tidy(directory: Path) -> None:
    """Delete the older half of the cache files if there are `ON_DISK` of them already."""
    kept = list(directory.glob("cassette-v*.json"))
    if len(kept) >= ON_DISK:
        for path in sorted(kept, key=lambda path: path.stat().st_mtime_ns)[: ON_DISK // 2]:
            path.unlink(missing_ok=True)


# --- the form on disk: lists of values, in the order of the fields ---------------------------------------------------


def _written(cassette: Cassette) -> Iterator[bytes]:
    checksum = 0
    for value in (dict(cassette.origin), *map(_fields, cassette.recordings)):
        line = _ENCODER.encode(value).encode("utf-8") + b"\n"
        checksum = zlib.crc32(line, checksum)
        yield line
    yield b"%d\n" % checksum


def _fields(recording: Recording) -> list[Any]:
    request, response = recording.request, recording.response
    sent = [request.method, request.url, request.headers, _body_out(request.body)]
    received = None if response is None else _response_out(response)
    return [*sent, received, recording.failure, recording.line, recording.any_body, recording.test]


def _response_out(response: Response) -> list[Any]:
    lengths = [len(chunk) for chunk in response.chunks]
    body = _body_out(response.body)
    return [response.status, response.headers, body, lengths, response.offsets, response.reason, response.http_version]


def _body_out(body: bytes) -> str | list[str]:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return [base64.b64encode(body).decode("ascii")]


def _read(lines: Iterator[bytes]) -> Cassette | None:
    first = next(lines, b"")
    origin, checksum = json.loads(first), zlib.crc32(first)
    shared, recordings = Shared(), list[Recording]()
    line = next(lines, b"")
    for following in lines:
        checksum = zlib.crc32(line, checksum)
        recordings.append(_recording(len(recordings), json.loads(line), shared))
        line = following
    if int(line) != checksum:
        return None
    return Cassette(label="", recordings=tuple(recordings), origin=MappingProxyType(origin))


def _recording(index: int, fields: list[Any], shared: Shared) -> Recording:
    method, url, headers, body, response, failure, line, any_body, test = fields
    return Recording(
        index=index,
        request=Request(
            method=shared.text(method), url=shared.text(url), headers=shared.headers(headers), body=_body_in(body)
        ),
        response=None if response is None else _response_in(shared, *response),
        failure=None if failure is None else Failure(failure),
        line=line,
        any_body=any_body,
        test=test,
    )


def _response_in(
    shared: Shared,
    status: int,
    headers: Any,
    body: Any,
    lengths: list[int],
    offsets: Any,
    reason: str,
    http_version: str,
) -> Response:
    whole, start, chunks = _body_in(body), 0, []
    for length in lengths:
        chunks.append(whole[start : start + length])
        start += length
    return Response(
        status=status,
        headers=shared.headers(headers),
        chunks=tuple(chunks),
        offsets=None if offsets is None else tuple(offsets),
        reason=shared.text(reason),
        http_version=shared.text(http_version),
    )


def _body_in(body: str | list[str]) -> bytes:
    return body.encode("utf-8") if isinstance(body, str) else base64.b64decode(body[0])
