"""Counts of tokens, which may be parts of others, amounts, and lists that are spread over indexed attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._claims import Claim
from pytest_llmtrace.checks._lexicon import Sheet
from pytest_llmtrace.checks._rule import Breach, always, rule
from pytest_llmtrace.checks._words import more_spans, shown
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.model import Finding, Severity, SpanRecord, State

__all__ = ["AMOUNTS", "CHECKS", "INDICES", "TOKENS", "are_on_the_wire", "impossible"]

# Each whole, and parts of it that together are no more than the whole; the attribute names of several conventions.
_USAGE = "gen_ai.usage"
_COUNT = "llm.token_count"
_SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"{_USAGE}.input_tokens", (f"{_USAGE}.cache_read.input_tokens", f"{_USAGE}.cache_write.input_tokens")),
    (f"{_USAGE}.input_tokens", (f"{_USAGE}.cache_read.input_tokens", f"{_USAGE}.cache_creation.input_tokens")),
    (f"{_USAGE}.input_tokens", tuple(f"{_USAGE}.{kind}.input_tokens" for kind in ("text", "image", "audio"))),
    (f"{_USAGE}.output_tokens", tuple(f"{_USAGE}.{kind}.output_tokens" for kind in ("text", "image", "audio"))),
    (f"{_USAGE}.output_tokens", (f"{_USAGE}.reasoning.output_tokens",)),
    (
        f"{_USAGE}.cache_read.input_tokens",
        tuple(f"{_USAGE}.{kind}.cache_read.input_tokens" for kind in ("text", "image", "audio")),
    ),
    *(
        (f"{_USAGE}.{kind}.input_tokens", (f"{_USAGE}.{kind}.cache_read.input_tokens",))
        for kind in ("text", "image", "audio")
    ),
    (f"{_COUNT}.prompt", (f"{_COUNT}.prompt_details.cache_read", f"{_COUNT}.prompt_details.cache_write")),
    (f"{_COUNT}.prompt", (f"{_COUNT}.prompt_details.audio",)),
    (f"{_COUNT}.completion", (f"{_COUNT}.completion_details.reasoning",)),
    (f"{_COUNT}.completion", (f"{_COUNT}.completion_details.audio",)),
    (f"{_COUNT}.total", (f"{_COUNT}.prompt", f"{_COUNT}.completion")),
)
_HUGE_BITS = 256
_NAMES = frozenset(name for whole, parts in _SUMS for name in (whole, *parts))


def _tokens(claim: Claim) -> Breach | bool:
    return impossible(claim.span.attributes, claim.sheet, lambda names: are_on_the_wire(claim.account, names))


def impossible(
    counts: Mapping[str, Any], sheet: Sheet, are_on_the_wire: Callable[[tuple[str, ...]], bool]
) -> Breach | bool:
    """Return the breach of counts of tokens that are negative, or larger than what they are a part of.

    Args:
        counts: The attributes.
        sheet: The same, sorted by the convention.
        are_on_the_wire: Tells whether the response states all of some counts: others then compare them.
    """
    looked = False
    wrong: list[tuple[str, list[str]]] = []
    for whole, names in _sums(sheet):
        parts = [part for part in names if _is_count(counts[part])] if _is_count(counts[whole]) else []
        looked = looked or bool(parts)
        if parts and sum([counts[part] for part in parts]) > counts[whole]:
            wrong.append((whole, parts))
    wrong = [(whole, parts) for whole, parts in wrong if not are_on_the_wire((whole, *parts))]
    below = [name for name in _counts(sheet) if _is_count(counts[name]) and counts[name] < 0]
    below = [name for name in below if not are_on_the_wire((name,))]
    return _broken(counts, below, wrong) if below or wrong else looked


@lru_cache(maxsize=256)
def _sums(sheet: Sheet) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each whole among the attributes with its parts there; kept, since most spans have the same attributes."""
    names = _NAMES.intersection(sheet.known)
    stated = [(whole, tuple(part for part in parts if part in names)) for whole, parts in _SUMS if whole in names]
    return tuple((whole, parts) for whole, parts in stated if parts)


@lru_cache(maxsize=256)
def _counts(sheet: Sheet) -> tuple[str, ...]:
    return tuple(sorted(_NAMES.intersection(sheet.known)))


def _broken(counts: Mapping[str, Any], below: list[str], wrong: list[tuple[str, list[str]]]) -> Breach:
    return Breach(
        names=tuple(dict.fromkeys((*below, *(whole for whole, _ in wrong)))),
        said=(
            *(f"{name} = {counts[name]}" for name in below),
            *(
                f"{whole} = {counts[whole]}, and {' + '.join(f'{part} {counts[part]}' for part in parts)}"
                for whole, parts in wrong
            ),
        ),
        wanted=(
            *(f"{name}: no less than 0" for name in below),
            *(f"{' + '.join(parts)}: part of {whole}" for whole, parts in wrong),
        ),
        follows=_WIRE,
    )


_WIRE = (
    "wire/cache-read-tokens",
    "wire/cache-write-tokens",
    "wire/reasoning-tokens",
    "wire/input-tokens",
    "wire/output-tokens",
    "wire/total-tokens",
)


def _is_count(value: Any) -> bool:
    """Tell whether a value can be a count. A number with thousands of digits cannot: it cannot even be written."""
    if type(value) is int:
        return value.bit_length() < _HUGE_BITS
    return is_number(value)


def are_on_the_wire(account: Account | None, names: tuple[str, ...]) -> bool:
    """Tell whether the response states all these counts: each is then compared by itself, and the sum is not judged."""
    if account is None:
        return False
    true = account.answered
    facts = (fact for places in account.stated.values() for fact in places)
    known = {key for fact in facts if true.fact(fact.name).state is State.PRESENT for key, _ in fact.parts}
    return known.issuperset(names)


TOKENS = rule(
    id="convention/tokens",
    title="No count is negative, and a count that is a part of another is no larger than it",
    why="what is computed from them is negative: sums, tokens that were not cached, text beside the reasoning",
    next="fix the instrumentation",
    judge=_tokens,
    may=lambda claim: bool(_counts(claim.sheet)),
    severity=Severity.WARNING,
    compares="Each count of tokens with 0, and the counts on one span that are parts of another count there. Parts "
    "of the same sort are added up, and the sum must be no larger than the whole:\n"
    "  - parts of the input: the cached tokens (read and written); the modalities (text, image, audio);\n"
    "  - parts of the output: the reasoning; the modalities;\n"
    "  - parts of the tokens read from a cache: those of each modality, which are also a part of that modality's "
    "input;\n"
    "  - parts of the total: prompt and completion.\n"
    "\n"
    "  Where the response states all of these counts, each is compared with its own by `wire/...`, and a sum that "
    "does not fit is the gateway's.",
    source="OTel GenAI: the notes on `gen_ai.usage.*`; OpenInference: `llm.token_count.*`",
)


# --- Durations and costs ---------------------------------------------------------------------------------------------

_COST = "llm.cost"
_AMOUNTS = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.time_to_first_token_ms",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.usage.cost",
    *(f"gen_ai.cost.{part}_cost" for part in ("input", "output", "total")),
    *(f"{_COST}.{part}" for part in ("prompt", "completion", "total")),
    *(f"{_COST}.prompt_details.{part}" for part in ("audio", "cache_input", "cache_read", "cache_write", "input")),
    *(f"{_COST}.completion_details.{part}" for part in ("audio", "output", "reasoning")),
)


def _amounts(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    accounts = {account.span.key: account for account in reversed(evidence.accounts)}
    broken: dict[object, list[tuple[SpanRecord, list[str]]]] = {}
    for span in evidence.spans:
        stated = () if _KNOWN.isdisjoint(span.attributes) else [name for name in _AMOUNTS if name in span.attributes]
        below = [name for name in stated if is_number(value := span.attributes[name]) and value < 0]
        below = [name for name in below if not are_on_the_wire(accounts.get(span.key), (name,))]
        if below:
            broken.setdefault((span.scope, span.name, tuple(below)), []).append((span, below))
        elif stated:
            yield None
    for (span, below), *others in broken.values():
        yield from [None] * len(others)
        said = (f"{name} = {shown(span.attributes[name])}" for name in below)
        wanted = (f"{name}: no less than 0" for name in below)
        told = ("span", "\n".join((*said, *more_spans(len(others)))))
        yield check.finding(span, told, ("rule", "\n".join(wanted)), follows=_COMPARED)


_KNOWN = frozenset(_AMOUNTS)
_COMPARED = ("wire/cost", "stream/time-to-first-token")

AMOUNTS = Check(
    id="convention/amounts",
    title="No duration and no cost is negative",
    why="what is computed from them is wrong: sums of costs, averages and percentiles of latencies",
    next="fix the instrumentation; a duration is the later reading of one clock less the earlier one",
    look=_amounts,
    severity=Severity.WARNING,
    compares="The times to the first chunk and the costs that a span states as plain numbers, whatever its convention: "
    "`gen_ai.response.time_to_first_chunk`, `gen_ai.time_to_first_token_ms`, "
    "`gen_ai.client.operation.time_to_first_chunk`, `gen_ai.usage.cost`, `gen_ai.cost.*`, `llm.cost.*`. A cost that "
    "the response states is compared with that (`wire/cost`).",
    source="OTel GenAI, `gen_ai.response.time_to_first_chunk`: seconds from the request to the first chunk; "
    "OpenInference, `llm.cost.*`: the cost in USD",
)


# --- Indexed lists ---------------------------------------------------------------------------------------------------


def _indices(claim: Claim) -> Breach | bool:
    lists = claim.sheet.indices
    if not lists:
        return False
    holes = {name: there for name, there in lists.items() if max(there) != len(there) - 1}
    if not holes:
        return True
    return Breach(
        names=tuple(holes),
        said=(*(f"{name}: no {_first_missing(at)}, but {max(at)}" for name, at in holes.items()), *claim.lost),
        wanted=("lists are numbered from 0, without gaps",),
    )


def _first_missing(there: set[int]) -> int:
    return next(index for index in range(len(there) + 1) if index not in there)


INDICES = rule(
    id="convention/indices",
    title="Lists of attributes are numbered from 0, without holes",
    why="a reader that counts up from 0 never gets past the hole, and one that closes it gives the rest other numbers",
    next="number the items as they come, and let the span have room for all of them",
    judge=_indices,
    by_names=always,
    may=lambda claim: bool(claim.sheet.indices),
    severity=Severity.WARNING,
    source="OpenInference, flattening: `<prefix>.<zero-based index>.<suffix>`",
)

CHECKS: tuple[Check, ...] = (TOKENS, AMOUNTS, INDICES)
