"""Verify correct instrumentations on recordings of your own: `python tools/recordings.py PATH... [--asynchronous]`.

Each LLM call of each cassette is made again through the real SDK, once for each convention, inside a span that is
written by hand from the objects that the SDK returns. Any finding is then a fault of the checks, of an SDK, or of the
file; each kind of finding is printed with its count and its first report.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pytest_llmtrace import wire
from pytest_llmtrace._playback import cassettes_in
from pytest_llmtrace.errors import CassetteError, UnmatchedRequest
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Cassette, Settings
from pytest_llmtrace.replay import load
from tests.truth._calls import Caller, Instrumentation
from tests.truth._dialects import DIALECTS

Kind = tuple[str, ...]


def calls(paths: list[Path]) -> Iterator[Cassette]:
    """Yield each LLM call that was answered, alone in a cassette; a file that is not a cassette has no calls."""
    for path in cassettes_in(paths):
        try:
            cassette = load(path)
        except CassetteError:
            continue
        for recording in cassette.recordings:
            if recording.response is not None and wire.identify(recording.request):
                yield replace(cassette, recordings=(recording,))


def judged(caller: Caller, dialect: str, call: Cassette) -> tuple[list[Kind], str]:
    """Return the kinds of findings on one call, and the report."""
    [recording] = call.recordings
    with LLMTrace(settings=Settings(label=call.label, verify=False)) as trace, trace.replay(call):
        try:
            caller.call(Instrumentation(writer=DIALECTS[dialect]), recording.request)
        except UnmatchedRequest:
            return [("not made: the SDK sends another body than the recorded one", "")], ""
        except Exception as error:  # noqa: BLE001  # Collectors may fail on replies that no SDK returns whole.
            return [(f"not made: {type(error).__name__} while the reply was collected", "")], call.label
        return [(finding.severity.value, finding.check, dialect) for finding in trace.findings()], trace.report()


def main() -> None:
    """Print the kinds of findings, with their counts and first reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    parser.add_argument("--asynchronous", action="store_true", help="through the asynchronous clients")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # Recordings name models that are deprecated by now.
    caller = Caller(asynchronous=asked.asynchronous)
    spans, found, first = 0, Counter[Kind](), defaultdict[Kind, str](str)
    for call in calls(asked.paths):
        api = wire.identify(call.recordings[0].request)
        for dialect in (name for name, writer in DIALECTS.items() if api in writer.apis):
            kinds, report = judged(caller, dialect, call)
            spans += 1
            found.update(kinds)
            for kind in kinds:
                first[kind] = first[kind] or report
    caller.close()
    print(f"{spans} calls made")
    for kind, number in found.most_common():
        print(f"\n{number:>6}  {'  '.join(kind)}\n{first[kind]}")


if __name__ == "__main__":
    main()
