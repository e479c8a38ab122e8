"""Runs of pytest in forks find what runs in processes of their own do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.warm import Warm

SUITE = """
import importlib, pathlib, random, sys

def installed():
    # Cython makes modules that nobody has imported.
    named = {name for name, module in sys.modules.items() if getattr(module, "__spec__", None)}
    # importlib_metadata, once imported, takes the place of a part of Python's import system.
    aside = {*sys.stdlib_module_names, "importlib_metadata", "zipp"}
    return {name for name in named if name.partition(".")[0] not in aside and name[0] != "_"}

def test_it():
    before = installed()
    importlib.import_module("openai")
    brought = {name.partition(".")[0] for name in installed() - before}
    pathlib.Path("found").write_text(repr((sorted(before), sorted(brought), sys.argv, sys.path[0], sys.stdin.read())))
    pathlib.Path("random").write_text(str(random.random()))
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """The arguments of a run of a suite that writes what it found into the file `found`."""
    pytest.importorskip("openai")
    (tmp_path / "test_it.py").write_text(SUITE)
    return ["-p", "no:cacheprovider", "-s", "test_it.py"]


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ([], {}),
        (["-p", "xdist", "-n", "1"], {}),
        (["-p", "anyio.pytest_plugin"], {}),
        ([], {"OTEL_TRACES_SAMPLER": "always_off"}),
    ],
    ids=["alone", "xdist", "plugin", "variable"],
)
def test_a_fork_finds_what_a_process_of_its_own_finds(
    options: list[str],
    variables: dict[str, str],
    arguments: list[str],
    tmp_path: Path,
    warm: Warm,
    child_environ: Callable[..., dict[str, str]],
) -> None:
    """No module is imported beforehand but those of pytest; an SDK brings what it needs."""
    arguments = [*options, *arguments]
    environ = child_environ(**variables)
    forked = warm.pytest(arguments, folder=tmp_path, env=environ)
    found = (tmp_path / "found").read_text()
    own = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (forked.returncode, own.returncode) == (0, 0), forked.stdout + own.stdout
    assert found == (tmp_path / "found").read_text()


def test_forks_do_not_repeat_one_another(
    arguments: list[str], tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]]
) -> None:
    """Each fork draws random numbers of its own."""
    drawn = set()
    for _ in range(2):
        warm.pytest(arguments, folder=tmp_path, env=child_environ())
        drawn.add((tmp_path / "random").read_text())
    assert len(drawn) == 2


def test_what_python_reads_at_its_start_needs_a_process_of_its_own(
    tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]]
) -> None:
    """A run for which a variable of Python differs is not forked."""
    (tmp_path / "test_it.py").write_text("import os\n\ndef test_it():\n    print('parent', os.getppid())\n")
    run = warm.pytest(["-s", "test_it.py"], folder=tmp_path, env=child_environ(PYTHONWARNINGS="error"))
    assert f"parent {os.getpid()}\n" in run.stdout


def test_what_opentelemetry_reads_when_it_is_imported_is_the_run_s(
    tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]]
) -> None:
    """A run with variables of OpenTelemetry executes OpenTelemetry's modules."""
    (tmp_path / "test_it.py").write_text(
        "def test_it():\n"
        "    from opentelemetry.sdk.trace import TracerProvider\n"
        "    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF\n"
        "    assert TracerProvider().sampler is ALWAYS_OFF\n"
    )
    run = warm.pytest(["test_it.py"], folder=tmp_path, env=child_environ(OTEL_TRACES_SAMPLER="always_off"))
    assert run.returncode == 0, run.stdout


KILLED = """
import os, signal

def test_it():
    print(os.getppid(), file=open("parents", "a"))
    os.kill(os.getpid(), signal.SIGKILL)

def test_other():
    print(os.getppid(), file=open("parents", "a"))
"""


def test_workers_of_xdist_are_forks(tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]]) -> None:
    """Those of one run have one parent, which is not that run; one takes the place of one that is killed."""
    (tmp_path / "test_it.py").write_text(KILLED)
    (tmp_path / "conftest.py").write_text("import os\n\ndef pytest_report_header():\n    return f'run {os.getpid()}'\n")
    run = warm.pytest(["-p", "xdist", "-n", "1", "test_it.py"], folder=tmp_path, env=child_environ())
    assert "1 failed, 1 passed" in run.stdout, run.stdout
    first, second = (tmp_path / "parents").read_text().splitlines()
    assert first == second
    assert f"run {first}\n" not in run.stdout


def test_a_run_that_hangs_is_killed(tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]]) -> None:
    """A run that takes too long is an error with what it wrote; the next run is a new one."""
    (tmp_path / "test_it.py").write_text("def test_it():\n    print('here', flush=True)\n    while True: pass\n")
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        warm.pytest(["-s", "test_it.py"], folder=tmp_path, env=child_environ(), timeout=0.1)
    assert caught.value.timeout == 0.1
    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    assert warm.pytest(["test_it.py"], folder=tmp_path, env=child_environ()).returncode == 0


ENDING = """
import atexit, pathlib, threading

def test_it():
    main = threading.main_thread()
    thread = threading.Thread(target=lambda: (main.join(), pathlib.Path("thread").touch()))
    thread.start()
    atexit.register(lambda: pathlib.Path("exit").write_text(str(thread.is_alive())))
    assert False
"""


@pytest.mark.parametrize("finalize", [False, True])
def test_how_a_run_ends(
    tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]], finalize: bool
) -> None:
    """Threads are waited for before functions of `atexit` are called, and the exit code is the run's own."""
    (tmp_path / "test_it.py").write_text(ENDING)
    run = warm.pytest(["test_it.py"], folder=tmp_path, env=child_environ(), finalize=finalize)
    assert run.returncode == 1, run.stdout
    assert ((tmp_path / "thread").exists(), (tmp_path / "exit").read_text()) == (True, "False")
