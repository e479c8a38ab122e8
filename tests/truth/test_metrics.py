"""Correct metrics, measured by hand beside each convention's spans, have no finding; each faulty one has one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.trace import Span

from pytest_llmtrace import wire
from pytest_llmtrace.compare._cases import Case, every_case
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Finding, Settings
from pytest_llmtrace.replay import load
from tests.truth._answer import Answer, Asked, Usage
from tests.truth._calls import Caller, Instrumentation
from tests.truth._dialects import DIALECTS

# Some cassettes name models that are deprecated now.
pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

OLD, NEW = "gen_ai.client", "gen_ai.client.inference"
CASES: Final = tuple(case for case in every_case() if not case.way)[::7]

Attributes = dict[str, Any]
Fault = Callable[[str, float, Attributes], Iterator[tuple[float, Attributes]]]


def right(_name: str, value: float, attributes: Attributes) -> Iterator[tuple[float, Attributes]]:
    yield value, attributes


def in_milliseconds(name: str, value: float, attributes: Attributes) -> Iterator[tuple[float, Attributes]]:
    yield value * 1000 if name.endswith("duration") else value, attributes


def doubled(name: str, value: float, attributes: Attributes) -> Iterator[tuple[float, Attributes]]:
    for _ in range(1 if name.endswith("duration") else 2):
        yield value, attributes


def swapped(_name: str, value: float, attributes: Attributes) -> Iterator[tuple[float, Attributes]]:
    kind = attributes.get("gen_ai.token.type")
    yield (
        value,
        {**attributes, "gen_ai.token.type": {"input": "output", "output": "input"}[kind]} if kind else attributes,
    )


def of_one_model(_name: str, value: float, attributes: Attributes) -> Iterator[tuple[float, Attributes]]:
    models = dict.fromkeys(("gen_ai.request.model", "gen_ai.response.model"), "gpt-4o-mini")
    yield value, {**attributes, **models} if attributes["gen_ai.operation.name"] == "chat" else attributes


class Meters:
    """Meters that measure calls by the conventions of 2026-08 and of 2026-10 at once."""

    def __init__(self, meter: Meter, fault: Fault) -> None:
        self._meter = meter
        self._fault = fault

    def measure(self, asked: Asked, answer: Answer, seconds: float) -> None:
        """Measure a call that is over."""
        operation = {"embeddings": "embeddings", "completions": "text_completion"}.get(asked.api, "chat")
        named = {"gen_ai.request.model": asked.arguments.get("model"), "gen_ai.response.model": answer.model}
        attributes = {"gen_ai.operation.name": operation, **{key: name for key, name in named.items() if name}}
        for name in (f"{OLD}.operation.duration", f"{NEW}.duration"):
            self._record(name, "s", seconds, attributes)
        usage = answer.usage or Usage()
        for kind, count in (("input", usage.input), ("output", usage.output)):
            if count is not None:
                self._record(f"{OLD}.token.usage", "{token}", count, {**attributes, "gen_ai.token.type": kind})
                self._record(f"{NEW}.operation.{kind}_tokens", "{token}", count, attributes)
                self._add(f"{NEW}.usage.{kind}_tokens", count, attributes)
        if usage.cache_read is not None:
            self._add(f"{NEW}.usage.cache_read.input_tokens", usage.cache_read, attributes)
        if usage.cost is not None:
            self._record("gen_ai.usage.cost", "USD", usage.cost, attributes)

    def _record(self, name: str, unit: str, value: float, attributes: Attributes) -> None:
        for amount, said in self._fault(name, value, attributes):
            self._meter.create_histogram(name, unit=unit).record(amount, said)

    def _add(self, name: str, value: float, attributes: Attributes) -> None:
        for amount, said in self._fault(name, value, attributes):
            self._meter.create_counter(name, unit="{token}").add(amount, said)


@dataclass(frozen=True, kw_only=True)
class Measuring(Instrumentation):
    """An instrumentation that writes calls on spans and measures them.

    Attributes:
        provider: The provider of the meters, which have the names of the tracers.
        fault: The fault that it makes.
    """

    provider: MeterProvider
    fault: Fault

    @contextmanager
    def around(self, asked: Asked) -> Iterator[tuple[Answer, Span]]:
        """Open the span of a call, and measure the call when it is over."""
        began = time.perf_counter()
        with super().around(asked) as (answer, span):
            yield answer, span
        meter = self.provider.get_meter(self.writer.scope(asked))
        Meters(meter, self.fault).measure(asked, answer, time.perf_counter() - began)


def judged(caller: Caller, dialect: str, fault: Fault, cases: tuple[Case, ...]) -> tuple[list[Finding], str]:
    """Make many calls in one trace; return the findings on metrics, and the report if there are any."""
    writer = DIALECTS[dialect]
    with LLMTrace(settings=Settings(label="many", verify=False)) as trace:
        instrumentation = Measuring(writer=writer, provider=MeterProvider(shutdown_on_exit=False), fault=fault)
        for case in cases:
            if wire.identify(case.request) in writer.apis:
                with case.prepare(trace):
                    caller.call(instrumentation, case.request)
        _, verdict = trace.judge()
        found = [one for one in verdict.findings if one.check.startswith("metric/")]
        return found, trace.report() if found else ""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_correct_metrics_give_no_finding(caller: Caller, dialect: str) -> None:
    """Many calls of many models in one trace are measured correctly, whichever convention the spans keep."""
    assert judged(caller, dialect, right, CASES)[1] == ""


FAULTS: Final[Mapping[Fault, set[str]]] = {
    in_milliseconds: {"metric/duration"},
    doubled: {"metric/token-usage", "metric/cost"},
    swapped: {"metric/token-usage"},
    of_one_model: {"metric/operation-count", "metric/token-usage"},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("dialect", ["otel-genai", "openinference"])
def test_a_fault_is_told_once(caller: Caller, dialect: str, fault: Fault) -> None:
    """A fault is at most one finding for each metric of a scope; its consequences are reported in that finding."""
    found, _ = judged(caller, dialect, fault, CASES)
    assert set() < {one.check for one in found} <= FAULTS[fault]
    assert max(Counter((one.check, one.subject) for one in found).values()) == 1


def at_once(name: str, value: float, attributes: Attributes) -> Iterator[tuple[float, Attributes]]:
    yield value / 1000 if name.endswith("duration") else value, attributes


@pytest.mark.parametrize("name", ["openai/stream", "openai/chat", "anthropic/stream"])
def test_recorded_time_is_measured(caller: Caller, name: str) -> None:
    """A reply that takes seconds of recorded time is measured so; a thousandth or a thousandfold of that is found."""
    cassette = load(Path(__file__).parents[2] / "cassettes" / f"{name}.yaml")
    [recording, *_] = cassette.recordings
    assert recording.response is not None
    times = tuple(0.5 * (at + 1) for at in range(len(recording.response.chunks)))
    slow = replace(recording, response=replace(recording.response, offsets=times))
    for fault, checks in ((right, []), (at_once, ["metric/duration"]), (in_milliseconds, ["metric/duration"])):
        with LLMTrace(timing="recorded", verify=False) as trace, trace.replay(replace(cassette, recordings=(slow,))):
            provider = MeterProvider(shutdown_on_exit=False)
            caller.call(Measuring(writer=DIALECTS["otel-genai"], provider=provider, fault=fault), recording.request)
        assert [one.check for one in trace.findings() if one.check.startswith("metric/")] == checks
