"""A text that ends early counts as cut by a limit, unless a longer text shows that there is no such limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmtrace.checks import Evidence, verify
from pytest_llmtrace.model import Call, SpanKey

KEY = "gen_ai.completion.0.content"
WHOLE = "To be or not." * 300


def _said(length: int, **record: Any) -> dict[str, Any]:
    """Return arguments of `make_call`: the span has the first `length` characters of the answer, in an attribute."""
    attributes = {KEY: WHOLE[:length]} | record.pop("attributes", {})
    return {"wire": {"output_texts": [WHOLE]}, "span": {"output_texts": [WHOLE[:length]]}} | {
        "record": {"attributes": attributes, **record}
    }


def _found(*calls: Call) -> list[str]:
    return [finding.check for finding in verify(Evidence(calls=calls), {}).findings if finding.check.startswith("wire")]


@pytest.mark.parametrize(
    ("fields", "is_cut"),
    [
        (_said(100), True),
        (_said(128), True),
        (_said(255), True),
        (_said(1024), True),
        (_said(777, text_limit=777), True),
        (_said(32), False),
        (_said(63), False),
        (_said(64), False),
        (_said(127), False),
        (_said(777), False),
        (_said(100, attributes={"llm.headers": "y" * 101}), False),
        (_said(100, attributes={"gen_ai.request.stop_sequences": ("y" * 101,)}), False),
    ],
)
def test_a_limit_is_round_and_of_a_length_for_answers(
    make_call: Callable[..., Call], fields: dict[str, Any], is_cut: bool
) -> None:
    """A limit is a round number from 100 on, since no shorter one is meant for answers; it cuts lists of texts, too."""
    assert _found(make_call(**fields)) == ([] if is_cut else ["wire/output-text"])


@pytest.mark.parametrize(
    ("key", "scope", "text_limit", "found"),
    [
        (KEY, "app", None, ["wire/output-text"]),
        (KEY, "another", None, []),
        ("gen_ai.prompt.0.content", "app", None, []),
        (KEY, "app", 200, []),
    ],
    ids=["longer", "of another scope", "in another place", "cut by the provider"],
)
def test_another_span_may_know_better(
    make_call: Callable[..., Call], key: str, scope: str, text_limit: int | None, found: list[str]
) -> None:
    """A longer text in the same place of another span of the scope refutes a limit, except the provider's own."""
    cut = make_call(**_said(200, text_limit=text_limit))
    whole = make_call(
        {"output_texts": [WHOLE]}, {"output_texts": [WHOLE]}, record={"attributes": {key: WHOLE}, "scope": scope}
    )
    [span] = whole.spans
    assert _found(cut, replace(whole, spans=(replace(span, key=SpanKey(2, 2)),))) == found
