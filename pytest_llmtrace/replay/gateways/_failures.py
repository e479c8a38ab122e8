"""Errors in a gateway's form, for faults that are put on replies which no scripted gateway wrote."""

from __future__ import annotations

from pytest_llmtrace.model import Answer, Request
from pytest_llmtrace.replay.gateways._form import Profile
from pytest_llmtrace.replay.gateways._paths import api_of
from pytest_llmtrace.replay.gateways._profiles import profile
from pytest_llmtrace.replay.gateways._render import render, render_break
from pytest_llmtrace.replay.gateways._script import Failing, Script

__all__ = ["broken_off", "failed"]


def failed(name: str, request: Request, failing: Failing, *, serial: str) -> Answer:
    """Return the error with which a gateway answers a request.

    Args:
        name: The gateway.
        request: The request. If its API is not one of the gateway's (legacy completions), the error has the form of the
            gateway's first API.
        failing: The error.
        serial: The text that ids are made from.
    """
    found = profile(name)
    return render(found, Script(api=None, failing=failing), _nearest(found, request), request, serial)


def broken_off(name: str, request: Request, failing: Failing, *, serial: str, sent: int) -> tuple[bytes, ...]:
    """Return the events with which a gateway breaks off a stream; `sent` is the number of events sent before."""
    found, script = profile(name), Script(api=None, failing=failing)
    return render_break(found, script, _nearest(found, request), request, serial, sent)


def _nearest(gateway: Profile, request: Request) -> str:
    api = api_of(request, gateway.path)
    return api if api is not None and api in gateway.forms else next(iter(gateway.forms))
