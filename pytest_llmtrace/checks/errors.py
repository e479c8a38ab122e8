"""Does the span tell that its call went wrong, and why?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account, Extent, was_stopped
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._replies import kind_of, listed
from pytest_llmtrace.checks._words import error_in_words, place_of, shown
from pytest_llmtrace.model import Exchange, Fact, Finding, Response, Severity, SpanRecord, State, StreamEnd

__all__ = ["CHECKS", "CUT_STREAM", "ERROR_CODE", "ERROR_REASON", "ERROR_STATUS", "ERROR_TYPE"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fault:
    """How a call went wrong: in words, where that is seen, what hides it, and the numbers that name it."""

    words: str
    where: str
    hidden_by: str = ""
    codes: frozenset[str] = frozenset()


_IN_BODY = (
    "the SDK returns an empty answer for an error inside a 200 and raises nothing, so the span looks like a success "
    "that said nothing"
)
_IN_STREAM = "the answer broke off with an error after the response had begun as a 200; the span looks like a success"
_AT_EVENT = "the client raised in the middle of the answer; the span looks like a success"
_IN_TRANSPORT = "no complete answer arrived, and the span looks like a success"


def _fault(account: Account) -> _Fault | None:
    """Tell how the last attempt of a call failed, if it did."""
    exchange = account.exchange
    if exchange.failure is not None and not was_stopped(exchange):
        return _Fault(words=shown(exchange.failure), where=_of(exchange), hidden_by=_IN_TRANSPORT)
    if exchange.response is None:
        return None
    if (unread := _unread_event(exchange, exchange.response)) is not None:
        return unread
    status, error = exchange.response.status, account.answered.facts.get("error")
    if status < HTTPStatus.BAD_REQUEST and (error is None or not error.value):
        return None
    return _stated(account, status, error or Fact(name="error"))


def _unread_event(exchange: Exchange, response: Response) -> _Fault | None:
    """Tell of the event that the client could not parse and for which it gave the stream up."""
    if exchange.unparsed is None or (event := wire.place_of_event(response, exchange.unparsed)) is None:
        return None
    words = f"{response.status}, then an event that is no JSON, at which the client gave up"
    return _Fault(words=words, where=f"{_of(exchange)}, {event}", hidden_by=_AT_EVENT)


def _stated(account: Account, status: int, error: Fact) -> _Fault | None:
    """Tell of an error that the response states: by its status, in its body, or in mid-stream."""
    stated, where = error.value if isinstance(error.value, Mapping) else {}, place_of(error, account.exchange)
    if status >= HTTPStatus.BAD_REQUEST:
        words = error_in_words({"status": status, **{k: v for k, v in stated.items() if k != "status"}})
        return _Fault(words=words, where=where, codes=_codes(stated, status))
    if not stated or account.extent is Extent.UNKNOWN:
        return None
    streamed = account.answered.streaming
    words = f"{status}, then {error_in_words(stated)}" if streamed else f"{status} with {error_in_words(stated)}"
    return _Fault(words=words, where=where, hidden_by=_IN_STREAM if streamed else _IN_BODY, codes=_codes(stated, None))


def _codes(error: Mapping[str, Any], status: int | None) -> frozenset[str]:
    found = (status, error.get("status"), error.get("code"))
    return frozenset(str(code) for code in found if isinstance(code, int | str))


def _of(exchange: Exchange) -> str:
    return f"{exchange.origin}, exchange {exchange.index}"


def _failed(evidence: Evidence) -> Iterator[tuple[Account, _Fault]]:
    """Yield each span whose call failed."""
    for account in evidence.accounts:
        fault = _fault(account)
        if fault is not None and account.span.ended is not None:  # An open one is told by structure/span-never-ended.
            yield account, fault


# --- The status ------------------------------------------------------------------------------------------------------


def _status(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, fault in _failed(evidence):
        if account.span.status == "ERROR":
            yield None
            continue
        yield check.finding(
            account.span,
            ("span", f"status {account.span.status}"),
            ("wire", f"{fault.words}\n{fault.where}"),
            why=fault.hidden_by,
            follows=("structure/ended-before-stream",),
        )


ERROR_STATUS = Check(
    id="wire/error-status",
    title="The span of a call that failed has the status ERROR",
    why="error rates and alerts count spans by their status, so this failure is not counted",
    next="set the status to ERROR where the failure is noticed: in the except clause, while the stream is read, or on "
    "an `error` in the body",
    compares="Calls whose last attempt ended with a status of 400 or more, an `error` in the body of a 200, an error "
    "event in the stream, an event that its client could not parse and gave up at, or an exception of the transport "
    "(connection, timeout). An attempt that was retried with "
    "success is no failure. ERROR on a call that succeeded may be the application's own exception and is not judged.",
    source="OpenTelemetry, Recording errors: span status MUST be ERROR when the operation ended with an error",
    look=_status,
)


# --- The reason ------------------------------------------------------------------------------------------------------


def _reason(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, fault in _failed(evidence):
        if account.span.status != "ERROR":
            continue
        if _tells_why(account.span):
            yield None
            continue
        yield check.finding(
            account.span,
            ("span", "status ERROR without description, error.type or exception event"),
            ("wire", f"{fault.words}\n{fault.where}"),
        )


def _tells_why(span: SpanRecord) -> bool:
    if span.status_description or any(event.name == "exception" for event in span.events):
        return True
    return any(span.attributes.get(key) for key in ("error.type", "error.message", "exception.type", "error"))


ERROR_REASON = Check(
    id="wire/error-reason",
    title="The span of a call that failed says why",
    why="whoever is called at night sees that it failed, not whether it was a rate limit, a timeout or a bad request",
    next="call span.record_exception(error), or set error.type or the status' description",
    compares="One of the three is enough: an exception event, `error.type`, a status description.",
    source="OpenTelemetry, Recording errors: description SHOULD be set when the status is ERROR",
    look=_reason,
    severity=Severity.WARNING,
)


def _type(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, fault in _failed(evidence):
        reading, span = account.reading, account.span
        # A wrapper that only borrows some of the convention's names has not promised its error.type.
        wanted = reading.has_place_for("error_type") and "gen_ai.operation.name" in span.attributes
        if not wanted or span.status != "ERROR" or not _tells_why(account.span):
            continue  # Without any reason it is told by wire/error-reason.
        if reading.fact("error_type").state is not State.ABSENT:
            yield None
            continue
        yield check.finding(account.span, ("span", "no error.type"), ("wire", f"{fault.words}\n{fault.where}"))


ERROR_TYPE = Check(
    id="wire/error-type",
    title="The span of a call that failed has error.type",
    why="failures cannot be grouped: the text of a message differs from call to call, error.type does not",
    next="set error.type to the exception's class, or to the provider's code",
    compares="Spans with the status ERROR that name their gen_ai.operation.name, as the convention requires first.",
    source="OTel GenAI, client inference span: `error.type` is required if the operation ended in an error",
    look=_type,
    severity=Severity.WARNING,
    whole_runs_only=True,
)


def _code(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, fault in _failed(evidence):
        fact = account.reading.fact("error_type")
        if not fault.codes or not _is_status(fact.value):
            continue
        if str(fact.value) in fault.codes:
            yield None
            continue
        yield check.finding(
            account.span,
            ("span", f"{fact.keys or 'error.type'} = {shown(fact.value)}"),
            ("wire", f"{fault.words}\n{fault.where}"),
        )


def _is_status(value: Any) -> bool:
    text = str(value) if isinstance(value, int | str) else ""
    return len(text) == 3 and text.isdecimal() and text[0] in "45"  # noqa: PLR2004


ERROR_CODE = Check(
    id="wire/error-code",
    title="A status code that a span names is the one that came",
    why="a rate limit is handled as an outage, or the other way round",
    next="take it from the response or the exception",
    compares="Where `error.type` is a number from 400 to 599: it is the HTTP status or the code in the error.",
    source="OTel GenAI: `error.type` SHOULD match the error code returned by the provider or the client library",
    look=_code,
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
                follows=("structure/ended-before-stream", "wire/finish-reasons"),
            )
        )


def _was_read_silently(account: Account) -> bool:
    """Tell whether the client read to the end of what came, and nothing was raised or stated as an error."""
    exchange = account.exchange
    return exchange.stream_end is StreamEnd.EXHAUSTED and _fault(account) is None


def _says_it_was_cut(account: Account) -> bool:
    reading = account.reading
    reasons = [*listed(reading.finish_reasons), reading.finish_reason]
    in_words = any(reasons) and not any(map(kind_of, reasons))
    return account.span.status == "ERROR" or in_words or _tells_why(account.span)


CUT_STREAM = Check(
    id="wire/cut-stream",
    title="The span of a cut response does not look like a success",
    why="the user got half an answer, no SDK raises for it, and this span is counted among the good ones",
    next="when a stream ends without a finish reason, set the status to ERROR, or give `error` as the finish reason",
    compares="Responses that end before their finish reason or last event and were read to there. A stream that the "
    "application stopped reading is not judged.",
    source="OTel GenAI: a missing finish reason SHOULD be reported as `error` in its position",
    look=_cut,
    severity=Severity.WARNING,
)

CHECKS: tuple[Check, ...] = (ERROR_STATUS, ERROR_REASON, ERROR_TYPE, ERROR_CODE, CUT_STREAM)
