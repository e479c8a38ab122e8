"""The catalogue of checks in the documents is the registry."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_llmtrace.checks import CHECKS, Check

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
INTRODUCTION = """# Checks

Generated from the registry (`pytest_llmtrace/checks/`); the ids are stable. Severity `error` fails the test, `warning` is printed and fails under `--llmtrace-strict`. To waive one: `@pytest.mark.llmtrace(ignore={"<id>": "<reason>"})`.
"""  # noqa: E501


def entry(check: Check) -> str:
    return (
        f"\n## {check.id}\n\n{check.title}. ({check.severity})\n\n- **Why:** {check.why}.\n- **Next:** {check.next}.\n"
    )


def test_the_page_is_the_registry() -> None:
    """`docs/checks.md` has each check's title, severity, why and next step, in the order of a report."""
    page = INTRODUCTION + "".join(map(entry, CHECKS))
    if os.environ.get("LLMTRACE_WRITE_DOCS"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page
