"""All faults of one trace: which is due, what it does to a reply, and which never happened."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from pytest_llmtrace import wire
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.faults._bodies import Inapplicable, put_on
from pytest_llmtrace.faults._kinds import kind_of
from pytest_llmtrace.faults._plan import Fault, check_options, check_when
from pytest_llmtrace.model import Answer, Failure, Request, Response
from pytest_llmtrace.replay.gateways import GATEWAYS, Failing, broken_off, failed

__all__ = ["Faults"]

_APIS: Final = ("chat", "completions", "embeddings", "messages", "responses")
_STATUS_OF: Final[Mapping[str, int]] = {"anthropic": 529, "openrouter": 502, "vertex": 529}
"""The default status in an error in a body or a stream: the one that this gateway has in streams most often."""


class Faults:
    """The faults of a trace, in the order in which they were planned; the first that is due happens.

    Args:
        gateway_of: Names the gateway that a request goes to, in whose form errors are written.
        seed: The seed of the ids in errors; a counter is added to it.
    """

    def __init__(self, gateway_of: Callable[[Request], str], *, seed: str = "") -> None:
        self._gateway_of = gateway_of
        self._seed = seed
        self._faults: list[Fault] = []
        self._serial = 0
        self._spoilt: defaultdict[tuple[str, str, bytes], list[Answer]] = defaultdict(list)
        self._lock = threading.RLock()

    def add(self, kind: int | str, when: Mapping[str, Any], options: Mapping[str, Any]) -> Fault:
        """Plan a fault; see `LLMTrace.fault`.

        Raises:
            UsageError: If there is no such kind, or an option has no meaning.
        """
        given = {name: value for name, value in options.items() if value is not None}
        found = kind_of(kind, given)
        check_options(given)
        if when["api"] is not None and when["api"] not in _APIS:
            raise UsageError.unknown("API", when["api"], _APIS)
        if given.get("gateway", "openai") not in tuple(GATEWAYS):
            raise UsageError.unknown("gateway", given["gateway"], GATEWAYS)
        status = kind if isinstance(kind, int) else given.get("status")
        fault = Fault(kind=found, status=status, options=given, when=check_when(**when))
        with self._lock:
            self._faults.append(fault)
        return fault

    def answer(self, request: Request, ask: Callable[[Request], Answer | None]) -> Answer | None:
        """Answer a request, with a fault if one is due.

        A reply that a fault was put on is served once more, unchanged, if the same request comes again and has no other
        reply, as when an SDK tries again after an error.

        Args:
            request: The request.
            ask: Returns the reply and counts it as played; not called if a fault comes instead.
        """
        answer: Answer | None = None
        with self._lock:
            for fault in [fault for fault in self._faults if fault.is_due(request)]:
                if fault.comes_instead and answer is None:
                    return self._instead(fault, request)
                answer = answer or self._asked(request, ask)
                if answer is None:
                    return None
                try:
                    return self._put(fault, request, answer)
                except Inapplicable as why:
                    fault.note = str(why)
            return answer or self._asked(request, ask)

    def never_happened(self) -> tuple[str, ...]:
        """Describe the faults that have not happened, in order."""
        return tuple(str(fault) for fault in self._faults if not fault.happened)

    @property
    def total(self) -> int:
        """How many faults are planned."""
        return len(self._faults)

    def _asked(self, request: Request, ask: Callable[[Request], Answer | None]) -> Answer | None:
        answer = ask(request)
        spoilt = self._spoilt.get(_key(request))
        return spoilt.pop(0) if answer is None and spoilt else answer

    def _put(self, fault: Fault, request: Request, answer: Answer) -> Answer:
        if fault.kind.name == "error-in-body":
            spoilt = self._error_in_body(fault, request, answer)
        else:
            spoilt = put_on(answer, fault, lambda sent: self._broken_off(fault, request, sent))
        fault.happened += 1
        self._spoilt[_key(request)].append(answer)
        return spoilt

    # --- what comes instead of a reply ---

    def _instead(self, fault: Fault, request: Request) -> Answer:
        fault.happened += 1
        if fault.kind.name != "status":
            nothing = Response(status=0)
            return Answer(response=nothing, origin="fault", failure=Failure(fault.kind.name))
        name = self._form(fault, request)
        answer = failed(name, request, self._failing(fault, name), serial=self._next())
        return replace(answer, origin=f"fault: {fault.name} as from {name}")

    # --- errors in the form of the gateway ---

    def _error_in_body(self, fault: Fault, request: Request, answer: Answer) -> Answer:
        if wire.is_stream(answer.response):
            raise Inapplicable("the reply was a stream of events")
        name = self._form(fault, request)
        error = failed(name, request, self._failing(fault, name), serial=self._next()).response
        response = replace(error, status=HTTPStatus.OK.value, reason=HTTPStatus.OK.phrase)
        return Answer(response=response, origin=f"{answer.origin}, fault: {fault.name} as from {name}")

    def _broken_off(self, fault: Fault, request: Request, sent: int) -> tuple[bytes, ...]:
        name = self._form(fault, request)
        return broken_off(name, request, self._failing(fault, name), serial=self._next(), sent=sent)

    def _form(self, fault: Fault, request: Request) -> str:
        return fault.options.get("gateway") or self._gateway_of(request)

    def _failing(self, fault: Fault, name: str) -> Failing:
        status = fault.status or _STATUS_OF.get(name, 500)
        return Failing(
            status=status, message=fault.options.get("message"), retry_after=fault.options.get("retry_after")
        )

    def _next(self) -> str:
        self._serial += 1
        return f"{self._seed}fault{self._serial}"


def _key(request: Request) -> tuple[str, str, bytes]:
    return request.method, request.url, request.body
