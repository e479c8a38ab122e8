"""docs/checks.md is the registry of checks, written out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmtrace.checks import CHECKS, Check
from pytest_llmtrace.checks.wire import COMPARISONS
from pytest_llmtrace.model import Severity
from pytest_llmtrace.reading import VOCABULARY

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
INTRODUCTION = """# Checks

Generated from the registry (`pytest_llmtrace/checks/`); the ids are stable. Severity `error` fails the test, `warning` is printed and fails under `--llmtrace-strict`, `info` is in the report only. To waive one: `@pytest.mark.llmtrace(ignore={"<id>": "<reason>"})`.

The checks `wire/...` hold what a span says against the bytes of its own exchange. Of a call that took several attempts, the request's facts are those of the first or of the last, and the response's those of the last. A parameter that a response repeats (responses API) is as true as the request's. These are no findings:

- a fact that the span's convention has no place for, or that the span leaves out (`wire/usage-missing` is the one exception);
- a fact of the wire that could not be read;
- what conventions spell differently: each check says under **Compares** what it takes for the same;
- what came after the client had stopped reading. Then only what the first event fixes is compared: id, model, provider, the beginning of texts, and on Anthropic's API the input and cache counts.

A value on the span where the wire has none is a finding of the same id, unless it is empty (0, an empty text or list).

The checks `metric/...` hold what the points of a scope add up to against the bytes of all its calls. A measurement does not say which call it is of; so a finding says that no choice of calls that can have been measured gives this number and this sum; and `metric/duration` compares what is sure of all: how long the trace and the responses took.

The checks `convention/...` hold each span that has ended against the convention that it claims to keep, or against those that `conventions=` names. A span that claims none is not judged. What several spans of one name and scope do alike is one finding. `convention/metric-...` hold each metric against the convention that has its namespace, all its series of one scope together. Where two conventions, or two versions of one, merely differ there is none, and open lists of values (providers, operations, models) are never one.
"""  # noqa: E501


def contents() -> Iterator[str]:
    yield "\n| check | severity | rule |\n|---|---|---|\n"
    for check in CHECKS:
        anchor = check.id.replace("/", "")
        yield f"| [{check.id}](#{anchor}) | {check.severity} | {check.title} |\n"


def entry(check: Check) -> str:
    return f"\n## {check.id}\n\n{check.title}. ({check.severity})\n\n" + "".join(items(check))


def items(check: Check) -> Iterator[str]:
    comparison = next((other for other in COMPARISONS if other is check), None)
    if comparison is not None:
        yield f"- **Fact:** `{comparison.fact}`. {VOCABULARY[comparison.fact]}\n"
    if check.compares:
        yield f"- **Compares:** {check.compares}\n"
    yield f"- **Why:** {check.why}.\n"
    if comparison is not None and comparison.invented:
        yield f"- **Where the wire has none:** {comparison.invented}.\n"
    yield f"- **Next:** {check.next}.\n"
    if check.source:
        yield f"- **Source:** {check.source.rstrip('.')}.\n"


def test_the_page_is_the_registry() -> None:
    """`docs/checks.md` has each check's title, severity, why and next step, in the order of a report."""
    page = INTRODUCTION + "".join(contents()) + "".join(map(entry, CHECKS))
    if os.environ.get("LLMTRACE_WRITE_DOCS"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_texts_are_put_together_well(check: Check) -> None:
    """Titles, reasons and next steps are clauses without a full stop; texts that only the page shows are sentences."""
    assert not any(text.endswith(".") for text in (check.title, check.why, check.next))
    assert not check.compares or check.compares.endswith(".")
    assert check.severity in Severity


def test_each_check_against_the_wire_names_its_source() -> None:
    """A comparison with the wire names the source of its rule, and compares a fact of the vocabulary."""
    assert [check.id for check in COMPARISONS if not check.source or check.fact not in VOCABULARY] == []
