"""Does the span rightly report a stream that did not come to its end: stopped by its reader, cancelled, or cut?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._account import Account, Extent, was_stopped
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._words import place_of, place_of_exchange, said, shown
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Exchange, Fact, Finding, Reading, Severity, SpanRecord, State, StreamEnd

__all__ = ["CANCELLED", "CHECKS", "PARTIAL_USAGE", "STOPPED_EARLY"]


# --- Usage -----------------------------------------------------------------------------------------------------------


def _partial_usage(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.unfinished:
        written = account.answered.fact("output_tokens")
        if account.span.ended is None or not _is_without_end(account.answered):
            continue
        placeholder = _placeholder(account, written)
        if placeholder is None and not _is_unstated(account, written):
            continue
        wrong = [fact for fact in _counts(account) if _was_taken_for_a_count(fact, placeholder, account)]
        if not wrong:
            yield None
            continue
        lines = "\n".join(said(fact, fact.name) for fact in wrong)
        place = place_of(written, account.exchange)
        yield check.finding(account.span, ("span", lines), ("wire", f"{_stated(placeholder)}\n{place}"))


def _is_without_end(answered: Reading) -> bool:
    """Tell whether a response is a stream that was cut, or ended by an error."""
    return bool(answered.streaming and (answered.truncated or answered.error))


def _placeholder(account: Account, written: Fact) -> tuple[str, float] | None:
    """Return the count of Anthropic's first event, with its key, if no later event has replaced it.

    A later event that cannot be read may have had the count, but no client could take it from there either.
    """
    if account.answered.api != "messages" or written.state is State.NULL or not written.parts:
        return None
    key, count = written.parts[0]
    return (key, count) if key.startswith("message.") and is_number(count) else None


def _is_unstated(account: Account, written: Fact) -> bool:
    """Tell whether the reader left before any count came; if it read to the end, `wire/output-tokens` judges it."""
    return account.extent is Extent.BEGUN and written.state in {State.ABSENT, State.NULL}


def _counts(account: Account) -> list[Fact]:
    return [fact for name in ("output_tokens", "total_tokens") for fact in account.stated.get(name, ()) if fact.value]


def _was_taken_for_a_count(mine: Fact, placeholder: tuple[str, float] | None, account: Account) -> bool:
    if placeholder is None:
        return True
    read = account.answered.input_tokens if mine.name == "total_tokens" else 0
    return bool(mine.value == (read or 0) + placeholder[1])


def _stated(placeholder: tuple[str, float] | None) -> str:
    if placeholder is None:
        return "no count of output tokens came before the reader left"
    key, count = placeholder
    return f"{key} = {shown(count)}, the placeholder of the first event; no later event gave the count"


PARTIAL_USAGE = Check(
    id="stream/partial-usage",
    title="A stream that did not come to its end has no count of output tokens",
    why="the real count comes at the end of a stream; this number takes its place in every sum of tokens and cost",
    next="leave out the counts of output and total tokens where a stream did not come to its end",
    look=_partial_usage,
    about=("unfinished",),
    compares="The output and total counts on the spans of streams whose count of output tokens had not come: they "
    "were cut, cancelled, ended by an error, or left by their reader before that. Such a span should state neither "
    "count. On Anthropic's API, only the placeholder of the first event, or a total made with it, is a finding. Input "
    "counts are right: they come with that event. Where a server counts as it goes, its last count is right.",
    source="Anthropic, Streaming messages: token counts in `message_delta` are cumulative; the one in `message_start` "
    "is a placeholder",
)


# --- Cancelled -------------------------------------------------------------------------------------------------------


def _cancelled(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.unfinished:
        exchange = account.exchange
        if account.span.ended is None or account.answered.truncated is False or not _was_cancelled(exchange):
            continue
        if account.span.status != "OK":
            yield None
            continue
        read = len(exchange.response.chunks) if exchange.response else 0
        words = f"{_how(exchange)} when {counted(read, 'chunk')} had been read"
        yield check.finding(account.span, ("span", "status OK"), ("wire", f"{words}\n{place_of_exchange(exchange)}"))


def _was_cancelled(exchange: Exchange) -> bool:
    if exchange.stream_end is StreamEnd.CANCELLED:
        return True
    return was_stopped(exchange) and _stop(exchange) != "GeneratorExit"  # A reader who stops gives nothing up.


def _how(exchange: Exchange) -> str:
    stop = _stop(exchange)
    return f"{stop} was raised" if stop in {"KeyboardInterrupt", "SystemExit"} else "the task was cancelled"


def _stop(exchange: Exchange) -> str:
    return (exchange.failure or "").partition(":")[0]


CANCELLED = Check(
    id="stream/cancelled",
    title="A call that was cancelled is no success",
    why="a call that somebody gave up waiting for is counted among the good ones",
    next="leave the status unset, or say ERROR, where CancelledError passes: `except Exception` does not see it",
    look=_cancelled,
    about=("unfinished",),
    severity=Severity.WARNING,
    compares="The spans of calls whose task was cancelled before their response was complete. OK is wrong; UNSET and "
    "ERROR are both right.",
)


# --- Stopped early ---------------------------------------------------------------------------------------------------


def _stopped_early(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.unfinished:
        if account.span.ended is None or not _was_left(account):
            continue
        reason = _closing_reason(account.span) if account.span.status == "ERROR" else ""
        if not reason:
            yield None
            continue
        words = f"the reader stopped, and nothing had failed\n{place_of_exchange(account.exchange)}"
        yield check.finding(account.span, ("span", f"status ERROR, {reason}"), ("wire", words))


def _was_left(account: Account) -> bool:
    """Tell whether nothing had gone wrong with a stream when its reader stopped."""
    exchange, answered = account.exchange, account.answered
    if exchange.failure is not None or exchange.unparsed is not None:
        return False
    left = exchange.stream_end in {StreamEnd.CLOSED, StreamEnd.OPEN}
    return left and bool(answered.streaming) and answered.truncated is True and not answered.error


def _closing_reason(span: SpanRecord) -> str:
    """Return the reason of a span's failure if it is GeneratorExit, Python's way to close a generator; else empty."""
    exceptions = [event.attributes.get("exception.type") for event in span.events if event.name == "exception"]
    given = [span.attributes.get("error.type"), *exceptions, (span.status_description or "").partition(":")[0]]
    found = (str(reason) for reason in given if reason)
    return next((shown(reason) for reason in found if reason.rpartition(".")[2] == "GeneratorExit"), "")


STOPPED_EARLY = Check(
    id="stream/stopped-early",
    title="A reader that stops early is no failure",
    why="error rates and alerts count a user who has seen enough as an outage",
    next="let GeneratorExit pass without a status; end the span in a `finally`",
    look=_stopped_early,
    about=("unfinished",),
    severity=Severity.WARNING,
    compares="The spans of streams in which nothing had failed when their reader stopped. Such a span must not be "
    "ERROR because of `GeneratorExit`. Other reasons for ERROR are not judged: a convention may have words of its own "
    "for an abandoned stream, and the application may have raised an exception.",
)

CHECKS: tuple[Check, ...] = (PARTIAL_USAGE, CANCELLED, STOPPED_EARLY)
