"""What one check of `doctor` has found: a state, what was looked at, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pytest_llmtrace._lines import legible

__all__ = ["Diagnosis", "State", "ok", "problem", "unknown"]


class State(StrEnum):
    """The state of a thing that was looked at."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"  # it could not be told, or was not looked at


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A line of the report.

    Attributes:
        state: The state of the thing.
        about: What was looked at.
        found: What was found.
        next: What to do, if anything.
    """

    state: State
    about: str
    found: str
    next: str = ""

    def __str__(self) -> str:
        return legible(f"{self.state:<8} {self.about}: {self.found}{f'; {self.next}' if self.next else ''}")


def ok(about: str, found: str, todo: str = "") -> Diagnosis:
    """Return the diagnosis that all is well."""
    return Diagnosis(State.OK, about, found, todo)


def problem(about: str, found: str, todo: str) -> Diagnosis:
    """Return the diagnosis that something has to be done."""
    return Diagnosis(State.PROBLEM, about, found, todo)


def unknown(about: str, found: str, todo: str = "") -> Diagnosis:
    """Return the diagnosis that the state cannot be told, or was not looked at."""
    return Diagnosis(State.UNKNOWN, about, found, todo)
