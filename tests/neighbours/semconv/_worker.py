"""Plays all recordings and scripted replies under one instrumentor, and prints each call's findings as JSON.

python -m tests.neighbours.semconv._worker NAME
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from pytest_llmtrace import LLMTrace, _sdks
from pytest_llmtrace.compare._case import Case
from pytest_llmtrace.compare._cases import every_case
from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS
from tests.neighbours.semconv._judges import is_of_genai, ours, theirs

__all__ = ["main"]


def main(name: str) -> None:
    """Play all cases under an instrumentor, and print the findings of both tools."""
    json.dump(list(_played(name)), sys.stdout)


def _played(name: str) -> Iterator[dict[str, Any]]:
    instrumentation = INSTRUMENTORS[name]
    started: set[str] = set()
    for case in every_case():
        sdk = _sdks.sdk_of(case.request)
        if instrumentation.version(sdk) is None:
            continue
        if sdk not in started:
            instrumentation.start(instrumentation, sdk)
            started.add(sdk)
        yield _judged(case, native=instrumentation.native)


def _judged(case: Case, *, native: bool) -> dict[str, Any]:
    with warnings.catch_warnings(), LLMTrace(settings=case.settings) as llmtrace, case.prepare(llmtrace):
        warnings.simplefilter("ignore")  # Recordings name models that are deprecated by now.
        try:
            _sdks.send(case.request, typed=True, native=native, asynchronous=False)
        except Exception as error:  # noqa: BLE001  # Failed calls have spans, too.
            raised = type(error).__name__
        else:
            raised = ""
        spans = [span for span in llmtrace.exporter.get_finished_spans() if is_of_genai(span)]
        return {
            "case": case.id,
            "raised": raised,
            "theirs": [theirs(span) for span in spans],
            "ours": ours(llmtrace, "genai-2026-08"),
        }


if __name__ == "__main__":
    main(sys.argv[1])
