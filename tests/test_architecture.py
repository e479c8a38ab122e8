"""The layering of the package, read from its imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pytest_llmtrace

PACKAGE = Path(pytest_llmtrace.__file__).parent

# From low to high. A part may import parts of lower layers (further up in this list), never of its own or a higher one.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"_stdlib"}),
    frozenset({"_collector", "_quick", "errors", "telemetry"}),
    frozenset({"_argtypes", "_written"}),
    frozenset({"reading"}),
    frozenset({"finding"}),
    frozenset({"model"}),
    frozenset({"clock", "codings", "headers", "ownership"}),
    frozenset({"secrets"}),
    frozenset({"_lines", "canaries"}),
    frozenset({"tree"}),
    frozenset({"capture", "dialects", "intercept", "openobserve", "replay", "wire"}),
    frozenset({"conventions", "pairing", "record"}),
    frozenset({"checks"}),
    frozenset({"contract", "waivers"}),
    frozenset({"export", "report"}),
    frozenset({"views"}),
    frozenset({"_selection"}),
    frozenset({"faults"}),
    frozenset({"_arguments"}),
    frozenset({"harness"}),
    frozenset({"_sdks", "exits"}),
    frozenset({"_playback"}),
    frozenset({"compare", "doctor", "upkeep"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
    frozenset({"plugin"}),
)

# The third parties that only some parts may import. The harness and the layers below it do not know pytest.
THIRD_PARTIES: dict[str, frozenset[str]] = {
    "pytest": frozenset({"plugin"}),
    "httpx": frozenset({"intercept", "replay/_routes", "replay/router"}),
    "openai": frozenset({"_sdks", "compare/_privacy_calls"}),
    "anthropic": frozenset({"_sdks", "compare/_by_hand", "compare/_privacy_calls"}),
    "httpx2": frozenset({"intercept"}),
    "httpcore": frozenset({"intercept"}),
    "httpcore2": frozenset({"intercept"}),
    "vcr": frozenset({"replay", "record"}),
    "yaml": frozenset({"replay", "record", "upkeep"}),
    "respx": frozenset({"replay/_routes", "replay/router", "intercept"}),
    "packaging": frozenset({"waivers"}),
    "datafusion": frozenset({"openobserve/sql", "openobserve/_functions"}),
    "pyarrow": frozenset({"openobserve/sql", "openobserve/_functions"}),
    "opentelemetry": frozenset({"capture", "compare/_by_hand"}),
}

# Parts that never run in the process and time of a test: commands, and code with a process of its own.
APART: frozenset[str] = frozenset({"__main__", "_playback", "_sdks", "cli", "compare", "doctor", "upkeep"})
REPLACEABLE: frozenset[str] = frozenset({"base64", "hashlib", "json", "re", "time"})
"""Modules whose functions tests replace by mocks. The clock itself replaces functions of `time`, and spans are sent
when the tests are over, so both may use `time`."""
OF_TIME: frozenset[str] = frozenset({"clock", "export"})

MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES} - {PACKAGE})


def part_of(path: Path) -> str:
    """Name the part that a module belongs to: its folder or file directly below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache  # Several tests ask about each module.
def nodes(path: Path) -> list[ast.AST]:
    """Parse a module and return all its nodes."""
    return [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


@cache
def imports(path: Path, *, running: bool = False) -> list[str]:
    """Return the dotted names that a module imports anywhere; if `running`, without imports for type checkers only."""
    left_out = for_types(path) if running else frozenset()
    names: list[str] = []
    for node in nodes(path):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def for_types(path: Path) -> frozenset[ast.AST]:
    """Return the nodes of a module that only type checkers see."""
    blocks = [node for node in nodes(path) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return frozenset(inner for block in blocks for statement in block.body for inner in ast.walk(statement))


def rank(part: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if part in layer)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    """A part imports only parts of lower layers, and itself."""
    part = part_of(path)
    if part == "__init__":
        return
    wanted = {name.split(".")[1] for name in imports(path) if name.startswith("pytest_llmtrace.")}
    known = {name for layer in LAYERS for name in layer}
    upward = {other for other in wanted & known - {part} if rank(other) >= rank(part)}
    assert not upward, f"{part} imports {sorted(upward)}"


def test_contributors_are_told_of_each_folder() -> None:
    """The map in CONTRIBUTING.md names every part that is a folder, so that it cannot fall behind."""
    page = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = {part_of(path) for path in FOLDERS}
    assert {part for part in parts if f"`{part}`" not in page} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_part_is_imported_by_its_own_name(path: Path) -> None:
    """The API of a part is its `__init__`: a private module of a folder is imported in that folder only."""
    inside = re.compile(rf"pytest_llmtrace\.(?!{part_of(path)}\.)\w+\._")
    assert not [name for name in imports(path) if inside.match(name)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_modules_of_a_folder_are_in_layers_too(folder: Path) -> None:
    """The modules of a folder do not import one another in a circle; imports for types do not count."""
    graph = {path.stem: within(folder, path) for path in folder.glob("*.py") if path.stem != "__init__"}
    assert list(TopologicalSorter(graph).static_order())


def within(folder: Path, path: Path) -> set[str]:
    """Return the names of the folder's modules that one of them imports at run time."""
    own = ".".join(("pytest_llmtrace", *folder.relative_to(PACKAGE).parts, ""))
    names = imports(path, running=True)
    wanted = {name.removeprefix(own).split(".")[0] for name in names if name.startswith(own)}
    return {name for name in wanted if (folder / f"{name}.py").exists()}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_third_parties_stay_in_their_place(path: Path) -> None:
    """Each third party is imported only where it belongs."""
    here = {part_of(path), path.relative_to(PACKAGE).with_suffix("").as_posix()}
    for name in imports(path):
        allowed = THIRD_PARTIES.get(name.split(".")[0])
        assert allowed is None or allowed & here, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_runs_while_a_test_does_calls_none_of_its_mocks(path: Path) -> None:
    """Functions of the standard library that tests replace are taken from `_stdlib`, or imported by their names."""
    part = part_of(path)
    if part in APART | {"_stdlib"}:
        return
    whole = {alias.name for node in nodes(path) if isinstance(node, ast.Import) for alias in node.names}
    assert not whole & (REPLACEABLE - {"time"} if part in OF_TIME else REPLACEABLE)
    called = {node.func.id for node in nodes(path) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert "open" not in called


# What `lowest` has another version of, or, of the HTTP libraries, another one.
LOWERED = {
    "anthropic": ["anthropic", "httpx", "httpx2"],
    "openai": ["openai", "httpx", "httpx2"],
    "opentelemetry-sdk": ["opentelemetry"],
    "pytest": ["pytest", "_pytest"],
    "vcrpy": ["vcr"],
}


def test_what_the_lowest_versions_leave_out() -> None:
    """`lowest` leaves out only tests of what it has no other version of, and tests that `httpx` runs with its SDKs."""
    tests = Path(__file__).parent
    lowest, httpx = environment("lowest"), environment("httpx")
    left_out = {tests.parent / folder for folder in re.findall(r"--ignore=(\S+?)[ }]", lowest)}
    once = ("compare", "docs", "fuzz", "soak", "test_architecture.py", "test_warm.py")
    left_out -= {tests / name for name in once}
    run_elsewhere = {tests.parent / folder for folder in re.findall(r"(tests/\S+?)[ }]", httpx)} & left_out
    assert run_elsewhere < left_out
    assert sdks(httpx) == sdks(lowest)
    assert set(re.findall(r"^ +([a-z-]+)==", lowest, re.MULTILINE)) == LOWERED.keys()
    lowered = {module for modules in LOWERED.values() for module in modules}
    for folder in left_out - run_elsewhere:
        assert not imported_by(PACKAGE / folder.name) & lowered
        assert not imported_by(folder) & (lowered - {"pytest"})


def environment(name: str) -> str:
    """Return the section of a tox environment as text."""
    tox = (Path(__file__).parents[1] / "tox.ini").read_text(encoding="utf-8")
    return tox.partition(f"[testenv:{name}]")[2].partition("\n[")[0]


def sdks(section: str) -> set[str]:
    """Return the requirements of the SDKs that an environment installs."""
    return set(re.findall(r"^ +((?:anthropic|openai)\S+)$", section, re.MULTILINE))


def imported_by(folder: Path) -> set[str]:
    """Return the names of the top-level packages that the modules of a folder import."""
    modules = [*folder.rglob("*.py")]
    assert modules
    return {name.partition(".")[0] for path in modules for name in imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_private_names_of_others_stay_in_internals(path: Path) -> None:
    """Private modules and names of other packages are imported only in a module named `_x_internals`."""
    if path.stem.endswith("_internals"):
        return
    foreign = (name for name in imports(path) if not name.startswith("pytest_llmtrace") and name != "__future__")
    private = [name for name in foreign if re.search(r"(^|\.)_[a-z]", name)]
    assert not private


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_sizes(path: Path) -> None:
    """No module is longer than 400 lines, no function longer than 60."""
    assert path.read_text(encoding="utf-8").count("\n") <= 400
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_plugin_is_cheap_when_unused() -> None:
    """Importing the plugin imports no OpenTelemetry SDK, vcrpy, respx or HTTP library."""
    heavy = ("opentelemetry", "vcr", "respx", "httpx", "httpx2", "httpcore", "openai", "anthropic", "yaml")
    code = f"import sys, pytest_llmtrace.plugin; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_keeping_needs_nothing_of_sending() -> None:
    """A run that only keeps spans does not import the modules that send them: they run in a process of their own."""
    code = (
        "import sys; from pytest_llmtrace.export import Outcome, Spool, destination, identify, links, push\n"
        "print(sorted(name for name in sys.modules if name.startswith('pytest_llmtrace.export._')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "_spool" in found
    assert not [name for name in ("_answers", "_http", "_push", "_sending") if f"export.{name}'" in found]


def test_plugin_bodies_are_short() -> None:
    """The hooks and fixtures of the plugin parse, build and delegate in ten lines or fewer."""
    for node in nodes(PACKAGE / "plugin" / "__init__.py"):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.body[0].lineno <= 10, node.name
