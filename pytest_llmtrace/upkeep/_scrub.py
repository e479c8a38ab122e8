"""`scrub`: take out of a cassette what is secret, and change nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_llmtrace.codings import is_gzip
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Recording
from pytest_llmtrace.replay import ReplaySettings, scrub
from pytest_llmtrace.replay.canonical import Compared
from pytest_llmtrace.replay.cassette import default_label, parse, read_file
from pytest_llmtrace.replay.settings import DEFAULT_MATCH_ON
from pytest_llmtrace.upkeep._carried import Carried, said
from pytest_llmtrace.upkeep._diff import diff_lines
from pytest_llmtrace.upkeep._files import text_of
from pytest_llmtrace.upkeep._nodes import Node, same_but_for, tree_of
from pytest_llmtrace.upkeep._places import Edit, changes_in
from pytest_llmtrace.upkeep._rewrite import Patch, patched, patches_of, write_atomically

__all__ = ["Scrubbed", "scrubbed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scrubbed:
    """A file, and its content without its secrets.

    Attributes:
        path: The file.
        values: How many secret values are taken out.
        old: Its content before.
        new: Its content after; the same if there is nothing to take out.
        patches: The changes of its text.
    """

    path: Path
    values: int
    old: bytes
    new: bytes
    patches: tuple[Patch, ...]

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff that shows no secret."""
        return diff_lines(default_label(self.path), text_of(self.old).text, self.patches)

    def write(self) -> None:
        """Write the file.

        Raises:
            CassetteError: If the file cannot be written, or was changed meanwhile.
        """
        write_atomically(self.path, self.old, self.new)


def scrubbed(path: Path) -> Scrubbed:
    """Read a cassette, and return it with its content without its secrets. Nothing is written.

    Raises:
        CassetteError: If the file cannot be read, if its secrets cannot be replaced without changing anything else, or
            if a request would no longer find its recording.
    """
    content = read_file(path)
    before = parse(content, path)
    if is_gzip(content):
        raise CassetteError(path, "a file in gzip is only read; to take a secret out of it, record it again without")
    file = text_of(content)
    document = tree_of(file.text, is_json=file.is_json(path))
    carried = Carried(before)
    edits = list({id(change.node): change for change in changes_in(document, carried)}.values())
    patches = _checked(path, file.text, document, edits, is_json=file.is_json(path)) if edits else []
    new = file.encoded(patched(file.text, patches)) if edits else content
    if edits:
        _check_recordings(path, new, before.recordings, carried)
    return Scrubbed(
        path=path,
        values=sum(edit.is_secret for edit in edits),
        old=content,
        new=new,
        patches=tuple(patches),
    )


def _checked(path: Path, text: str, document: Node, edits: list[Edit], *, is_json: bool) -> list[Patch]:
    """Return patches after which the file reads as before, with exactly these values replaced."""
    wanted = {id(edit.node): edit.value for edit in edits}
    for whole in (False, True):
        patches = patches_of(text, edits, whole=whole)
        after = _tree_or_none(patched(text, patches), is_json=is_json)
        if after is not None and same_but_for(document, after, wanted):
            return patches
    raise CassetteError(
        path,
        "its secrets cannot be replaced in place without changing something else; nothing was written. "
        "Record it again, or take them out by hand",
    )


def _tree_or_none(text: str, *, is_json: bool) -> Node | None:
    try:
        return tree_of(text, is_json=is_json)
    except Exception:  # noqa: BLE001  # Whatever the parser says of our own text: the change was wrong.
        return None


def _check_recordings(path: Path, new: bytes, before: tuple[Recording, ...], carried: Carried) -> None:
    """Check that each recording is still found by the requests that found it before, and has lost its secrets."""
    after = parse(new, path).recordings
    settings = ReplaySettings()
    scrubbed = any(scrub.is_scrubbed(recording.request) for recording in after)
    for old, changed in zip(before, after, strict=True):
        parts = [Compared(recording.request, settings, scrubbed=scrubbed) for recording in (old, changed)]
        for name in DEFAULT_MATCH_ON:
            if parts[0].part(name) != parts[1].part(name):
                raise CassetteError(
                    path,
                    f"interaction {old.index} would no longer be found by its request ({name}); nothing was written. "
                    "Take its secrets out of the test, and record it again",
                    line=old.line,
                )
        _check_secrets(path, changed, carried)


def _check_secrets(path: Path, recording: Recording, carried: Carried) -> None:
    """Check that no secret is left of which nobody could tell any more that it is one."""
    asked, answered = list(carried.asked_in(recording)), list(carried.answered_in(recording))
    if not asked and not answered:
        return
    where = "request, where a mask would match nothing" if asked else "reply, where it is encoded or in pieces"
    raise CassetteError(
        path,
        f"{said((asked or answered)[0])} is also in the {where} (interaction {recording.index}); nothing was written. "
        "Take it out of the test, and record it again",
        line=recording.line,
    )
