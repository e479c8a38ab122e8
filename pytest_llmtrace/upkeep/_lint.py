"""`lint`: find what is wrong with cassette files, without changing them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Cassette, Recording, Severity
from pytest_llmtrace.replay.cassette import default_label, parse, plain_of, read_file
from pytest_llmtrace.replay.recorded_by import is_gone, module_of
from pytest_llmtrace.secrets.shapes import masked, shapes_in, shown
from pytest_llmtrace.upkeep._age import recorded_on
from pytest_llmtrace.upkeep._carried import Carried
from pytest_llmtrace.upkeep._files import File, files_in, looks_like_cassette, text_of
from pytest_llmtrace.upkeep._inspect import Trouble, troubles_in
from pytest_llmtrace.upkeep._kinds import KINDS

__all__ = ["Finding", "LintSettings", "Report", "lint"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong, in one place of a file, in one interaction or several.

    Attributes:
        kind: `secret`, `personal`, `volatile`, ...: see `_kinds`.
        severity: `error` fails the command, `warning` with `--strict`, `info` is shown when asked for.
        file: The file, as reports name it.
        line: The line where the (first) interaction starts, or of the text that is wrong, if it is in no interaction.
        interactions: The interactions that the finding is about, empty if it is about none of them.
        place: The place in them, such as `response.headers.set-cookie` or `request.body $.metadata.user_id`.
        found: What was found, without the secret itself.
        why: Why it matters.
        next: What to do.
    """

    kind: str
    severity: Severity
    file: str
    line: int | None = None
    interactions: tuple[int, ...] = ()
    place: str = ""
    found: str = ""
    why: str
    next: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LintSettings:
    """What to look for.

    Attributes:
        ignore: Kinds that are not reported.
        allow: Patterns of whole values that are fine: in this project they are neither secret nor personal.
        max_age_days: Recordings that are older are reported; `None` if any age is fine.
        today: The day on which age is counted.
        played: Files that tests have played; `None` if this is not known.
        root: Pytest's rootdir, for the tests that recordings name.
    """

    ignore: frozenset[str] = frozenset()
    allow: tuple[re.Pattern[str], ...] = ()
    max_age_days: int | None = None
    today: date = field(default_factory=lambda: datetime.now(tz=UTC).date())
    played: frozenset[Path] | None = None
    root: Path = Path()


@dataclass(kw_only=True, slots=True)
class Report:
    """What was looked at and what was found."""

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    interactions: int = 0
    no_cassettes: list[str] = field(default_factory=list)
    dates: list[tuple[date, str]] = field(default_factory=list)

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)


def lint(paths: Iterable[Path], settings: LintSettings) -> Report:
    """Return what is wrong with cassettes, given as files and folders.

    Raises:
        UsageError: If there is no such file or folder.
    """
    report, by_content = Report(), dict[bytes, str]()
    for file in files_in(paths):
        label = default_label(file.path)
        try:
            content = plain_of(read_file(file.path), file.path)
            cassette = _cassette(file, content)
        except CassetteError as error:
            report.files += 1
            found, _, following = error.reason.partition(". Next: ")
            finding = _finding("unreadable", label, line=error.line, found=found, following=following)
            report.findings += [] if "unreadable" in settings.ignore else [finding]
            continue
        if cassette is None:
            report.no_cassettes.append(label)
            continue
        report.files += 1
        report.interactions += len(cassette.recordings)
        findings = [
            *_of_cassette(cassette, content, settings, report),
            *_of_file(file.path, label, content, settings, by_content),
        ]
        report.findings += [finding for finding in findings if finding.kind not in settings.ignore]
    return report


def _cassette(file: File, content: bytes) -> Cassette | None:
    """Read a file; return `None` if it was found in a folder and is something other than a cassette."""
    if not file.named and not looks_like_cassette(content):
        return None
    try:
        return parse(content, file.path)
    except CassetteError as error:
        if file.is_other(error):
            return None
        raise


def _finding(kind: str, label: str, *, following: str = "", **more: Any) -> Finding:
    known = KINDS[kind]
    text = (following or known.next).replace("{file}", label)
    return Finding(kind=kind, severity=known.severity, file=label, why=known.why, next=text, **more)


# --- what is in a file -----------------------------------------------------------------------------------------------


def _of_cassette(cassette: Cassette, content: bytes, settings: LintSettings, report: Report) -> Iterator[Finding]:
    seen: dict[str, None] = {}
    found: dict[tuple[str, ...], list[tuple[Recording, Trouble]]] = {}
    carried = Carried(cassette)
    for recording in cassette.recordings:
        for trouble in troubles_in(recording, carried):
            seen[trouble.value] = None
            if not _is_allowed(trouble.value, settings):
                found.setdefault(trouble.same(), []).append((recording, trouble))
    yield from _repeated(cassette)
    yield from _of_gone_tests(cassette, settings)
    for several in found.values():
        recording, trouble = several[0]
        yield _finding(
            trouble.kind,
            cassette.label,
            line=recording.line,
            interactions=tuple(dict.fromkeys(recording.index for recording, _ in several)),
            place=trouble.place,
            found=trouble.found,
            following=trouble.next,
        )
    yield from _beside(cassette.label, content, seen, settings)
    yield from _age(cassette, settings, report)


def _is_allowed(value: str, settings: LintSettings) -> bool:
    return bool(value) and any(pattern.fullmatch(value) for pattern in settings.allow)


def _repeated(cassette: Cassette) -> Iterator[Finding]:
    """Find interactions whose request and reply are those of another one."""
    groups: dict[bytes, list[Recording]] = {}
    for recording in cassette.recordings:
        groups.setdefault(_digest(recording), []).append(recording)
    for group in groups.values():
        first, *others = group
        if others:
            yield _finding(
                "repeated",
                cassette.label,
                line=first.line,
                interactions=tuple(recording.index for recording in group),
                found=f"{len(group)} times {first.request.method} with the same body and the same reply",
            )


def _digest(recording: Recording) -> bytes:
    """Return what is the same for recordings with the same request and the same reply."""
    request, response = recording.request, recording.response
    replied = (response.status, response.body) if response is not None else (None, None)
    key = hashlib.blake2b(digest_size=16)
    for part in (request.method, request.url, request.body, *replied):
        key.update(repr(part).encode("utf-8", "surrogatepass") + b"\0")
    return key.digest()


def _of_gone_tests(cassette: Cassette, settings: LintSettings) -> Iterator[Finding]:
    """Find recordings of tests that no longer exist, or have another name.

    A missing module proves nothing unless another module that the file names is there: `root` may not be the rootdir.
    """
    by_test: dict[str, list[Recording]] = {}
    for recording in cassette.recordings:
        if recording.test:
            by_test.setdefault(recording.test, []).append(recording)
    there = {test for test in by_test if module_of(test, settings.root).is_file()}
    for test in sorted(by_test if there else ()):
        if not is_gone(test, settings.root):
            continue
        yield _finding(
            "gone",
            cassette.label,
            line=by_test[test][0].line,
            interactions=tuple(recording.index for recording in by_test[test]),
            found=f"recorded by {masked(test)}, which does not exist",
        )


def _beside(label: str, content: bytes, seen: Collection[str], settings: LintSettings) -> Iterator[Finding]:
    """Find what looks like a secret in the rest of the file: comments, and keys that no reader uses."""
    text, told = text_of(content).text, "\n".join(seen)
    for shape in shapes_in(text):
        value = text[shape.start : shape.end]
        # A value that was reported may be longer than the shape: that of a URL is user and password.
        if value not in seen and value not in told and not _is_allowed(value, settings):
            line = text.count("\n", 0, shape.start) + 1
            yield _finding(
                "secret",
                label,
                line=line,
                place=f"line {line}",
                found=f"{shown(value)}, {shape.looks_like}",
                following="remove it by hand, as it is outside of what is replayed; then withdraw the key",
            )


def _age(cassette: Cassette, settings: LintSettings, report: Report) -> Iterator[Finding]:
    day = recorded_on(cassette)
    if day is None:
        return
    report.dates.append((day, cassette.label))
    days = (settings.today - day).days
    if settings.max_age_days is not None and days > settings.max_age_days:
        yield _finding(
            "old", cassette.label, found=f"recorded {day}, {days} days ago; --max-age is {settings.max_age_days}"
        )


# --- what is a file --------------------------------------------------------------------------------------------------


def _of_file(
    path: Path, label: str, content: bytes, settings: LintSettings, by_content: dict[bytes, str]
) -> Iterator[Finding]:
    digest = hashlib.blake2b(content, digest_size=16).digest()
    first = by_content.setdefault(digest, label)
    if first != label:
        yield _finding("same-file", label, found=f"the same bytes as {first}")
    if settings.played is not None and path.resolve() not in settings.played:
        yield _finding("orphan", label, found="no test of the run played it")
