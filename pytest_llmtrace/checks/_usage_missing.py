"""Is the usage that the wire states on the span at all?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._words import place_of, said
from pytest_llmtrace.model import Call, Fact, Finding, Severity, State

__all__ = ["USAGE_MISSING"]


def _usage_missing(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for call, accounts in _by_call(evidence.accounts):
        stated = _stated_usage(accounts[0])
        silent = [account for account in accounts if _has_place(account)]
        if not stated or not silent:
            continue
        if any(_says_usage(account) for account in accounts) or all(map(_is_told_elsewhere, silent)):
            yield None
            continue
        exchange = call.exchanges[-1]
        yield check.finding(
            silent[0].span,
            ("span", "neither input nor output tokens"),
            ("wire", "\n".join((*(said(fact, fact.name) for fact in stated), place_of(stated[0], exchange)))),
        )


def _by_call(accounts: tuple[Account, ...]) -> Iterator[tuple[Call, list[Account]]]:
    by_call: dict[int, list[Account]] = {}
    for account in accounts:
        by_call.setdefault(id(account.call), []).append(account)
    yield from ((group[0].call, group) for group in by_call.values())


def _stated_usage(account: Account) -> list[Fact]:
    """Return the counts that the wire states of a call that succeeded and was read to its end."""
    reading = account.answered
    if account.extent is not Extent.WHOLE or not account.sure or reading.error or reading.truncated:
        return []
    facts = (reading.fact("input_tokens"), reading.fact("output_tokens"))
    return [fact for fact in facts if fact.state is State.PRESENT and fact.value]


def _has_place(account: Account) -> bool:
    reading = account.reading
    return reading.has_place_for("input_tokens") or reading.has_place_for("output_tokens")


def _says_usage(account: Account) -> bool:
    reading = account.reading
    return any(reading.fact(name).state is not State.ABSENT for name in ("input_tokens", "output_tokens"))


def _is_told_elsewhere(account: Account) -> bool:
    """Tell whether the span could not know: it never ended, or ended before the stream."""
    ended = account.span.ended
    if ended is None:
        return True
    last = wire.last_content_tick(account.exchange)
    return last is not None and ended <= last


USAGE_MISSING = Check(
    id="wire/usage-missing",
    title="A call that states its tokens has them on its span",
    why="this call is missing from every sum of tokens and cost, and nothing says so",
    next="read the usage of the reply; of a stream, from its last chunks (OpenAI-shaped: ask for it with "
    "stream_options.include_usage)",
    compares="Calls that succeeded, were read to their end and state input or output tokens, and whose spans have a "
    "place for them. One span that says it is enough for a call.",
    source="OTel GenAI, client inference span: `gen_ai.usage.*` (recommended); OpenInference: `llm.token_count.*`",
    look=_usage_missing,
    severity=Severity.WARNING,
)
