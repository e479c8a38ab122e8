"""Record the exchanges that went to the network into one cassette."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pytest_llmtrace._lines import counted
from pytest_llmtrace._stdlib import hashlib
from pytest_llmtrace.canaries import Sought
from pytest_llmtrace.errors import CassetteError, UsageError
from pytest_llmtrace.model import LEFT, Exchange, Recording
from pytest_llmtrace.record._document import appended, rewritten
from pytest_llmtrace.record._file import read, write
from pytest_llmtrace.record._known import Guard
from pytest_llmtrace.record._sameness import exact
from pytest_llmtrace.record._scrubbing import Scrubber, compares_bytes
from pytest_llmtrace.record._take import taken
from pytest_llmtrace.replay.cassette import default_label, parse
from pytest_llmtrace.replay.settings import ReplaySettings
from pytest_llmtrace.secrets.edits import edits

__all__ = ["Recorder", "Written", "refuse_unsupported"]

Mode = Literal["once", "new", "all"]
_NAMED = ("pytest-llmtrace", "openai", "anthropic", "httpx", "httpx2")


@dataclass(frozen=True, kw_only=True)
class Written:
    """The result of saving a recording.

    Attributes:
        path: The file.
        label: The file as reports name it.
        what: `wrote`, `appended to` or `unchanged`.
        recordings: How many interactions were recorded. If there are none, no file was written.
        scrubbed: How often something was taken out, by place.
        dropped: How many interactions the configuration has dropped.
        left: How many of the interactions have no reply because the client was cancelled before.
        before: What the file held when the recording began, `None` if there was no file.
    """

    path: Path
    label: str
    what: Literal["wrote", "appended to", "unchanged"]
    recordings: int
    scrubbed: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    left: int = 0
    before: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if not self.recordings:
            lost = counted(self.dropped, "interaction")
            why = "before_record_*, before_save_interaction or ignore_hosts"
            return f"nothing for {self.label}: the configuration ({why}) drops all there was, {lost}"
        out = ", ".join(f"{place} ({n})" if n > 1 else place for place, n in sorted(self.scrubbed.items()))
        left = f"; cancelled before any reply: {self.left}" if self.left else ""
        end = f"{left}; the configuration drops {self.dropped} more" if self.dropped else left
        return f"{self.what} {self.label}: {counted(self.recordings, 'interaction')}; scrubbed: {out or 'nothing'}{end}"


class Recorder:
    """Records into a cassette; nothing is written before `save`, which is called when all went well.

    Args:
        path: The file.
        mode: `once` and `all` rewrite the file, `new` appends to it.
        settings: The configuration as `read_config` has read it.
        config: The configuration itself.
        test: The test that records, if the file is to name it because other tests may share the file.
        earlier: What the file held before other tests of the run began to write it anew; what is the same as there
            stays as it is.

    Raises:
        CassetteError: If the file has a form that is only read.
    """

    def __init__(
        self,
        path: Path,
        *,
        mode: Mode,
        settings: ReplaySettings,
        config: Mapping[str, Any],
        test: str = "",
        earlier: bytes | None = None,
    ) -> None:
        if path.suffix.lower() == ".gz":
            raise CassetteError(path, "a file in gzip is only read; record with another name, such as one with .yaml")
        self.path = path
        self.mode = mode
        self._scrubber = Scrubber(settings, config)
        self._keep = settings.keep
        self._is_raw = compares_bytes(settings)
        self._by_body = any(matcher in ("body", "raw_body") for matcher in settings.match_on)
        self._test = test
        self._earlier = earlier
        self._before = read(path)
        self._written: bytes | None = None  # A digest of the content that was last saved.

    def save(self, exchanges: Iterable[Exchange], known: Iterable[Sought] = ()) -> Written | None:
        """Write the exchanges that went to the network.

        Args:
            exchanges: All that belong in the file; a second call includes those that the first one saved.
            known: The values that are known to be secret: those in exchanges of the whole trace, and its canaries.

        Returns:
            What was written, or that the configuration has dropped everything; `None` if no exchange went to the
            network.

        Raises:
            CassetteError: If the file could not be written, if another process has recorded into it meanwhile, or
                if it or its name would hold a known secret; the file is as it was.
        """
        guard = Guard(self.path, known, self._keep)
        recordings, places, dropped = self._scrubbed(exchanges, guard)
        written = Written(
            path=self.path.absolute(),
            label=default_label(self.path),
            what="unchanged",
            recordings=len(recordings),
            scrubbed=places,
            dropped=dropped,
            left=sum(one.response is None and one.failure in LEFT for one in recordings),
            before=self._before,
        )
        if not recordings:
            return written if dropped else None
        guard.refuse_name()
        contents: list[bytes] = []

        def content(found: bytes | None) -> bytes | None:
            contents.append(self._content(found, recordings))
            return None if contents[0] == found else contents[0]

        changed = write(self.path, content)
        self._written = _digest(contents[0])
        if not changed:
            return written
        return replace(written, what="appended to" if self.mode == "new" and self._before else "wrote")

    def _scrubbed(self, exchanges: Iterable[Exchange], guard: Guard) -> tuple[list[Recording], Counter[str], int]:
        recordings: list[Recording] = []
        places = Counter[str]()
        dropped = 0
        # The id of a test contains its parameters, which may be secret.
        test = "" if edits(self._test) or guard.knows(self._test) else self._test
        for exchange in exchanges:
            recording = taken(exchange)
            scrubbed = None if recording is None else self._scrubber.scrubbed(recording)
            if scrubbed is not None:
                scrubbed = guard.checked(scrubbed)
                recordings.append(replace(scrubbed.recording, index=len(recordings), test=test))
                places += scrubbed.places
            dropped += recording is not None and scrubbed is None
        return recordings, places, dropped

    def _content(self, found: bytes | None, recordings: list[Recording]) -> bytes:
        text, held = self._text(found, recordings)
        content = _with_line_ends_of(found, text).encode("utf-8")
        if content != found:
            self._prove(content, held)
        return content

    def _text(self, found: bytes | None, recordings: list[Recording]) -> tuple[str, list[Recording]]:
        """Return the new text of the file, and the recordings that its last ones have to read as."""
        if self._written is None:
            is_ours, base = found == self._before, found
        else:
            is_ours, base = found is not None and _digest(found) == self._written, self._before
        if self.mode == "new" and base and (is_ours or self._written is None):
            return appended(self.path, base, recordings, self._earlier, is_raw=self._is_raw)
        if not is_ours:
            raise CassetteError(
                self.path,
                "another process has written this file since the recording began; it was left as it is. "
                "Next: record each cassette from one process at a time",
            )
        origin = {**self._said_before(found), **_origin()}
        return rewritten(self.path, found, recordings, origin, is_raw=self._is_raw, by_body=self._by_body)

    def _said_before(self, content: bytes | None) -> Mapping[str, Any]:
        """Return what the file has stated about its origin, notes of people included."""
        try:
            return parse(content, self.path).origin if content else {}
        except CassetteError:
            return {}

    def _prove(self, content: bytes, recordings: list[Recording]) -> None:
        """Read back what is about to be written: requests, replies and failures must be those that were recorded."""
        last = parse(content, self.path).recordings[-len(recordings) :]
        for read_back, recorded in zip(last, recordings, strict=True):
            if exact(read_back) != exact(recorded):
                raise UsageError(
                    f"{self.path}: {recorded.request.method} {recorded.request.url} does not read back as it was "
                    "recorded, so nothing was written. This is a defect of pytest-llmtrace; please report it"
                )


def refuse_unsupported(config: Mapping[str, Any], mode: str) -> None:
    """Refuse a configuration that asks for something that a mode would not do.

    Args:
        config: A `vcr_config` or `llmtrace_config`.
        mode: The mode that is about to record: `once` (if there is no file), `new` or `all`.

    Raises:
        UsageError: If `new` is asked to drop what was not played: one of several tests that record into a file would
            drop what the others play. In the other modes nothing is left that could be dropped.
    """
    if mode == "new" and config.get("drop_unused_requests"):
        raise UsageError(
            "drop_unused_requests cannot be used with the mode `new`, which adds interactions and drops none; "
            "--llmtrace-record=all writes a file with only those that the test requests"
        )


def _with_line_ends_of(before: bytes | None, text: str) -> str:
    """Return a text with the line ends of the file that it replaces, which may be those of Windows."""
    is_windows = before is not None and before.partition(b"\n")[0].endswith(b"\r")
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if is_windows else text


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _origin() -> dict[str, Any]:
    versions = [f"{name} {found}" for name in _NAMED if (found := _version(name))]
    return {
        "origin": "recorded",
        "recorded_at": datetime.now(UTC).date().isoformat(),
        "with": ", ".join([*versions, f"Python {platform.python_version()}"]),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
