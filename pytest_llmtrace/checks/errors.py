"""Does the span report that its call failed, and why?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_llmtrace.checks._account import Account, has_answer
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._error_names import came_from_nothing, is_of_attempt, is_of_other_status, others_failed
from pytest_llmtrace.checks._failures import CallFailure, failure_of
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._replies import is_end, listed
from pytest_llmtrace.checks._words import place_of, place_of_exchange, shown
from pytest_llmtrace.model import Exchange, Fact, Finding, Severity, SpanRecord, State, StreamEnd

__all__ = [
    "CHECKS",
    "CUT_STREAM",
    "ERROR_CODE",
    "ERROR_REASON",
    "ERROR_RETRIED",
    "ERROR_STATUS",
    "ERROR_TYPE",
    "is_status",
    "tells_why",
]


# --- The status ------------------------------------------------------------------------------------------------------


def _status(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, failure in evidence.failures:
        if account.span.status == "ERROR":
            yield None
            continue
        yield check.finding(
            account.span,
            ("span", f"status {account.span.status}"),
            ("wire", str(failure)),
            why=failure.hidden_by,
            follows=("structure/ended-before-stream",),
        )


ERROR_STATUS = Check(
    id="wire/error-status",
    title="The span of a call that failed has the status ERROR",
    why="error rates and alerts count spans by their status, so this failure is not counted",
    next="set the status to ERROR where the failure is noticed: in the except clause, while the stream is read, or on "
    "an `error` in the body",
    compares="The status of the spans of calls whose last attempt failed. An attempt failed if it ended with a status "
    "of 400 or more, an `error` in the body of a 200, an error event in the stream, an event that the client could "
    "not parse and at which it gave up, or an exception of the transport (connection, timeout). An attempt that was "
    "retried with success is no failure. ERROR on the span of a call that succeeded is not judged: it may report an "
    "exception of the application.",
    source="OpenTelemetry, Recording errors: span status MUST be ERROR when the operation ended with an error",
    look=_status,
    about=("failures",),
)


# --- The reason ------------------------------------------------------------------------------------------------------


def _reason(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, failure in evidence.failures:
        if account.span.status != "ERROR":
            continue
        if tells_why(account.span):
            yield None
            continue
        yield check.finding(
            account.span,
            ("span", "status ERROR without description, error.type or exception event"),
            ("wire", str(failure)),
            next=or_rename(check.next, account.span.attributes, [_REASONS]),
        )


def tells_why(span: SpanRecord) -> bool:
    """Tell whether a span gives the reason of an error."""
    if span.status_description or any(event.name == "exception" for event in span.events):
        return True
    return any(span.attributes.get(key) for key in _REASONS)


_REASONS = ("error.type", "error.message", "exception.type", "error")


ERROR_REASON = Check(
    id="wire/error-reason",
    title="The span of a call that failed says why",
    why="whoever is called at night sees that it failed, not whether it was a rate limit, a timeout or a bad request",
    next="call span.record_exception(error), or set error.type or the status's description",
    compares="The spans of failed calls that have the status ERROR. One of these is enough: an exception event, a "
    "status description, or an attribute `error.type`, `error.message`, `exception.type` or `error`.",
    source="OpenTelemetry, Recording errors: description SHOULD be set when the status is ERROR",
    look=_reason,
    about=("failures",),
    severity=Severity.WARNING,
)


def _type(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, failure in evidence.failures:
        reading, span = account.reading, account.span
        # A wrapper that only borrows some of the convention's names has not promised its error.type.
        wanted = reading.has_place_for("error_type") and "gen_ai.operation.name" in span.attributes
        if not wanted or span.status != "ERROR" or not tells_why(account.span):
            continue  # wire/error-reason reports a span without any reason.
        if reading.fact("error_type").state is not State.ABSENT:
            yield None
            continue
        next_step = or_rename(check.next, span.attributes, [("error.type",)])
        yield check.finding(span, ("span", "no error.type"), ("wire", str(failure)), next=next_step)


ERROR_TYPE = Check(
    id="wire/error-type",
    title="The span of a call that failed has error.type",
    why="failures cannot be grouped: the text of a message differs from call to call, error.type does not",
    next="set error.type to the exception's class, or to the provider's code",
    compares="The spans of failed calls that have the status ERROR, give some reason for it, and have "
    "`gen_ai.operation.name`: that attribute marks the spans of the convention that requires `error.type`. They must "
    "have it.",
    source="OTel GenAI, client inference span: `error.type` is required if the operation ended in an error",
    look=_type,
    about=("failures",),
    severity=Severity.WARNING,
    whole_runs_only=True,
)


def _code(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    failed = {id(account): failure for account, failure in evidence.failures}
    for account in evidence.accounts:
        if account.span.ended is None:
            continue
        failure = failed.get(id(account))
        for fact in account.stated.get("error_type", ()):
            if failure is not None:
                is_wrong = _is_of_another(fact.value, failure, account, evidence)
                if is_wrong is not None:
                    yield _of_code(check, account, fact, str(failure)) if is_wrong else None
            elif account.span.status == "ERROR" and came_from_nothing(str(fact.value), account, evidence.exchanges):
                answered = f"the call succeeded\n{place_of_exchange(account.exchange)}"
                yield _of_code(check, account, fact, answered, why=_NO_FAILURE)
        recorded = _recorded(account) if failure is not None else None
        if failure is not None and recorded and _is_of_another(recorded.value, failure, account, evidence):
            yield _of_code(check, account, recorded, str(failure))


def _recorded(account: Account) -> Fact | None:
    """Return the class of the one exception that the span of a single attempt has recorded, if it is all that it has.

    Of several, and after several attempts, nobody can tell which one is the last attempt's.
    """
    recorded = [event for event in account.span.events if event.name == "exception"]
    if len(recorded) != 1 or len(account.call.exchanges) != 1 or "error_type" in account.stated:
        return None
    kind = recorded[0].attributes.get("exception.type")
    if not isinstance(kind, str) or "." not in kind:
        return None
    return Fact(name="error_type", value=kind, state=State.PRESENT, parts=(("exception.type", kind),))


def _is_of_another(value: Any, failure: CallFailure, account: Account, evidence: Evidence) -> bool | None:
    """Tell whether a code, or the class of an SDK's error, is not that of a failure; None if that cannot be known."""
    if not failure.codes:
        return None
    if is_status(value):
        return str(value) not in failure.codes
    return is_of_other_status(str(value), failure, account, evidence.exchanges)


def _of_code(check: Check, account: Account, fact: Fact, wire: str, why: str = "") -> Finding:
    return check.finding(account.span, ("span", f"{fact.keys} = {shown(fact.value)}"), ("wire", wire), why=why)


_NO_FAILURE = "a call that succeeded is counted as one that the provider refused"


def is_status(value: Any) -> bool:
    """Tell whether a value is an HTTP status from 400 to 599."""
    text = str(value) if isinstance(value, int | str) else ""
    return len(text) == 3 and text.isdecimal() and text[0] in "45"  # noqa: PLR2004


ERROR_CODE = Check(
    id="wire/error-code",
    title="The status code, or the SDK's error, that a span names is the one that came",
    why="a rate limit is handled as an outage, or the other way round",
    next="take it from the response or the exception",
    compares="The span's `error.type`, where it is a number from 400 to 599, with the call's HTTP status and the code "
    "in its error: it must be one of the two. Where it is a class of the errors of OpenAI's or Anthropic's SDK "
    "(`openai.RateLimitError`; without the module on spans of the SDKs' instrumentations), with the status for which "
    "the SDK raises it, such as 429; so is the class with its module in the one exception event "
    "of a span without `error.type`. On spans of these instrumentations that have the status ERROR, such a class is "
    "also wrong if the call succeeded, and no other request was made meanwhile that failed. Classes of frameworks and "
    "applications are not judged.",
    source="OTel GenAI: `error.type` SHOULD match the error code returned by the provider or the client library",
    look=_code,
    about=("error_type", "failures"),
)


# --- Retried with success --------------------------------------------------------------------------------------------


def _retried(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    retried = {id(call) for call in evidence.retried}
    for account in evidence.accounts:
        if id(account.call) not in retried or account.span.ended is None:
            continue
        if failure_of(account) is not None or account.answered.truncated is not False:
            continue
        failed = _told_of_earlier(account) if account.span.status == "ERROR" else None
        if failed is None or others_failed(account, evidence.exchanges):
            yield None
            continue
        reason, attempt = failed
        last = account.exchange.response.status if account.exchange.response else ""
        words = f"that is the error of exchange {attempt.index}; the last attempt was answered {last}"
        yield check.finding(
            account.span,
            ("span", f"status ERROR, {reason}"),
            ("wire", f"{words}\n{place_of_exchange(account.exchange)}"),
        )


def _told_of_earlier(account: Account) -> tuple[str, Exchange] | None:
    """Return the reason that a span gives for its status if it is the error of an earlier attempt, and that attempt."""
    span = account.span
    given = [("error.type", span.attributes.get("error.type"))]
    given += [("exception.type", event.attributes.get("exception.type")) for event in span.events[-1:]]
    for key, value in given:
        for exchange in account.call.exchanges[:-1]:
            if value and is_of_attempt(str(value), exchange):
                return f"{key} = {shown(value)}", exchange
    return None


ERROR_RETRIED = Check(
    id="wire/error-retried",
    title="A call that succeeded in the end is no failure",
    why="error rates and alerts count this call as a failure, although its user got an answer",
    next="set the status and error.type when the last attempt is over, and note earlier ones as events; set_status(OK) "
    "takes back an ERROR",
    compares="The spans of calls that were tried again with success. Such a span must not be ERROR because of an "
    "earlier attempt: `error.type`, or the last exception event, has the status of that attempt, or the class that "
    "OpenAI's and Anthropic's SDKs raise for it. ERROR for any other reason is not judged: it may report an exception "
    "of the application.",
    look=_retried,
    about=("retried",),
)


# --- Cut streams -----------------------------------------------------------------------------------------------------


def _cut(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        truncated = account.answered.fact("truncated")
        if truncated.value is None or account.span.ended is None:
            continue
        if not (truncated.value and _was_read_silently(account)):
            yield None
            continue
        is_answered = has_answer(account.answered)
        yield (
            None
            if _says_it_was_cut(account)
            else check.finding(
                account.span,
                ("span", f"status {account.span.status}"),
                (
                    "wire",
                    f"the response ended before it said that it was complete\n{place_of(truncated, account.exchange)}",
                ),
                why=_WITHOUT_USAGE if is_answered else "",
                next=_TELL if is_answered else "",
                follows=("structure/ended-before-stream", "wire/finish-reasons"),
            )
        )


_WITHOUT_USAGE = (
    "the answer is there, and what was to follow it is not: no SDK raises for it, and if the usage was lost, this call "
    "is in no sum"
)
_TELL = "when a stream ends without the usage that was to follow its answer, set the status to ERROR, or `error.type`"


def _was_read_silently(account: Account) -> bool:
    """Tell whether the client read to the end of what came, and nothing was raised or stated as an error."""
    exchange = account.exchange
    return exchange.stream_end is StreamEnd.EXHAUSTED and failure_of(account) is None


def _says_it_was_cut(account: Account) -> bool:
    reading = account.reading
    reasons = [*listed(reading.finish_reasons), reading.finish_reason]
    in_words = any(reasons) and not any(map(is_end, reasons))
    return account.span.status == "ERROR" or in_words or tells_why(account.span)


CUT_STREAM = Check(
    id="wire/cut-stream",
    title="The span of a cut response does not look like a success",
    why="the user got half an answer, no SDK raises for it, and this span is counted among the good ones",
    next="when a stream ends without a finish reason, set the status to ERROR, or give `error` as the finish reason",
    compares="The spans of responses that the client read to the end of what came, and that broke off before their "
    "finish reason, before the usage that was asked for, or before their last event. Such a span must have the status "
    "ERROR, the reason of an error (an exception event, `error.type`, a status description), or a finish reason that "
    "no API gives for an end (as `error`). A stream that the application stopped reading is not judged.",
    source="OTel GenAI: a missing finish reason SHOULD be reported as `error` in its position",
    look=_cut,
    severity=Severity.WARNING,
)

CHECKS: tuple[Check, ...] = (ERROR_STATUS, ERROR_REASON, ERROR_TYPE, ERROR_CODE, ERROR_RETRIED, CUT_STREAM)
