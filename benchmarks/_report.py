"""Tables for the terminal and for `docs/benchmarks.md`."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks._measure import Result, Row

__all__ = ["as_text", "write"]

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = ("case", "who", "median", "ratio", "quartiles", "target", "")
PACKAGES = (
    "pytest-llmtrace", "openai", "anthropic", "httpx2", "httpx", "vcrpy", "PyYAML", "cassetter", "respx", "pytest",
    "pytest-recording", "opentelemetry-sdk", "openinference-instrumentation-openai",
)  # fmt: skip


def as_text(result: Result) -> str:
    """Return a table as text for a terminal."""
    lines = [HEAD, *map(_cells, result.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    laid_out = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join([f"\n{result.title}", *laid_out, f"{len(result.missed)} missed"])


def write(results: Iterable[Result]) -> None:
    """Write the tables between the markers of the page that carry their names; leave the rest of it as it is."""
    page = PAGE.read_text(encoding="utf-8")
    for result in results:
        begin, end = f"<!-- {result.name} -->\n", f"<!-- end of {result.name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"docs/benchmarks.md has no markers for {result.name}"
        page = f"{before}{begin}{_as_markdown(result)}{end}{after}"
    PAGE.write_text(_with_summary(page), encoding="utf-8")


def _with_summary(page: str) -> str:
    """Write into the head of the page how many targets of each table are met, and which are missed."""
    before, begin, rest = page.partition("<!-- summary -->\n")
    _, end, after = rest.partition("<!-- end of summary -->")
    lines = [("what", "targets", "met", "missed"), ("---",) * 4, *_summed_up(after)]
    return before + begin + "".join(f"| {' | '.join(line)} |\n" for line in lines) + end + after


def _summed_up(page: str) -> Iterator[tuple[str, ...]]:
    for title, section in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", page, re.MULTILINE):
        verdicts = re.findall(r"\| (met|missed) \|$", section, re.MULTILINE)
        missed = re.search(r"^\*\*Missed:\*\* (.*\))\.", section, re.MULTILINE)
        anchor = re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        told = missed[1] if missed else ""
        yield f"[{title}](#{anchor})", str(len(verdicts)), str(verdicts.count("met")), told


def _as_markdown(result: Result) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *map(_cells, result.rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    missed = f"\n{_missed(result.missed)}\n\n{result.why}" if result.missed else ""
    return f"## {result.title}\n\n{result.what}\n{table}{missed}\n{_circumstances()}\n\n"


def _missed(rows: Sequence[Row]) -> str:
    named = dict.fromkeys(f"{row.subject}, {row.case} ({row.ratio:.2f}, wanted {_wanted(row)})" for row in rows)
    return f"**Missed:** {'; '.join(named)}."


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    spread = "" if row.spread is None else f"{row.spread[0]:.2f} to {row.spread[1]:.2f}"
    return row.case, row.subject, row.value, ratio, spread, _wanted(row), row.verdict


def _wanted(row: Row) -> str:
    return "" if row.target is None else f"{'below' if row.below else 'at most'} {row.target:.2f}"


def _circumstances() -> str:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    when = dt.datetime.now(tz=dt.UTC).date().isoformat()
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}"
    return f"Measured {when}: {machine}, CPython {platform.python_version()}; {', '.join(versions)}."


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()
