"""Checks on several calls as a whole, such as an agent's run: tool results, repeated tool calls, budgets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._argtypes import is_count
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._check import Check, Evidence, title_of_exchange
from pytest_llmtrace.checks._words import first_of
from pytest_llmtrace.conventions import is_number
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Call, Exchange, Finding, Reading, Severity

__all__ = ["BUDGET", "CALL_WITHOUT_RESULT", "CHECKS", "REPEATED_TOOL_CALL", "RESULT_WITHOUT_CALL", "refuse_limits"]

_FEWEST_REPEATS = 2
_LONGEST = 100
_NOW = -1  # The turn number of the tool calls in an answer; the turns of its history are numbered from 0.


def refuse_limits(budget: object = None, tool_repeats: object = _FEWEST_REPEATS) -> None:
    """Refuse a budget or a number of repeats that has no meaning.

    Raises:
        UsageError: If the budget or the number of repeats has no meaning.
    """
    if not is_count(tool_repeats) or tool_repeats < _FEWEST_REPEATS:
        raise UsageError(f"tool_repeats= takes a whole number, {_FEWEST_REPEATS} or more, not {tool_repeats!r}")
    if budget is None:
        return
    if not isinstance(budget, Mapping):
        raise UsageError(f"budget= takes {{'tokens': ..., 'cost': ..., 'calls': ...}}, not {budget!r}")
    for name, limit in budget.items():
        if name not in _UNITS:
            raise UsageError.unknown("unit in budget=", name, _UNITS)
        if not is_number(limit) or not limit >= 0:
            raise UsageError(f"budget={{{name!r}: ...}} takes a number, 0 or more, not {limit!r}")


# --- tool results ----------------------------------------------------------------------------------------------------


def _result_without_call(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    told: set[str] = set()
    for call, past in evidence.tooled:
        if not past.whole:
            continue  # The call may be in the part that the server keeps.
        exchange = call.exchanges[-1]
        for result in past.results:
            if result.called or result.id in told:
                yield None
                continue
            told.add(result.id)  # A history is sent again with each call, and one finding for each result is enough.
            yield check.finding(
                title_of_exchange(exchange),
                ("wire", f"{result.where} {result.id!r} is a tool result, and no tool call before it has that id"),
                ("found", _called(past.calls)),
            )


def _called(calls: tuple[Any, ...]) -> str:
    if not calls:
        return "no tool call in this request"
    listed = ", ".join(f"{call.name} {call.id!r}" for call in calls[-3:])
    return f"tool calls in this request: {'..., ' if len(calls) > 3 else ''}{listed}"  # noqa: PLR2004


def _call_without_result(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    told: set[str] = set()
    for call, past in evidence.tooled:
        exchange = call.exchanges[-1]
        if not past.calls or not past.whole or not call.truths or not _refuses(call.truths[-1]):
            continue
        answered = {result.id for result in past.results}
        lost = [made for made in past.calls if made.id not in answered and made.id not in told]
        if not all(result.called for result in past.results):
            continue  # agent/tool-result-without-call reports it: the result has another id.
        if not lost:
            yield None
            continue
        told.update(made.id for made in lost)  # A history is sent again with each call.
        said = [f"{made.where}: {made.name} {made.id!r} has no tool result" for made in lost]
        given = ", ".join(map(repr, list(dict.fromkeys(result.id for result in past.results))[-3:]))
        yield check.finding(
            title_of_exchange(exchange),
            ("wire", "\n".join(first_of(said, 3))),
            ("found", f"tool results in this request: {given}" if given else "no tool result in this request"),
        )


def _refuses(truth: Reading) -> bool:
    """Tell whether a request goes to an API of OpenAI's or Anthropic's own; clouds also have those of others."""
    return truth.gateway in {"anthropic", "openai"} or (truth.api == "messages" and truth.gateway in _CLOUDS)


_CLOUDS = frozenset({"azure", "bedrock", "bedrock-mantle", "vertex"})


# --- tool calls ------------------------------------------------------------------------------------------------------


def _repeated_tool_call(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    made: defaultdict[tuple[object, str, str], list[tuple[object, Exchange]]] = defaultdict(list)
    conversation, results = _conversations(evidence), _results(evidence)
    for identity, key, exchange in _tool_calls(evidence):
        made[(conversation(identity), *key)].append((results(identity), exchange))
    for (_, name, arguments), calls in made.items():
        alike = _alike(calls) if len(calls) >= evidence.tool_repeats else []
        if len(alike) < evidence.tool_repeats:
            yield None
            continue
        shown = arguments if len(arguments) <= _LONGEST else f"{arguments[:_LONGEST]}..."
        asked = ", ".join(dict.fromkeys(str(exchange.index) for _, exchange in alike))
        known = sum(result is not None for result, _ in alike)
        same = f"\n{known} results, which do not differ, except perhaps in numbers" if known > 1 else ""
        yield check.finding(
            f"{name}({shown})",
            ("wire", f"requested {len(alike)} times with the same arguments, seen in exchanges {asked}{same}"),
            ("limit", f"tool_repeats={evidence.tool_repeats}"),
        )


def _alike(calls: Sequence[tuple[object, Exchange]]) -> list[tuple[object, Exchange]]:
    """Return the most calls whose results may all be the same; if results differ, something has changed meanwhile."""
    times = Counter(result for result, _ in calls if result is not None)
    most = times.most_common(1)[0][0] if times else None
    return [call for call in calls if call[0] is None or call[0] == most]


def _results(evidence: Evidence) -> Callable[[object], str | None]:
    """Return a function that gives the result of a tool call, by the call's id; None if it is not known.

    Numbers do not count: times and ids are in results that say the same otherwise.
    """
    found: dict[str, str | None] = {}
    for _, past in evidence.tooled:
        for result in past.results:
            said = None if result.said is None else re.sub(r"\d+", "0", _canonical(result.said)).strip()
            if found.setdefault(result.id, said) != said:
                found[result.id] = None  # Some servers number the calls of each response anew.
    return lambda identity: found.get(identity) if isinstance(identity, str) else None


def _conversations(evidence: Evidence) -> Callable[[object], object]:
    """Return a function that names the conversation of a tool call, by the call's id.

    Two tool calls belong to one conversation if their ids stand in one request, or in a request and its answer.
    Requests that do not share tool calls are not rounds of one agent: many ask for the same structured output, as a
    batch does.
    """
    same: dict[object, object] = {}

    def root(identity: object) -> object:
        while (above := same.get(identity, identity)) != identity:
            same[identity] = same.get(above, above)
            identity = above
        return identity

    for call, past in evidence.tooled:
        asked = [tool["id"] for tool in _asked_for(call) if isinstance(tool.get("id"), str)]
        ids = [*(made.id for made in past.calls), *(result.id for result in past.results), *asked]
        for identity in ids[1:]:
            same[root(identity)] = root(ids[0])
    return root


def _tool_calls(evidence: Evidence) -> Iterator[tuple[object, tuple[str, str], Exchange]]:
    """Yield each tool call once: its id, its name and arguments, and the exchange in which it was seen.

    These are the tool calls of all answers, and those in the histories that none of these answers asked for. Equal
    ones that are asked for together count as one: none of them had a result yet.
    """
    known: set[object] = set()
    answered = [(call, past, list(_asked_for(call))) for call, past in evidence.tooled]
    known.update(tool["id"] for _, _, tools in answered for tool in tools if isinstance(tool.get("id"), str))
    for call, past, tools in answered:
        exchange = call.exchanges[-1]
        made: dict[tuple[int, str, str], object] = {}
        for earlier in past.calls:
            if earlier.id not in known:
                known.add(earlier.id)
                made.setdefault((earlier.turn, earlier.name, _canonical(earlier.arguments)), earlier.id)
        for tool in tools:
            identity = tool.get("id") if isinstance(tool.get("id"), str) else None
            made.setdefault((_NOW, str(tool.get("name")), _canonical(tool.get("arguments"))), identity)
        for (_, name, arguments), identity in made.items():
            yield identity, (name, arguments), exchange


def _asked_for(call: Call) -> Iterator[Mapping[str, Any]]:
    """Yield the tool calls that the answer to a call asks for."""
    truth = call.truths[-1] if call.truths else None
    yield from (tool for tool in (truth and truth.tool_calls) or () if isinstance(tool, Mapping))


def _canonical(arguments: Any) -> str:
    """Return arguments as a text that is the same for equal arguments, whatever the order of their keys."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return str(arguments) if isinstance(arguments, str) else "?"


# --- budgets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """A unit of budgets: tokens, cost or calls.

    Attributes:
        used: Returns how much an attempt has used, or None where the wire does not say; None for the unit of calls.
        written: Writes an amount for a report.
        stated: What the wire would have to say, as a clause for a report.
    """

    used: Callable[[Reading], float | None] | None
    written: Callable[[float], str]
    stated: str = ""


def _tokens(truth: Reading) -> float | None:
    parts = [count for count in (truth.input_tokens, truth.output_tokens) if count is not None]
    return sum(parts) if parts else truth.total_tokens


_UNITS: Mapping[str, _Unit] = {
    "tokens": _Unit(used=_tokens, written="{:,.0f} tokens".format, stated="how many tokens it used"),
    "cost": _Unit(used=lambda truth: truth.cost, written="{:.6g} USD".format, stated="what it cost"),
    "calls": _Unit(used=None, written=lambda count: f"{count:,.0f} call{'' if count == 1 else 's'}"),
}


def _budget(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for name, limit in evidence.budget.items():
        unit = _UNITS[name]
        used = [(call, _used(call, unit)) for call in _spenders(evidence, unit)]
        known = [amount for _, amount in used if amount is not None]
        spent = sum(known)
        silent = [] if known else [call for call, _ in used if _is_answered(call)]
        if spent > limit or silent:
            yield check.finding(
                f"{name}: {unit.written(limit)}",
                ("used", unit.written(spent) if known else "not known"),
                ("wire", "\n".join(_spent(used, unit))),
                why="" if known else f"no response in this test says {unit.stated}, so the budget limits nothing",
                next="" if known else _make_it_known(name, silent),
            )
        else:
            yield None


def _is_answered(call: Call) -> bool:
    """Tell whether a call got a whole answer; one that failed, was cut or was left has nothing to say of its use."""
    truth = call.truths[-1] if call.truths else None
    response = call.exchanges[-1].response
    if truth is None or response is None or response.status >= HTTPStatus.BAD_REQUEST:
        return False
    return not truth.error and truth.truncated is not True


def _make_it_known(name: str, silent: Sequence[Call]) -> str:
    asks = name == "tokens" and any(call.truth.streaming and call.truth.api == "chat" for call in silent)
    ask = "ask for the usage of streams (stream_options.include_usage), " if asks else ""
    return f"{ask}remove the limit, or record from a gateway that states it"


def _spenders(evidence: Evidence, unit: _Unit) -> tuple[Call, ...]:
    """Return the calls, and the responses fetched later for calls that do not state themselves what they used."""
    if unit.used is None:
        return evidence.calls
    said = {call.truth.response_id for call in evidence.calls if _used(call, unit) is not None}
    brought = ((wire.fetches(exchange), exchange) for exchange in evidence.exchanges)
    later = {name: exchange for name, exchange in brought if name is not None and name not in said}
    fetched = (Call(exchanges=(one,), spans=(), truths=(wire.read_fetched(one),)) for one in later.values())
    return (*evidence.calls, *fetched)


def _used(call: Call, unit: _Unit) -> float | None:
    """Return what all attempts of a call used, None if none of them says; a failed one may have been billed as well."""
    if unit.used is None:
        return 1
    amounts = [amount for truth in call.truths if (amount := unit.used(truth)) is not None]
    return sum(amounts) if amounts else None


def _spent(used: list[tuple[Call, float | None]], unit: _Unit) -> Iterator[str]:
    most = sorted(used, key=lambda pair: -(pair[1] or 0))
    for call, amount in most[:5]:
        said = f"does not say {unit.stated}" if amount is None else unit.written(amount)
        yield f"{title_of_exchange(call.exchanges[-1])}: {said}"
    if len(used) > 5:  # noqa: PLR2004
        yield f"and {len(used) - 5} more"


RESULT_WITHOUT_CALL = Check(
    id="agent/tool-result-without-call",
    title="Every tool result answers a tool call",
    why="the model cannot know what this result answers; most providers refuse such a request",
    next="keep the assistant's message with the tool call when the history is cut or rebuilt",
    look=_result_without_call,
    about=("tooled",),
    compares="The ids of the tool results in each request with the ids of the tool calls before them. Not judged "
    "where the server keeps a part of the conversation.",
    source="API references of OpenAI (chat completions, responses) and Anthropic (messages)",
)

CALL_WITHOUT_RESULT = Check(
    id="agent/tool-call-without-result",
    title="Every tool call is answered",
    why="OpenAI and Anthropic refuse such a request with a 400, whatever this test's reply says",
    next="send a result for each tool call of a message, also of a tool that failed or was not run",
    look=_call_without_result,
    about=("tooled",),
    compares="The ids of the client's tool calls in each request with the ids of its tool results. Judged are requests "
    "to OpenAI's and Anthropic's own APIs, and to Anthropic's in a cloud, as other servers may accept them; not where "
    "the server keeps a part of the conversation.",
    source="API references of OpenAI (chat completions, responses) and Anthropic (messages)",
)

REPEATED_TOOL_CALL = Check(
    id="agent/repeated-tool-call",
    title="An agent does not go round in circles",
    why="the answer to this call was there already: each round costs a call to the model, and leads nowhere",
    next="look at what the tool answers, or allow more with tool_repeats=",
    look=_repeated_tool_call,
    about=("tooled",),
    severity=Severity.WARNING,
    compares="The tool calls of each conversation with each other, by name and arguments: those that the answers of "
    "the test ask for, and those in the histories of its requests. Two requests belong to one conversation if one of "
    "them repeats or answers a tool call of the other. Equal calls that are asked for together count once. A second "
    "call may be another try after an error of the tool; the third is a finding, unless tool_repeats= says otherwise. "
    "Calls whose results are known to differ in more than numbers do not count together: something has changed.",
)

BUDGET = Check(
    id="agent/budget",
    title="A test stays within its budget",
    why="the same run in production uses more than it may",
    next="find the calls that grew, or raise the budget",
    look=_budget,
    about=("budget",),
    compares="The limits of budget= with the number of calls, and with the tokens and the cost that the responses "
    "state, summed over all attempts. A call that states nothing counts as 0. If no whole answer states anything, the "
    "budget itself is a finding, since it limits nothing.",
)

CHECKS: tuple[Check, ...] = (RESULT_WITHOUT_CALL, CALL_WITHOUT_RESULT, REPEATED_TOOL_CALL, BUDGET)
