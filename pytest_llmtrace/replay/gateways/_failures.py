"""Errors in a gateway's form, for those who put them on replies that the gateway has not written."""

from __future__ import annotations

from pytest_llmtrace.model import Answer, Request
from pytest_llmtrace.replay.gateways._profiles import profile
from pytest_llmtrace.replay.gateways._render import render, render_break
from pytest_llmtrace.replay.gateways._reply import api_of
from pytest_llmtrace.replay.gateways._script import Failing, Script

__all__ = ["broken_off", "failed"]


def failed(name: str, request: Request, failing: Failing, *, serial: str) -> Answer:
    """Return the error with which a gateway answers a request.

    Args:
        name: The gateway.
        request: To one of its APIs; legacy completions get the errors of chat.
        failing: The error.
        serial: Ids are made from it.
    """
    return render(profile(name), Script(api=None, failing=failing), api_of(request) or "chat", request, serial)


def broken_off(name: str, request: Request, failing: Failing, *, serial: str, sent: int) -> tuple[bytes, ...]:
    """Return the events with which a gateway breaks off a stream of which so many events were sent."""
    script = Script(api=None, failing=failing)
    return render_break(profile(name), script, api_of(request) or "chat", request, serial, sent)
