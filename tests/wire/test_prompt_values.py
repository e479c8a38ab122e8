"""All values of a request, wherever they stand."""

from __future__ import annotations

import json

from pytest_llmtrace.model import Request
from pytest_llmtrace.wire import sent_values


def test_every_text_and_what_holds_it() -> None:
    """Objects, lists and texts are found at any depth; numbers are not."""
    body = {"messages": [{"refusal": "No."}], "n": 1}
    request = Request(method="POST", url="https://api.openai.com/v1/chat/completions", body=json.dumps(body).encode())
    found = list(sent_values(request))
    assert [value for value in found if isinstance(value, str)] == ["No."]
    assert body in found
    assert [{"refusal": "No."}] in found
    assert 1 not in found
