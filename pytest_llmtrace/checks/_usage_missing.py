"""Does the span state the usage that the wire states, at all?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace import dialects, wire
from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._failures import failure_of
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._words import place_of, said
from pytest_llmtrace.model import Fact, Finding, Severity

__all__ = ["USAGE_MISSING"]


_COUNTS = ("input_tokens", "output_tokens")

_HALF = "sums of tokens and cost include only half of this call, and nothing says so"
_NO_PRICES = (
    "input and output have prices of their own: sums of cost cannot include this call by its total, and nothing says so"
)


def _usage_missing(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    by_call: dict[int, list[Account]] = {}
    for account in evidence.accounts:
        # The spans of a turn's last call state its counts, too.
        by_call.setdefault(id(account.exchange), []).append(account)
    for accounts in by_call.values():
        stated = _stated_usage(accounts[0])
        told = set().union(*[account.reading.facts for account in accounts])
        has_total = "total_tokens" in told
        # If a call has only one count, as embeddings have, its total is that count.
        missing = [] if has_total and len(stated) == 1 else [fact for fact in stated if fact.name not in told]
        silent = [account for account in accounts if _has_place(account, missing or stated)]
        if not silent:
            continue
        if not missing or all(map(_is_told_elsewhere, silent)):
            yield None
            continue
        why = _NO_PRICES if has_total else _HALF if len(missing) < len(stated) else ""
        place = place_of(stated[0], accounts[0].exchange)
        yield check.finding(
            silent[0].span,
            ("span", _what_is_there(told, missing)),
            ("wire", "\n".join((*(said(fact, fact.name) for fact in stated), place))),
            why=why,
            next=or_rename(
                check.next,
                silent[0].span.attributes,
                [dialects.names_of(silent[0].span, fact.name) for fact in missing],
            ),
        )


def _what_is_there(told: set[str], missing: list[Fact]) -> str:
    """Say which counts a span has, and which it lacks."""
    has = [word for word in ("input", "output", "total") if f"{word}_tokens" in told]
    lacks = "neither input nor output" if not {*_COUNTS} & told else f"no {missing[0].name.removesuffix('_tokens')}"
    return f"{' and '.join(has)} tokens, and {lacks} tokens" if has else f"{lacks} tokens"


def _stated_usage(account: Account) -> list[Fact]:
    """Return the counts that the wire states for a call that succeeded and was read to its end; none for any other."""
    reading = account.answered
    if account.extent is not Extent.WHOLE or not account.sure:
        return []
    if reading.truncated or reading.error or reading.problems or failure_of(account) is not None:
        return []
    return [fact for name in _COUNTS if (fact := reading.fact(name)).value]


def _has_place(account: Account, counts: list[Fact]) -> bool:
    return any(account.reading.has_place_for(fact.name) for fact in counts)


def _is_told_elsewhere(account: Account) -> bool:
    """Tell whether another check reports why the span has no counts: it never ended, or ended before its response."""
    ended = account.span.ended
    if ended is None:
        return True
    last = wire.last_content_tick(account.exchange)
    if last is None:
        return bool(account.exchange.chunk_ticks) and ended < account.exchange.chunk_ticks[0]
    return ended <= last


USAGE_MISSING = Check(
    id="wire/usage-missing",
    title="A call whose response states its tokens has them on its span",
    why="this call is missing from every sum of tokens and cost over spans, and nothing says so",
    next="read the usage of the reply; of a stream, from its last chunks (OpenAI-shaped: ask for it with "
    "stream_options.include_usage)",
    compares="Calls that succeeded, were read to their end and state input or output tokens, and whose spans have a "
    "place for these counts. Where the response states both counts, both must be on a span of the call. Where it "
    "states only one, a total is enough. It is enough if one of the call's spans states a count.",
    source="OTel GenAI, client inference span: `gen_ai.usage.*` (recommended); OpenInference: `llm.token_count.*`",
    look=_usage_missing,
    severity=Severity.WARNING,
)
