"""One call, one span: it exists, it ends, not before its stream does, and it is not left current."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_llmtrace import wire
from pytest_llmtrace.checks import late, names, parents, retries, sums, twice
from pytest_llmtrace.checks._check import Check, Evidence, title_of_exchange, title_of_span
from pytest_llmtrace.checks._elsewhere import elsewhere
from pytest_llmtrace.checks._missed import Missed, missed
from pytest_llmtrace.checks._nearly import nearly
from pytest_llmtrace.checks._said import said, said_of
from pytest_llmtrace.checks._stillborn import failed_starts, unborn
from pytest_llmtrace.finding import is_scope_of
from pytest_llmtrace.model import Call, Exchange, Finding, Maker, Outcome, Severity, SpanKey, SpanRecord, Stray

__all__ = [
    "CHECKS",
    "ENDED_BEFORE_STREAM",
    "EXCHANGE_WITHOUT_SPAN",
    "SPAN_CURRENT",
    "SPAN_NEVER_ENDED",
    "SPAN_WITHOUT_EXCHANGE",
]


# --- A call without a span -------------------------------------------------------------------------------------------


def _exchange_without_span(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if not evidence.spans and evidence.absence is not None:
        return  # capture/nothing reports the one cause of them all.
    begun = [span for span in evidence.spans if span.ended is None and span.key not in evidence.call_of]
    misses = missed(evidence) if evidence.strays else {}
    failed = unborn(evidence) if begun else {}
    for call in evidence.calls:
        first = call.exchanges[0]
        if first.outcome is Outcome.REFUSED:
            continue
        if call.spans:
            yield None
        elif first.index in failed:
            yield _without_start(check, call, failed[first.index])
        elif not any(_has_begun(maker, first, begun) for maker in evidence.silent.get(first.index, ())):
            yield _spanless(check, call, evidence, misses.get(first.index))


def _without_start(check: Check, call: Call, span: SpanRecord) -> Finding:
    finding = check.finding(span, ("span", f"{title_of_exchange(call.exchanges[0])} has no span"), ("wire", said(call)))
    return replace(finding, follows=(SPAN_NEVER_ENDED.id,))


def _has_begun(maker: Maker, exchange: Exchange, begun: Iterable[SpanRecord]) -> bool:
    """Tell whether one of these spans, which never ended, is an instrumentor's and was open when a request was made.

    structure/span-never-ended reports it.
    """
    return any(span.started <= exchange.started and is_scope_of(span.scope, maker.scope) for span in begun)


def _spanless(check: Check, call: Call, evidence: Evidence, miss: Missed | None) -> Finding:
    """Return the finding on a call without a span, with the reason for that as far as it is known."""
    first = call.exchanges[0]
    title, wire_says = title_of_exchange(first), ("wire", said(call))
    makers, cause = evidence.silent.get(first.index, ()), evidence.causes.get(first.index)
    if cause is not None:
        seen = ("span", _spans_seen(evidence, first))
        return check.finding(f"{title}: {cause.cause}", seen, wire_says, why=cause.why, next=cause.next, makers=makers)
    if miss is not None:
        return check.finding(title, ("span", miss.words), wire_says, why=miss.why, next=miss.next)
    idle = "".join(f"\n{maker.scope} {maker.version} is switched on for this SDK, but made no span" for maker in makers)
    seen = ("span", f"{_spans_seen(evidence, first)}{idle}")
    step = _REPORT if makers else _one_each(evidence, first) or nearly(evidence, first)
    return check.finding(title, seen, wire_says, next=step, makers=makers)


_REPORT = "report to the maintainers of the instrumentor that it misses this call, or start a span around it yourself"


def _spans_seen(evidence: Evidence, exchange: Exchange) -> str:
    spans, told = evidence.spans, evidence.call_of
    if not spans:
        return "none was captured in this test"
    current = exchange.ambient.span
    if current is not None and current in told:
        name = next(title_of_span(span) for span in told[current].spans if span.key == current)
        return f"{name} was current, but it describes exchange {told[current].exchanges[-1].index}"
    others = "\n".join(f"{span.name!r} ({span.scope})" for span in spans[:5])
    more = f"\nand {len(spans) - 5} more" if len(spans) > 5 else ""  # noqa: PLR2004
    return f"none describes this exchange; these were captured:\n{others}{more}"


def _one_each(evidence: Evidence, exchange: Exchange) -> str:
    """Say what to do if the span that was current describes another call; empty if it does not."""
    return _A_SPAN_EACH if exchange.ambient.span in evidence.call_of else ""


_A_SPAN_EACH = "a span describes one call: start one for each request, inside the loop or the retry, not around it"


EXCHANGE_WITHOUT_SPAN = Check(
    id="structure/exchange-without-span",
    title="Every LLM call has its span",
    why="the call was made and no LLM span describes it: its cost, latency and errors are invisible",
    next="switch on an instrumentor for this SDK, or put a span with gen_ai.request.model around it",
    look=_exchange_without_span,
    compares="Whether each LLM call has an LLM span. The LLM spans around the request are the call's own. Where there "
    "are none, others may be: those that name the same response id, and those that were open at the time and were "
    "started in the same thread or task, state the same answer, or name the same model. A span describes one call: a "
    "second call inside of it has no span, unless both are requests of one batch of embeddings, or of one turn: a "
    "reply of Anthropic's API that stops with `pause_turn`, and the request that sends it back for the model to go on.",
    whole_runs_only=True,
)


# --- A span without a call -------------------------------------------------------------------------------------------


def _span_without_exchange(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if not evidence.calls:
        return  # Nothing went over HTTP: the SDK itself is mocked.
    fetched = {span.key: fetch.exchanges[0] for fetch in evidence.fetches for span in fetch.spans}
    inside = {**_other_requests(evidence), **fetched}
    for stray in _callless(evidence):
        within = inside.get(stray.span.key)
        if within is None:
            yield _of_stray(check, stray, _not_its_own(len(evidence.calls)), next=elsewhere(evidence))
            continue
        no_call = _FETCHING if stray.span.key in fetched else _counting(within)
        if no_call:
            yield _of_stray(check, stray, title_of_exchange(within), why=no_call, next=_NO_CALL)


def _callless(evidence: Evidence) -> Iterator[Stray]:
    """Yield the LLM spans that report an answer, and that can belong to no call of the test."""
    settled = {stray.span.key for stray, _, _ in twice.told_again(evidence)} | evidence.held
    settled.update(miss.span.key for miss in missed(evidence).values())  # structure/exchange-without-span tells of it.
    starts = {scope: _starts_without(scope, evidence) for scope in {stray.span.scope for stray in evidence.strays}}
    sees_bedrock = any(wire.gateway(exchange.request) == "bedrock" for exchange in evidence.exchanges)
    for stray in evidence.strays:
        if stray.span.key in settled or not _claims_success(stray) or _may_be_another(stray, starts):
            continue
        if sees_bedrock or not _is_of_bedrock(stray.span):
            yield stray


def _of_stray(check: Check, stray: Stray, found: str, *, next: str, why: str = "") -> Finding:  # noqa: A002
    model = stray.reading.request_model or stray.reading.response_model
    says = f"is an LLM span{f' for model {model!r}' if model else ''}"
    return check.finding(stray.span, ("span", says), ("wire", found), why=why, next=next)


def _is_of_bedrock(span: SpanRecord) -> bool:
    """Tell whether a span is of a model on Amazon Bedrock, where boto3 may have made the call.

    A recorder that answers boto3 does so inside its client, which is not built on httpx, and cannot be observed.
    """
    return any(str(span.attributes.get(key)) in _BEDROCK for key in _PROVIDERS)


_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider")
_BEDROCK = frozenset({"aws", "aws.bedrock", "aws_bedrock", "bedrock"})


def _counting(exchange: Exchange) -> str:
    return _COUNTING if wire.counts_tokens(exchange.request) else ""


_COUNTING = "a back end counts a call to a model, but the request only asks how many tokens a call would use"
_FETCHING = "a back end counts a call to a model, but the request only fetches a response that another one asked for"
_NO_CALL = (
    "do not report this request as an LLM span: set neither a gen_ai.operation.name of calls nor the span kind LLM"
)


def _other_requests(evidence: Evidence) -> dict[SpanKey, Exchange]:
    """Return for each span the first POST inside of it that was answered and is not an LLM call that can be read.

    The request may ask a model through an API that is not known, and then the LLM span around it is right.
    """
    told = {exchange.index for call in evidence.calls for exchange in call.exchanges}
    found: dict[SpanKey, Exchange] = {}
    for exchange in evidence.exchanges:
        if exchange.index in told or exchange.outcome not in _CAME_BACK or exchange.request.method != "POST":
            continue
        for around in evidence.lineage(exchange.ambient.span):
            if around.key in found:
                break  # An earlier request has been noted for it, and for all around it.
            found[around.key] = exchange
    return found


_CAME_BACK = frozenset({Outcome.ANSWERED, Outcome.OBSERVED})


def _starts_without(scope: str, evidence: Evidence) -> list[int]:
    """Return the ticks, sorted, of calls without a span of a scope, and of requests to models whose API is not read."""
    lacking = [call.exchanges[0] for call in evidence.calls if all(span.scope != scope for span in call.spans)]
    unread = [exchange for exchange in evidence.exchanges if wire.unread_api(exchange.request) is not None]
    return sorted(exchange.started for exchange in (*lacking, *unread))


def _may_be_another(stray: Stray, starts: dict[str, list[int]]) -> bool:
    """Tell whether a call that lacks a span of the stray's scope was made while the stray was open.

    A framework may start its spans in other threads than its requests; then it cannot be told which belong together.
    """
    calls, span = starts[stray.span.scope], stray.span
    first = bisect_left(calls, span.started)
    return first < len(calls) and (span.ended is None or calls[first] <= span.ended)


def _not_its_own(calls: int) -> str:
    if calls == 1:
        return "the only LLM call of this test is not the one that it describes"
    return f"none of the {calls} LLM calls of this test is the one that it describes"


def _claims_success(stray: Stray) -> bool:
    """Tell whether a span says that an answer came. A span that failed may have done so before it sent a request."""
    return stray.span.ended is not None and stray.span.status != "ERROR" and not stray.covers


SPAN_WITHOUT_EXCHANGE = Check(
    id="structure/span-without-exchange",
    title="Every LLM span has its call",
    why="a back end counts a call that was never made, with its tokens and its cost",
    next="make no LLM span where no request is sent (a cache, a mock of the SDK)",
    look=_span_without_exchange,
    about=("strays",),
    severity=Severity.WARNING,
    compares="Whether each LLM span that ended without an error belongs to an LLM call of the test. A request that "
    "only counts tokens, or only fetches a response that another request has asked for, is not a call. Not judged "
    "are:\n"
    "  - tests in which no LLM call was seen at all;\n"
    "  - spans that are merely around calls which have spans of their own;\n"
    "  - spans during which another call was made that has no span of their scope, or a request to an API of models "
    "that is not read: nobody can tell then which span belongs to which request;\n"
    "  - spans inside of which any other POST request was answered, since an unknown API may have a model behind it;\n"
    "  - spans of Amazon Bedrock in a test in which no request was sent there through httpx: another recorder may have "
    "answered boto3, which nobody sees.",
    whole_runs_only=True,
)


# --- A span that stays open, or current ------------------------------------------------------------------------------


def _span_never_ended(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    current, is_unborn = {span.key for span in evidence.current}, False
    for span in evidence.spans:
        if span.ended is not None:
            yield None
            continue
        is_unborn = is_unborn or bool(span.stillborn)
        if span.stillborn or span.key in evidence.held:
            continue
        leak = ", and it is still the current span" if span.key in current else ""
        yield check.finding(span, ("span", f"was started, but had not ended when the test was over{leak}"))
    if is_unborn:
        yield from failed_starts(check, evidence)


SPAN_NEVER_ENDED = Check(
    id="structure/span-never-ended",
    title="Every span ends",
    why="a span that never ends is never exported",
    next="end it on every path: with start_as_current_span(...), or end() in a finally",
    look=_span_never_ended,
    compares="Whether each span that was started has ended when the test is over. Spans that a span processor of the "
    "application has stopped, by raising when they were started, are one finding if they are of one name and scope, "
    "with the calls that have no span because of it.",
    source="OpenTelemetry specification, trace SDK: exporters are handed a span when it has ended",
)


def _span_current(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if evidence.spans and not evidence.current:
        yield None
    for span in evidence.current:
        if span.ended is not None:  # structure/span-never-ended reports a span that is open as well.
            after = [child for child in evidence.spans if child.parent == span.key and child.started > span.ended]
            became = "".join(f"\n{title_of_span(child)} has become its child" for child in after)
            text = f"has ended, but is still the current span of the test{became}{_outlived_by(span, evidence)}"
            yield check.finding(span, ("span", text))


def _outlived_by(left: SpanRecord, evidence: Evidence) -> str:
    """Name the last span inside of one that was left current which ended after it: detaching that put this one back."""
    inside = [span for span in evidence.spans if _is_outlived(left, span) and _is_within(span, left, evidence)]
    if not inside:
        return ""
    last = max(inside, key=lambda span: span.ended or 0)
    return f"\n{title_of_span(last)} was started inside of it and ended after it, and may have put it back"


def _is_outlived(span: SpanRecord, other: SpanRecord) -> bool:
    return span.ended is not None and span.started < other.started < span.ended < (other.ended or 0)


def _is_within(span: SpanRecord, around: SpanRecord, evidence: Evidence) -> bool:
    return any(outer.key == around.key for outer in evidence.lineage(span.parent))


SPAN_CURRENT = Check(
    id="structure/span-current",
    title="No span is left current",
    why="whatever the caller does next becomes a child of this span, in a trace that is not its own",
    next="detach it in the context that attached it; a generator must be closed by whoever iterates it",
    look=_span_current,
    source="OpenTelemetry specification, context: detaching a context restores the one that was current before",
)


# --- A span that ends too early --------------------------------------------------------------------------------------


def _ended_before_stream(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for call in evidence.calls:
        exchange = call.exchanges[-1]
        if not exchange.chunk_ticks or exchange.response is None:
            continue
        if not wire.is_stream(exchange.response):
            came = exchange.chunk_ticks[0]
            for span in call.spans:
                if span.ended is not None and span.ended < came:
                    yield _ended_before_response(check, call, span)
            continue
        lasting = [span for span in call.spans if span.ended is None or span.ended > exchange.chunk_ticks[-1]]
        yield from (None for _ in lasting)
        early = [span for span in call.spans if span not in lasting]
        last = wire.last_content_tick(exchange) if early else None
        for span in early:
            yield None if last is None else _judged(check, call, span, last)


def _ended_before_response(check: Check, call: Call, span: SpanRecord) -> Finding:
    words = "ended before anything of its response had been read"
    return check.finding(span, ("span", words), ("wire", said(call)), why=_NOT_ITS_TIME, next=_AWAIT)


_NOT_ITS_TIME = "its duration is not that of the call, and what the response says is not on it"
_AWAIT = "end the span when the response has been read: await the call, or read its body, inside of it"


def _judged(check: Check, call: Call, span: SpanRecord, last: int) -> Finding | None:
    if span.ended is None or span.ended > last:
        return None
    exchange = call.exchanges[-1]
    after = sum(tick > span.ended for tick in exchange.chunk_ticks)
    total = len(exchange.chunk_ticks)
    return check.finding(
        span,
        ("span", f"ended when {total - after} of {total} chunks of its stream had been read"),
        ("wire", said_of(exchange, call.truths[-1] if call.truths else None)),
    )


ENDED_BEFORE_STREAM = Check(
    id="structure/ended-before-stream",
    title="A stream's span lasts as long as its stream",
    why="its duration is that of the first bytes, and tokens, finish reason and errors that came later are not on it",
    next="end the span when the stream is exhausted, closed or has failed",
    look=_ended_before_stream,
    compares="The tick at which the span ended with those at which the client got the chunks of the stream: the span "
    "must not end before the last one that says anything. Of a response that is no stream, the span must not end "
    "before the client has read anything.",
    source="OpenTelemetry specification, trace API: the times of a span reflect the elapsed real time of the operation",
)

CHECKS: tuple[Check, ...] = (
    EXCHANGE_WITHOUT_SPAN,
    SPAN_WITHOUT_EXCHANGE,
    *twice.CHECKS,
    *sums.CHECKS,
    *late.CHECKS,
    ENDED_BEFORE_STREAM,
    SPAN_NEVER_ENDED,
    SPAN_CURRENT,
    *parents.CHECKS,
    *names.CHECKS,
    *retries.CHECKS,
)
