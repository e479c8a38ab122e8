"""Which conventions a span claims to keep, and what is known about the call that it describes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace import conventions, wire
from pytest_llmtrace._quick import lazy
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._content import Broken, broken, broken_in_events
from pytest_llmtrace.checks._lexicon import Sheet, lexicon
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.conventions import Profile, SpanType, Wanted
from pytest_llmtrace.dialects import EventContent, content_of_events
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Exchange, LogRecord, Request, SpanKey, SpanRecord, State

__all__ = ["Claim", "asking", "claims", "is_known_elsewhere", "others"]

_WRITTEN = 20


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One span and one convention that it claims to keep.

    Attributes:
        span: The span, which has ended.
        profile: The convention.
        span_type: The convention's type for the span; None if it has no such type.
        is_wanted: Whether `conventions=` names that profile; if not, it was chosen by what the span says.
        own: The registries of the user's own that `conventions=` names.
        account: The account of the span, which has the bytes of its call; None if it describes no call.
        events: The content in events of the span, or beside it.
        requested: Returns the spans inside of which any request was made.
    """

    span: SpanRecord
    profile: Profile
    span_type: SpanType | None = None
    is_wanted: bool = False
    own: tuple[Profile, ...] = ()
    account: Account | None = None
    events: tuple[EventContent, ...] = ()
    requested: Callable[[], Collection[SpanKey]] = frozenset

    @property
    def wanted(self) -> Mapping[str, Wanted]:
        """Which attributes the convention wants on a span of this type, and when, by name."""
        return self.span_type.attributes if self.span_type else {}

    @property
    def type_name(self) -> str:
        """What the convention calls the type of the span; empty if it has no such type."""
        return self.span_type.id if self.span_type else ""

    def stated(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Write attributes with their values, a line each; from the 21st on only the names, since no one reads more."""
        written = (f"{name} = {shown(self.span.attributes[name])}" for name in names[:_WRITTEN])
        return (*written, *names[_WRITTEN:])

    @lazy
    def sheet(self) -> Sheet:
        """The span's attributes, sorted by what the convention says of their names."""
        return lexicon(self.profile).sort(self.span.attributes)

    def is_unreadable(self, names: Iterable[str]) -> bool:
        """Tell whether all of some attributes are among those that our reader cannot read (`wire/unreadable`)."""
        if self.account is None:
            return False
        reading = self.account.reading
        facts = (*reading.facts.values(), *reading.others)
        return {key for fact in facts if fact.state is State.UNREADABLE for key, _ in fact.parts}.issuperset(names)

    @property
    def lost(self) -> tuple[str, ...]:
        """A line on how many of the span's attributes its provider has dropped; no line if it kept all."""
        count = self.span.dropped.attributes
        line = f"{count} attributes were dropped, the oldest first: see OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
        return (line,) if count else ()

    @lazy
    def broken(self) -> list[Broken] | None:
        """What is wrong with the attributes of the span and its events that hold JSON; None if there are none."""
        found = broken(self.span, self.sheet, self.profile.convention)
        return [*(found or ()), *broken_in_events(self.span, self.events)] if self.events else found

    @lazy
    def asked(self) -> Mapping[str, Any]:
        """The JSON body of the request; empty if there is none, or it cannot have a field that conditions ask for."""
        request = None if self.account is None else self.account.call.exchanges[0].request
        return wire.request_body(request) if request is not None and _may_ask(request) else {}


def _may_ask(request: Request) -> bool:
    """Tell whether a body may have a field that conditions ask for: few have, and looking is quicker than parsing."""
    body = request.body
    if not body.startswith(b"{") and header(request.headers, "content-encoding"):
        return True
    named = b"_format" in body or b"output_config" in body or b"service_tier" in body or b"text" in body
    return named or b"\\u" in body or b"\0" in body  # A name may be written with escapes, and a zero byte means UTF-16.


def claims(
    spans: Iterable[SpanRecord],
    accounts: Iterable[Account],
    wanted: tuple[Profile, ...],
    beside: Mapping[SpanKey, Sequence[LogRecord]],
    requested: Callable[[], Collection[SpanKey]],
) -> Iterator[Claim]:
    """Yield a claim for each ended span and each convention that it is compared with, in the order of the spans.

    Args:
        spans: The spans.
        accounts: The accounts of those spans that describe calls.
        wanted: The conventions that `conventions=` names.
        beside: The log events, by the span in which they were emitted.
        requested: Returns the spans inside of which any request was made.
    """
    by_span: dict[SpanKey, Account] = {}
    own = conventions.own(wanted)
    for account in accounts:
        by_span.setdefault(account.span.key, account)
    for span in spans:
        if span.ended is None:
            continue  # It has not said all that it will say.
        events = content_of_events(span, beside.get(span.key, ())) if beside or span.events else ()
        for profile in conventions.claims(span, wanted):
            yield Claim(
                span=span,
                profile=profile,
                span_type=conventions.span_type(profile, span),
                is_wanted=profile in wanted,
                own=own,
                account=by_span.get(span.key),
                events=events if events and profile.convention == "otel-genai" else (),
                requested=requested,
            )


def asking(exchanges: Iterable[Exchange], by_key: Mapping[SpanKey, SpanRecord]) -> frozenset[SpanKey]:
    """Return the spans inside of which any request was made, to a model or not."""
    found: set[SpanKey] = set()
    for exchange in exchanges:
        key = exchange.ambient.span
        while key is not None and key not in found:
            found.add(key)
            key = around.parent if (around := by_key.get(key)) else None
    return frozenset(found)


def others(own: tuple[Profile, ...], *, is_wanted: bool) -> Iterator[Profile]:
    """Yield the conventions whose names may be used in the namespaces of another one without breaking that.

    A name that users define in a registry of their own is used on purpose. A name of any convention that ships with the
    package, in any version, is not a fault either, unless the user has named the convention that is wanted.
    """
    yield from own
    if not is_wanted:
        yield from map(conventions.profile, conventions.PROFILES)


def is_known_elsewhere(name: str, own: tuple[Profile, ...], *, is_wanted: bool) -> bool:
    """Tell whether one of the conventions that `others` yields has a name."""
    return any(lexicon(other).knows(name) for other in others(own, is_wanted=is_wanted))
