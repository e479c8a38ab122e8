"""Runs pytest in forks of one process that has imported pytest, the SDKs and the plugin, which takes longer than a run.

A run finds what it would find in a process of its own: pytest, parts of the standard library, and nothing else. All
other modules are given to it when it imports them (see `_Kept`), so whatever watches imports is put to work.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import itertools
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

# What suites import, each after what it needs itself; a module that is not installed is left out.
_SLOW = (
    "pydantic",
    "anyio",
    "httpx",
    "httpx2",
    "openai",
    "openai.resources.chat",
    "openai.resources.embeddings",
    "openai.resources.responses",
    "anthropic",
    "anthropic.resources.messages",
    "opentelemetry.trace",
    "opentelemetry.sdk.trace",
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk._logs",
)
# Python reads these when it starts.
_AT_START = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONWARNINGS")


class _Run(NamedTuple):
    arguments: Sequence[str]
    folder: str
    env: Mapping[str, str]
    out: str


class Warm:
    """Runs pytest in forks of a process that is started for the first run.

    Args:
        environ: The environment of that process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._started: tuple[subprocess.Popen[bytes], Connection, frozenset[str]] | None = None

    def pytest(
        self, arguments: Sequence[str], *, folder: Path, env: Mapping[str, str], timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m pytest`; what it writes on stdout and stderr is one text, in the order of writing.

        Args:
            arguments: The arguments of pytest.
            folder: The folder to run in.
            env: The environment.
            timeout: The seconds after which the run is killed.

        Raises:
            subprocess.TimeoutExpired: If it is killed.
        """
        command = [sys.executable, "-m", "pytest", *arguments]
        if not self._may_fork(arguments, env):
            return subprocess.run(
                command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, check=False, timeout=timeout,
            )  # fmt: skip
        _, connection, _ = self._start()
        with tempfile.NamedTemporaryFile() as out:
            connection.send((list(arguments), str(folder), dict(env), out.name))
            pid = connection.recv()
            ended = connection.poll(timeout)
            if not ended:
                os.kill(pid, signal.SIGKILL)
            code = connection.recv()
            text = Path(out.name).read_text()
        if not ended:
            raise subprocess.TimeoutExpired(command, timeout, text)
        return subprocess.CompletedProcess(command, code, text)

    def close(self) -> None:
        """End the process."""
        if self._started is not None:
            process, connection, _ = self._started
            connection.close()
            process.wait()

    def _may_fork(self, arguments: Sequence[str], env: Mapping[str, str]) -> bool:
        """Whether a fork finds what a process of its own would.

        pytest imports the modules of plugins in a way of its own, so those of a package would exist twice if some are
        kept. OpenTelemetry reads some variables when it is imported.
        """
        if not hasattr(os, "fork") or "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in env:
            return False
        if any(env.get(name) != self._environ.get(name) for name in _AT_START):
            return False
        _, _, kept = self._start()
        plugins = {_package(name) for option, name in itertools.pairwise(arguments) if option == "-p"}
        return not (plugins - {"pytest_llmtrace"}) & kept and not any(name.startswith("OTEL_") for name in env)

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection, frozenset[str]]:
        if self._started is None:
            ours, its = Pipe()
            with its:
                command = [sys.executable, __file__, str(its.fileno())]
                process = subprocess.Popen(command, env=self._environ, pass_fds=[its.fileno()])
            self._started = (process, ours, ours.recv())
        return self._started


# --- in the process that forks ---------------------------------------------------------------------------------------


class _Kept(MetaPathFinder):
    """Imports modules, takes them out of `sys.modules`, and gives them to whoever imports them later.

    A module is not executed again. It brings what it imported itself when it was, in that order.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._imports: dict[str, dict[str, None]] = {}
        known = set(sys.modules)
        importlib.import_module("pytest_llmtrace._stdlib")  # It copies `builtins`, and imports nothing of ours.
        with self._noting_imports():
            for name in names:
                with contextlib.suppress(Exception):  # What needs a package that is not installed may say so itself.
                    importlib.import_module(name)
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)  # Without it, another module has put this one there.
            if name not in known and _package(name) not in sys.stdlib_module_names and spec and spec.name == name:
                self._modules[name] = sys.modules.pop(name)
        for name, module in self._modules.items():
            # `from package import module` would find a module that nobody has imported yet.
            package, _, own = name.rpartition(".")
            if package in self._modules and vars(self._modules[package]).get(own) is module:
                delattr(self._modules[package], own)

    @contextlib.contextmanager
    def _noting_imports(self) -> Iterator[None]:
        """Note what each module imports."""
        real = builtins.__import__

        def noting(
            name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0  # noqa: A002 - Python's names
        ) -> Any:  # fmt: skip
            found = real(name, globals, locals, fromlist, level)
            if globals and "__name__" in globals:
                imported = resolve_name("." * level + name, globals.get("__package__")) if level else name
                modules = (imported, *(f"{imported}.{part}" for part in fromlist or ()))
                noted = self._imports.setdefault(globals["__name__"], {})
                noted.update(dict.fromkeys(module for module in modules if module in sys.modules))
            return found

        builtins.__import__ = noting
        try:
            yield
        finally:
            builtins.__import__ = real

    def packages(self) -> frozenset[str]:
        """The packages of which modules are kept."""
        return frozenset(map(_package, self._modules))

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module that was imported before."""
        module = self._modules.pop(fullname, None)
        return ModuleSpec(fullname, _Given(module, self)) if module else None

    def bring(self, name: str) -> None:
        """Import what a module imported when it was executed."""
        for imported in self._imports.get(name, ()):
            if imported in self._modules:
                importlib.import_module(imported)


class _Given(Loader):
    """Gives one module, which has been executed."""

    def __init__(self, module: ModuleType, kept: _Kept) -> None:
        self._module, self._kept = module, kept
        self._names = dict(vars(module))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        self._kept.bring(module.__name__)
        # Python has set `__spec__`, and the name of each submodule that was brought, which may be a function's, too.
        vars(module).update(self._names)


def _package(name: str) -> str:
    return name.partition(".")[0]


def _ours() -> Iterator[str]:
    """Name the modules of the plugin, except those that pytest imports in a way of its own: it rewrites them."""
    spec = find_spec("pytest_llmtrace")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(("pytest_llmtrace.plugin", "pytest_llmtrace.__main__")):
            yield name


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runs.
    del sys.path[0]  # The folder of this file.
    importlib.import_module("pytest")
    kept = _Kept((*_SLOW, *_ours()))
    # Without this, each fork copies all pages of the modules: a collection writes to each object that it looks at.
    gc.collect()
    gc.freeze()
    with Connection(int(sys.argv[1])) as connection, contextlib.suppress(EOFError):
        connection.send(kept.packages())
        while True:
            run = _Run(*connection.recv())
            pid = os.fork()
            if not pid:
                connection.close()
                _run(run, kept)
            connection.send(pid)
            connection.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _run(run: _Run, kept: _Kept) -> NoReturn:
    """Do what `python -m pytest` does in a new process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(run.folder)
    os.environ.clear()
    os.environ.update(run.env)
    sys.path[:0] = [run.folder, *filter(None, run.env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = bool(run.env.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = ["pytest", *run.arguments]
    nothing, out = os.open(os.devnull, os.O_RDONLY), os.open(run.out, os.O_WRONLY | os.O_APPEND)
    for opened, standard in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(opened, standard)
    os.close(nothing)
    os.close(out)
    sys.meta_path.insert(0, kept)
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    _main()
