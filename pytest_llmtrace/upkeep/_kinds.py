"""The kinds of findings of `lint`: how severe they are, why they matter, what to do."""

from __future__ import annotations

from typing import NamedTuple

from pytest_llmtrace.model import Severity

__all__ = ["KEPT", "KINDS", "SCRUB", "Kind"]


class Kind(NamedTuple):
    """How severe a kind of finding is, why it matters, and what to do. `{file}` in `next` is the name of the file."""

    severity: Severity
    why: str
    next: str


SCRUB = "pytest-llmtrace cassettes scrub {file}"
KEPT = "take it out of the test, as a mask there would match nothing, and record it again; then withdraw the key"

KINDS = {
    "secret": Kind(
        Severity.ERROR,
        "whoever reads the file can use it",
        f"{SCRUB}; if the file was ever pushed, withdraw the key",
    ),
    "unreadable": Kind(
        Severity.ERROR,
        "a test that names the file fails",
        "record it again, or delete it",
    ),
    "personal": Kind(
        Severity.WARNING,
        "it identifies a person, an account or a machine, and stays in the repository's history",
        f"{SCRUB}; or say that it is fine: --allow REGEX",
    ),
    "no-reply": Kind(
        Severity.WARNING,
        "the recording was broken off: nothing can be played for this request",
        "record it again, or remove the interaction",
    ),
    "same-file": Kind(
        Severity.WARNING,
        "two copies of one recording have to be renewed separately",
        "let both tests name one file, or delete the one that no test plays",
    ),
    "orphan": Kind(
        Severity.WARNING,
        "no test notices if it is wrong",
        "delete it, if the run was of all tests: git rm {file}",
    ),
    "gone": Kind(
        Severity.WARNING,
        "no test has to make this call: nobody notices when the application stops making it",
        "record the file again (--llmtrace-record=all), or remove the interaction",
    ),
    "old": Kind(
        Severity.WARNING,
        "the provider may answer differently by now",
        "record it again",
    ),
    "volatile": Kind(
        Severity.INFO,
        "it is new on every run, so each new recording is a larger diff",
        "nothing, or leave it out when recording",
    ),
    "opaque": Kind(
        Severity.INFO,
        "its content was not checked",
        "record it without compression: send accept-encoding: identity",
    ),
    "repeated": Kind(
        Severity.INFO,
        "each is played once, in this order; a test that sends the request less often leaves the others unplayed",
        "keep it if the test does send it as often",
    ),
}
