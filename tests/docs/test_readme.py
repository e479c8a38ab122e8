"""The documents are true: their Python runs, and their failure texts are what pytest prints.

To rewrite the texts: `LLMTRACE_WRITE_DOCS=1 pytest tests/docs`, then read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.warm import Warm

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs" / "instrumentors.md"  # by `pytest-llmtrace compare`, from many runs
DOCUMENTS = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {GENERATED})]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\S+\.py)")


def blocks(document: Path) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in BLOCK.finditer(document.read_text(encoding="utf-8"))]


def failures(run: CompletedProcess[str]) -> str:
    """Return the failures that pytest printed, durations masked."""
    found = re.search(r"^=+ FAILURES =+\n(.*?)^=+ ", run.stdout, re.DOTALL | re.MULTILINE)
    text = found[1] if found else "" if run.returncode == 0 else run.stdout
    return re.sub(r"^_+ \w+ _+\n", "", masked(text), flags=re.MULTILINE)


def masked(text: str) -> str:
    return re.sub(r"\b\d+ ms\b", "1 ms", text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents(document: Path, tmp_path: Path, warm: Warm, child_environ: Callable[..., dict[str, str]]) -> None:
    """The Python blocks of a document form one project; its tests print the text block that follows, or pass."""
    options = ["-p", "pytest_llmtrace.plugin", "-p", "no:cacheprovider", "--tb=short"]
    run = partial(warm.pytest, options, folder=tmp_path, env=child_environ(tmp_path))
    for language, text in blocks(document):
        if language == "python":
            name = FILE.search(text)
            assert name, f"{document.name}: a block that names no file:\n{text}"
            (tmp_path / name[1]).write_text(text, encoding="utf-8")
        elif language == "text":
            printed = failures(run())
            if os.environ.get("LLMTRACE_WRITE_DOCS"):
                document.write_text(document.read_text().replace(f"```text\n{text}```", f"```text\n{printed}```"))
            else:
                assert printed == masked(text)
            for old in tmp_path.glob("test_*.py"):
                old.unlink()
    if any(tmp_path.glob("test_*.py")):
        assert failures(run()) == ""
