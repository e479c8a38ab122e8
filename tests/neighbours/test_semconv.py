"""docs/conformance.md: the same spans, checked by pytest-genai-semconv and by us.

To rewrite the tables: `LLMTRACE_WRITE_DOCS=1 python -m tox -e conformance`, then read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
INSTRUMENTORS = ("openinference", "traceloop", "otel-genai", "native-anthropic", "by-hand")


def assert_on_page(heading: str, rows: Iterable[str]) -> None:
    """Compare the tables under a heading of the page with the measured rows, or write them into the page."""
    measured = "\n".join(rows)
    text = PAGE.read_text(encoding="utf-8")
    tables = re.compile(rf"(?<=^## {re.escape(heading)}\n\n)(?:(?!## ).*\n)*?(?=^<!-- end -->$)", re.MULTILINE)
    if os.environ.get("LLMTRACE_WRITE_DOCS"):
        PAGE.write_text(tables.sub(lambda _: f"{measured}\n\n", text), encoding="utf-8")
    else:
        [shown] = tables.findall(text)
        assert shown.strip() == measured


@pytest.mark.parametrize(("heading", "wrong"), [("Spans that are right", False), ("Spans that break one rule", True)])
def test_specimens(installed: Callable[..., None], heading: str, wrong: bool) -> None:
    """The page's tables on each group of spans match what both tools find now."""
    installed("pytest_genai_semconv")
    from tests.neighbours.semconv._page import groups, rows

    assert_on_page(heading, rows(groups(), wrong=wrong))


def test_nothing_is_missed(installed: Callable[..., None]) -> None:
    """Each broken rule is reported, as a warning or error where the neighbour finds it; right spans have no finding."""
    installed("pytest_genai_semconv")
    from tests.neighbours.semconv._page import groups

    for group in groups():
        first = group.specimens[0]
        if group.is_wrong:
            assert group.told == len(group.specimens), f"{first.group}: {group.how}"
            assert group.ours >= group.theirs, f"{first.group}: {group.how}"
        else:
            assert group.told == 0, f"{first.group}: {group.how}"


@pytest.mark.parametrize("name", INSTRUMENTORS)
def test_instrumentors(installed: Callable[..., None], name: str) -> None:
    """The page's tables on real instrumentors match what both tools find on their spans now."""
    installed("pytest_genai_semconv", "opentelemetry.instrumentation.anthropic")
    from tests.neighbours.semconv._real import played, real_rows

    assert_on_page(name, real_rows(played(name)))
