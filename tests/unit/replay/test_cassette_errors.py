"""A file that is not a cassette is refused with one clear error, in bounded time and without executing anything."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.replay.cassette import load

GOOD = """interactions:
- request:
    body: '{}'
    headers: {}
    method: POST
    uri: https://a.test/v1
  response:
    body:
      string: hi
    headers: {}
    status: {code: 200, message: OK}
version: 1
"""
OBJECT = "stands for an object, but a cassette may hold plain values only; nothing was built. "
EXPECTED = "expected `interactions` (vcrpy), or one `request` with its `response`"
REMEDY = "Record the cassette again, or replace the tagged value with plain text"
LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        pytest.param("", "", "the file is empty; record it again, or delete it", id="empty"),
        pytest.param(" \n\n", "", "the file is empty; record it again, or delete it", id="blank"),
        pytest.param(
            GOOD[: GOOD.index("hi")] + "'hi",
            ":9",
            "this is not valid YAML: while scanning a quoted scalar, found unexpected end of stream",
            id="truncated in a text",
        ),
        pytest.param(
            GOOD[: GOOD.index("    uri")],
            ":3",
            "the request of interaction 0 has no `uri`: the file is cut off here, or is not a cassette",
            id="half a request",
        ),
        pytest.param(
            GOOD[: GOOD.index("  response")],
            ":2",
            "interaction 0 has no `response`, and no `version` follows: the file is cut off here",
            id="half an interaction",
        ),
        pytest.param(
            GOOD[: GOOD.index("    status")],
            ":8",
            "the response of interaction 0 has no `status`: the file is cut off here, or is not a cassette",
            id="half a response",
        ),
        pytest.param(
            GOOD.replace("uri: https", "uri: 5 #"),
            ":3",
            "the `uri` of the request of interaction 0 is a number, not a string",
            id="no text",
        ),
        pytest.param(
            GOOD.replace("code: 200", "code: '200 OK'"),
            ":8",
            "the `status` of the response of interaction 0 is a string, not a number such as 200",
            id="no number",
        ),
        pytest.param(
            "interactions:\n- other: 1\n",
            ":2",
            "interaction 0 has no `request`, it is a mapping with the keys 'other': not an HTTP call, or the file "
            "is cut off here",
            id="no request",
        ),
        pytest.param("interactions:\n", ":1", "`interactions` is nothing, not a list", id="no list"),
        pytest.param("a: [1\nb: 2\n", ":2", None, id="no YAML"),
        pytest.param("a\x07b: 1", ":1", None, id="control character"),
        pytest.param(
            GOOD.replace("method: POST", "verb: POST").replace("version: 1", "version: 2"),
            ":1",
            "cassettes of version 2 cannot be read, only those of version 1",
            id="version before what else is wrong",
        ),
        pytest.param(
            GOOD.replace("version: 1", "version: 2"),
            ":1",
            "cassettes of version 2 cannot be read, only those of version 1",
            id="version",
        ),
        pytest.param(
            "- request: {}\n",
            "",
            f"a list is not a cassette: {EXPECTED}",
            id="list",
        ),
        pytest.param(
            "a: 1\nb: 2\n",
            ":1",
            f"a mapping with the keys 'a', 'b' is not a cassette: {EXPECTED}",
            id="other mapping",
        ),
        pytest.param(b"a: 1\nb: \xff\n", ":2", "byte 0xff is not UTF-8, so this is not a cassette", id="not UTF-8"),
        pytest.param(
            GOOD + "---\na: 1\n", ":13", "a second YAML document starts here; a cassette is one document", id="two"
        ),
        pytest.param(
            GOOD.replace("version: 1", "interactions: []\nversion: 1"),
            ":1",
            "this document has several lists `interactions`, of which only the last would be read; "
            "join them: a merge may have left them",
            id="two lists",
        ),
        pytest.param("? [a]\n: 1\n", ":1", "a key of the mapping that starts here is a list or a mapping", id="key"),
        pytest.param("a: !!binary x\n", ":1", "the value that is tagged !!binary is not one", id="binary"),
        pytest.param(
            GOOD.replace("string: hi", "string: !!binary |\n        aGVs<<<bG8h"),
            ":9",
            "the value that is tagged !!binary is not one",
            id="damaged binary",
        ),
        pytest.param(
            "a: !!python/object/apply:os.system [touch owned]\n",
            ":1",
            f"the tag !!python/object/apply:os.system {OBJECT}{REMEDY}",
            id="apply",
        ),
        pytest.param(
            "a: 1\nb: !!python/name:os.system\n", ":2", f"the tag !!python/name:os.system {OBJECT}{REMEDY}", id="name"
        ),
        pytest.param("a: !mine {b: 1}\n", ":1", f"the tag !mine {OBJECT}{REMEDY}", id="own tag"),
        pytest.param(
            "a: !!python/object/new:multidict._multidict.istr [b, c]\n",
            ":1",
            f"the tag !!python/object/new:multidict._multidict.istr {OBJECT}{REMEDY}",
            id="istr of two",
        ),
        pytest.param(
            "a: !!python/object/new:_io.BytesIO {state: [1, 0, null]}\n",
            ":1",
            f"the tag !!python/object/new:_io.BytesIO {OBJECT}{REMEDY}",
            id="file of a number",
        ),
        pytest.param(
            "a: !!python/object/new:_io.BytesIO {state: !!python/tuple []}\n",
            ":1",
            f"the tag !!python/object/new:_io.BytesIO {OBJECT}{REMEDY}",
            id="file of nothing",
        ),
        pytest.param(
            LAUGHS,
            ":6",
            "its anchors and aliases expand to far more than the file itself; refused",
            id="billion laughs",
        ),
        pytest.param("a: &a [*a]\n", ":1", "the alias *a refers to itself, or to nothing before it", id="recursive"),
        pytest.param("a: " + "[" * 100_000, ":1", "it is nested more than 200 levels deep", id="deep"),
        pytest.param(
            GOOD.replace("uri: https://", "uri: https://["),
            ":3",
            "the `uri` of the request of interaction 0 is not a URL, so no client can have requested it",
            id="no URL",
        ),
        pytest.param(
            GOOD.replace("headers: {}", "headers: 5"),
            ":3",
            "the headers of the request of interaction 0 are neither a mapping nor a list of pairs",
            id="headers",
        ),
        pytest.param(
            GOOD.replace("string: hi", "base64: a"),
            ":8",
            "the body of the response of interaction 0 cannot be decoded",
            id="base64",
        ),
        pytest.param(
            GOOD.replace("  response:", "  llmtrace: {test: [1]}\n  response:"),
            ":2",
            "interaction 0 has a `llmtrace.test` that is a list, not the name of a test",
            id="test",
        ),
        pytest.param(
            GOOD.replace("  response:", "  llmtrace: {failure: nap}\n  response:"),
            ":2",
            "interaction 0 has the unknown failure 'nap'; "
            "known: connect-error, connect-timeout, pool-timeout, proxy-error, write-error, write-timeout, read-error, "
            "read-timeout, disconnect, aborted, cancelled",
            id="failure",
        ),
        pytest.param(
            GOOD.replace("    body:\n", "    llmtrace: {chunks: [a]}\n    body:\n"),
            ":8",
            "the `llmtrace.chunks` of the response of interaction 0 are not a list of lengths",
            id="chunks",
        ),
        pytest.param(
            GOOD.replace("    body:\n", "    llmtrace: {coding: gzip}\n    body:\n"),
            ":8",
            "the `llmtrace.coding` of the response of interaction 0 is 'gzip', not 'as-sent'",
            id="coding",
        ),
        pytest.param(
            GOOD.replace("    body:\n", "    llmtrace: {chunks: [2], offsets: [soon]}\n    body:\n"),
            ":8",
            "the `llmtrace.offsets` of the response of interaction 0 are not a list of seconds",
            id="offsets",
        ),
        pytest.param(GOOD + "llmtrace: mine\n", ":1", "`llmtrace` is a string, not a mapping", id="origin"),
    ],
)
def test_refused_yaml(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, where: Any, reason: Any
) -> None:
    """Each file is refused with its own error, which names file and line; nothing is built or run, and it is quick."""
    monkeypatch.chdir(tmp_path)
    path = write(content)
    started = time.perf_counter()
    with pytest.raises(CassetteError) as refused:
        load(path)
    assert time.perf_counter() - started < 30
    assert str(refused.value).startswith(f"{path}{where}: ")
    assert reason is None or refused.value.reason == reason
    assert [found.name for found in tmp_path.iterdir()] == ["tape.yaml"]


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        ('{\n"a": ', ":2", "this is not valid JSON: Expecting value"),
        (
            '{"a": 1}',
            "",
            f"a mapping with the keys 'a' is not a cassette: {EXPECTED}",
        ),
        (
            "{}",
            "",
            f"an empty mapping is not a cassette: {EXPECTED}",
        ),
        ("[" * 100_000, "", "it is nested too deeply"),
        ("1" * 5000, "", None),
    ],
)
def test_refused_json(write: Callable[..., Path], content: Any, where: Any, reason: Any) -> None:
    """JSON that is broken, nests without end, or is not a cassette is refused in the same way."""
    path = write(content, "tape.json")
    with pytest.raises(CassetteError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}{where}: ")
    assert reason is None or refused.value.reason == reason


@pytest.mark.parametrize("cut", range(1, GOOD.index("code: 200"), 7))
def test_cut_off_anywhere(write: Callable[..., Path], cut: Any) -> None:
    """A file that was cut off before its last status is refused wherever the cut is."""
    with pytest.raises(CassetteError):
        load(write(GOOD[:cut]))


@pytest.mark.parametrize(
    ("others", "found"),
    [
        (["chat.yaml", "chat-stream.yaml", "x.yaml"], "the nearest in its folder: chat.yaml, chat-stream.yaml"),
        (["x.yaml"], "no file in its folder has a similar name"),
        ([], "its folder is empty"),
    ],
)
def test_missing(write: Callable[..., Path], tmp_path: Path, others: Any, found: Any) -> None:
    """The error for a missing cassette lists the files with similar names."""
    for name in others:
        write("", name)
    with pytest.raises(CassetteError) as refused:
        load(tmp_path / "chatt.yaml")
    assert str(refused.value) == f"{tmp_path / 'chatt.yaml'}: there is no such cassette; {found}"


def test_missing_folder_and_directory(tmp_path: Path) -> None:
    """A missing folder, and a directory in the cassette's place, each have their own error."""
    with pytest.raises(CassetteError, match=re.escape(f"no such cassette, and no folder {tmp_path / 'a'}")):
        load(tmp_path / "a" / "b.yaml")
    with pytest.raises(CassetteError, match="this is a directory, not a cassette"):
        load(tmp_path)


def test_no_number_is_computed_without_end(write: Callable[..., Path]) -> None:
    """Text that looks like a number of YAML 1.1 stays text, whether huge (base 60) or not a number at all (`0x_`)."""
    for message in ("1:" * 100_000 + "1", "0x_"):
        (recording,) = load(write(GOOD.replace("message: OK", f"message: {message}"))).recordings
        assert recording.response is not None
        assert recording.response.reason == message
