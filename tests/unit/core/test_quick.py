"""Our quicker enumerations and lazy properties do the same as those of Python 3.11."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from pytest_llmtrace._quick import lazy
from pytest_llmtrace.model import Outcome


def test_members_of_an_enumeration_are_the_same() -> None:
    """A quick enumeration lists, finds, copies and shows its members like any other enumeration."""
    assert list(Outcome) == [Outcome.ANSWERED, Outcome.OBSERVED, Outcome.REFUSED, Outcome.FAILED]
    assert Outcome("refused") is Outcome["REFUSED"] is Outcome.REFUSED
    assert copy.deepcopy(Outcome.REFUSED) is Outcome.REFUSED
    assert repr(Outcome.REFUSED) == "<Outcome.REFUSED: 'refused'>"


@dataclass(frozen=True)
class _Trace:
    spans: tuple[str, ...]

    @lazy
    def names(self) -> list[str]:
        """The names."""
        return [*self.spans]


def test_what_is_lazy_is_made_once() -> None:
    """A lazy property is made at its first use, for each object apart, and takes no part in comparisons."""
    one, other = _Trace(("chat",)), _Trace(("chat",))
    assert one.names is one.names
    assert one.names is not other.names
    assert one == other
    assert _Trace.names.__doc__ == "The names."
