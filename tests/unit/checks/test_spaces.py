"""White space belongs to a text, except at its ends, between its pieces, in JSON, and in the form of line ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_llmtrace.checks._spaces import are_alike, begins
from pytest_llmtrace.model import Finding
from pytest_llmtrace.reading import Joined
from tests.unit.checks._prompt_cases import sent, shown

Judged = Callable[..., list[Finding]]

CODE = "def f():\n    return 1"


@pytest.mark.parametrize(
    ("mine", "pieces"),
    [
        ("It is sunny.", ["It is sunny."]),
        ("It is sunny.", [" It is sunny.\n"]),
        ("\tIt is sunny.", ["It is sunny.", "  "]),
        ("One. Two.", ["One.", "Two."]),
        ("One.\n\nTwo.", ["One. ", "\nTwo."]),
        ("One.Two.", ["One.\n", "", "Two."]),
        ("One.\r\nTwo.", ["One.\nTwo."]),
        ('{"a": [1, 2]}', ['{"a":[1,2]}']),
        ('[{"a": "x  y"}]\n', ['[ {"a":"x  y"} ]']),
        ("Sun \U0001f600", ["Sun \ud83d\ude00"]),
        ("", [" "]),
    ],
)
def test_white_space_that_says_nothing(mine: str, pieces: Sequence[str]) -> None:
    """Texts may be stripped, joined in any way, have other line ends and, if they are JSON, be written anew."""
    assert are_alike(mine, pieces)


@pytest.mark.parametrize(
    ("mine", "pieces"),
    [
        ("Itissunny.", ["It is sunny."]),
        ("together", ["to get her"]),
        ("to get her", ["together"]),
        ("def f():\nreturn 1", [CODE]),
        ("def f(): return 1", [CODE]),
        ("One. Two Three.", ["One.", "TwoThree."]),
        ('{"a": "xy"}', ['{"a":"x y"}']),
        ("{a b}", ["{ab}"]),
        ("One.", ["One.", "Two."]),
        ("One. Two.", ["One."]),
    ],
)
def test_white_space_that_says_something(mine: str, pieces: Sequence[str]) -> None:
    """A space within a piece makes two words of one, and a line end or an indent makes code and lists."""
    assert not are_alike(mine, pieces)


@pytest.mark.parametrize(
    ("mine", "pieces", "expected"),
    [
        ("It is", ["It is sunny."], True),
        ("It is ", ["It is\nsunny."], True),
        ("One.\nTw", ["One.", "Two."], True),
        ('{"a": 1, "b', ['{"a":1,"b":2}'], True),
        ("Itis", ["It is sunny."], False),
        ("One. Three", ["One.", "Two."], False),
        ("One. Two. Three.", ["One.", "Two."], False),
        ("", ["One."], False),
    ],
)
def test_the_beginning_of_a_text(mine: str, pieces: Sequence[str], expected: bool) -> None:
    """What a limit has left of a text has the white space of its beginning."""
    assert begins(pieces, mine) is expected


ONLY = "only the white space differs, which makes one word of two, or lines up code and lists in another way"


def test_a_stream_whose_chunks_were_stripped(judged: Judged) -> None:
    """Stripping each chunk of a stream is a common fault: all letters are there, and the words are not."""
    [found] = judged({"output_texts": ["It is sunny."]}, {"output_texts": ["Itissunny."]})
    details = dict(found.details)
    assert found.check == "wire/output-text"
    assert details["span"] == "gen_ai.output_texts: 'Itissunny.'"
    assert details["wire"].splitlines()[0] == "output_texts: 'It is sunny.', different from character 3 on"
    assert details["why"] == f"the answer shown on the span is not the one that the user got; {ONLY}"
    assert details["next"].startswith("take the text as it is, and strip neither its chunks nor its lines")


def test_a_prompt_whose_lines_were_stripped(judged: Judged) -> None:
    """The code in a prompt has lost its indents."""
    [found] = judged(sent(("user", "Why?"), ("user", CODE)), shown(("user", "Why?\ndef f():\nreturn 1")))
    details = dict(found.details)
    assert found.check == "wire/input-messages"
    assert details["span"] == "gen_ai.input_messages: 'Why?\\ndef f():\\nreturn 1'"
    assert details["why"] == f"the prompt shown on the span is not the one that the model was given; {ONLY}"


@pytest.mark.parametrize(
    ("wire", "span"),
    [
        ({"output_texts": [Joined.of(["One.", "Two."])]}, {"output_texts": ["One.\nTwo."]}),
        ({"output_texts": [f"<think>Hm.</think>\n\n{CODE}"]}, {"output_texts": [CODE], "reasoning_texts": ["Hm."]}),
        ({"reasoning_texts": [Joined.of(["One.", "Two."])]}, {"reasoning_texts": ["One.\n\nTwo."]}),
    ],
    ids=["pieces of a text", "behind reasoning", "pieces of reasoning"],
)
def test_pieces_of_an_answer(judged: Judged, wire: dict[str, Any], span: dict[str, Any]) -> None:
    """The wire does not say what stands between the pieces of an answer."""
    assert judged(wire, span) == []


def test_a_text_for_an_embedding(judged: Judged) -> None:
    """Frameworks replace line ends by blanks before they embed a text; a word that is gone is a fault."""
    wire = sent(("user", "One two"))
    assert judged(wire, shown(("user", "One\ntwo")), api="embeddings") == []
    assert judged(wire, shown(("user", "Onetwo")), api="embeddings") != []
