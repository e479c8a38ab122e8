"""`pytest-llmtrace compare --privacy`: each content mode is judged by what it promises."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmtrace.cli import main
from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS
from pytest_llmtrace.compare._modes import MODES, Mode
from pytest_llmtrace.compare._privacy_calls import PLACES
from pytest_llmtrace.compare._privacy_page import page
from pytest_llmtrace.compare._privacy_run import Privacy, Row, broken

HIDING = Mode(environ={"HIDE": "1"}, promise="no input", hides=frozenset({"prompt"}), where="attribute input")
SHOWING = Mode(promise="all", shows={"attribute": frozenset({"output"})})


def call(name: str = "chat", raised: str | None = None, **found: list[str]) -> dict[str, Any]:
    places = {place: found.get(place, []) for place in PLACES}
    return {"call": name, "raised": raised, "spans": 1, "put": list(PLACES), "found": places}


@pytest.mark.parametrize(
    ("mode", "made", "lines"),
    [
        (HIDING, call(prompt=["attribute input.value"]), ["prompt: in attribute input.value (chat)"]),
        (HIDING, call(prompt=["attribute output.value"]), []),
        (SHOWING, call(output=["attribute output.value"]), []),
        (SHOWING, call(output=["log body"]), ["output: in no attribute (chat)"]),
        (SHOWING, call(raised="BadRequestError"), []),
        (SHOWING, call("embeddings"), []),
    ],
)
def test_a_promise_is_kept_or_broken(mode: Mode, made: dict[str, Any], lines: list[str]) -> None:
    """What is hidden comes out nowhere in its place; what is shown comes out in its channel, where it can."""
    assert list(broken(Row(mode=mode, calls=(made,)))) == lines


def test_the_page_names_channels_and_places() -> None:
    """A cell has the channels, the lines below have the promise and what came out elsewhere."""
    rows = (
        Row(mode=SHOWING, calls=(call(prompt=["attribute input.value", "log body"], output=["attribute o"]),)),
        Row(mode=HIDING, calls=(call(prompt=["attribute other"]),)),
    )
    text = page([Privacy(name="some", versions=("some 1",), rows=rows)], ["openai 3"])
    assert "| `HIDE=1` | no input | yes | prompt: `other` |" in text
    assert "| prompt | default | `input.value`, `log body` |" in text
    assert "| default |  |  |  |  | A L |" in text


def test_each_instrumentor_has_modes() -> None:
    """Its default comes first."""
    assert MODES.keys() == INSTRUMENTORS.keys()
    assert all(modes[0].name == "default" for modes in MODES.values())


def test_cases_are_not_for_privacy(capsys: pytest.CaptureFixture[str]) -> None:
    """The calls of this comparison are its own."""
    assert main(["compare", "--privacy", "--case", "scripted:"]) != 0
    assert "--privacy has calls of its own" in capsys.readouterr().err
