"""A dialect: how to recognise a span, and which attributes hold which facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pytest_llmtrace._quick import lazy
from pytest_llmtrace.dialects._place import Place, attribute
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import SpanRecord

__all__ = ["Dialect", "Kind", "Places", "listed", "together"]

Places = str | Place | Sequence[str | Place]

Kind = Literal["call", "tool", "agent"]
"""What spans a dialect reads: calls to a model, executions of tools, or runs of agents with the sums of their calls."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dialect:
    """A way to write LLM calls, or the steps of an agent, on spans, as data.

    Attributes:
        name: The name of the dialect, which its readings have as their source.
        facts: For each fact the places that may state it: the name of an attribute, or a place made by `attribute`,
            `inside` or `added`; several in the order of preference. All of them are read.
        scopes: The instrumentation scopes whose spans are written in this dialect.
        recognises: Tells whether a span is an LLM call written in this dialect; with scopes, it is asked about spans of
            these scopes only. Default: every span of the scopes is, or without scopes every span that has one of the
            attributes in `facts`.
        of: What the spans are: LLM calls; executions of tools (`tool`), with the facts `tool_call_id`, `tool_name`,
            `tool_arguments` and `tool_result`; or runs of agents (`agent`), whose token counts are sums.
    """

    name: str
    facts: Mapping[str, Places]
    scopes: Sequence[str] = ()
    recognises: Callable[[SpanRecord], bool] | None = None
    of: Kind = "call"

    def __post_init__(self) -> None:
        """Refuse what is of a wrong type at once, before the first span is read."""
        if isinstance(self.scopes, str):
            raise UsageError(f"scopes= of dialect {self.name!r} takes a list, such as [{self.scopes!r}]")
        if not (self.recognises is None or callable(self.recognises)):
            raise UsageError(
                f"recognises= of dialect {self.name!r} takes a function of a span, not {self.recognises!r}"
            )
        if self.of not in get_args(Kind):
            raise UsageError.unknown(f"of= of dialect {self.name!r}", str(self.of), get_args(Kind))
        for name, place in self.places:
            if not isinstance(place, Place):
                raise UsageError(
                    f"fact {name!r} of dialect {self.name!r}: a place is the name of an attribute, or made by "
                    f"attribute(), inside() or added(); got {place!r}"
                )

    def speaks(self, span: SpanRecord) -> bool:
        """Tell whether a span is what this dialect reads, and written in it.

        Raises:
            UsageError: If `recognises` raises.
        """
        if self.scopes and span.scope not in self.scopes:
            return False
        if self.recognises is not None:
            try:
                return bool(self.recognises(span))
            except Exception as error:
                raise self._not_recognising(error, span) from error
        return bool(self.scopes) or not self._keys.isdisjoint(span.attributes)

    def _not_recognising(self, error: Exception, span: SpanRecord) -> UsageError:
        return UsageError(
            f"recognises= of dialect {self.name!r} raised {type(error).__name__}: {error}, at the span "
            f"{span.name!r} ({span.scope}); it is asked about each span, and has to answer True or False"
        )

    @lazy
    def places(self) -> tuple[tuple[str, Place], ...]:
        """Each fact with each of its places, in order."""
        return tuple(
            (name, attribute(place) if isinstance(place, str) else place)
            for name, places in self.facts.items()
            for place in listed(places)
        )

    @lazy
    def _keys(self) -> frozenset[str]:
        return frozenset(key for _, place in self.places for key in place.keys)


def together(*facts: Mapping[str, Places]) -> dict[str, Places]:
    """Return the places of facts that several mappings name: those of the first mapping come first."""
    joined: dict[str, tuple[str | Place, ...]] = {}
    for places_by_name in facts:
        for name, places in places_by_name.items():
            joined[name] = (*joined.get(name, ()), *listed(places))
    return dict(joined)


def listed(places: Places) -> Sequence[str | Place]:
    """Return the places of a fact as a list, also if there is only one."""
    return (places,) if isinstance(places, str) or not isinstance(places, Sequence) else places
