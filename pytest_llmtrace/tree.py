"""Captured spans as a forest of parents and children, with a stable text for snapshots: `llmtrace.tree()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol

from pytest_llmtrace._lines import printable
from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import SelectionError, UsageError
from pytest_llmtrace.model import SpanKey, SpanRecord

__all__ = ["Ancestry", "Node", "SpanTree", "equals", "refuse_name"]

# Types that no name can have, so that they would silently find nothing; other objects may define `==` as they like.
_NEVER = (bool, int, float, bytes, list, tuple, dict, set, frozenset, type(None))


class Node(Protocol):
    """What the tree needs to know of a span."""

    @property
    def key(self) -> SpanKey:
        """The span's identity."""

    @property
    def parent(self) -> SpanKey | None:
        """Its parent's identity, None for a root."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def kind(self) -> str:
        """Its kind, as `CLIENT`."""

    @property
    def status(self) -> str:
        """Its status code, as `UNSET`."""


if TYPE_CHECKING:  # `typing` has defaults from Python 3.13 on.
    from typing_extensions import TypeVar

    S = TypeVar("S", bound=Node, default=Any)  # Under mypy --strict a user's own `tree: SpanTree` is not an error.
else:
    from typing import TypeVar

    S = TypeVar("S", bound=Node)


class SpanTree(Generic[S]):
    """The captured spans, by parent. A span whose parent was not captured is a root.

    `str(tree)` is stable: one line per span with its name, kind and status; children are indented, in the order of
    their start. Ids and times are left out, so that it serves as a snapshot.
    """

    def __init__(self, spans: Iterable[S]) -> None:
        self._spans = tuple(spans)
        known = {span.key for span in self._spans}
        self._children: dict[SpanKey | None, list[S]] = {}
        for span in self._spans:
            parent = span.parent if span.parent in known else None
            self._children.setdefault(parent, []).append(span)

    @property
    def roots(self) -> tuple[S, ...]:
        """Spans without a captured parent, in the order of their start."""
        return tuple(self._children.get(None, ()))

    def children(self, span: S) -> tuple[S, ...]:
        """Return the direct children of a span, in the order of their start.

        Raises:
            UsageError: If the argument is not a span.
        """
        if not isinstance(getattr(span, "key", None), SpanKey):
            hint = f"; did you mean one({span!r})?" if isinstance(span, str) else ""
            raise UsageError(f"children() takes a span, as one(...) returns it, not {span!r}{hint}")
        return tuple(self._children.get(span.key, ()))

    def find(self, name: str | re.Pattern[str]) -> tuple[S, ...]:
        """Return all spans of that name, or in whose name a pattern is found, in the order of their start.

        Raises:
            UsageError: If `name` is something that no name can be equal to, such as a number.
        """
        refuse_name("a name", name)
        return tuple(span for span in self._spans if equals(span.name, name))

    def one(self, name: str | re.Pattern[str]) -> S:
        """Return the one span of that name, or in whose name a pattern is found.

        Raises:
            UsageError: As for `find`.
            SelectionError: If no span has that name, or several have; the text shows the tree.
        """
        found = self.find(name)
        if len(found) != 1:
            raise SelectionError(f"expected exactly one span named {name!r} in the tree, found {len(found)}:\n{self}")
        return found[0]

    def walk(self) -> Iterator[tuple[int, S]]:
        """Yield each span with its depth, parents before their children."""
        pending = [(0, span) for span in reversed(self.roots)]
        while pending:
            depth, span = pending.pop()
            yield depth, span
            pending.extend((depth + 1, child) for child in reversed(self.children(span)))

    def __len__(self) -> int:
        return len(self._spans)

    def __str__(self) -> str:
        lines = [f"{'  ' * depth}{printable(span.name)}  {span.kind}  {span.status}" for depth, span in self.walk()]
        return "\n".join(lines) or "(no spans)"


def equals(actual: Any, expected: Any) -> bool:
    """Tell whether a value equals the expected one; if that is a compiled pattern, whether it is found in the value."""
    if isinstance(expected, re.Pattern):
        return isinstance(actual, str) and expected.search(actual) is not None
    return bool(actual == expected)


def refuse_name(what: str, name: object) -> None:
    """Refuse a value that no name can be equal to, since it would silently find nothing.

    Raises:
        UsageError: If it is neither a text, nor a pattern of one, nor an object that may define `==` as it likes.
    """
    if isinstance(name, _NEVER) or (isinstance(name, re.Pattern) and not isinstance(name.pattern, str)):
        raise UsageError(f"{what} must be a string or a compiled string pattern, not {name!r}")


class Ancestry:
    """The nearest wanted span of each scope around any span. Each span is looked at only once.

    Args:
        spans: All spans.
        wanted: Tells whether a span is wanted.
    """

    def __init__(self, spans: Iterable[SpanRecord], wanted: Callable[[SpanRecord], bool]) -> None:
        self._by_key = {span.key: span for span in spans}
        self._wanted = wanted
        self._known: dict[SpanKey | None, Mapping[str, SpanRecord]] = {}

    def around(self, key: SpanKey | None) -> Mapping[str, SpanRecord]:
        """Return by scope the nearest wanted span among a span and its ancestors, the innermost first."""
        path = self._unknown(key)
        found = self._known.get(path[-1].parent if path else key, {})
        for span in reversed(path):
            if self._wanted(span):
                found = {span.scope: span, **{scope: far for scope, far in found.items() if scope != span.scope}}
            self._known[span.key] = found
        return found

    def _unknown(self, key: SpanKey | None) -> list[SpanRecord]:
        path: dict[SpanKey, SpanRecord] = {}
        while key is not None and key not in self._known and key not in path and key in self._by_key:
            path[key] = self._by_key[key]
            key = self._by_key[key].parent
        return list(path.values())
