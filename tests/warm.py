"""Runs pytest in forks of one process that has imported pytest, the SDKs and the plugin, which takes longer than a run.

A run finds what it would find in a process of its own: pytest, parts of the standard library, and nothing else. All
other modules are given to it when it imports them (see `_Kept`), so whatever watches imports is put to work. Its
workers under xdist are forks as well.
"""

from __future__ import annotations

import atexit
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
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, NoReturn

# What suites import, each after what it needs itself; a module that is not installed is left out. Few of them import
# anthropic, whose two thousand models make it slower to look at all objects, as each run does once.
_SLOW = (
    "pydantic",
    "anyio",
    "httpx",
    "httpx2",
    "openai",
    "openai.resources.chat",
    "openai.resources.embeddings",
    "openai.resources.responses",
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
    finalize: bool


class Warm:
    """Runs pytest in forks of a process that is started for the first run.

    Args:
        environ: The environment of that process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._started: tuple[subprocess.Popen[bytes], Connection] | None = None

    def pytest(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        timeout: float = 120,
        finalize: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m pytest`; what it writes on stdout and stderr is one text, in the order of writing.

        Args:
            arguments: The arguments of pytest.
            folder: The folder to run in.
            env: The environment.
            timeout: The seconds after which the run is killed.
            finalize: Whether Python takes everything down at its end, which is a sixth of a run. Otherwise it only
                waits for threads and calls what `atexit` knows.

        Raises:
            subprocess.TimeoutExpired: If it is killed.
        """
        command = [sys.executable, "-m", "pytest", *arguments]
        if not self._may_fork(env):
            return subprocess.run(
                command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, check=False, timeout=timeout,
            )  # fmt: skip
        connection = self._start()
        with tempfile.NamedTemporaryFile() as out:
            connection.send((list(arguments), str(folder), dict(env), out.name, finalize))
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
            process, connection = self._started
            connection.close()
            process.wait()

    def _may_fork(self, env: Mapping[str, str]) -> bool:
        """Whether a fork finds what a process of its own would."""
        if not hasattr(os, "fork") or "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in env:
            return False
        return all(env.get(name) == self._environ.get(name) for name in _AT_START)

    def _start(self) -> Connection:
        if self._started is None:
            ours, its = Pipe()
            with its:
                command = [sys.executable, __file__, str(its.fileno())]
                process = subprocess.Popen(command, env=self._environ, pass_fds=[its.fileno()])
            self._started = (process, ours)
        return self._started[1]


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

    def give_in(self, run: _Run) -> None:
        """Give the modules from now on, as far as the run finds what they would be without us.

        pytest imports the modules of plugins in a way of its own, so those of a package would exist twice if some are
        kept. OpenTelemetry reads some variables when it is imported.
        """
        named = _plugins(run.arguments) - {"pytest_llmtrace"}
        self._leave_out(named | {"opentelemetry"} if any(name.startswith("OTEL_") for name in run.env) else named)
        sys.meta_path.insert(0, self)

    def _leave_out(self, packages: Iterable[str]) -> None:
        """Have packages executed anew, and all that has imported parts of them."""
        left = {name for name in self._modules if _package(name) in packages}
        importers: dict[str, list[str]] = {}
        for name, imported in self._imports.items():
            for one in imported:
                importers.setdefault(one, []).append(name)
        waiting = [*left]
        while waiting:
            more = {name for name in importers.get(waiting.pop(), ()) if name in self._modules} - left
            left |= more
            waiting += more
        for name in left:
            del self._modules[name]

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module that was imported before."""
        self._precede_pytest()
        module = self._modules.pop(fullname, None)
        return ModuleSpec(fullname, _Given(module, self)) if module else None

    def _precede_pytest(self) -> None:
        """Be asked before pytest, which looks at the path of each module and finds that it rewrites none of these."""
        places = [type(finder).__module__ for finder in sys.meta_path]
        if "_pytest.assertion.rewrite" in places[: sys.meta_path.index(self)]:
            sys.meta_path.remove(self)
            sys.meta_path.insert(places.index("_pytest.assertion.rewrite"), self)

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


def _plugins(arguments: Sequence[str]) -> frozenset[str]:
    """The packages of the plugins that are named."""
    return frozenset(_package(name) for option, name in itertools.pairwise(arguments) if option == "-p")


def _package(name: str) -> str:
    return name.partition(".")[0]


def _ours() -> Iterator[str]:
    """Name the modules of the package; those of the comparison are used by no run, and import every SDK."""
    spec = find_spec("pytest_llmtrace")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(("pytest_llmtrace.__main__", "pytest_llmtrace.compare")):
            yield name


def _is_rewritten(name: str) -> bool:
    """Tell whether pytest imports a module in a way of its own, so that its `assert` statements say more."""
    return name.startswith("pytest_llmtrace.plugin")


def _rewrite(names: Iterable[str], kept: _Kept) -> None:
    """Have pytest write the bytecode of modules that it rewrites, which takes longer than the rest of a short run."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return

    sys.meta_path.insert(0, kept)

    class Importing:
        def pytest_configure(self) -> None:
            for name in names:
                importlib.import_module(name)

    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        importlib.import_module("pytest").main(["-p", "pytest_llmtrace.plugin", "--markers"], [Importing()])
    os._exit(0)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runs.
    del sys.path[0]  # The folder of this file.
    sys.dont_write_bytecode = False  # All that is imported here stays as it is; each run has a setting of its own.
    gc.disable()
    importlib.import_module("pytest")
    kept = _Kept((*_SLOW, *(name for name in _ours() if not _is_rewritten(name))))
    _rewrite(filter(_is_rewritten, _ours()), kept)
    gc.enable()
    # Without this, each fork copies all pages of the modules: a collection writes to each object that it looks at.
    gc.collect()
    gc.freeze()
    with Connection(int(sys.argv[1])) as connection, contextlib.suppress(EOFError):
        while True:
            run = _Run(*connection.recv())
            nursery = _Nursery(kept, run) if "xdist" in _plugins(run.arguments) else None
            pid = os.fork()
            if not pid:
                connection.close()
                _run(run, kept, nursery)
            connection.send(pid)
            connection.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            if nursery:
                nursery.close()


def _run(run: _Run, kept: _Kept, nursery: _Nursery | None) -> NoReturn:
    """Do what `python -m pytest` does in a new process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing, out = os.open(os.devnull, os.O_RDONLY), os.open(run.out, os.O_WRONLY | os.O_APPEND)
    _begin((nothing, out, out), run.env, run.folder, [run.folder])
    sys.argv = ["pytest", *run.arguments]
    kept.give_in(run)
    if nursery:
        nursery.adopt()
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if run.finalize or not isinstance(end.code, int):
            raise
        _end(end.code)
    sys.exit()


def _end(code: int) -> NoReturn:
    """Do what Python does last, up to where it takes down its modules and objects."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # A test has closed it.
            stream.flush()
    os._exit(code)


def _begin(standard: tuple[int, int, int], env: Mapping[str, str], folder: str, path: Sequence[str]) -> None:
    """Do what Python does first in a new process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [*path, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    for number, opened in enumerate(standard):
        os.dup2(opened, number)
    for opened in {*standard}:
        os.close(opened)


class _Nursery:
    """A process that forks the workers of one run, before anything of that run has happened in it."""

    def __init__(self, kept: _Kept, run: _Run) -> None:
        self._requests, requests = Pipe()
        self._pid = os.fork()
        if not self._pid:
            self._requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the workers.
            kept.give_in(run)
            while True:
                _fork_worker(requests)
        requests.close()

    def adopt(self) -> None:
        """Have the workers that this process starts through execnet forked."""
        base = importlib.import_module("execnet.gateway_base")
        base.ThreadExecModel.subprocess = SimpleNamespace(
            PIPE=subprocess.PIPE, Popen=lambda command, **pipes: _Worker(self._requests)
        )

    def close(self) -> None:
        """End the process."""
        self._requests.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


class _Worker:
    """What execnet needs of `subprocess.Popen`."""

    def __init__(self, nursery: Connection) -> None:
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        self._ended, its_life = os.pipe()
        for its in (its_stdin, its_stdout, 2, its_life):
            send_handle(nursery, its, 0)
        for its in (its_stdin, its_stdout, its_life):
            os.close(its)
        nursery.send((dict(os.environ), str(Path.cwd())))
        self.pid: int = nursery.recv()
        self.stdin, self.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")

    def wait(self) -> None:
        """Wait until it ends, which closes its end of a pipe."""
        os.read(self._ended, 1)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def _fork_worker(requests: Connection) -> None:
    """Fork a worker, which does what `python -c` does with the line that execnet gives it."""
    opened = [recv_handle(requests) for _ in range(4)]
    env, folder = requests.recv()
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        requests.close()
        _begin((opened[0], opened[1], opened[2]), env, folder, [""])
        sys.argv = ["-c"]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec("import sys;exec(eval(sys.stdin.readline()))", vars(main))  # noqa: S102
        sys.exit()
    for its in opened:
        os.close(its)
    requests.send(pid)


if __name__ == "__main__":
    _main()
