"""What is put beside the failure of a test or a fixture: the findings that the failure does not say by itself."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmtrace import capture, report
from pytest_llmtrace.checks import Verdict
from pytest_llmtrace.errors import BlockedConnection, UnmatchedRequest, VerificationError
from pytest_llmtrace.plugin import _broken, _options
from pytest_llmtrace.plugin._declared import FIXTURE, TRACE
from pytest_llmtrace.plugin._outcomes import Failed
from pytest_llmtrace.plugin._tracebacks import leaves

if TYPE_CHECKING:
    from pytest_llmtrace.harness import LLMTrace
    from pytest_llmtrace.model import Finding

__all__ = ["explain", "forget", "keep_late", "late_told", "note", "unseen"]

_PROPERTY: Final = "llmtrace_findings"
_ENDS_RUN: Final = (KeyboardInterrupt, pytest.exit.Exception)
"""For these pytest makes no report."""

_beside_key = pytest.StashKey[str]()
_late_key = pytest.StashKey[tuple[Verdict, str]]()
_NOTHING: Final[Any] = (None, "")


def forget(item: pytest.Item) -> None:
    """Forget what an earlier attempt of an item has found."""
    _forget_noted(item)
    item.stash[_beside_key] = ""
    item.stash[_late_key] = _NOTHING


def note(item: pytest.Item, verdict: Verdict) -> None:
    """Put the check ids of the findings into the property that JUnit shows, after those that are there already."""
    ids = [finding.check for finding in verdict.findings]
    if ids:
        noted = [value for name, value in item.user_properties if name == _PROPERTY]
        _forget_noted(item)
        item.user_properties.append((_PROPERTY, ", ".join((*map(str, noted), *ids))))


def _forget_noted(item: pytest.Item) -> None:
    item.user_properties[:] = (known for known in item.user_properties if known[0] != _PROPERTY)


# --- beside a failure ------------------------------------------------------------------------------------------------


def explain(item: pytest.Item, failure: BaseException, when: str = "call") -> None:
    """Let a failure stand, and put beside it the findings that it does not say by itself."""
    trace = item.stash.get(TRACE, None)
    if trace is None or not trace.is_open or isinstance(failure, _ENDS_RUN):
        return
    try:
        _put_beside(item, trace, failure, when)
    except Exception as error:
        reason = _broken.reason_of(error)
        if not reason and when == "call":
            raise
        # In the hook that makes the report of a setup it would end the run.
        item.add_report_section(when, FIXTURE, reason or f"{_broken.INTERNAL}\n{traceback.format_exc()}")


def _put_beside(item: pytest.Item, trace: LLMTrace, failure: BaseException, when: str) -> None:
    for hint in dict.fromkeys(capture.hint_for(one) or _misnamed(one) for one in leaves(failure)):
        if hint:
            item.add_report_section(when, FIXTURE, hint)
    wrong = _options.take_added(item, trace)
    if wrong and wrong != str(failure):
        item.add_report_section(when, FIXTURE, wrong)
    evidence, verdict = trace.judge(complete=False)
    note(item, verdict)
    news = replace(verdict, findings=_untold(verdict, failure))
    if not news.worth_saying or not trace.settings.verify:
        return
    text = report.render(trace.settings.label, evidence, news)
    item.add_report_section(when, FIXTURE, text)
    if trace.fails(news):  # Others are in the summary of the run.
        item.stash[_beside_key] = text


def _misnamed(error: BaseException) -> str:
    """Name the attribute of one of our objects that a test may have meant; Python does so only where it ends itself."""
    if not isinstance(error, AttributeError) or type(error.obj).__module__.partition(".")[0] != _PACKAGE:
        return ""
    near = difflib.get_close_matches(str(error.name), [name for name in dir(error.obj) if name[0] != "_"], n=1)
    return f"{type(error.obj).__name__} has no {error.name}: did you mean {near[0]}?" if near else ""


_PACKAGE = __name__.partition(".")[0]


def unseen(item: pytest.Item, made: pytest.TestReport) -> str:
    """Return what stands beside an outcome for which pytest shows no sections: a skip, or an expected failure."""
    text = item.stash.get(_beside_key, "")
    if made.when != "teardown" and not made.skipped and text:
        item.stash[_beside_key] = text = ""
    return text


def _untold(verdict: Verdict, failure: BaseException) -> tuple[Finding, ...]:
    """Return the findings that an error of this package does not say by itself."""
    errors = [*leaves(failure)]
    if any(isinstance(error, VerificationError) for error in errors):
        return ()
    told = {str(error).partition("\nnext: ")[0] for error in errors if isinstance(error, UnmatchedRequest)}
    blocked = [str(error) for error in errors if isinstance(error, BlockedConnection)]
    return tuple(one for one in verdict.findings if not _is_told(one, told, blocked))


def _is_told(finding: Finding, told: set[str], blocked: list[str]) -> bool:
    if finding.check != "replay/unmatched":
        return False
    found = dict(finding.details).get("found", "")
    where, _, who = found.removeprefix("refused ").rpartition(" (")
    return found in told or any(text.startswith(f"{who[:-1]} tried to reach {where} in ") for text in blocked)


# --- after the test --------------------------------------------------------------------------------------------------


def keep_late(item: pytest.Item, verdict: Verdict, text: str) -> None:
    """Keep what fixtures did after the test until all of them are done: one of them may have failed by that."""
    note(item, verdict)
    if text:
        item.stash[_late_key] = verdict, text


@contextmanager
def late_told(item: pytest.Item) -> Iterator[None]:
    """Fail a teardown on what fixtures did after the test; if it fails by itself, put that beside its failure."""
    try:
        yield
    except BaseException as failure:
        verdict, text = item.stash.get(_late_key, _NOTHING)
        if text and replace(verdict, findings=_untold(verdict, failure)).worth_saying:
            item.add_report_section("teardown", FIXTURE, text)
        raise
    verdict, text = item.stash.get(_late_key, _NOTHING)
    if text:
        raise Failed.of(text, verdict)
