"""How the names of cassettes are resolved to files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.errors import CassetteError, UsageError
from pytest_llmtrace.replay import builtin_dirs, default_name, default_path, find, is_builtin, resolve


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("openrouter/chat", "one/openrouter/chat.yaml"),
        ("openrouter/chat.yaml", "one/openrouter/chat.yaml"),
        ("short", "one/short.yml"),
        ("data", "one/data.json"),
        ("v1.5", "one/v1.5.yaml"),
        ("second", "two/second.yaml"),
        ("both", "one/both.yaml"),
        ("packed", "one/packed.yaml.gz"),
        ("packed.yaml.gz", "one/packed.yaml.gz"),
    ],
)
def test_names_below_the_directories(write: Callable[..., Path], tmp_path: Path, name: Any, file: Any) -> None:
    """The suffix may be left out, and the first directory that has the file wins."""
    for each in (
        "openrouter/chat.yaml",
        "short.yml",
        "data.json",
        "v1.5.yaml",
        "both.yaml",
        "chat/x.yaml",
        "packed.yaml.gz",
    ):
        write("", f"one/{each}")
    for each in ("second.yaml", "both.yaml"):
        write("", f"two/{each}")
    assert resolve(name, dirs=[tmp_path / "one", tmp_path / "two"]) == tmp_path / file


def test_absolute_path(write: Callable[..., Path], tmp_path: Path) -> None:
    """An absolute path is taken as it is; its suffix may be left out too."""
    path = write("", "chat.yaml")
    assert resolve(str(path), dirs=[]) == resolve(str(path.with_suffix("")), dirs=[tmp_path]) == path


def test_builtin(write: Callable[..., Path], tmp_path: Path) -> None:
    """A `builtin:` name is looked up in the package first, then in the source checkout, and nowhere else."""
    write("", "package/openrouter/chat.yaml")
    write("", "checkout/openrouter/chat.yaml")
    write("", "checkout/openrouter/stream.yaml")
    builtin = [tmp_path / "package", tmp_path / "checkout"]
    for name, place in (("chat", "package"), ("stream", "checkout")):
        assert resolve(f"builtin:openrouter/{name}", dirs=[], builtin=builtin) == (
            tmp_path / place / "openrouter" / f"{name}.yaml"
        )
    with pytest.raises(CassetteError) as refused:
        resolve("builtin:openrouter/chatt", dirs=[], builtin=builtin)
    assert refused.value.reason.endswith("; the nearest: builtin:openrouter/chat, builtin:openrouter/stream")


def test_builtin_directories_of_this_checkout() -> None:
    """Every built-in directory that is named exists: the package's own, or the checkout's."""
    assert all(directory.is_dir() and directory.name == "cassettes" for directory in builtin_dirs())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openruter/chat", "the nearest: openrouter/chat"),
        ("zzzzzzzzzzzzzzz", "2 others are there"),
        (".", "2 others are there"),
        ("cassettes/openrouter/chat", "the nearest: openrouter/chat"),
        ("tests/cassettes/openrouter/chat.yaml", "the nearest: openrouter/chat"),
        ("openrouter\\chat", "the nearest: openrouter/chat"),
    ],
)
def test_near_names_on_a_miss(write: Callable[..., Path], tmp_path: Path, name: Any, found: Any) -> None:
    """The error for a name without a file gives the nearest names, or says how many others there are."""
    write("", "openrouter/chat.yaml")
    write("", "aaa.yaml")
    with pytest.raises(CassetteError) as refused:
        resolve(name, dirs=[tmp_path])
    assert str(refused.value) == f"{name}: there is no such cassette in {tmp_path}; {found}"
    assert find(name, dirs=[tmp_path]) is None


@pytest.mark.parametrize(("files", "found"), [((), "no cassette is there"), (("aaa",), "one other is there")])
def test_how_many_others_there_are(
    write: Callable[..., Path], tmp_path: Path, files: tuple[str, ...], found: str
) -> None:
    """The error for a name unlike all others says how many there are, in words where it is one or none."""
    for name in files:
        write("", f"{name}.yaml")
    with pytest.raises(CassetteError) as refused:
        resolve("zzzzzzzz", dirs=[tmp_path])
    assert str(refused.value) == f"zzzzzzzz: there is no such cassette in {tmp_path}; {found}"


def test_near_names_of_an_absolute_path(write: Callable[..., Path], tmp_path: Path) -> None:
    """For an absolute path, the nearest names are looked for in its folder."""
    write("", "chat.yaml")
    with pytest.raises(CassetteError) as refused:
        resolve(str(tmp_path / "chatt"), dirs=[])
    assert refused.value.reason == f"there is no such cassette in {tmp_path}; the nearest: chat"


NAMED = "set llmtrace_cassette_dir (LLMTRACE_CASSETTE_DIR) to the folder that has them"


@pytest.mark.parametrize(
    ("name", "dirs", "said"),
    [
        ("chat", ["casettes"], f"ROOT/casettes; this is not a folder (did you mean cassettes?); {NAMED}"),
        ("chat", ["x.yaml"], f"ROOT/x.yaml; this is not a folder; {NAMED}"),
        ("chat", ["nope/a", "nope/b"], f"ROOT/nope/a, ROOT/nope/b; none of these is a folder; {NAMED}"),
        ("ROOT/casettes/chat", [], "ROOT/casettes; this is not a folder (did you mean cassettes?)"),
    ],
)
def test_a_folder_that_is_none_is_told(
    write: Callable[..., Path], tmp_path: Path, name: str, dirs: list[str], said: str
) -> None:
    """If a cassette is not found because a setting names no folder, the error says so and suggests the folder meant."""
    write("", "cassettes/chat.yaml")
    write("", "x.yaml")
    with pytest.raises(CassetteError) as refused:
        resolve(name.replace("ROOT", str(tmp_path)), dirs=[tmp_path / folder for folder in dirs])
    assert refused.value.reason.replace(str(tmp_path), "ROOT") == f"there is no such cassette in {said}"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("test_chat", "test_chat"),
        ("test_chat[gpt-4o]", "test_chat[gpt-4o]"),
        ("test_chat[a/b\\c:d]", "test_chat[a-b-c-d]"),
        ("test_x[<>?%*|\"'/]", "test_x[---------]"),
        ("test_é[\n]", "test_é[\n]"),
    ],
)
def test_default_name_is_that_of_pytest_recording(name: Any, file: Any) -> None:
    """Existing cassettes are found: functions, classes and parameters are named as pytest-recording 0.13 names them."""
    assert default_name(name) == file
    assert default_name(name, cls="TestClass") == f"TestClass.{file}"


@pytest.mark.parametrize(
    ("length", "serializer", "file"),
    [
        (10, None, "test_xxxxx.yaml"),
        (10, "json", "test_xxxxx.json"),
        (250, None, f"test_{'x' * 245}.yaml"),
        (251, None, f"test_{'x' * 210}...9250e0cf59e370c986f872d27846fad0.yaml"),
    ],
)
def test_default_path_is_that_of_pytest_recording(length: Any, serializer: Any, file: Any) -> None:
    """The path is the same too, also where the name is too long for a file name."""
    path = default_path(Path("tests"), "test_" + "x" * (length - 5), serializer=serializer)
    assert path == Path("tests") / file


@pytest.mark.parametrize("name", [5, "", " ", None, "a\0b"])
def test_what_is_no_name(name: Any) -> None:
    """The name of a cassette is a text that is not blank and can be part of a path."""
    for look_up in (lambda: resolve(name, dirs=()), lambda: is_builtin(name)):
        with pytest.raises(UsageError) as caught:
            look_up()
        assert str(caught.value) == f"the name of a cassette must be a string such as 'openrouter/chat', not {name!r}"
