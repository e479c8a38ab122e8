"""Events of spans and log events, each with the conventions that it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace import conventions
from pytest_llmtrace._quick import lazy
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._lexicon import Sheet, lexicon
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import EventType, Profile
from pytest_llmtrace.model import LogRecord, Maker, SpanKey, SpanRecord

__all__ = ["EventClaim", "event_claims"]


@dataclass(frozen=True, kw_only=True)
class EventClaim:
    """One event, and one convention that it is compared with.

    Attributes:
        name: The name of the event.
        all_attributes: Its attributes.
        maker: The scope that made it, with the version of that.
        is_log: Whether it is a log record, and not an event of a span.
        span: The span that it is an event of, or in which the log record was emitted; None if that is not known.
        dropped: How many attributes the limits of the SDK have left out.
        profile: The convention.
        is_wanted: Whether `conventions=` names that profile; if not, it was chosen by what the event says.
        own: The registries of the user's own that `conventions=` names.
        account: The account of the span, which has the bytes of its call; None if it describes no call.
        is_span_judged: Whether the span is compared with the same convention.
    """

    name: str
    all_attributes: Mapping[str, Any]
    maker: Maker
    is_log: bool
    span: SpanRecord | None
    dropped: int = 0
    profile: Profile
    is_wanted: bool = False
    own: tuple[Profile, ...] = ()
    account: Account | None = None
    is_span_judged: bool = False

    @property
    def event(self) -> EventType | None:
        """What the convention says of the event; None if it has no such event."""
        return self.profile.events.get(self.name)

    @lazy
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of which the span does not say the same: what is wrong with those is reported of the span."""
        told = self.span.attributes if self.span is not None and self.is_span_judged else {}
        return {
            name: value
            for name, value in self.all_attributes.items()
            if not (name in told and type(told[name]) is type(value) and told[name] == value)
        }

    @lazy
    def sheet(self) -> Sheet:
        """These attributes, sorted by what the convention says of their names."""
        return lexicon(self.profile).sort(self.attributes)

    def stated(self, names: Iterable[str]) -> tuple[str, ...]:
        """Write attributes with their values, a line each."""
        return tuple(f"{name} = {shown(self.attributes[name])}" for name in names)

    def has(self, name: str) -> bool:
        """Tell whether the event has an attribute, under its own name or an older one."""
        return _has(self.profile, self.all_attributes, name)

    def is_on_span(self, name: str) -> bool:
        """Tell whether the span has an attribute, under its own name or an older one."""
        return self.span is not None and _has(self.profile, self.span.attributes, name)

    def place_of(self, name: str) -> str:
        """Name an attribute as readings of the call do."""
        return f"event {self.name}: {name}"


def _has(profile: Profile, attributes: Mapping[str, Any], name: str) -> bool:
    return name in attributes or name in lexicon(profile).sort(attributes).renamed


def event_claims(
    spans: Iterable[SpanRecord],
    logs: Iterable[LogRecord],
    accounts: Iterable[Account],
    span_claims: Iterable[Claim],
    wanted: tuple[Profile, ...],
) -> Iterator[EventClaim]:
    """Yield a claim for each event and each convention that it is compared with, the events of ended spans first.

    Args:
        spans: The spans.
        logs: The log records, of which those with the name of an event count.
        accounts: The accounts of those spans that describe calls.
        span_claims: The spans with the conventions that they are compared with.
        wanted: The conventions that `conventions=` names.
    """
    by_key = {span.key: span for span in spans}
    told = (*_on_spans(by_key.values()), *_in_logs(logs, by_key))
    if not told:
        return
    own = conventions.own(wanted)
    judged = {(claim.span.key, claim.profile.convention) for claim in span_claims}
    by_span = {account.span.key: account for account in reversed(tuple(accounts))}
    for one in told:
        around = () if one["is_log"] else one["span"].attributes
        scope = (one["maker"].scope, one["maker"].version or None)
        for profile in conventions.event_claims(one["name"], one["all_attributes"], scope, around, wanted):
            key = one["span"].key if one["span"] else None
            yield EventClaim(
                **one,
                profile=profile,
                is_wanted=profile in wanted,
                own=own,
                account=by_span.get(key) if key else None,
                is_span_judged=(key, profile.convention) in judged,
            )


def _on_spans(spans: Iterable[SpanRecord]) -> Iterator[dict[str, Any]]:
    for span in spans:
        for event in span.events if span.ended is not None else ():
            yield {
                "name": event.name,
                "all_attributes": event.attributes,
                "maker": Maker(scope=span.scope, version=span.scope_version or ""),
                "is_log": False,
                "span": span,
                "dropped": event.dropped_attributes,
            }


def _in_logs(logs: Iterable[LogRecord], by_key: Mapping[SpanKey, SpanRecord]) -> Iterator[dict[str, Any]]:
    for log in logs:
        if isinstance(log.event_name, str) and log.event_name:
            yield {
                "name": log.event_name,
                "all_attributes": log.attributes,
                "maker": Maker(scope=log.scope, version=log.scope_version or ""),
                "is_log": True,
                "span": by_key.get(log.span) if log.span else None,
            }
