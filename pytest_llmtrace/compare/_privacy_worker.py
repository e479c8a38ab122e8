"""One instrumentor in one content mode, all calls: a process of its own, which prints a JSON document.

python -m pytest_llmtrace.compare._privacy_worker NAME
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from pytest_llmtrace.canaries import Canaries, Search
from pytest_llmtrace.checks import Carrier, Evidence
from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS, Instrumentation
from pytest_llmtrace.compare._privacy_calls import CALLS, PLACES, Call, make
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import LogRecord, MetricPoint, Settings, SpanRecord

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Make the calls under one instrumentor, and print where the canaries came out."""
    json.dump(list(_made(INSTRUMENTORS[arguments[0]])), sys.stdout)
    return 0


def _made(instrumentation: Instrumentation) -> Iterator[dict[str, Any]]:
    started: set[str] = set()
    for name, call in CALLS.items():
        if instrumentation.version(call.sdk) is None:
            continue
        if call.sdk not in started:
            instrumentation.start(instrumentation, call.sdk)
            started.add(call.sdk)
        yield {"call": name, **_play(call, name, native=instrumentation.native)}


# Of these kinds there is more than one place.
_LIKE = {"called": "tool_arguments", "described": "prompt", "image": "prompt"}


def _play(call: Call, name: str, *, native: bool) -> dict[str, Any]:
    # Two calls have two seeds: an instrumentor that keeps something shows it in the wrong one.
    canaries = {place: Canaries(f"{name} {place}") for place in PLACES}

    def put(place: str) -> str:
        return canaries[place].give(_LIKE.get(place, place))

    raised = None
    with warnings.catch_warnings(), LLMTrace(settings=Settings(label=name, seed=name, verify=False)) as trace:
        warnings.simplefilter("ignore")
        try:
            make(call, trace, put, native=native)
        except Exception as error:  # noqa: BLE001  # An error is what some calls are about.
            raised = type(error).__name__
        evidence, _ = trace.judge()
    found = {place: sorted(set(_places(evidence, one))) for place, one in canaries.items()}
    put_in = [place for place, one in canaries.items() if one.given()]
    return {"raised": raised, "spans": len(evidence.spans), "put": put_in, "found": found}


def _places(evidence: Evidence, canaries: Canaries) -> Iterator[str]:
    search = Search(canaries.given())
    for carrier in evidence.carriers:
        for text in carrier.texts():
            if search.within(text.text):
                yield f"{_kind(carrier)}{re.sub(r'[0-9]+', 'N', text.place)}"


def _kind(carrier: Carrier) -> str:
    kinds = {SpanRecord: "", LogRecord: "log ", MetricPoint: "metric "}
    return kinds.get(type(carrier.subject), "resource ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
