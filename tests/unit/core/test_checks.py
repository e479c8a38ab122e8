"""Each check fires on its fault and stays quiet where there is none, and waivers and reports work on what it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmtrace import UsageError
from pytest_llmtrace.checks import CHECKS, Evidence, Leftover, Untimed, verify
from pytest_llmtrace.checks._check import RARE
from pytest_llmtrace.model import Absence, Exchange, Outcome, Severity, SpanRecord
from pytest_llmtrace.pairing import pair
from pytest_llmtrace.reading import VOCABULARY
from pytest_llmtrace.report import render

SpanMaker = Callable[..., SpanRecord]
ExchangeMaker = Callable[..., Exchange]

LLM = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
STREAM = (*[b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'] * 3, b"data: [DONE]\n\n")
ABSENCE = Absence(cause="the SDK is disabled", why="it records nothing", next="enable it")


def evidence(exchanges: list[Exchange], spans: list[SpanRecord], **fields: Any) -> Evidence:
    return Evidence(exchanges=tuple(exchanges), spans=tuple(spans), calls=pair(exchanges, spans), **fields)


def ids(seen: Evidence, **options: Any) -> list[str]:
    return [finding.check for finding in verify(seen, {}, **options).findings]


@pytest.fixture
def streamed(make_exchange: ExchangeMaker) -> Exchange:
    return make_exchange(span=1, chunks=STREAM, content_type="text/event-stream; charset=utf-8")


def test_a_good_call_has_no_finding(make_span: SpanMaker, streamed: Exchange) -> None:
    """One call with one span that ended after its stream, and everything played, has no finding, but was looked at."""
    seen = evidence([streamed], [make_span(1, attributes=LLM)], leftovers=(Leftover(origin="x", unplayed=(), total=1),))
    verdict = verify(seen, {})
    assert (verdict.findings, verdict.waived) == ((), ())
    assert verdict.looked_at >= 7


def test_what_a_check_is_about_exists() -> None:
    """A check names facts of the vocabulary, or rare parts of the evidence: with another name it would never run."""
    assert {name for check in CHECKS for name in check.about} <= VOCABULARY.keys() | RARE
    assert all(hasattr(Evidence(), name) for name in RARE)


@pytest.mark.parametrize(("ended", "fires"), [(101, True), (102, True), (104, False), (None, False)])
def test_ended_before_stream(make_span: SpanMaker, streamed: Exchange, ended: int | None, fires: bool) -> None:
    """A span may end once the last event with content was read, `[DONE]` aside. Ticks decide, not times."""
    found = ids(evidence([streamed], [make_span(1, attributes=LLM, ended=ended)]))
    assert ("structure/ended-before-stream" in found) is fires


def test_exchange_without_span(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """Each call without an LLM span is a finding; a request that is not an LLM call is not."""
    calls = [make_exchange(index=0), make_exchange(index=1), make_exchange(index=2, path="/weather", body={})]
    assert ids(evidence(calls, [make_span(1)])) == ["structure/exchange-without-span"] * 2


def test_nothing_captured_has_one_cause(make_exchange: ExchangeMaker) -> None:
    """If it is known why there is no span at all, that is one finding, not one for every call."""
    calls = [make_exchange(index=0), make_exchange(index=1)]
    assert ids(evidence(calls, [], absence=ABSENCE)) == ["capture/nothing"]
    assert ids(evidence(calls, [])) == ["structure/exchange-without-span"] * 2
    assert ids(evidence([], [], absence=ABSENCE)) == []


def test_span_never_ended(make_span: SpanMaker) -> None:
    """A span that is open at the end is one finding, even if it is still current."""
    leak = make_span(1, ended=None, end_ns=None)
    assert ids(evidence([], [leak])) == ["structure/span-never-ended"]
    assert ids(evidence([], [leak], current=(leak,))) == ["structure/span-never-ended"]


def test_span_current(make_span: SpanMaker) -> None:
    """A span that has ended and is still current is a finding."""
    leak = make_span(1)
    assert ids(evidence([], [leak], current=(leak,))) == ["structure/span-current"]
    assert ids(evidence([], [leak])) == []


def test_unplayed() -> None:
    """Each source with interactions that were not asked for is one finding."""
    left = Leftover(origin="cassettes/a.yaml", unplayed=("POST /v1/chat/completions  (interaction 1)",), total=2)
    assert ids(evidence([], [], leftovers=(left, Leftover(origin="b", unplayed=(), total=0)))) == ["replay/unplayed"]


def test_untimed() -> None:
    """A source that could not be replayed in its recorded time is one finding, however many recordings it concerns."""
    reasons = tuple(
        f"interaction {index}: the times of its chunks were not recorded, or its body was edited since"
        for index in range(5)
    )
    cassette = Untimed(origin="cassettes/a.yaml", reasons=reasons)
    verdict = verify(evidence([], [], untimed=(cassette, Untimed(origin="b", reasons=reasons[:3]))), {})
    assert [finding.check for finding in verdict.findings] == ["replay/timing"] * 2
    assert [finding.severity for finding in verdict.findings] == [Severity.WARNING] * 2
    first, second = (dict(finding.details)["found"].splitlines() for finding in verdict.findings)
    assert first == [*reasons[:3], "and 2 more"]
    assert second == [*reasons[:3]]


def test_unmatched_hides_its_consequences(make_span: SpanMaker, make_exchange: ExchangeMaker) -> None:
    """After a refused request, interactions that were not played and calls without a span are not further findings."""
    refused = make_exchange(response=None, outcome=Outcome.REFUSED, failure="nothing answered")
    left = (Leftover(origin="cassettes/a.yaml", unplayed=("x",), total=1),)
    assert ids(evidence([refused], [make_span(1)], leftovers=left)) == ["replay/unmatched"]
    assert ids(evidence([], [], blocked=("llm.test:443 (requests)",), leftovers=left)) == ["replay/unmatched"]


def test_a_test_that_failed_is_judged_by_what_it_did(make_span: SpanMaker, streamed: Exchange) -> None:
    """If the test itself failed, what it did not get to do is not a finding, but what it did wrong is."""
    early = make_span(1, attributes=LLM, ended=101)
    left = (Leftover(origin="cassettes/a.yaml", unplayed=("x",), total=1),)
    assert ids(evidence([streamed], [early], leftovers=left), complete=False) == ["structure/ended-before-stream"]


def test_waivers(make_span: SpanMaker) -> None:
    """A waiver hides its findings; a waiver that hides nothing is a warning, unless the test failed midway."""
    seen = evidence([], [make_span(1, ended=None)])
    verdict = verify(seen, {"structure/span-never-ended": "a known leak", "replay/unplayed": "old"})
    assert [finding.check for finding in verdict.waived] == ["structure/span-never-ended"]
    assert [(finding.check, finding.severity) for finding in verdict.findings] == [("waiver/unused", "warning")]
    assert verify(seen, {"replay/unplayed": "old"}, complete=False).findings[0].check == "structure/span-never-ended"


@pytest.mark.parametrize(
    ("ignore", "start"),
    [
        (
            {"replay/unplaid": "x"},
            "unknown check id in ignore= 'replay/unplaid': did you mean 'replay/unplayed'? known: ",
        ),
        ({"replay/unplayed": " "}, "ignore={'replay/unplayed': ...} wants a reason in words"),
    ],
)
def test_wrong_waivers_are_usage_errors(ignore: dict[str, str], start: str) -> None:
    """A waiver names a check and gives a reason."""
    with pytest.raises(UsageError) as caught:
        verify(evidence([], []), ignore)
    assert str(caught.value).startswith(start)


def test_ids_are_unique_and_have_a_family() -> None:
    """Each check has an id of its own, `family/name`, and says why it matters and what to do."""
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert all(check.id.count("/") == 1 and check.title and check.why and check.next for check in CHECKS)


def test_report(make_span: SpanMaker, streamed: Exchange) -> None:
    """The report has the headline, each finding, and the tree of spans with their exchanges."""
    agent = make_span(2, name="agent", ended=None, end_ns=None)
    seen = evidence([streamed], [agent, make_span(1, parent=2, attributes=LLM, ended=101, kind="CLIENT")])
    verdict = verify(seen, {})
    assert render("test_chat", seen, verdict) == (
        f"llmtrace: 2 findings in test_chat (1 exchange, 1 LLM span, {verdict.looked_at} checks)\n"
        "\n"
        "error  structure/ended-before-stream  span 'chat' (app)\n"
        "       span   ended when 1 of 4 chunks of its stream had been read\n"
        "       wire   chat call to model 'gpt-4o', answered 200\n"
        "              cassettes/chat.yaml, interaction 0, exchange 0\n"
        "       why    its duration is that of the first bytes, and tokens, finish reason and errors that came later "
        "are not on it\n"
        "       next   end the span when the stream is exhausted, closed or has failed, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/ended-before-stream": "reason"})\n'
        "\n"
        "error  structure/span-never-ended  span 'agent' (app)\n"
        "       span   was started, but had not ended when the test was over\n"
        "       why    a span that never ends is never exported\n"
        "       next   end it on every path: with start_as_current_span(...), or end() in a finally, or waive: "
        '@pytest.mark.llmtrace(ignore={"structure/span-never-ended": "reason"})\n'
        "\n"
        "agent  INTERNAL  UNSET  not ended\n"
        "  `- chat  CLIENT  UNSET  412 ms\n"
        "     `- POST /v1/chat/completions  200  (exchange 0)"
    )
