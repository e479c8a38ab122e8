"""Arguments that no command takes: times and files without an end, empty paths, and paths that do not exist."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pytest_llmtrace.cli import main

READING = (
    ["replay"],
    ["read"],
    ["cassettes", "lint"],
    ["cassettes", "lint", "cassettes", "--played"],
    ["cassettes", "scrub"],
    ["cassettes", "show"],
    ["diff", "old.json"],
    ["dashboard", "board.json", "--records"],
    ["push", "--spool"],
)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that is wrong use, and return the last line of its error output."""
    with pytest.raises(SystemExit) as stop:
        raise SystemExit(main(arguments))
    assert stop.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("budget", ["nan", "-1", "inf", "0", "soon"])
def test_a_budget_ends(budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The budget of a push is a finite number of seconds above 0."""
    said = refused(["push", f"--budget={budget}"], capsys)
    assert said == f"pytest-llmtrace push: error: argument --budget: {budget!r} is not a number of seconds above 0"


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_pipe_is_no_file(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that is named is refused, since it may have no writer."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    assert refused([*command, "pipe.yaml"], capsys).endswith("pipe.yaml is a pipe, which may never end; name a file")


@pytest.mark.parametrize(
    "command", [["replay"], ["read"], ["cassettes", "lint"], ["cassettes", "scrub", "--check"]], ids=" ".join
)
def test_a_pipe_or_a_socket_in_a_folder(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe or a socket in a folder is passed over: the files beside it are meant."""
    os.mkfifo(tmp_path / "a.yaml")
    os.mknod(tmp_path / "b.json", stat.S_IFSOCK)
    (tmp_path / "c.yaml").write_text("interactions: [", encoding="utf-8")
    main([*command, str(tmp_path)])
    said = "".join(capsys.readouterr())
    assert "c.yaml" in said
    assert "a.yaml" not in said
    assert "b.json" not in said


def test_a_device_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A device is refused, since it may have no end, as `/dev/zero`."""
    assert refused(["read", "/dev/zero"], capsys).endswith("/dev/zero is a device, which may never end; name a file")


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_an_empty_path_is_no_folder(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`scrub --yes "$FOLDER"` with an unset variable does not go through the current folder."""
    assert refused([*command, ""], capsys).endswith("the path is empty; write '.' for the current folder")


@pytest.mark.parametrize("age", ["-3", "soon", "1.5"])
def test_an_age_is_a_number_of_days(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An age is a whole number of days and not negative, as nothing was recorded in the future."""
    said = refused(["cassettes", "lint", f"--max-age={age}", "."], capsys)
    assert said.endswith(f"error: argument --max-age: {age!r} is not a whole number of days, 0 or more")


def test_hidden_files_are_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error for a missing path does not offer the caches of tools."""
    wrong = tmp_path / "chat.yaml"
    (tmp_path / ".pytest_cache").mkdir()
    assert refused(["read", str(wrong)], capsys) == f"pytest-llmtrace: no such file: {wrong}"


def test_a_large_folder_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error for a missing path gives the nearest names and, if there are many others, only their number."""
    for number in range(21):
        (tmp_path / f"chat-{number}.yaml").touch()
    (tmp_path / "tools.yaml").touch()
    wrong = tmp_path / "tool.yaml"
    near = "22 others are there; the nearest: tools.yaml, chat-9.yaml, chat-8.yaml"
    assert refused(["read", str(wrong)], capsys) == f"pytest-llmtrace: no such file: {wrong}; {near}"
