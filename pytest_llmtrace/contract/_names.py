"""Names without the parts that belong to one call only, so that the names of two runs can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.conventions import Profile
from pytest_llmtrace.secrets.shapes import masked

__all__ = ["Names"]

_INDEX: Final = re.compile(r"(?<=\.)\d+(?=\.|$)")
# Hexadecimal that contains a digit, as ids do (a word such as `defaced` does not), and numbers as long as a date.
_ID: Final = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*[0-9])[0-9a-f]{16,})(?![0-9a-z])"
    r"|[0-9]{8,}",
    re.IGNORECASE,
)
_MARKS: Final = (
    *("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "llm.request.type"),
    *("langfuse.observation.type", "mlflow.spanType"),
)
_IN_NAMES: Final = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "embedding.model_name",
    "gen_ai.agent.name",
    "gen_ai.tool.name",
    "gen_ai.workflow.name",
    "gen_ai.data_source.id",
    "agent.name",
    "tool.name",
    "traceloop.entity.name",
)
"""The attributes whose values conventions put into the names of spans, and which change from call to call."""
_LONGEST: Final = 200


class Names:
    """Makes names comparable, and keeps the result for each.

    Args:
        profiles: The conventions whose families of names (`gen_ai.prompt.variable.<key>`) are known: in such a name,
            the key is a user's own.
    """

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._families = tuple({family for profile in profiles for family in _families_of(profile)})
        self._attributes: dict[str, str] = {}
        self._plain: dict[str, str] = {}

    def attribute(self, name: str) -> str:
        """Return an attribute's name with `<n>` for indices, `<key>` for the key of a family, `<id>` for ids."""
        found = self._attributes.get(name)
        if found is None:
            indexed = _INDEX.sub("<n>", name)
            family = max((one for one in self._families if indexed.startswith(one)), key=len, default=indexed)
            is_key = family != indexed and not indexed.startswith(f"{family}<n>")
            found = self._attributes[name] = f"{family}<key>" if is_key else _without_ids(indexed)
        return found

    def plain(self, name: str) -> str:
        """Return a name without ids and secrets, on one line."""
        found = self._plain.get(name)
        if found is None:
            found = self._plain[name] = _without_ids(name)
        return found

    def shape(self, name: str, attributes: Mapping[str, Any]) -> str:
        """Return the operation that a span states in the words of its convention, else its name as `span` returns it.

        The span type of a profile is not used: which profile fits changes with the version of an instrumentation, but
        its word for the same operation does not.
        """
        for mark in _MARKS:
            value = attributes.get(mark)
            if isinstance(value, str) and value:
                return self.plain(value)
        return name

    def span(self, name: str, attributes: Mapping[str, Any]) -> str:
        """Return a span's name with values of attributes replaced by their names: `chat {gen_ai.request.model}`."""
        for attribute in _IN_NAMES:
            value = attributes.get(attribute)
            if isinstance(value, str) and value and value in name:
                name = f" {name} ".replace(f" {value} ", f" {{{attribute}}} ")[1:-1]
        return self.plain(name)


def _families_of(profile: Profile) -> Iterator[str]:
    """Yield the families whose keys are a user's own; not those in which the convention defines names itself."""
    for one in profile.attributes.values():
        family = f"{one.name.rstrip('.')}."
        if one.is_family and not any(name.startswith(family) and name != family for name in profile.attributes):
            yield family


def _without_ids(name: str) -> str:
    return " ".join(masked(_ID.sub("<id>", name[: 2 * _LONGEST])).split())[:_LONGEST]
