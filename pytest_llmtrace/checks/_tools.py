"""Do a span and the wire report the same tool calls?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._lines import counted
from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._marks import is_mask, is_masked, is_masked_from, limit_of
from pytest_llmtrace.checks._replies import listed
from pytest_llmtrace.checks._texts import is_cut_from, is_heard_out, shows_content
from pytest_llmtrace.checks._words import first_of, shown
from pytest_llmtrace.model import Fact
from pytest_llmtrace.reading import Chosen

__all__ = [
    "is_of_provider",
    "is_renamed",
    "same_arguments",
    "tool_arguments",
    "tool_ids",
    "tool_names",
    "unstated_tools",
]


# The prefixes of the ids of calls whose tools the provider runs itself, in Anthropic's API and in the Responses API.
# Some conventions list these calls beside those that the application is to answer; others leave them out, or have
# places of their own for them.
_OF_PROVIDER = ("srvtoolu_", "mcptoolu_", "ws_", "ci_", "fs_", "ig_", "mcp_", "mcpl_", "mcpr_", "tsc_")


_OF_MISTRAL = re.compile(r"[A-Za-z0-9]{9}")


def is_renamed(mine: str, sent: str) -> bool:
    """Tell whether an id may have been sent in another form, made of the characters that the API allows.

    Anthropic's API allows no punctuation but `_` and `-`, which LiteLLM puts in the place of any other; Mistral's wants
    nine letters and digits, which LangChain takes from a hash. Some frameworks join the two ids that a call has in the
    Responses API by `|`.
    """
    if mine.partition("|")[0] == sent:
        return True
    left, right = (re.sub(r"[\W_]+", "", identity) for identity in (mine, sent))
    return left == right or (_OF_MISTRAL.fullmatch(sent) is not None and _OF_MISTRAL.fullmatch(mine) is None)


def unstated_tools(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge a span's tool calls where the wire has none: calls of tools that the provider ran itself are allowed."""
    if mine.name == "tool_calls" and not _named(mine, account):
        return None
    return Difference()


def _named(fact: Fact, account: Account) -> list[Any]:
    """Return the calls that the application is to answer, without those whose tools have no name on the wire."""
    calls = [call for call in listed(fact.value) if not is_of_provider(_part(call, "id"))]
    if fact.name != "tool_calls":
        return calls
    known = {_part(call, "id") for call in account.answered.tool_calls or ()}
    if known.issuperset(_part(call, "id") for call in calls):
        return calls
    nameless, executed = wire.nameless_calls(account.exchange), wire.executed_calls(account.exchange)
    calls = [call for call in calls if _part(call, "id") not in nameless]
    return [call for call in calls if _part(call, "id") in known or not _is_executed(call, executed)]


def _is_executed(call: Any, executed: Sequence[tuple[Any, Any]]) -> bool:
    """Tell by its name and arguments whether the server made a call itself, where its id does not tell.

    Groq gives such a call its kind only: the tool of a `search` is called `web_search` by those who asked for it.
    """
    arguments = call.get("arguments") if isinstance(call, Mapping) else None
    return arguments is not None and any(
        name in (None, _part(call, "name")) and same_arguments(arguments, other, None) for name, other in executed
    )


def tool_names(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare which tools were called and how often; parallel calls have no order."""
    there = [_part(call, "name") for call in listed(true.value)]
    if mine.name == "tool_call_count":
        same_number = mine.value == len(there)
        return None if same_number else Difference(wire=f"{counted(len(there), 'tool call')}: {shown(there)}")
    said = [_part(call, "name") if isinstance(call, Mapping) else call for call in _named(mine, account)]
    if sorted(map(str, said)) == sorted(map(str, there)):
        return _of_other_choices(mine, true)
    return Difference(span=f"{mine.keys or mine.name}: {shown(said)}", wire=f"{true.keys}: {shown(there)}")


def _of_other_choices(mine: Fact, true: Fact) -> Difference | None:
    """Judge which choice each call is in, where both sides have the same number of choices."""
    said, there = mine.value, true.value
    if not isinstance(said, Chosen) or not isinstance(there, Chosen) or said.total != there.total:
        return None
    ids, own = ([_part(call, "id") for call in calls] for calls in (said, there))
    key = "id" if all(ids) and sorted(ids) == sorted(own) else "name"
    if _placed(said, key) == _placed(there, key):
        return None
    return Difference(
        span=f"{mine.keys or mine.name}: {_in_words(said)}",
        wire=f"{true.keys}: {_in_words(there)}",
        why="what one choice asked for is shown as what another one did",
        next="write the calls of each choice into the message of that choice",
    )


def _placed(calls: Chosen, key: str) -> list[tuple[int, str]]:
    return sorted((choice, _part(call, key)) for choice, call in zip(calls.choices, calls, strict=True))


def _in_words(calls: Chosen) -> str:
    placed = [f"{_part(call, 'name')} in choice {choice}" for choice, call in zip(calls.choices, calls, strict=True)]
    return ", ".join(first_of(placed, _MOST))


_MOST = 6


def tool_ids(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the ids of the calls, as far as both sides have them."""
    said = [_part(call, "id") for call in _named(mine, account)]
    there = [_part(call, "id") for call in listed(true.value)]
    if len(said) != len(there) or not all(said) or not all(there) or sorted(said) == sorted(there):
        return None  # wire/tool-calls reports it if the number of calls differs.
    return Difference(span=f"{mine.keys or mine.name}: ids {shown(said)}", wire=f"{true.keys}: ids {shown(there)}")


def tool_arguments(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the arguments as JSON: the order of keys, white space, and `{}` for none do not matter."""
    asked = _named(mine, account)
    if len(asked) != len(true.value):
        return None
    for said, there in _matched(asked, true.value):
        are_calls = isinstance(said, Mapping) and isinstance(there, Mapping)
        text = said.get("arguments") if are_calls else None
        if text is None and not (are_calls and _are_lost(mine, there, account)):
            continue
        if same_arguments(text, there.get("arguments"), limit_of(account.span, account.of_scope)):
            continue
        why, what = (_LEFT_OUT, "") if text is None else _wrong_form(text, there.get("arguments"))
        name, how = _part(there, "name"), "without arguments" if text is None else f"with {shown(text)}"
        return Difference(
            span=f"{mine.keys or mine.name}: {name} called {how}",
            wire=f"{true.keys}: {name} called with {shown(there.get('arguments'))}",
            why=why,
            next=what,
        )
    return None


_LEFT_OUT = (
    "what the tool was called with is missing; other content is there, so the arguments were not left out on purpose"
)


def _are_lost(mine: Fact, there: Mapping[str, Any], account: Account) -> bool:
    """Tell whether the arguments of a call are missing by a fault: content is captured, but no place has them."""
    stated = [call for fact in account.stated.get(mine.name, ()) for call in fact.value if isinstance(call, Mapping)]
    elsewhere = [call for call in stated if all(_part(call, key) == _part(there, key) for key in ("id", "name"))]
    if any(call.get("arguments") is not None for call in elsewhere):
        return False
    return is_heard_out(account) and shows_content(mine, account)


def _wrong_form(mine: Any, true: Any) -> tuple[str, str]:
    """Return why arguments are read as a text, not as an object, and what to do; empty if the fault is another one."""
    said = _as_json(mine)
    if not isinstance(said, str) or isinstance(_as_json(true), str):
        return "", ""
    if isinstance(_as_json(said), str):
        is_begun = _is_begun_text(said, true)
        return (
            ("", "")
            if is_begun
            else ("the arguments are not JSON, so whoever reads the span cannot parse them", _AS_GIVEN)
        )
    return "the arguments were encoded as JSON twice, so whoever parses them gets a string and not an object", _AS_GIVEN


def _is_begun_text(said: str, true: Any) -> bool:
    """Tell whether a text is the beginning of a value's JSON, as when the last fragments of a stream are lost."""
    try:
        wholes = [json.dumps(true, ensure_ascii=ascii_only) for ascii_only in (False, True)]
    except RecursionError:
        return True
    return any("".join(whole.split()).startswith("".join(said.split())) for whole in wholes)


_AS_GIVEN = (
    "write the text that the model gave (in a stream, all of its fragments), or json.dumps(...) of the parsed arguments"
)


def is_of_provider(identity: str) -> bool:
    """Tell by the id of a call whether the provider has run the tool itself."""
    return identity.startswith(_OF_PROVIDER)


def _matched(
    mine: Sequence[Mapping[str, Any]], true: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Pair the calls of both sides: by id where both have the same ids, else by name, else in order."""
    for key in ("id", "name"):
        left, right = [_part(call, key) for call in mine], [_part(call, key) for call in true]
        if len(set(left)) == len(mine) and set(left) == set(right):
            return [(call, true[right.index(part)]) for call, part in zip(mine, left, strict=True)]
    return list(zip(mine, true, strict=True))


def same_arguments(mine: Any, true: Any, limit: int | None) -> bool:
    """Tell whether arguments are the same JSON, as far as a mask or a limit has left them."""
    if isinstance(mine, str) and is_masked(mine):
        return True
    left, right = _as_json(mine), _as_json(true)
    try:
        if not isinstance(left, str):
            return _same_json(left, right, limit) or _is_wrapped(left, right) or _is_begun(left, right)
        if left in (right, true):
            return True
        wholes = (right,) if isinstance(right, str) else (json.dumps(right), json.dumps(right, ensure_ascii=False))
        return any(is_cut_from(left, whole, limit) for whole in wholes)
    except RecursionError:
        return True  # Nested deeper than can be compared: not known to differ.


_OF_TEXT = frozenset({"__arg1", "input"})


def _is_wrapped(mine: Any, true: Any) -> bool:
    """Tell whether the span has the text for a custom tool as the only field of an object.

    OpenInference calls the field `input`; LangChain, which passes such a text to a tool by name, `__arg1`.
    """
    is_one = isinstance(mine, dict) and len(mine) == 1 and not mine.keys().isdisjoint(_OF_TEXT)
    return is_one and any(isinstance(text, str) and _same_json(_as_json(text), true) for text in mine.values())


def _is_begun(mine: Any, true: Any) -> bool:
    """Tell whether a value was read from JSON that broke off: Anthropic's SDK closes its open brackets and texts."""
    if not isinstance(true, str):
        return False
    whole = "".join(true.split())
    written = ("".join(json.dumps(mine, ensure_ascii=ascii_only).split()) for ascii_only in (False, True))
    return any(whole.startswith(said.rstrip('}]"')) for said in written)


def _same_json(left: Any, right: Any, limit: int | None = None) -> bool:
    """Tell whether two JSON values are the same: 1 equals 1.0 and NaN equals NaN, but true, unlike in Python, is not 1.

    A text may be what a limit or a mask has left of another, and a mask may stand for any value.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same_json(left[key], right[key], limit) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _same_json(one, other, limit) for one, other in zip(left, right, strict=True)
        )
    same = bool(left == right) or (type(left) is type(right) is float and math.isnan(left) and math.isnan(right))
    if same or not isinstance(left, str):
        return same and isinstance(left, bool) is isinstance(right, bool)
    return is_mask(left) or (
        isinstance(right, str) and (is_cut_from(left, right, limit) or is_masked_from(left, right))
    )


def _as_json(value: Any) -> Any:
    """Return the value that a text holds as JSON, or the text if it is not JSON; an empty object if it says nothing."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value or {}
    return {} if value in (None, "", {}) else value


def _part(call: Any, key: str) -> str:
    value = call.get(key) if isinstance(call, Mapping) else None
    return value if isinstance(value, str) else ""
