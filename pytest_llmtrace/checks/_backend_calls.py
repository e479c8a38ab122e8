"""Calls as OpenObserve shows them: is each there, with its operation, its model, its provider and its tokens?"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._misspelt import or_rename
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Finding, Severity, SpanRecord
from pytest_llmtrace.openobserve import Record
from pytest_llmtrace.reading import PRESENT

__all__ = ["CHECKS"]

_GENERATIONS = ("chat", "text_completion", "generate_content", "GENERATION")
_EMBEDDINGS = ("embeddings", "EMBEDDING")
_WIRE_CHECKS = ("wire/input-tokens", "wire/output-tokens", "wire/total-tokens", "wire/usage-missing")
_SYSTEMS = ("llm.system", "llm.provider")


def _accounts(evidence: Evidence) -> Iterator[tuple[Account, Record]]:
    """Yield the accounts of spans for which OpenObserve stores a record, each with that record."""
    for account in evidence.accounts:
        stored = evidence.stored.get(account.span.key)
        if stored is not None:
            yield account, stored


def _shown_accounts(evidence: Evidence) -> Iterator[tuple[Account, Record]]:
    """Yield the accounts of spans that the LLM pages show; why they do not show the others, `_gate` reports."""
    return ((account, stored) for account, stored in _accounts(evidence) if stored.is_llm)


def _gate(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, stored in _accounts(evidence):
        if stored.is_llm:
            yield None
        else:
            lacks = "no attribute that makes it an LLM span, such as gen_ai.operation.name or gen_ai.request.model"
            next_step = or_rename(check.next, account.span.attributes, [stored.server.gate])
            yield check.finding(account.span, ("span", lacks), ("stored", _server(stored)), next=next_step)


def _operation(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, stored in _shown_accounts(evidence):
        name = stored.server.columns["operation"]
        kind = stored.columns[name]
        wanted = _EMBEDDINGS if account.asked.api == "embeddings" else _GENERATIONS
        if kind in wanted:
            yield None
            continue
        kinds = _kinds_on(account.span)
        said = kinds or "no attribute says which operation it is"
        next_step = check.next if kinds else or_rename(check.next, account.span.attributes, [_KINDS])
        column = f"{name} = {shown(kind)}\n{_server(stored)}"
        wire = f"a call to the {account.asked.api!r} API, exchange {account.exchange.index}"
        yield check.finding(account.span, ("span", said), ("stored", column), ("wire", wire), next=next_step)


_KINDS = (
    *("gen_ai.operation.name", "llm.request.type", "traceloop.span.kind", "openinference.span.kind"),
    "langfuse.observation.type",
)


def _kinds_on(span: SpanRecord) -> str:
    return "\n".join(f"{key} = {shown(span.attributes[key])}" for key in _KINDS if key in span.attributes)


def _model(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, stored in _shown_accounts(evidence):
        name = stored.server.columns["response_model"]
        if name in stored or name in stored.unknown:
            yield None
            continue
        next_step = or_rename(check.next, account.span.attributes, [_MODELS])
        yield check.finding(account.span, ("stored", f"{name} is empty\n{_server(stored)}"), next=next_step)


_MODELS = ("gen_ai.response.model", "gen_ai.request.model")


def _provider(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    scopes: set[str] = set()
    for account, stored in _shown_accounts(evidence):
        name, span = stored.server.columns["provider"], account.span
        if name in stored or name in stored.unknown or span.scope in scopes:
            yield None
            continue
        scopes.add(span.scope)
        said = "\n".join(f"{key} = {shown(span.attributes[key])}" for key in _SYSTEMS if key in span.attributes)
        lacks = f"{name} is empty{': OpenObserve does not read what the span says' if said else ''}"
        details = (*([("span", said)] if said else []), ("stored", f"{lacks}\n{_server(stored)}"))
        yield check.finding(span, *details, next=or_rename(check.next, span.attributes, [_PROVIDERS]))


_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system")


def _tokens(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account, stored in _shown_accounts(evidence):
        if account.extent is not Extent.WHOLE or account.answered.truncated or account.answered.error:
            continue
        wrong = list(_wrong_counts(account, stored))
        if not wrong:
            yield None
            continue
        span = "\n".join(f"{key} = {shown(value)}" for key, value in account.span.attributes.items() if _is_count(key))
        yield check.finding(
            account.span,
            ("stored", "\n".join((*(f"{column} = {value}" for column, value, _ in wrong), _server(stored)))),
            ("span", span or "no token counts"),
            ("wire", "\n".join(true for _, _, true in wrong)),
            follows=_WIRE_CHECKS,
        )


def _wrong_counts(account: Account, stored: Record) -> Iterator[tuple[str, int, str]]:
    truth = account.answered
    for fact_name, column in (("input_tokens", "usage.input"), ("output_tokens", "usage.output")):
        fact, name = truth.fact(fact_name), stored.server.columns[column]
        if fact.state is PRESENT and name in stored and stored[name] != fact.value:
            yield name, stored[name], f"{fact_name} {shown(fact.value)}: {fact.place}"
    name = stored.server.columns["usage.total"]
    if truth.input_tokens is not None and truth.output_tokens is not None and name in stored:
        total = truth.input_tokens + truth.output_tokens
        if stored[name] not in (total, truth.total_tokens):
            yield name, stored[name], f"input and output tokens together are {total}"


def _is_count(key: str) -> bool:
    return "token" in key and ("usage" in key or "count" in key)


def _server(stored: Record) -> str:
    return f"OpenObserve {stored.server.name} ({stored.server.releases})"


CHECKS: tuple[Check, ...] = (
    Check(
        id="backend/gate",
        title="OpenObserve takes the span of a call for an LLM span",
        why="the call is not on the LLM pages, and no column of them is filled",
        next="set gen_ai.operation.name on the span",
        look=_gate,
        about=("openobserve",),
        compares="The attributes of the spans of calls with those that make a span an LLM span in the named version "
        "of OpenObserve. One of them is enough.",
        source="OpenObserve, the gate of its LLM enrichment: the presence of one key; v0.92 added those of agents "
        "and tools",
    ),
    Check(
        id="backend/operation",
        title="OpenObserve takes the call for what it was",
        why="it is counted with other work, and calls that are no generation have no cost",
        next="set gen_ai.operation.name to chat, text_completion, generate_content or embeddings",
        look=_operation,
        about=("openobserve",),
        severity=Severity.WARNING,
        compares="The type that OpenObserve gives to the span with the API that was called. The server takes it from "
        "the first of its rules that applies (`gen_ai.operation.name`, `llm.request.type`, `traceloop.span.kind`, "
        "`openinference.span.kind` and so on).",
        source="OpenObserve, the operation by the first rule that yields a value; another value of "
        "`gen_ai.operation.name` is overwritten (from v0.91)",
    ),
    Check(
        id="backend/model",
        title="The model of a call is in OpenObserve's column",
        why="tokens and cost cannot be told apart by model, and no price is found",
        next="set gen_ai.response.model or gen_ai.request.model on the span",
        look=_model,
        about=("openobserve",),
        severity=Severity.WARNING,
        source="OpenObserve, `gen_ai_response_model`: the first of seven attributes that is there, a string",
    ),
    Check(
        id="backend/provider",
        title="The provider of a call is in OpenObserve's column",
        why="calls cannot be told apart by provider; the server does not read OpenInference's llm.system",
        next="set gen_ai.provider.name on such spans, in a span processor of the application",
        look=_provider,
        about=("openobserve",),
        severity=Severity.INFO,
        compares="Whether OpenObserve's column of the provider is filled for the spans of calls; the spans of one "
        "scope are one finding. The server reads `gen_ai.provider.name`, `gen_ai.system`, `ai.model.provider` and "
        "Langfuse's attributes. That it does not read OpenInference's is a gap of the server.",
        source="OpenObserve, `gen_ai_provider_name` (`gen_ai_system` before v0.91): the attributes that it is read "
        "from",
    ),
    Check(
        id="backend/tokens",
        title="OpenObserve shows the tokens that the wire counts",
        why="sums of tokens and cost in the back end are wrong",
        next="state each count once, in gen_ai.usage.input_tokens (cached tokens included) and "
        "gen_ai.usage.output_tokens",
        look=_tokens,
        about=("openobserve",),
        severity=Severity.WARNING,
        compares="OpenObserve's columns of input, output and total tokens with the counts of the response. If several "
        "attributes state one count, the server takes the last in its own order; and it adds some cached tokens to "
        "the total. A count that the server would estimate is not compared. A count that is wrong on the span itself "
        "is reported by `wire/...`.",
        source="OpenObserve, usage: several sources for one count, of which the last wins; v0.91 overwrites the "
        "client's",
    ),
)
