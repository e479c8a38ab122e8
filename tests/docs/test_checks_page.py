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

Each check says under **Compares** what it compares with what, what it takes for the same, and what it does not judge. *The wire* is what was sent and received: the bytes of the HTTP exchanges. *Recorded or real time* is `timing="recorded"` or `timing="real"`.

The checks `wire/...` compare what a span says with the bytes of its own exchange. If a call took several attempts, what was asked for may be that of the first attempt or of the last, and what was answered is that of the last. Where a response repeats the parameters of its request (Responses API), a span may have them from there. These are no findings:

- a fact for which the span's convention has no place, or that the span leaves out. Only a few checks report what is missing: `wire/usage-missing` (token counts), `wire/error-reason` and `wire/error-type` (why a call failed), and those that compare texts, tools and tool calls, where a span shows some of them;
- a fact that could not be read from the wire;
- a difference in spelling between conventions;
- anything that came after the client had stopped reading. Then only those facts of the response are compared that had come: the id, the model, the provider, the beginning of texts and, on Anthropic's API, the counts of input and of cached tokens. A finish reason on the span is wrong, unless it had come too.

What the event `gen_ai.client.inference.operation.details`, on the span or as a log record in it, repeats of the span's attributes is compared like these. It does not stand for an attribute that the span leaves out.

Where a check has the item **Where the wire has none**, a value on the span is also a finding if the wire states no such value. An empty value (0, an empty text or list) is then no finding, except that 0 counts as a value for the temperature, top-p, the seed and the total of tokens.

Some checks expect more of the spans of *an instrumentation or a framework* than of *an application's own spans*. A span is one of the former if its scope's name has the part `instrumentation`, or if the Anthropic SDK, LiteLLM, logfire or Pydantic AI has made it. Such spans show all that they are given. An application may show any part of it.

The checks `metric/...` compare what the points of a scope add up to with the bytes of all calls of that scope. A measurement does not say which call it is of. So `metric/operation-count`, `metric/token-usage` and `metric/cost` report a metric only if no choice of calls that can have been measured gives its number of measurements and its sum:

- The points of one scope that measure calls are taken together, and compared with the calls that spans of that scope describe.
- A call that succeeded and was read to its end has been measured once; if it took several attempts, at least once and at most once for each. A call that failed, was stopped early, or has no span of the scope may have been measured or not.
- Where series name models, or embeddings, the calls of each model are added up by themselves. `gpt-4o` may stand for `openai/gpt-4o` and for `gpt-4o-2024-08-06`, but not for `gpt-4o-mini`. A series that names no model, or a model that no call names, may be about any call.
- If an instrumentation measures no calls of one form (an API, streamed or not) at all, these calls are not missing.
- A meter whose scope has no spans belongs to the only tracer of its package, as LiteLLM's does. It need not measure every call that this tracer has spans of.
- Not judged are metrics that are neither histograms nor counters, those whose `gen_ai.operation.name` a view of the application drops, scopes with LLM spans that describe no exchange, and tests whose trace was open at the same time as another one, or during which code of an earlier test measured or ended a span.

`metric/attributes` reports an attribute only if it is true of no call that the scope can have measured. `metric/error-type` reports more measurements without an error than calls that can have succeeded.

`metric/duration` compares what is sure of all measurements together: how long the trace was open, and how long the responses took.

The checks `convention/...` compare each span that has ended with the convention that it claims to keep, in the version that `conventions=` names, if it names one. A span that claims none is compared only with the conventions that `conventions=` names, if it uses their names. If several spans of one name and scope break a rule in the same way, that is one finding. `convention/metric-...` compare each metric with the convention that has its namespace, all series of one scope together. Where two conventions, or two versions of one, merely differ, there is no finding. Nor is a value that an open list (of providers, operations, models) does not have.
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
