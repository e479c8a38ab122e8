"""Play all cases under one instrumentor, in a process of its own, and print a JSON document.

python -m pytest_llmtrace.compare._worker NAME sync|async [CASE ...]
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmtrace import _sdks
from pytest_llmtrace.compare._case import Case
from pytest_llmtrace.compare._cases import chosen
from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS, Instrumentation
from pytest_llmtrace.compare._verdicts import verdicts
from pytest_llmtrace.exits import WAYS, Exits
from pytest_llmtrace.harness import LLMTrace

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Play the cases under one instrumentor, and print what became of each."""
    name, client, *ids = arguments
    json.dump(list(_played(INSTRUMENTORS[name], chosen(ids), asynchronous=client == "async")), sys.stdout)
    return 0


def _played(
    instrumentation: Instrumentation, cases: tuple[Case, ...], *, asynchronous: bool
) -> Iterator[dict[str, Any]]:
    started: set[str] = set()
    for case in cases:
        sdk = _sdks.sdk_of(case.request)
        if instrumentation.version(sdk) is None or _sdks.missing(case.request):
            continue
        if sdk not in started:
            instrumentation.start(instrumentation, sdk)
            started.add(sdk)
        yield {"case": case.id, **_play(instrumentation, case, asynchronous=asynchronous)}


_NOTHING: Mapping[str, Any] = {"spans": [], "facts": {}, "findings": []}


def _play(instrumentation: Instrumentation, case: Case, *, asynchronous: bool) -> dict[str, Any]:
    if case.way not in ("", *WAYS) and not asynchronous:
        return {"raised": None, "breaks": False, "report": "", **_NOTHING, "left_out": True}
    trace = LLMTrace(settings=case.settings)
    raised, breaks = None, False
    with warnings.catch_warnings(), trace, case.prepare(trace):
        warnings.simplefilter("ignore")  # Recordings name models that are deprecated by now.
        try:
            _make(instrumentation, case, trace, asynchronous=asynchronous)
        except Exception as error:  # noqa: BLE001  # That an instrumentor breaks the call is a result, too.
            raised, breaks = f"{type(error).__name__}: {error}", _is_of_instrumentation(error)
        evidence, verdict = trace.judge()
        report = trace.report() if verdict.findings else ""
    return {"raised": raised, "breaks": breaks, "report": report, **verdicts(evidence, verdict)}


def _is_of_instrumentation(error: Exception) -> bool:
    """Tell whether an instrumentation has raised an error itself, and not only let it through."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith(
        ("langfuse.", "logfire.", "mlflow.", "openinference.", "opentelemetry.")
    )


def _make(instrumentation: Instrumentation, case: Case, trace: LLMTrace, *, asynchronous: bool) -> None:
    """Make the call, and read its reply to the end or leave it."""
    how: dict[str, Any] = {"typed": True, "native": instrumentation.native, "asynchronous": asynchronous}
    how["retries"] = case.retries
    if case.way:
        Exits(trace, case.way).run(lambda: _sdks.begin(case.request, **how))
    else:
        _sdks.send(case.request, **how)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
