"""Do a span and the wire say the same of a request and its reply: names, flags, finish reasons?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._lines import counted
from pytest_llmtrace.checks._account import Account, Extent
from pytest_llmtrace.checks._compare import Difference, Judge
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Fact

__all__ = [
    "choice_count",
    "dimensions",
    "finish_reasons",
    "flag",
    "is_end",
    "listed",
    "made_up_reasons",
    "or_later",
    "request_id",
    "response_id",
    "same",
    "stop",
]


def same(mine: Fact, true: Fact, _account: Account) -> Difference | None:
    """Compare texts that are names: exactly."""
    return None if mine.value == true.value else Difference()


def response_id(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the ids of responses; a turn that was continued has one for each reply."""
    if mine.value in (true.value, *(reply.response_id for reply in account.replies)):
        return None
    return None if mine.value in account.answered_in_parts("id") else Difference()


def request_id(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare request ids; a header that was sent several times is also one list, as RFC 9110 (5.3) combines it."""
    if mine.value in [reply.request_id for reply in account.replies]:
        return None
    response = account.exchange.response
    lines = response.headers if response is not None else ()
    same_name = [value for name, value in lines if name.lower() == true.keys]
    return None if mine.value in (true.value, ", ".join(same_name)) else Difference()


def flag(mine: Fact, true: Fact, _account: Account) -> Difference | None:
    """Compare flags: 1 is not True."""
    return None if mine.value is true.value else Difference()


def or_later(first: Judge, judge: Judge) -> Judge:
    """Return a judge for a fact of the request, as its first attempt states it or as the same call stated it later."""

    def judged(mine: Fact, true: Fact, account: Account) -> Difference | None:
        difference = first(mine, true, account)
        later = () if difference is None else account.asked_later(true.name)
        return None if any(judge(mine, other, account) is None for other in later) else difference

    return judged


def stop(mine: Fact, true: Fact, _account: Account) -> Difference | None:
    """Compare stop sequences: one alone may be a text or a list."""
    return None if listed(mine.value) == listed(true.value) else Difference()


def choice_count(mine: Fact, _true: Fact, _account: Account) -> Difference | None:
    """Judge a number of choices where the request names none, which means one."""
    return None if mine.value == 1 else Difference()


def dimensions(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare dimensions: those that came back, or those that were asked for, as OTel GenAI words it."""
    if mine.value in (true.value, account.asked.dimensions):
        return None
    if not isinstance(true.value, int):
        return Difference()
    # Base64 has four letters for three bytes, and each number has four bytes.
    is_length = mine.value == (4 * true.value + 2) // 3 * 4
    more = "this is the length of the base64 text that they came in" if is_length else ""
    return Difference(wire=f"{shown(true.value)} numbers in {true.keys}", more=more)


def listed(value: Any) -> list[Any]:
    """Return a value as a list; a value that is not a list becomes its only item."""
    return list(value) if isinstance(value, list | tuple) else [value]


# --- Finish reasons --------------------------------------------------------------------------------------------------

_KINDS: Mapping[str, tuple[str, ...]] = {
    "stop": ("stop", "end_turn", "stop_sequence", "completed", "complete", "eos", "eos_token", "end", "finished"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call", "function_calls"),
    "content_filter": (
        "content_filter",
        "content_filtered",
        "refusal",
        "safety",
        "sensitive",
        "recitation",
        "blocklist",
        "prohibited_content",
        "guardrail_intervened",
    ),
    # Words for the case that no reason was given.
    "": (
        "",
        "error",
        "unknown",
        "none",
        "null",
        "incomplete",
        "failed",
        "cancelled",
        "in_progress",
        "queued",
        "unspecified",
        "finish_reason_unspecified",
        "other",
    ),
}
# Words that say more than that no reason came: the first is OpenTelemetry's own, the second a status of a response.
_FAILURES = frozenset({"error", "failed"})
# Anthropic's reasons for a turn that is not over. OpenTelemetry has no word for it: spans in its words say `stop`.
_PAUSED = frozenset({"pause_turn", "compaction"})
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_ENDS = _PAUSED | {kind for kind in _KINDS if kind}


def is_end(reason: Any) -> bool:
    """Tell whether a finish reason is one that APIs give; an instrumentation's own word may say that none came."""
    return _kind_of(reason) in _ENDS


def _kind_of(reason: Any) -> str:
    """Name the kind of a finish reason across conventions; empty if it says that there is none."""
    if reason is None:
        return ""
    word = str(reason).rpartition(".")[2].strip().lower().replace("-", "_").replace(" ", "_")
    return _KIND_OF.get(word, word)


def finish_reasons(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the reasons by choice, each by its kind; a choice without a reason may be left out or say so."""
    if mine.value == true.value:
        return None
    said, there = _kinds(mine.value), _kinds(true.value)
    # A place for a single reason may be about any choice: an empty one is right if some choice has no reason.
    of_one = mine.name == "finish_reason" and (said or len(there) < len(listed(true.value)))
    if said == there or (of_one and set(said) <= set(there)):
        return None
    if not there:
        return made_up_reasons(mine, true, account)
    if _are_of_pauses(listed(mine.value), there):
        return None
    if account.answered.api == "responses" and _are_of_items(listed(mine.value), there, account):
        return None
    return _miscounted(mine, true, said, there) or _denied(mine, said, there) or Difference()


def _miscounted(mine: Fact, true: Fact, said: list[str], there: list[str]) -> Difference | None:
    """Return the difference of a list that is too long or too short, counted with the words for "none"."""
    count = len(listed(mine.value))
    if mine.name == "finish_reason" or len(said) == len(there) or count in (len(there), len(listed(true.value))):
        return None
    lengths = f"the span has {counted(count, 'reason')}, the response {len(there)}"
    return Difference(why=f"{lengths}: choices and reasons no longer match")


def _denied(mine: Fact, said: list[str], there: list[str]) -> Difference | None:
    """Return the difference of a word for "none", or for a failure, where the other side gives a reason."""
    if len(said) < len(there):
        if any(str(word).lower() in _FAILURES for word in listed(mine.value)):
            return Difference(why="the span says that the model failed, but the response says that it came to an end")
        return Difference(why="the span says that no reason was given, but the response gives one")
    if len(said) > len(there):
        return Difference(why="the span gives a reason for a choice for which the response gives none")
    return None


def _are_of_pauses(said: list[Any], there: list[str]) -> bool:
    """Tell whether reasons are the wire's, but for `stop` where a turn was paused."""
    return len(said) == len(there) and all(
        word == "stop" if reason in _PAUSED else _kind_of(word) == reason
        for word, reason in zip(said, there, strict=True)
    )


def _are_of_items(said: list[Any], there: list[str], account: Account) -> bool:
    """Tell whether reasons are those of the items of a response. In an incomplete response, the last item was cut.

    The reason of that item may be its status, `incomplete`, or the detail that the response gives for it.
    """
    completed = _completed(account)
    if there == ["stop"]:
        return bool(_kinds(said)) and set(_kinds(said)) <= completed
    is_told = said[-1:] == ["incomplete"] or _kinds(said[-1:]) == there
    return is_told and set(_kinds(said[:-1])) <= completed


def _completed(account: Account) -> set[str]:
    """Return the kinds of reasons that may be given for a completed response.

    The Responses API has neither choices nor a word of its own for a reply that asks for tools, or that refuses;
    instrumentations give a reason for each item of the output.
    """
    tools = account.answered.tool_calls or wire.nameless_calls(account.exchange)
    refused = account.answered.refusals
    return {"stop", *(["tool_calls"] if tools else ()), *(["content_filter"] if refused else ())}


def made_up_reasons(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge finish reasons where the wire gives none: a word for "none" is right, whichever it is.

    For a complete response whose choices have no reason, the comparison's own text says why.
    """
    if not any(map(is_end, listed(mine.value))):
        return None
    if account.replies and _PAUSED.issuperset(_kinds(mine.value)):
        return None  # So did the reply before.
    if account.extent is Extent.BEGUN:
        why = "the reader left before the model had finished, and the span makes it look finished"
        return Difference(why=why, next="leave it out where none came before the reader left")
    if account.answered.error or account.exchange.response is None:
        why = "the call failed, and the span makes it look as if the model had finished"
        return Difference(why=why, follows=("wire/error-status",))
    if account.answered.truncated:
        return Difference(why="the response never said that it was complete, and the span makes it look as if it had")
    return Difference()


def _kinds(reasons: Any) -> list[str]:
    return [kind for kind in map(_kind_of, listed(reasons)) if kind]
