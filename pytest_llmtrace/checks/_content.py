"""What is wrong with the attributes of a span that hold JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.checks._lexicon import Sheet
from pytest_llmtrace.checks._marks import is_masked, limit_of
from pytest_llmtrace.checks._structure import FORMS, Flaw, flaws
from pytest_llmtrace.dialects import EventContent
from pytest_llmtrace.model import SpanRecord

__all__ = ["Broken", "broken", "broken_in_events"]

# A model writes what stands here, and may write something else; a span that repeats it tells the truth.
_BY_MODELS = ("arguments", "arguments_json", "function_call")
# A tool may take and return a text: only what begins as an object is meant to be JSON.
_BY_TOOLS = frozenset({"gen_ai.tool.call.arguments", "gen_ai.tool.call.result"})
_OTEL, _OPENINFERENCE = "otel-genai", "openinference"
_JSON = ("json",)
# Attributes that may hold any text, and hold JSON if the span says so, each with the attribute that says it.
_IF_SAID = {"input.value": "input.mime_type", "output.value": "output.mime_type"}
_MOST = 20
"""How many faults of one attribute are looked for: a long history may repeat one endlessly."""
_REPEATED = 4_000
"""The faults of texts of up to this many characters are cached: instructions and tools are the same on many spans."""


class Broken(NamedTuple):
    """A flaw of an attribute; `is_cut` if its text is not JSON, as when a limit has cut it."""

    name: str
    where: str
    what: str
    is_fatal: bool
    is_cut: bool = False


def broken(span: SpanRecord, sheet: Sheet, convention: str) -> list[Broken] | None:
    """Return the flaws of all attributes that hold JSON; None if no attribute does.

    Args:
        span: The span.
        sheet: Its attributes, sorted by the convention.
        convention: The name of the convention.
    """
    attributes = span.attributes
    texts = [name for name in _held(sheet, convention) if name in FORMS or isinstance(attributes[name], str)]
    if convention == _OPENINFERENCE:
        texts += [name for name, says in _IF_SAID.items() if _is_said_to_be_json(attributes, name, says)]
    if not texts:
        return None
    found = [flaw for name in texts for flaw in _found(name, attributes[name])]
    limit = limit_of(span) if any(flaw.is_cut for flaw in found) else None
    return [flaw for flaw in found if not (flaw.is_cut and len(attributes[flaw.name]) == limit)]


def broken_in_events(span: SpanRecord, events: Iterable[EventContent]) -> Iterator[Broken]:
    """Yield the flaws of the content in the events of a span, or beside it."""
    for place, name, value, _ in events:
        for flaw in _found(name, value):
            if not (flaw.is_cut and len(value) in (limit_of(span), span.text_limit)):
                yield flaw._replace(name=place, where=f"{place}{flaw.where.removeprefix(name)}")


def _is_said_to_be_json(attributes: Mapping[str, Any], name: str, says: str) -> bool:
    said, value = attributes.get(says), attributes.get(name)
    return isinstance(said, str) and said.partition(";")[0] == "application/json" and isinstance(value, str)


@lru_cache(maxsize=256)
def _held(sheet: Sheet, convention: str) -> tuple[str, ...]:
    """Return the names of the attributes that hold JSON by the convention."""
    # Spans of other conventions fill OTel's attributes in ways of their own.
    held = [name for name in FORMS if name in sheet.known] if convention == _OTEL else []
    json = [name for name, one in sheet.known.items() if one is not None and one.types == _JSON]
    return (*held, *(name for name in json if not name.endswith(_BY_MODELS)))


def _found(name: str, value: Any) -> Iterable[Broken]:
    return _found_in_text(name, value) if type(value) is str and len(value) <= _REPEATED else _flaws(name, value)


@lru_cache(maxsize=512)
def _found_in_text(name: str, value: str) -> tuple[Broken, ...]:
    return tuple(_flaws(name, value))


def _flaws(name: str, value: Any) -> Iterator[Broken]:
    parsed = value
    if isinstance(value, str):
        if is_masked(value) or (name in _BY_TOOLS and not value.lstrip().startswith("{")):
            return
        try:
            parsed = json.loads(value)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield Broken(name, name, f"is not JSON: {reason[0].lower()}{reason[1:]}", is_fatal=True, is_cut=True)
            return
        except ValueError:
            return  # It has a number of more digits than Python parses: it is JSON, and its structure cannot be judged.
    found: Iterator[Flaw] = flaws(name, parsed) if name in FORMS else iter(())
    for number, (where, what, is_fatal) in enumerate(found):
        if number == _MOST:
            return
        yield Broken(name, where, what, is_fatal)
