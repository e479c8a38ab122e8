"""The page docs/migrate.md, read as the suites that it shows, and runs of these in processes of their own."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.warm import Warm

PAGE = Path(__file__).parents[2] / "docs" / "migrate.md"
STAGES = ("before", "added", "after")

# A fenced block, or a sentence about files: `x` is the recording above; Delete `x`; has no `x`.
_TOLD = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$|([^\n]+)", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"`([^`\s]+)`")
_RECORDED = re.compile(r"((?:`[^`]+`(?:, | and )?)+) (?:is|are) the recording above")
_DELETED = re.compile(r"(?:Delete|has no) ((?:`[^`]+`(?:, | and )?)+)")

_REPORTS = """
import json
import pytest

_seen = {}

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        known = _seen.setdefault(report.nodeid.partition("::")[2], {"outcomes": [], "texts": [], "sections": []})
        known["outcomes"].append(f"{report.when} {report.outcome}")
        known["sections"] = [text for title, text in report.sections if "llmtrace" in title]
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            known["texts"].append(crash.message if crash else report.longreprtext)

def pytest_sessionfinish():
    with open("reports.json", "w", encoding="utf-8") as file:
        json.dump(_seen, file)
"""


@dataclass
class Result:
    """The result of a child run.

    Attributes:
        code: Its exit code.
        out: Its printed output.
        outcomes: By test, the outcome of its call and of each other phase that did not pass.
        texts: By test, the failure messages in the order of the phases, durations masked.
        sections: By test, our reports that stand beside a failure.
    """

    code: int
    out: str
    outcomes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    sections: dict[str, list[str]] = field(default_factory=dict)

    @property
    def terminal(self) -> str:
        """Our section of the terminal summary."""
        found = re.search(r"^=+ llmtrace =+\n(.*?)^=+ ", self.out, re.DOTALL | re.MULTILINE)
        return masked(found[1]).rstrip("\n") + "\n" if found else ""


def masked(text: str) -> str:
    """Mask durations and the number of checks."""
    return re.sub(r"\b\d+ checks?\b", "N checks", re.sub(r"\b\d+ ms\b", "1 ms", text))


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, child_environ: Callable[..., dict[str, str]], warm: Warm) -> Run:
    """Run pytest on files: `run({name: text}, plugins=[...], options=[...], VARIABLE=...)`.

    Warnings are errors. Only the named plugins are loaded, and ours unless `traced=False`.
    """

    def run(
        files: dict[str, str],
        *,
        plugins: Sequence[str] = (),
        options: Sequence[str] = (),
        traced: bool = True,
        **environ: str,
    ) -> Result:
        for name, text in {"neighbours_reports.py": _REPORTS, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        named = ["neighbours_reports", *plugins, *(["pytest_llmtrace.plugin"] if traced else [])]
        loaded = [word for name in named for word in ("-p", name)]
        # The tests only read the messages of failures; pytest's own tracebacks would parse each module of an SDK.
        fixed = ["-p", "no:cacheprovider", "-W", "error", "--tb=native"]
        reports = tmp_path / "reports.json"
        reports.unlink(missing_ok=True)
        done = warm.pytest([*loaded, *fixed, *options], folder=tmp_path, env=child_environ(tmp_path, **environ))
        seen: dict[str, Any] = json.loads(reports.read_text(encoding="utf-8")) if reports.exists() else {}
        return Result(
            code=done.returncode,
            out=done.stdout,
            outcomes={name: ", ".join(one["outcomes"]) for name, one in seen.items()},
            texts={name: [masked(text) for text in one["texts"]] for name, one in seen.items()},
            sections={name: [masked(text) for text in one["sections"]] for name, one in seen.items()},
        )

    return run


@pytest.fixture
def installed() -> Callable[..., None]:
    """Return a function that skips the test if a module is not installed, without importing it."""

    def installed(*modules: str) -> None:
        for module in modules:
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"{module} is not installed")

    return installed


@pytest.fixture
def fingerprint(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Return a function that hashes each cassette in the suite's folder."""

    def fingerprint() -> dict[str, str]:
        files = (path for pattern in ("*.yaml", "*.json") for path in tmp_path.rglob(pattern))
        return {
            path.relative_to(tmp_path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(files)
            if path.name != "reports.json"
        }

    return fingerprint


# --- the page --------------------------------------------------------------------------------------------------------


class Page:
    """The migration page: for each section, the files of its suite and the terminal's output at each stage."""

    def __init__(self, text: str) -> None:
        self.text = text
        opening, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
        self._common: dict[str, str] = {}
        for _, info, block in _blocks(opening):
            self._common[info.removeprefix("common/")] = block
        self._recording = self._common.pop("recording")
        self.sections = {section.partition("\n")[0]: section for section in sections}

    def files(self, section: str, stage: str) -> dict[str, str]:
        """Return the files of a section's suite at a stage, by name: those of the earlier stages, and its own."""
        files, at = dict(self._common), 0
        for language, info, text in _pieces(self.sections[section]):
            of, _, name = info.partition("/")
            at = max(at, STAGES.index(of) if of in STAGES else 0)
            if at > STAGES.index(stage):
                break
            if of == "recipe":
                continue
            if not language:
                _follow(text, files, self._recording)
            elif name != "terminal":
                files[name] = _patched(files[name], text) if language == "diff" else text
        return files

    def fences(self, section: str) -> list[str]:
        """Return what stands beside the language of each fenced block of a section: the stage and the file's name."""
        opened = re.findall(r"^```\w+ ?(.*)\n(?:.*\n)*?```$", self.sections[section], re.MULTILINE)
        return [str(info) for info in opened]

    def recipe(self, section: str) -> str:
        """Return the block that a section offers as a recipe."""
        return next(text for _, info, text in _blocks(self.sections[section]) if info.startswith("recipe/"))

    def terminal(self, section: str, stage: str) -> str:
        """Return the terminal output that the page shows for a stage."""
        return next(text for _, info, text in _blocks(self.sections[section]) if info == f"{stage}/terminal")

    def with_terminal(self, section: str, stage: str, printed: str) -> str:
        """Return the page with another terminal output for a stage."""
        old, head = self.sections[section], f"```text {stage}/terminal\n"
        new = old.replace(f"{head}{self.terminal(section, stage)}```", f"{head}{printed}```")
        return self.text.replace(old, new)


def _pieces(section: str) -> list[tuple[str, str, str]]:
    """Cut a section into blocks (language, info, text) and lines of prose ("", stage, line)."""
    pieces, stage = [], "before"
    for found in _TOLD.finditer(section):
        language, info, block, prose = found.groups(default="")
        if prose.startswith("After,"):  # This sentence opens the stage that it belongs to.
            stage = "after"
        pieces.append((language, info or stage, block or prose))
    return pieces


def _blocks(section: str) -> list[tuple[str, str, str]]:
    return [piece for piece in _pieces(section) if piece[0]]


def _follow(prose: str, files: dict[str, str], recording: str) -> None:
    for found in _RECORDED.finditer(prose):
        files.update(dict.fromkeys(_NAME.findall(found[1]), recording))
    for found in _DELETED.finditer(prose):
        for name in _NAME.findall(found[1]):
            del files[name]


def _patched(text: str, diff: str) -> str:
    """Apply a diff whose context and removed lines stand together at exactly one place."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(old) == 1, f"{text.count(old)} places for the diff\n{diff}\nin\n{text}"
    return text.replace(old, new)


@pytest.fixture
def page() -> Page:
    return Page(PAGE.read_text(encoding="utf-8"))


@pytest.fixture
def correct_page() -> Callable[[str], None] | None:
    """Return a function that rewrites the page; None unless LLMTRACE_WRITE_DOCS is set."""
    if not os.environ.get("LLMTRACE_WRITE_DOCS"):
        return None

    def correct_page(text: str) -> None:
        PAGE.write_text(text, encoding="utf-8")

    return correct_page
