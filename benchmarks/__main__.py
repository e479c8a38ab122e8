"""`python -m benchmarks`: measure, print, and with `--write` rewrite `docs/benchmarks.md`."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path

from benchmarks import _report
from benchmarks._measure import Plan, one_processor


def main() -> None:
    """Measure and print the tables that were asked for."""
    from benchmarks import (
        conventions,
        exits,
        export,
        idle,
        load,
        memory,
        openobserve,
        privacy,
        replay_calls,
        suite,
        timing,
        verify,
    )

    modules = {
        "replay": replay_calls, "verify": verify, "load": load, "idle": idle, "suite": suite, "memory": memory,
        "timing": timing, "exits": exits, "conventions": conventions, "privacy": privacy,
        "export": export,
        "openobserve": openobserve,
    }  # fmt: skip
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"what to measure: {', '.join(modules)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="a few small runs, to see that all of it works")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md anew")
    given = parser.parse_args()
    if unknown := set(given.names) - set(modules):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    plan = Plan.quick() if given.quick else Plan()
    results = []
    for name in given.names or modules:
        # Sending takes two processors, since the receiver works while the sender does; `export` keeps its other
        # measurements to one.
        with tempfile.TemporaryDirectory() as folder, nullcontext() if name == "export" else one_processor():
            results.append(modules[name].measure(plan, Path(folder)))
        print(_report.as_text(results[-1]), flush=True)
    if given.write:
        _report.write(results)


if __name__ == "__main__":
    main()
