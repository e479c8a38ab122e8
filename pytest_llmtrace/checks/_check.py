"""What a check is, and what it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from pytest_llmtrace import dialects, wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace.canaries import Search, Sought
from pytest_llmtrace.checks._account import Account, accounts, is_odd
from pytest_llmtrace.checks._claims import Claim, claims
from pytest_llmtrace.checks._failures import CallFailure, failures
from pytest_llmtrace.checks._metric_claims import MetricClaim, metric_claims
from pytest_llmtrace.checks._pacing import Pacing, pacings
from pytest_llmtrace.checks._privacy_known import contents, secrets_of
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

__all__ = ["RARE", "Check", "Evidence", "Leftover", "Untimed", "maker_of", "title_of_exchange", "title_of_span"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """What one cassette, gateway or router had ready and nobody asked for, or which faults did not happen.

    `why` says what is lost by it, if that is not what is lost by a recording. `of_cleanup` says that no model is asked
    by any of it, so that fixtures may make these requests when they clean up.
    """

    origin: str
    unplayed: tuple[str, ...]
    total: int
    why: str = ""
    of_cleanup: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Untimed:
    """What was to be replayed in its own time, and was replayed at once. `next` says what helps, if not the usual."""

    origin: str
    reasons: tuple[str, ...]
    next: str = ""


_GIVEN = ("budget", "content", "leftovers", "metrics", "openobserve", "openobserve_columns", "strays", "untimed")
_OF_CALLS = ("caused", "retried", "summing", "tooled")
_OF_ODD = ("failures", "pacings", "unclear", "unfinished")
RARE = (*_GIVEN, *_OF_CALLS, *_OF_ODD)
"""Parts of the evidence that few traces have: a check that is about one of them is not asked without it."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of a trace when it is judged.

    Attributes:
        exchanges: In the order of their requests.
        spans: In the order of their start, ended or not.
        calls: Exchanges and spans, paired.
        strays: LLM spans that tell of no exchange.
        fetches: Requests that only fetched a response, with the strays around them.
        blocked: Connections that the socket guard refused, in words.
        leftovers: What was not played; empty where that is allowed.
        logs: Log records.
        metrics: Points of metrics.
        opened_ns: The time of day at which the trace was opened, as the code under test had it, in nanoseconds since
            the epoch.
        lasted: For how many seconds it had been open, real and virtual ones, when the metrics were read; 0 if nobody
            can tell.
        children: Whether the test has forked, or some process that it may have started has ended; empty if neither.
        untimed: What was replayed at once although its own time was asked for.
        current: Spans of this trace that are still current in the test's own context.
        held: Spans that fixtures held open when the test began; they end after it.
        absence: Why nothing was captured, if that is so and a cause is known.
        silent: Who should have made the span of a call that has none, by the index of its first exchange.
        causes: Why the call of an exchange was not captured although others were, by its index, where it is known.
        budget: What the test may use at most: `tokens`, `cost`, `calls`.
        tool_repeats: From how many calls of one tool with the same arguments on there is a finding.
        content: What is intended with content; None if nobody has said.
        longest_attribute: The limit for an attribute, in characters.
        canaries: Those that were handed out.
        openobserve: The profile of OpenObserve that the team uses; None if it does not say.
        openobserve_columns: The columns that its dashboards and assertions name.
        now_ns: The real time, in nanoseconds since the epoch; 0 if nobody has looked.
        profiles: The conventions that spans and metrics are held against; if none are named, those that each claims to
            keep.
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
        """All that carries texts out."""
        return tuple(carriers(self.spans, self.logs, self.metrics))

    @lazy
    def suspicions(self) -> tuple[Suspicion, ...]:
        """What each carrier may hold, in their order; content is looked for where it is not wanted."""
        unwanted = self.contents if self.content in {"redacted", "absent"} else Search(())
        return tuple(suspicions(self.carriers, self.secrets, unwanted))

    @lazy
    def secrets(self) -> Search:
        """The search for what is secret in this trace."""
        return Search(secrets_of(self.exchanges, self.canaries))

    @lazy
    def unwritten(self) -> Search:
        """The search for what stands in no file: secrets, and canaries for content too."""
        return Search((*self.canaries, *secrets_of(self.exchanges))) if self.canaries else self.secrets

    @lazy
    def contents(self) -> Search:
        """The search for what was said in the calls of this trace."""
        given = (canary for canary in self.canaries if canary.kind != "secret")
        return Search((*given, *contents(self.calls)))

    @lazy
    def accounts(self) -> tuple[Account, ...]:
        """What each span says of its call, or fetch, beside what is true of it; made once, for all checks."""
        return accounts((*self.calls, *self.fetches))

    @lazy
    def claims(self) -> tuple[Claim, ...]:
        """The conventions that each span claims to keep; made once, for all checks."""
        return tuple(claims(self.spans, self.accounts, self.profiles))

    @lazy
    def metric_claims(self) -> tuple[MetricClaim, ...]:
        """The conventions that each metric is held against; made once, for all checks."""
        return tuple(metric_claims(self.metrics, self.profiles))

    @lazy
    def by_key(self) -> Mapping[SpanKey, SpanRecord]:
        """The spans by their identity."""
        return {span.key: span for span in self.spans}

    @lazy
    def call_of(self) -> Mapping[SpanKey, Call]:
        """The calls by their spans."""
        return {span.key: call for call in self.calls for span in call.spans}

    @lazy
    def stored(self) -> Mapping[SpanKey, Record]:
        """What OpenObserve stores for the spans that have ended, in the team's profile."""
        profile = self.openobserve or NEWEST
        return {span.key: record(span, profile=profile) for span in self.spans if span.ended is not None}

    @lazy
    def there(self) -> frozenset[str]:
        """What there is to look at (`Check.about`): facts that spans state, and parts of this that are there."""
        rare = [name for name in (RARE if self.odd else (*_GIVEN, *_OF_CALLS)) if getattr(self, name)]
        return frozenset(rare).union(*[account.stated for account in self.accounts])

    @lazy
    def odd(self) -> tuple[Account, ...]:
        """The accounts of calls that did not go as most do; few have any."""
        return tuple([account for account in self.accounts if is_odd(account)])

    @lazy
    def failures(self) -> tuple[tuple[Account, CallFailure], ...]:
        """The spans whose call failed, with how."""
        return failures(self.odd)

    @lazy
    def caused(self) -> tuple[SpanRecord, ...]:
        """The spans that another may have caused, though they need not be its children.

        It was current where they were started, or where their thread, or work item of a pool, was; or where the request
        was made that they tell of.
        """
        roots = [span for span in self.spans if span.parent is None and span.current is not None]
        threads = [span for span in self.spans if span.cause is not None]
        return (*threads, *roots, *(self.by_key[key] for key in self.asked_elsewhere))

    @lazy
    def asked_elsewhere(self) -> Mapping[SpanKey, SpanRecord]:
        """The roots that tell of calls, each with the span of another trace in which its request was made."""
        found: dict[SpanKey, SpanRecord] = {}
        for call in self.calls:
            roots = [span for span in call.spans if span.parent is None and span.key != call.exchanges[0].ambient.span]
            around = self._around(call) if roots else None
            if around is not None:
                # What began after the span is a step inside of the call.
                late = [span for span in roots if span.started > around.started]
                found.update({span.key: around for span in late if span.key.trace_id != around.key.trace_id})
        return found

    def _around(self, call: Call) -> SpanRecord | None:
        """Return the span in which a call was made: the innermost that does not tell of the call itself."""
        at, own = call.exchanges[0].ambient.span, {span.key for span in call.spans}
        around = self.by_key.get(at) if at else None
        while around is not None and around.key in own:
            around = self.by_key.get(around.parent) if around.parent else None
        return around

    @lazy
    def linked(self) -> frozenset[tuple[int, int]]:
        """The traces of which a span of one links to a span of the other, in both orders."""
        pairs = [(span.key.trace_id, link.key.trace_id) for span in self.spans for link in span.links]
        return frozenset([*pairs, *((there, here) for here, there in pairs)])

    @lazy
    def retried(self) -> tuple[Call, ...]:
        """The calls of several attempts."""
        return tuple([call for call in self.calls if len(call.exchanges) > 1])

    @lazy
    def summing(self) -> tuple[tuple[SpanRecord, Reading], ...]:
        """The spans that tell of no call and count tokens all the same, with what they say."""
        told = {stray.span.key: stray.reading for stray in self.strays}
        left = [span for span in self.spans if span.key not in self.call_of]
        found = [(span, told.get(span.key) or dialects.counted(span)) for span in left]
        return tuple([(span, reading) for span, reading in found if reading is not None])

    @lazy
    def tooled(self) -> tuple[tuple[Call, wire.History], ...]:
        """The calls that tell of tools, with what their requests tell of those that were used before."""
        found = []
        for call in self.calls:
            truth = call.truths[-1] if call.truths else None
            past = wire.history(call.exchanges[-1].request, truth.api if truth else None)
            if past.calls or past.results or (truth and truth.tool_calls):
                found.append((call, past))
        return tuple(found)

    @lazy
    def unclear(self) -> tuple[Account, ...]:
        """The accounts with facts that cannot be read or say nothing."""
        return tuple([account for account in self.odd if not account.is_clear])

    @lazy
    def unfinished(self) -> tuple[Account, ...]:
        """The accounts of responses that did not come to their end, or came to an error."""
        answered = [(account, account.answered) for account in self.odd]
        return tuple([account for account, truth in answered if truth.truncated is not False or truth.error])

    @lazy
    def pacings(self) -> tuple[Pacing, ...]:
        """The times of the streams that took any, beside each of their spans."""
        return pacings(self.odd)


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """A rule about traces; one is another one's equal only if it is the same object.

    Attributes:
        id: Stable, `family/name`.
        title: The rule in a few words.
        why: What goes wrong for the team when it is broken.
        next: What to do about it.
        look: Yields, for each thing that the rule applies to, a finding or None.
        about: What it looks at, by name: facts that spans state, or parts of the evidence that are rarely there. It is
            not asked where there is none of them; without a name it always is.
        severity: What a finding does to the test.
        compares: What is held against what, where the title does not say it all; a sentence or more, for the docs.
        source: Where the rule is written down, for the docs: a convention, an SDK's behaviour.
        whole_runs_only: Whether it judges what is missing, which says nothing of a run that was cut short: by a
            request that nothing answered, or by the test's own failure.
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
            details: What was seen, labelled.
            why: Instead of the check's own.
            next: Likewise.
            makers: Whose fault it may be; of a span, who made it.
            follows: The checks whose findings on the same span explain this one.
            advice: The same in Weaver's words.
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
    """Return who made a span."""
    return Maker(scope=span.scope, version=span.scope_version or "")


def title_of_span(span: SpanRecord) -> str:
    """Name a span in a report."""
    return f"span {shown(span.name)} ({span.scope})"


def title_of_exchange(exchange: Exchange) -> str:
    """Name an exchange in a report; the query is left out, since keys travel in it."""
    return f"{exchange.request.method} {urlsplit(exchange.request.url).path}  (exchange {exchange.index})"
