"""A cassette is parsed once; a cache that cannot be used only costs the time to parse again."""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.replay import cache, cassette, shelf
from pytest_llmtrace.replay.cache import CassetteCache

TAPE = """interactions:
- request: {method: POST, uri: 'https://a.test/v1', headers: {A: [b, c]}, body: !!binary /w==}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [text/event-stream]}
    body: {string: "data: é\\n\\ndata: 2\\n\\n"}
    llmtrace: {chunks: [10, 9], offsets: [0.25, 0.5]}
- request: {method: POST, uri: 'https://a.test/v1'}
  response: null
  llmtrace: {failure: connect-error}
- request: {method: GET, uri: 'https://a.test/v1'}
  response: {status: 200, body: !!binary //4=}
version: 1
llmtrace: {origin: written}
"""


@pytest.fixture(autouse=True)
def small_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the small cassettes of these tests a cache file of their own, as large ones have."""
    monkeypatch.setattr(cache, "SMALLEST", 0)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the paths that were parsed, in order."""
    paths = []

    def parse(content: Any, path: Any, **kwargs: Any) -> Any:
        paths.append(path)
        return cassette.parse(content, path, **kwargs)

    monkeypatch.setattr(cache, "parse", parse)
    return paths


def test_once_in_a_process(write: Callable[..., Path], parsed: list[Path]) -> None:
    """A thousand tests parse their cassette once, and each may give it a label of its own."""
    path = write(TAPE)
    loaded = CassetteCache()
    cassettes = [loaded.load(path, label=f"label {number % 2}") for number in range(1000)]
    assert len(parsed) == 1
    assert [each.label for each in cassettes[:2]] == ["label 0", "label 1"]
    assert cassettes[0].recordings is cassettes[1].recordings


def test_once_in_all_runs(write: Callable[..., Path], tmp_path: Path, parsed: list[Path]) -> None:
    """A cassette is parsed once in all runs; the one that is read from the disk equals the parsed one."""
    path = write(TAPE)
    first = CassetteCache(tmp_path / "cache").load(path)
    second = CassetteCache(tmp_path / "cache").load(path)
    assert len(parsed) == 1
    assert first == second == cassette.load(path)
    (file,) = (tmp_path / "cache").iterdir()
    origin, *recordings, checksum = file.read_bytes().splitlines()
    assert json.loads(origin) == {"origin": "written"}
    assert len(recordings) == len(first.recordings)
    assert int(checksum) == zlib.crc32(file.read_bytes().removesuffix(checksum + b"\n"))


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep the cassettes of a test in the file that small ones share; return that file."""
    monkeypatch.setattr(cache, "SMALLEST", 10**6)
    return tmp_path / "cache" / f"cassettes-v{cache.FORMAT}.jsonl"


def test_small_files_share_one(write: Callable[..., Path], parsed: list[Path], shared: Path) -> None:
    """Small cassettes are parsed once in all runs; those that are read from the shared file equal the parsed ones."""
    paths = [write(TAPE.replace("v1", f"v{number}"), f"{number}.yaml") for number in range(3)]
    for _ in range(3):
        loaded = CassetteCache(shared.parent)
        assert [loaded.load(path) for path in paths] == [cassette.load(path) for path in paths]
    assert parsed == paths
    assert list(shared.parent.iterdir()) == [shared]


def test_small_files_are_written_together(
    write: Callable[..., Path], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small cassettes are written when enough wait, or with the cache's end; an unwritable one stops no other."""
    monkeypatch.setattr(shelf, "WAITING", 3)
    loaded = CassetteCache(shared.parent)
    for number, written in enumerate([[], [], [0, 2], [0, 2]]):
        origin = "!!binary /w==" if number == 1 else "written"
        loaded.load(write(TAPE.replace("v1", f"v{number}").replace("written", origin), f"{number}.yaml"))
        assert _versions_in(shared) == written
    del loaded
    assert _versions_in(shared) == [0, 2, 3]


def _versions_in(file: Path) -> list[int]:
    content = file.read_text() if file.exists() else ""
    return [number for number in range(4) if f"/v{number}" in content]


@pytest.mark.parametrize("which", range(9))
def test_a_broken_entry_is_parsed_over(
    write: Callable[..., Path], parsed: list[Path], shared: Path, which: Any
) -> None:
    """An entry that is cut off, altered or not ours is ignored, and the entries after it are whole."""
    one, other = write(TAPE), write(TAPE.replace("v1", "v2"), "other.yaml")
    first = CassetteCache(shared.parent).load(one)
    good = shared.read_bytes()
    key, _, entry = good.strip().partition(b" ")
    wrong = damaged(entry.replace(b"\x1e", b"\n"))
    broken = [b"", b"\xff\n\n", *(key + b" " + each.replace(b"\n", b"\x1e") for each in wrong)]
    shared.write_bytes(broken[which])
    for _ in range(2):
        loaded = CassetteCache(shared.parent)
        assert loaded.load(one) == first
        assert loaded.load(other) == cassette.load(other)
    assert parsed == [one, one, other]
    assert shared.read_bytes().startswith(broken[which] + good)


def test_the_shared_file_does_not_grow_without_end(
    write: Callable[..., Path], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared file that grows too large, with entries of cassettes that have changed since, is started over."""
    monkeypatch.setattr(shelf, "LARGEST", 2000)
    for number in range(12):
        CassetteCache(shared.parent).load(write(TAPE.replace("v1", f"v{number}")))
        assert shared.stat().st_size < 3000


def test_a_large_file_that_changes_while_it_is_read_is_not_kept(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file is read twice, to identify and to parse it; if it changes in between, the result is not kept."""
    path = write(TAPE)

    def parse(file: Any, path: Path, **kwargs: Any) -> Any:
        write(TAPE.replace("v1", "v2"))
        return cassette.parse(file, path, **kwargs)

    monkeypatch.setattr(cassette, "LARGE", 0)
    loaded = CassetteCache(tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(cache, "parse", parse)
        assert "/v2" in loaded.load(path).recordings[0].request.url
    write(TAPE)
    assert "/v1" in loaded.load(path).recordings[0].request.url
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("largest", [0, 10**6])
def test_a_file_that_grows_while_it_is_opened_is_read_whole(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, largest: Any
) -> None:
    """The size that a file has when it is opened only decides how it is read."""
    monkeypatch.setattr(cassette, "LARGE", largest)
    path = write(TAPE)
    small = os.stat_result([0] * 10)
    monkeypatch.setattr(os, "fstat", lambda _: small)
    assert len(cassette.load(path).recordings) == 3


def test_an_unchanged_file_is_not_read_again(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that has been the same for a while is known by its size and times alone."""
    path = write(TAPE)
    monkeypatch.setattr(cache, "SETTLED_NS", 0)
    loaded = CassetteCache()
    first = loaded.load(path)
    monkeypatch.setattr(cache, "open_file", None)
    assert loaded.load(path) is first


@pytest.mark.parametrize("settled", [0, cache.SETTLED_NS])
def test_a_changed_file_is_read_again(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, settled: Any
) -> None:
    """A change is seen at once, also one that keeps the file's size."""
    monkeypatch.setattr(cache, "SETTLED_NS", settled)
    path = write(TAPE)
    loaded = CassetteCache()
    loaded.load(path)
    if settled:
        times = path.stat()
        write(TAPE.replace("v1", "v2"))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    else:
        write(TAPE.replace("v1", "v22"))
    assert "/v2" in loaded.load(path).recordings[0].request.url


def test_equal_headers_are_one_object(write: Callable[..., Path], tmp_path: Path) -> None:
    """Equal headers, methods and URLs, which most interactions have, are one object, parsed or from the disk."""
    item = "- {request: {method: GET, uri: 'https://a.test/', headers: {A: [b]}}, response: null}\n"
    path = write(f"interactions:\n{item}{item}version: 1\n")
    for _ in range(2):
        first, second = (one.request for one in CassetteCache(tmp_path / "cache").load(path).recordings)
        assert first.headers == (("A", "b"),)
        assert first.headers is second.headers
        assert first.url is second.url
        assert first.method is second.method


def damaged(content: bytes) -> list[bytes]:
    return [
        b"",
        b"no JSON\n1\n",
        content[:-2],
        content.replace(b"POST", b"PUSH"),
        content[: content.index(b"\n") + 1],
        _checked(b"[]\n"),
        _checked(b"{}\n[]\n"),
    ]


def _checked(lines: bytes) -> bytes:
    return lines + b"%d\n" % zlib.crc32(lines)


@pytest.mark.parametrize("which", range(7))
def test_a_broken_cache_file_is_parsed_over(
    write: Callable[..., Path], tmp_path: Path, parsed: list[Path], which: Any
) -> None:
    """A cache file that is cut off, altered or not ours is replaced."""
    path = write(TAPE)
    first = CassetteCache(tmp_path / "cache").load(path)
    (file,) = (tmp_path / "cache").iterdir()
    good = file.read_bytes()
    file.write_bytes(damaged(good)[which])
    assert CassetteCache(tmp_path / "cache").load(path) == first
    assert len(parsed) == 2
    assert file.read_bytes() == good


def test_no_place_to_write(write: Callable[..., Path], parsed: list[Path]) -> None:
    """A directory that cannot be made, as on a read-only disk, costs only time."""
    path = write(TAPE)
    blocked = write("a file", "blocked") / "cache"
    for _ in range(2):
        assert len(CassetteCache(blocked).load(path).recordings) == 3
    assert len(parsed) == 2


def test_nothing_is_left_of_a_failed_write(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write leaves nothing behind: a cache file is there whole or not at all."""

    def full(source: Any, target: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    assert len(CassetteCache(tmp_path / "cache").load(write(TAPE)).recordings) == 3
    assert list((tmp_path / "cache").iterdir()) == []


def test_old_entries_are_dropped(write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache directory keeps a limited number of entries, however many runs add to it."""
    monkeypatch.setattr(cache, "ON_DISK", 4)
    for number in range(12):
        CassetteCache(tmp_path / "cache").load(write(TAPE.replace("v1", f"v{number}")))
        assert len(list((tmp_path / "cache").iterdir())) <= 4


def test_errors_name_the_file_each_time(write: Callable[..., Path], tmp_path: Path) -> None:
    """A file that is not a cassette is never cached; a missing file gets the loader's error."""
    loaded = CassetteCache(tmp_path / "cache")
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(CassetteError, match=name):
            loaded.load(write("a: 1", name))
    with pytest.raises(CassetteError, match="no such cassette"):
        loaded.load(tmp_path / "c.yaml")
    assert not (tmp_path / "cache").exists()


def test_load_shares_one_cache_a_directory(write: Callable[..., Path], tmp_path: Path, parsed: list[Path]) -> None:
    """`cache.load` parses once per cache directory, and otherwise does the same as `CassetteCache.load`."""
    path = write(TAPE)
    first = cache.load(path, cache_dir=tmp_path / "cache")
    assert cache.load(path, cache_dir=tmp_path / "cache", label=first.label) is first
    assert cache.load(path) == first
    assert len(parsed) == 2
