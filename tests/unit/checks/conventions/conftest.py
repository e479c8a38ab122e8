"""A fixture that judges a span by the rules of a small convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.conventions import Profile
from pytest_llmtrace.model import Call, Finding, Headers, Request
from tests.unit.checks.conventions._profiles import GENAI

Conform = Callable[..., list[Finding]]


@pytest.fixture
def conform(make_call: Callable[..., Call]) -> Conform:
    """Judge one span by the small OTel convention, or that of OpenInference: `conform(attributes, kind="CLIENT")`.

    The arguments are fields of the span, except `wire` (facts of its call), `body` and `headers` (of its request).
    """

    def conform(
        attributes: Mapping[str, Any],
        profile: Profile = GENAI,
        *,
        wire: Mapping[str, Any] | None = None,
        span: Mapping[str, Any] | None = None,
        body: bytes = b"{}",
        headers: Headers = (),
        **record: Any,
    ) -> list[Finding]:
        url = "https://api.openai.com/v1/chat/completions"
        call = make_call(
            wire or {},
            span or {},
            record={"attributes": attributes, "kind": "CLIENT", **record},
            exchange={"request": Request(method="POST", url=url, headers=headers, body=body)},
        )
        calls = () if wire is None else (call,)
        found = verify(Evidence(calls=calls, spans=call.spans, profiles=(profile,)), {}).findings
        return [finding for finding in found if finding.check.startswith("convention/")]

    return conform
