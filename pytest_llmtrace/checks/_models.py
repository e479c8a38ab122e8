"""Do a span and the wire name the same model and provider?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Difference
from pytest_llmtrace.checks._provider_name import serves_another
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Fact, State

__all__ = ["copied_model", "one_of_the_models", "provider", "requested_model", "response_model", "unnamed_model"]


def requested_model(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare requested models. A framework may put its provider's name in front; Azure has the model in the URL."""
    if _is_model(mine.value, true.value, account) or model_of_url(mine, true, account) is None:
        return None
    # OpenInference has one attribute for all that a call was made with, as far as its instrumentation knows that.
    made_with = mine.keys.startswith("llm.invocation_parameters")
    later = account.asked_later("request_model") if made_with else (account.answered.fact("request_model"),)
    if any(_is_model(mine.value, other.value, account) for other in later):
        return None
    return _cut(mine, true) or _of_rival(mine, true) or Difference()


def model_of_url(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge a requested model that the body does not name: it may be the deployment of the URL."""
    named = wire.named(account.call.exchanges[0].request.url)
    return None if mine.value in [_sayable(name, account) for name in named] else Difference()


def unnamed_model(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Judge a requested model that the request does not name: what chose it, a stored prompt perhaps, is in the reply.

    A span may state the model that answered, which is the only one on the wire, with or without its date. If no reply
    names one, a stored prompt may name any.
    """
    if model_of_url(mine, true, account) is None:
        return None
    answered = account.answered.response_model
    if not isinstance(answered, str):
        is_stored = isinstance(wire.request_body(account.call.exchanges[0].request).get("prompt"), Mapping)
        return None if is_stored else Difference()
    known = (_sayable(answered, account), _sayable(_DATE.sub("", answered), account))
    if any(_is_model(mine.value, name, account) for name in known):
        return None
    return Difference(
        why="the request names no model, and the one on the span is not the one that answered",
        next="leave it out, or take it from the reply",
    )


_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


def response_model(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare the models that answered. Behind a gateway the upstream's own name is as true as the body's."""
    if mine.value in (true.value, _sayable(account.answered.served_model, account)):
        return None
    if any(mine.value == _sayable(name, account) for name in account.answered_in_parts("model")):
        return None
    return _because_of_request(_cut(mine, true) or _copied(mine, account), mine, account)


def copied_model(mine: Fact, _true: Fact, account: Account) -> Difference | None:
    """Judge a response model that no response names."""
    served = _sayable(account.answered.served_model, account)
    return None if served is not None and mine.value == served else _copied(mine, account)


def _sayable(name: Any, account: Account) -> Any:
    """Return a name as a span can state it: its tracer provider may cut all texts."""
    return name[: account.span.text_limit] if isinstance(name, str) else name


def _because_of_request(difference: Difference, mine: Fact, account: Account) -> Difference:
    """Note that a wrong model follows from a wrong request model, if it is the same name or was cut in the same way."""
    asked = account.asked.fact("request_model")
    for said in account.stated.get("request_model", ()):
        both_cut = "cut off" in difference.why and _cut(said, asked) is not None
        if both_cut or said.value == mine.value:
            return replace(difference, follows=("wire/request-model",))
    return difference


def _cut(mine: Fact, true: Fact) -> Difference | None:
    """Return the difference of a name that has lost the provider before its slash; None if that is not so."""
    if not isinstance(true.value, str) or not true.value.endswith(f"/{mine.value}"):
        return None
    return Difference(
        why="the provider was cut off the model's name, but the gateway's prices and logs use the whole name",
        next="leave the name as it is",
    )


def _copied(mine: Fact, account: Account) -> Difference:
    if mine.value != _sayable(account.asked.request_model, account):
        return Difference()
    return Difference(why="this is the model that the request names: if another model answers, nobody sees it")


def one_of_the_models(mine: Fact, true: Fact, account: Account) -> Difference | None:
    """Compare a place that holds whichever model is known: the requested one, the answering one, or the upstream's."""
    reading = account.answered
    known = (true.value, _sayable(reading.response_model, account), _sayable(reading.served_model, account))
    named = itertools.chain(known, (_sayable(name, account) for name in account.answered_in_parts("model")))
    if any(isinstance(name, str) and _is_model(mine.value, name, account) for name in named):
        return None
    fact = reading.fact("response_model")
    both = f"requested {shown(true.value)}, answered by {shown(fact.value)}" if fact.state is State.PRESENT else ""
    return _because_of_request(Difference(wire=both), mine, account)


def _is_model(mine: Any, true: Any, account: Account) -> bool:
    """Tell whether a name is that of a model, perhaps with a provider in front; a rival's name is none of these."""
    if mine == true:
        return True
    if not isinstance(mine, str) or not mine.endswith(f"/{true}"):
        return False
    answered = account.answered
    in_front = mine.removesuffix(f"/{true}").split("/")
    return not any(serves_another(name, answered.gateway, answered.api) for name in in_front)


def _of_rival(mine: Fact, true: Fact) -> Difference | None:
    """Return the difference of a name that has another provider in front than the one that was asked."""
    if not isinstance(mine.value, str) or not mine.value.endswith(f"/{true.value}"):
        return None
    return Difference(more="the name in front is that of a provider that never saw this call")


def provider(mine: Fact, true: Fact, _account: Account) -> Difference | None:
    """Compare providers: `Google AI Studio` is `google_ai_studio`."""
    return None if _plain(mine.value) == _plain(true.value) else Difference()


def _plain(name: Any) -> str:
    return "".join(letter for letter in str(name).lower() if letter.isalnum())
