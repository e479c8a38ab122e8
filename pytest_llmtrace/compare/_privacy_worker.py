"""Make all calls under one instrumentor in one content mode, in a process of its own, and print a JSON document.

python -m pytest_llmtrace.compare._privacy_worker NAME
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any

from pytest_llmtrace.canaries import Canaries, Search
from pytest_llmtrace.checks import Carrier, Evidence
from pytest_llmtrace.compare._instrumentors import CLIENTS, INSTRUMENTORS, Instrumentation
from pytest_llmtrace.compare._privacy_calls import CALLS, PLACES, Call, make, number_of
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import LogRecord, MetricPoint, Settings, SpanRecord

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Make the calls under one instrumentor, and print where the canaries came out."""
    json.dump(list(_made(INSTRUMENTORS[arguments[0]])), sys.stdout)
    return 0


def _made(instrumentation: Instrumentation) -> Iterator[dict[str, Any]]:
    started: set[str] = set()
    for (name, call), client in product(CALLS.items(), CLIENTS):
        if instrumentation.version(call.sdk) is None:
            continue
        if call.sdk not in started:
            instrumentation.start(instrumentation, call.sdk)
            started.add(call.sdk)
        yield {"call": name, "client": client, **_play(call, name, client, native=instrumentation.native)}


# Places for which there is no kind of canary -> the kind that they get.
_LIKE = {"called": "tool_arguments", "described": "prompt", "image": "prompt", "vector": "output"}


def _play(call: Call, name: str, client: str, *, native: bool) -> dict[str, Any]:
    # Each call has its own seed: a value that an instrumentor keeps, and writes in a later call, must not count there.
    seed = f"{name}, {client}"
    canaries = {place: Canaries(f"{seed} {place}") for place in PLACES}

    def put(place: str) -> str:
        return canaries[place].give(_LIKE.get(place, place))

    raised = None
    with warnings.catch_warnings(), LLMTrace(settings=Settings(label=seed, seed=seed, verify=False)) as trace:
        warnings.simplefilter("ignore")
        try:
            make(call, trace, put, client=client, native=native)
        except Exception as error:  # noqa: BLE001  # Some calls are meant to fail.
            raised = type(error).__name__
        evidence, _ = trace.judge()
    found = {place: sorted(set(_places(evidence, one))) for place, one in canaries.items()}
    put_in = [place for place, one in canaries.items() if one.given()]
    return {"raised": raised, "spans": len(evidence.spans), "logs": len(evidence.logs), "put": put_in, "found": found}


def _places(evidence: Evidence, canaries: Canaries) -> Iterator[str]:
    given = canaries.given()
    search, numbers = Search(given), {number_of(one.value) for one in given}
    for carrier in evidence.carriers:
        for text in carrier.texts():
            if search.within(text.text) or any(repr(number) in text.text for number in numbers):
                yield f"{_kind(carrier)}{_without_numbers(text.place)}"
        for channel, attributes in carrier.groups():
            for key, value in attributes.items():
                if isinstance(value, list | tuple) and any(number in value for number in numbers):
                    yield f"{_kind(carrier)}{_without_numbers(f'{channel} {key}')}"


def _without_numbers(place: str) -> str:
    return re.sub(r"[0-9]+", "N", place)


def _kind(carrier: Carrier) -> str:
    kinds = {SpanRecord: "", LogRecord: "log ", MetricPoint: "metric "}
    return kinds.get(type(carrier.subject), "resource ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
