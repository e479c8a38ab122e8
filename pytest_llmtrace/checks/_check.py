"""What a check is (`Check`), and the evidence that it judges (`Evidence`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from pytest_llmtrace import dialects, wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace.canaries import Search, Sought
from pytest_llmtrace.checks._account import Account, accounts, is_odd
from pytest_llmtrace.checks._claims import Claim, asking, claims
from pytest_llmtrace.checks._event_claims import EventClaim, event_claims
from pytest_llmtrace.checks._failures import CallFailure, failures
from pytest_llmtrace.checks._metric_claims import MetricClaim, metric_claims
from pytest_llmtrace.checks._pacing import Pacing, pacings
from pytest_llmtrace.checks._played import Leftover, Untimed
from pytest_llmtrace.checks._privacy_known import contents, ids_of, secrets_of
from pytest_llmtrace.checks._privacy_suspicions import Suspicion, suspicions
from pytest_llmtrace.checks._privacy_texts import Carrier, carriers
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import Profile
from pytest_llmtrace.model import (
    Absence,
    Advice,
    Call,
    Exchange,
    Finding,
    LogRecord,
    Maker,
    MetricPoint,
    Reading,
    Severity,
    SpanKey,
    SpanRecord,
    Stray,
)
from pytest_llmtrace.openobserve import NEWEST, Record, record

__all__ = ["RARE", "Check", "Evidence", "maker_of", "title_of_exchange", "title_of_span"]

_GIVEN = ("budget", "content", "event_claims", "leftovers", "metrics", "openobserve", "openobserve_columns", "untimed")
_OF_CALLS = ("caused", "retried", "strays", "tooled")
_OF_OTHERS = ("executions", "runs", "summing")
_OF_ODD = ("failures", "pacings", "unclear", "unfinished")
RARE = (*_GIVEN, *_OF_CALLS, *_OF_OTHERS, *_OF_ODD)
"""Parts of the evidence that few traces have. A check whose `about` names some runs only if one of them is there."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is known about a trace when it is judged.

    Attributes:
        exchanges: The HTTP exchanges, in the order of their requests.
        spans: The spans, ended or not, in the order of their start.
        calls: The LLM calls: exchanges paired with their spans.
        strays: LLM spans that describe no exchange.
        fetches: Requests that only fetched the response to an earlier one, each with the strays around it.
        blocked: The connections that the socket guard refused, described in words.
        leftovers: Replies and faults that were not played; empty if the settings allow that.
        logs: Log records.
        metrics: Metric points.
        opened_ns: The time at which the trace was opened, by the clock of the code under test, in nanoseconds since the
            epoch.
        opened_at: The reading of `time.perf_counter` at that time; infinite if it is unknown.
        lasted: How many seconds, real and virtual, the trace had been open when the metrics were read; 0 if that is
            unknown because somebody has replaced Python's clock.
        children: `forked` if the test has forked, `started` if a child process that it may have started has ended;
            empty if neither.
        untimed: Replies that were replayed at once although their own timing was asked for.
        current: Spans of this trace that are still current in the test's own context.
        held: Spans that fixtures held open when the test began; they end after it.
        absence: Why no span was captured; None if there are spans, or no cause is known.
        silent: The instrumentors that should have made the span of a call that has none, by the index of the call's
            first exchange.
        causes: Why a call has no span although other spans were captured, by the index of the call's first exchange;
            calls whose cause is not known are left out.
        budget: The limits that the settings give the test, by name: `tokens`, `cost`, `calls`.
        tool_repeats: The number of calls of one tool with the same arguments from which on there is a finding.
        content: What telemetry is meant to do with content; None if the settings do not say.
        longest_attribute: The limit for an attribute, in characters.
        canaries: The canaries that were handed out to the test.
        openobserve: The profile of OpenObserve that the team uses; None if the settings name none.
        openobserve_columns: The columns that the team's dashboards and assertions name.
        now_ns: The real time at the judgement, in nanoseconds since the epoch; 0 if it was not read.
        profiles: The conventions that the settings name, against which spans and metrics are compared; if there are
            none, each span or metric is compared with the conventions that it claims to keep.
    """

    exchanges: tuple[Exchange, ...] = ()
    spans: tuple[SpanRecord, ...] = ()
    calls: tuple[Call, ...] = ()
    strays: tuple[Stray, ...] = ()
    fetches: tuple[Call, ...] = ()
    blocked: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    logs: tuple[LogRecord, ...] = ()
    metrics: tuple[MetricPoint, ...] = ()
    opened_ns: int = 0
    opened_at: float = math.inf
    lasted: float = 0.0
    children: Literal["", "forked", "started"] = ""
    untimed: tuple[Untimed, ...] = ()
    current: tuple[SpanRecord, ...] = ()
    held: frozenset[SpanKey] = frozenset()
    absence: Absence | None = None
    silent: Mapping[int, tuple[Maker, ...]] = field(default_factory=dict)
    causes: Mapping[int, Absence] = field(default_factory=dict)
    budget: Mapping[str, float] = field(default_factory=dict)
    tool_repeats: int = 3
    content: Literal["captured", "redacted", "absent"] | None = None
    longest_attribute: int = 65_536
    canaries: tuple[Sought, ...] = ()
    openobserve: str | None = None
    openobserve_columns: tuple[str, ...] = ()
    now_ns: int = 0
    profiles: tuple[Profile, ...] = ()

    @lazy
    def carriers(self) -> tuple[Carrier, ...]:
        """Everything that carries texts out of the process: spans, log records, metric points and resources."""
        return tuple(carriers(self.spans, self.logs, self.metrics))

    @lazy
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Whether each carrier, in order, may hold secrets, and content; content is looked for only where unwanted."""
        unwanted = self.contents if self.content in {"redacted", "absent"} else Search(())
        return tuple(suspicions(self.carriers, self.secrets, unwanted))

    @lazy
    def secrets(self) -> Search:
        """The search for the secrets of this trace."""
        return Search(secrets_of(self.exchanges, self.canaries, self.spans))

    @lazy
    def unwritten(self) -> Search:
        """The search for values that must not be written to a file: secrets and all canaries, those for content too."""
        return Search((*self.canaries, *secrets_of(self.exchanges))) if self.canaries else self.secrets

    @lazy
    def contents(self) -> Search:
        """The search for content: what was said in the calls of this trace, and the canaries that are not secrets."""
        given = (canary for canary in self.canaries if canary.kind != "secret")
        return Search((*given, *contents(self.calls)))

    @lazy
    def ids(self) -> Search:
        """The search for the ids of single responses, requests and tool calls."""
        return Search(ids_of(self.calls))

    @lazy
    def accounts(self) -> tuple[Account, ...]:
        """What each span says about its call or fetch, beside what the bytes say; made once, for all checks."""
        return accounts((*self.calls, *self.fetches))

    @lazy
    def claims(self) -> tuple[Claim, ...]:
        """The conventions that each span claims to keep; made once, for all checks."""
        beside, asked = self.events_beside if self.logs else {}, (self.exchanges, self.by_key)
        return tuple(claims(self.spans, self.accounts, self.profiles, beside, lambda: asking(*asked)))

    @lazy
    def metric_claims(self) -> tuple[MetricClaim, ...]:
        """The conventions that each metric is compared with; made once, for all checks."""
        return tuple(metric_claims(self.metrics, self.profiles))

    @lazy
    def event_claims(self) -> tuple[EventClaim, ...]:
        """The conventions that each event is compared with, on a span or as a log record; made once, for all checks."""
        return tuple(event_claims(self.spans, self.logs, self.accounts, self.claims, self.profiles))

    @lazy
    def by_key(self) -> Mapping[SpanKey, SpanRecord]:
        """The spans by their keys."""
        return {span.key: span for span in self.spans}

    @lazy
    def events_beside(self) -> Mapping[SpanKey, Sequence[LogRecord]]:
        """The log records that are events, by the span in which they were emitted."""
        found: dict[SpanKey, list[LogRecord]] = {}
        for log in self.logs:
            if log.span is not None and log.event_name:
                found.setdefault(log.span, []).append(log)
        return found

    @lazy
    def call_of(self) -> Mapping[SpanKey, Call]:
        """The calls by the keys of their spans."""
        return {span.key: call for call in self.calls for span in call.spans}

    @lazy
    def stored(self) -> Mapping[SpanKey, Record]:
        """What OpenObserve stores for the spans that have ended, in the team's profile or else the newest."""
        profile = self.openobserve or NEWEST
        return {span.key: record(span, profile=profile) for span in self.spans if span.ended is not None}

    @lazy
    def there(self) -> frozenset[str]:
        """The names that `Check.about` can match: facts that spans state, and rare parts that this evidence has."""
        maybe = _GIVEN + _OF_CALLS + (_OF_OTHERS if self.beside else ()) + (_OF_ODD if self.odd else ())
        rare = [name for name in maybe if getattr(self, name)]
        return frozenset(rare).union(*[(*account.stated, *account.whole) for account in self.accounts])

    @lazy
    def odd(self) -> tuple[Account, ...]:
        """The accounts of calls that did not go as most calls do (see `is_odd`); few traces have any."""
        return tuple([account for account in self.accounts if is_odd(account)])

    @lazy
    def failures(self) -> tuple[tuple[Account, CallFailure], ...]:
        """The accounts of the ended spans whose call failed, each with the failure."""
        return failures(self.odd)

    @lazy
    def caused(self) -> tuple[SpanRecord, ...]:
        """The spans that another span may have caused, which need not be their parent.

        That other span was current where they were started, or where their thread or their work item of a thread pool
        was started, or where the request was made that they describe.
        """
        roots = [span for span in self.spans if span.parent is None and span.current is not None]
        threads = [span for span in self.spans if span.cause is not None]
        return (*threads, *roots, *(self.by_key[key] for key in self.asked_elsewhere))

    @lazy
    def asked_elsewhere(self) -> Mapping[SpanKey, SpanRecord]:
        """The root spans of calls whose request was made in a span of another trace, each with that span."""
        found: dict[SpanKey, SpanRecord] = {}
        for call in self.calls:
            roots = [span for span in call.spans if span.parent is None and span.key != call.exchanges[0].ambient.span]
            around = self._around(call) if roots else None
            if around is not None:
                # If the root began first, the span around the request is a step inside of the call, and no cause of it.
                late = [span for span in roots if span.started > around.started]
                found.update({span.key: around for span in late if span.key.trace_id != around.key.trace_id})
        return found

    def _around(self, call: Call) -> SpanRecord | None:
        """Return the innermost span in which a call was made that is not a span of the call itself; None if none is."""
        own = {span.key for span in call.spans}
        around = self.lineage(call.exchanges[0].ambient.span)
        return next((span for span in around if span.key not in own), None)

    def lineage(self, key: SpanKey | None) -> Iterator[SpanRecord]:
        """Yield the span of a key and the spans around it, the innermost first, as far as they are known; each once."""
        seen: set[SpanKey] = set()  # By mistake, spans may be around each other.
        while key is not None and key not in seen and (span := self.by_key.get(key)) is not None:
            seen.add(key)
            yield span
            key = span.parent

    @lazy
    def linked(self) -> frozenset[tuple[int, int]]:
        """The pairs of trace ids that a link from a span to another connects, in both orders."""
        pairs = [(span.key.trace_id, link.key.trace_id) for span in self.spans for link in span.links]
        return frozenset([*pairs, *((there, here) for here, there in pairs)])

    @lazy
    def retried(self) -> tuple[Call, ...]:
        """The calls that took several attempts."""
        return tuple([call for call in self.calls if len(call.exchanges) > 1])

    @lazy
    def beside(self) -> tuple[SpanRecord, ...]:
        """The spans that belong to no call."""
        return tuple([span for span in self.spans if span.key not in self.call_of])

    @lazy
    def executions(self) -> tuple[tuple[SpanRecord, Reading], ...]:
        """The spans of executed tools that name the tool call, each with its reading."""
        return tuple([told for told in _read(dialects.read_tool, self.beside) if told[1].tool_call_id])

    @lazy
    def runs(self) -> tuple[tuple[SpanRecord, Reading], ...]:
        """The spans of agents' runs that count tokens, each with its reading."""
        return tuple([told for told in _read(dialects.read_agent, self.beside) if told[1].facts])

    @lazy
    def summing(self) -> tuple[tuple[SpanRecord, Reading], ...]:
        """The spans that belong to no call but count tokens, each with its reading."""
        told = {stray.span.key: stray.reading for stray in self.strays}
        found = [(span, told.get(span.key) or dialects.counted(span)) for span in self.beside]
        return tuple([(span, reading) for span, reading in found if reading is not None])

    @lazy
    def tooled(self) -> tuple[tuple[Call, wire.History], ...]:
        """The calls with tool calls or tool results, each with the history of tool use that its request contains."""
        found = []
        for call in self.calls:
            truth = call.truths[-1] if call.truths else None
            past = wire.history(call.exchanges[-1].request, truth.api if truth else None)
            if past.calls or past.results or (truth and truth.tool_calls):
                found.append((call, past))
        return tuple(found)

    @lazy
    def unclear(self) -> tuple[Account, ...]:
        """The accounts with facts that cannot be read or are null."""
        return tuple([account for account in self.odd if not account.is_clear])

    @lazy
    def unfinished(self) -> tuple[Account, ...]:
        """The accounts of responses that are not known to be complete, or that state an error."""
        answered = [(account, account.answered) for account in self.odd]
        return tuple([account for account, truth in answered if truth.truncated is not False or truth.error])

    @lazy
    def pacings(self) -> tuple[Pacing, ...]:
        """The timing of each stream that took time, once for each of its spans."""
        return pacings(self.odd)


def _read(
    reader: Callable[[SpanRecord], Reading | None], spans: Iterable[SpanRecord]
) -> list[tuple[SpanRecord, Reading]]:
    return [(span, reading) for span in spans if (reading := reader(span)) is not None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """A rule about traces; two checks are equal only if they are the same object.

    Attributes:
        id: Stable, `family/name`.
        title: The rule in a few words.
        why: What goes wrong for the team when the rule is broken.
        next: What to do about a finding.
        look: Yields, for each thing that the rule applies to, a finding or None.
        about: The names of what the check looks at: facts that spans state, or parts of the evidence that are rarely
            there. It is skipped if the trace has none of them; a check that names nothing always runs.
        severity: What a finding does to the test.
        compares: What is compared with what, if the title does not say it all; one or more sentences, for the docs.
        source: Where the rule is written down, for the docs: a convention, an SDK's behaviour.
        whole_runs_only: Whether the check judges what is missing. It is skipped in a run that was cut short, by a
            request that nothing answered or by the test's own failure, since things are missing there anyway.
    """

    id: str
    title: str
    why: str
    next: str
    look: Callable[[Any, Evidence], Iterable[Finding | None]]
    about: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    compares: str = ""
    source: str = ""
    whole_runs_only: bool = False

    def finding(
        self,
        subject: str | SpanRecord,
        *details: tuple[str, str],
        why: str = "",
        next: str = "",  # noqa: A002
        makers: Iterable[Maker] = (),
        follows: tuple[str, ...] = (),
        advice: tuple[Advice, ...] = (),
    ) -> Finding:
        """Make a finding of this check: what it is about, what was seen, then why it matters and what to do.

        Args:
            subject: A span, or something else in a report's words.
            details: What was seen, as pairs of a label and a text.
            why: A text that replaces the check's own `why`.
            next: A text that replaces the check's own `next`.
            makers: Whose fault it may be, if the subject is not a span; the fault of a span is always its maker's.
            follows: The checks whose findings on the same span explain this one.
            advice: The same finding in the words of Weaver's live check.
        """
        to_do = f'{next or self.next}, or waive: @pytest.mark.llmtrace(ignore={{"{self.id}": "reason"}})'
        span = None if isinstance(subject, str) else subject
        return Finding(
            check=self.id,
            severity=self.severity,
            subject=subject if isinstance(subject, str) else title_of_span(subject),
            details=(*details, ("why", why or self.why), ("next", to_do)),
            span=span.key if span else None,
            makers=(maker_of(span),) if span else tuple(dict.fromkeys(makers)),
            follows=follows,
            advice=advice,
        )


def maker_of(span: SpanRecord) -> Maker:
    """Return the maker of a span: its scope, with the version of that."""
    return Maker(scope=span.scope, version=span.scope_version or "")


def title_of_span(span: SpanRecord) -> str:
    """Name a span in a report."""
    return f"span {shown(span.name)} ({span.scope})"


def title_of_exchange(exchange: Exchange) -> str:
    """Name an exchange in a report; the query is left out, since keys travel in it."""
    return f"{exchange.request.method} {urlsplit(exchange.request.url).path}  (exchange {exchange.index})"
