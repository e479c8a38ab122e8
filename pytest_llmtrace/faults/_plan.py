"""One fault: what is to happen, to which requests, and how often."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmtrace import wire
from pytest_llmtrace._argtypes import is_count, is_finite_number
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.faults._kinds import ERRORS, Kind
from pytest_llmtrace.model import Request

__all__ = ["Fault", "When", "check_options", "check_when"]

_STALL = 3600.0  # seconds: longer than the timeout of any client that has one


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """Which requests a fault meets (by `api` and `model`), and which of these it happens to.

    Attributes:
        times: How often it happens at most; None for no limit.
        every: If it is 3, the fault happens to every third request that it meets.
        rate: The share of requests that it happens to, above 0 and at most 1.
        seed: Makes the choice by `rate` the same on every run.
        api: The only API whose requests it meets; None for any.
        model: The only requested model whose requests it meets; None for any.
    """

    times: int | None = 1
    every: int | None = None
    rate: float | None = None
    seed: int = 0
    api: str | None = None
    model: str | None = None

    def __str__(self) -> str:
        often = "once" if self.times == 1 else f"{self.times} times" if self.times else ""
        which = f"of every {self.every} requests the last" if self.every else f"rate {self.rate:g}" if self.rate else ""
        only = f"{self.api} only" if self.api else ""
        model = f"model {self.model}" if self.model else ""
        return ", ".join(text for text in (often, which, only, model) if text)


@dataclass(kw_only=True, eq=False)
class Fault:
    """A planned fault; `LLMTrace.fault` makes it.

    Attributes:
        kind: What happens.
        status: The HTTP status that the test has given, for the reply or for an error in a body; None if it gave none.
        options: The options that the test has given: `after`, `seconds`, `retry_after`, `message`, `gateway`.
        when: Which requests it happens to.
        happened: How often it has happened.
        note: Why it did not happen to the last request that it met, where that is known.
    """

    kind: Kind
    status: int | None
    options: Mapping[str, Any]
    when: When
    happened: int = 0
    note: str = ""
    _met: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.when.seed)  # noqa: S311 - no secret hangs on it

    @property
    def name(self) -> str:
        """The name of its kind or its status, as a test gives it."""
        return str(self.status) if self.kind.name == "status" else self.kind.name

    @property
    def after(self) -> int | None:
        """How many chunks come before it; None if the test does not say, but 0 for `read-timeout`."""
        said: int | None = self.options.get("after", 0 if self.kind.name == "read-timeout" else None)
        return said

    @property
    def seconds(self) -> float:
        """How long it lets the client wait."""
        return float(self.options.get("seconds", _STALL))

    @property
    def comes_instead(self) -> bool:
        """Whether it comes instead of a reply."""
        return self.kind.comes_instead or (self.kind.name in {"disconnect", "read-timeout"} and self.after == 0)

    def is_due(self, request: Request) -> bool:
        """Tell whether it is to happen to a request, and count the request if the fault meets it."""
        if self.when.times is not None and self.happened >= self.when.times:
            return False
        api = wire.identify(request)
        if api is None or self.when.api not in (None, api):
            return False
        if self.when.model not in (None, _model_of(request)):
            return False
        self._met += 1
        if self.when.every is not None:
            return self._met % self.when.every == 0
        return self.when.rate is None or self._random.random() < self.when.rate

    def __str__(self) -> str:
        often = str(self.when)
        return f"{self.name}{f', {often}' if often else ''}{f': {self.note}' if self.note else ''}"


def _model_of(request: Request) -> Any:
    """Return the model that a request asks for: from its body, or from its path, as for clouds and deployments."""
    asked = wire.asked(request.url)
    return wire.request_body(request).get("model", asked and asked.model)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that have no meaning.

    Raises:
        UsageError: If an option has no meaning.
    """
    seconds, retry_after = options.get("seconds"), options.get("retry_after")
    if seconds is not None and not (is_finite_number(seconds) and seconds > 0):
        raise UsageError(f"seconds= must be a number of seconds above 0, got {seconds!r}")
    if retry_after is not None and not (is_finite_number(retry_after) and retry_after >= 0):
        raise UsageError(f"retry_after= must be a number of seconds, 0 or more, got {retry_after!r}")
    status = options.get("status")
    if status is not None and status not in ERRORS:
        raise UsageError(f"status= must be an HTTP status from 400 to 599, got {status!r}")
    after = options.get("after")
    if after is not None and not (is_count(after) and after >= 0):
        raise UsageError(f"after= must be a number of chunks, 0 or more, got {after!r}")
    _check_text("message", options.get("message"))


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name}= must be a string, got {value!r}")


def check_when(
    *,
    times: int | None,
    every: int | None,
    rate: float | None,
    seed: int | None,
    api: str | None,
    model: str | None,
) -> When:
    """Return when a fault happens; once, if no argument says otherwise.

    Raises:
        UsageError: If an argument has no meaning.
    """
    for name, count in (("times", times), ("every", every)):
        if count is not None and not (is_count(count) and count > 0):
            raise UsageError(f"{name}= must be a whole number, 1 or more, got {count!r}")
    if rate is not None and not (is_finite_number(rate) and 0 < rate <= 1):
        raise UsageError(f"rate= must be above 0 and at most 1, got {rate!r}")
    if rate is not None and every is not None:
        raise UsageError("every= and rate= both choose the requests that a fault happens to; give only one of them")
    if seed is not None and rate is None:
        raise UsageError("seed= needs rate=: nothing else is left to chance")
    _check_text("model", model)
    if times is None and every is None and rate is None:
        times = 1
    return When(times=times, every=every, rate=rate, seed=seed or 0, api=api, model=model)
