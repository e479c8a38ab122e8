"""Do the values that a span copies unchanged from the request or the response really occur there?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._copied_fields import ATTRIBUTES, DUMPS, SCALAR, Bodies, Right
from pytest_llmtrace.checks._copied_unstated import UNSTATED
from pytest_llmtrace.checks._marks import is_masked
from pytest_llmtrace.checks._whole import GIVEN, RETURNED
from pytest_llmtrace.checks._words import shown
from pytest_llmtrace.model import Finding
from pytest_llmtrace.secrets.json_text import parsed

__all__ = ["COPIED"]


def _copied(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for account in evidence.accounts:
        attributes, bodies = account.span.attributes, Bodies(account)
        for name, source in ATTRIBUTES.items():
            if name in attributes:
                is_missing = name in UNSTATED and next(iter(source(bodies)), None) is None
                if is_missing:
                    yield _unstated(check, name, bodies)
                else:
                    yield _judged(check, account, name, attributes[name], source(bodies))
        for name, dump in DUMPS.items():
            raw = attributes.get(name)
            # If a whole request and a whole reply are those of the wire, there is nothing to look for in them.
            is_other = account.whole or name not in (GIVEN, RETURNED)
            for field, mine in _fields(raw, name).items() if is_other and isinstance(raw, str) else ():
                yield _judged(check, account, f"{name}[{field}]", mine, dump.fields[field](bodies))


def _fields(raw: str, name: str) -> Mapping[str, str | int | float]:
    """Return the values in the JSON of an attribute that repeat a field."""
    return _kept(raw, name) if len(raw) <= _SHORT else _read(raw, name)


_SHORT = 1_000  # Parameters are the same on many spans; whole conversations are not, and would be kept in memory.


def _read(raw: str, name: str) -> Mapping[str, str | int | float]:
    dump, found = DUMPS[name], parsed(raw)
    if not isinstance(found, dict) or not found.keys() >= set(dump.needed):
        return {}
    values = {field: wire.value_at(found, field) for field in dump.fields}
    return {field: value for field, value in values.items() if isinstance(value, SCALAR)}


_kept = lru_cache(maxsize=64)(_read)


def _unstated(check: Check, name: str, bodies: Bodies) -> Finding | None:
    """Judge a value of which the request has no field: it may be a default, or asked for in another way."""
    account, mine = bodies.account, bodies.account.span.attributes[name]
    is_certain = isinstance(mine, str) and bool(mine) and not is_masked(mine) and not _is_stored(bodies)
    if not is_certain or not UNSTATED[name].is_made_up(bodies, mine):
        return None
    where = bodies.asked[0][1]
    return check.finding(
        account.span, ("span", f"{name} = {shown(mine)}"), ("wire", f"no {UNSTATED[name].field}\n{where}")
    )


def _is_stored(bodies: Bodies) -> bool:
    """Tell whether a request may be set up elsewhere: it names a stored prompt, or cannot be read."""
    return any(not body or isinstance(body.get("prompt"), Mapping) for body, _ in bodies.asked)


def _judged(check: Check, account: Account, place: str, mine: Any, right: Iterable[Right]) -> Finding | None:
    values = [value for value in (mine if isinstance(mine, tuple | list) else (mine,)) if not is_masked(str(value))]
    first: Right | None = None
    for there in right:
        # Values of another type are left to the checks of conventions.
        if type(there[0]) in map(type, values):
            values = [value for value in values if value != there[0]]
            first = first or there
        if not values:
            return None
    if first is None or all(type(value) is not type(first[0]) for value in values):
        return None
    _, stated, where = first
    return check.finding(account.span, ("span", f"{place} = {shown(mine)}"), ("wire", f"{stated}\n{where}"))


COPIED = Check(
    id="wire/copied",
    title="A value that a span copies from the request or the response is the one there",
    why="whoever looks up how a call was set up, or how it was billed, reads a value that nobody stated",
    next="take it from the field of the request or the response that the attribute is named after, if that field is "
    "there",
    look=_copied,
    compares="Attributes that repeat a field of the request or the response. Each is compared with that field; in a "
    "stream, the field of any event is right, and of several attempts, that of any attempt. Where the wire does not "
    "have the field, only these are judged: a service tier that is no default and did not serve, the id of a previous "
    "response, `image` or `speech` as the output, and an effort of reasoning that is no default, each if nothing in "
    "the request speaks of it. A request that names a stored prompt may be set up there.\n"
    "- Attributes of OTel GenAI, OpenLLMetry and Anthropic's SDK: the service tier that was asked for and the one that "
    "served, the system fingerprint, the reasoning effort, the encoding format of embeddings, the format of the output "
    "(`json` for a JSON schema or object), the id of the previous response, the status of a response, the method and "
    "the status of the HTTP exchange, `openai.api.type`, and tokens for which there is no check of its own: those of "
    "each modality, and those written to a cache for five minutes or an hour.\n"
    "- Fields inside JSON: in the parameters of the request (OpenInference, Langfuse), in a request and a reply that "
    "stand there whole (`input.value`, `output.value`; MLflow), and in a usage as the provider sent it (logfire, "
    "Langfuse), the texts, numbers and switches that no other check compares, such as `store` or "
    "`thinking.budget_tokens`.",
    source="OTel GenAI, OpenAI: `openai.api.type`, `openai.request.service_tier`, `openai.response.service_tier`, "
    "`openai.response.system_fingerprint`; client inference span: `gen_ai.request.reasoning.level`, "
    "`gen_ai.request.encoding_formats`, `gen_ai.request.previous_response.id`, `gen_ai.output.type`, "
    "`gen_ai.usage.*`; fetching a response: `gen_ai.response.status`; OpenInference: `llm.invocation_parameters`",
)
