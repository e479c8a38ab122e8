"""A secret in a stream's pieces is removed as if its text had come as a whole."""

from __future__ import annotations

import copy
import json
import time
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmtrace.secrets.body_text import hits_in_body
from pytest_llmtrace.secrets.edits import applied, edits

KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
SAID = f"use {KEY} or 😀\njane.doe@acme-research.com, it's in /home/jdoe7/x"
TOLD = "use [secret] or 😀\n[removed], it's in /home/[removed]/x"
CALLED = {"url": SAID, "headers": {"api_key": "Zq8-77-bb"}}
CALLED_TOLD = {"url": TOLD, "headers": {"api_key": "[secret]"}}

Event = dict[str, Any]
CHOICE = ("choices", 0, "delta")
TEXT, DELTA = {"index": 0, "delta": {}}, {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta"}}
# An event of each API, and the path of its piece of text.
FORMS: dict[str, tuple[Event, tuple[Any, ...]]] = {
    "chat": ({"id": "c", "choices": [{"index": 1, "delta": {"role": "assistant"}}]}, (*CHOICE, "content")),
    "refusal": ({"choices": [TEXT]}, (*CHOICE, "refusal")),
    "reasoning": ({"choices": [{"delta": {"reasoning_details": [{}]}}]}, (*CHOICE, "reasoning_details", 0, "text")),
    "completion": ({"choices": [{"index": 0}]}, ("choices", 0, "text")),
    "messages": (DELTA, ("delta", "text")),
    "thinking": (DELTA, ("delta", "thinking")),
    "responses": ({"type": "response.output_text.delta", "output_index": 0, "content_index": 0}, ("delta",)),
}
CALLS: dict[str, tuple[Event, tuple[Any, ...]]] = {
    "chat": (
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 2, "function": {}}]}}]},
        (*CHOICE, "tool_calls", 0, "function", "arguments"),
    ),
    "messages": (DELTA, ("delta", "partial_json")),
    "responses": ({"type": "response.function_call_arguments.delta", "output_index": 1}, ("delta",)),
}


def stream(form: tuple[Event, tuple[Any, ...]], texts: list[str], *, ascii_only: bool = False) -> str:
    """Return a stream of events of this form, one for each text."""
    event, (*steps, last) = form
    lines = []
    for text in texts:
        made = copy.deepcopy(event)
        reduce(lambda value, step: value[step], steps, made)[last] = text
        lines.append(json.dumps(made, ensure_ascii=ascii_only))
    return "".join(f"event: e\ndata: {line}\n\n" for line in lines) + "data: [DONE]\n\n"


def events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]


def pieces_in(text: str, form: tuple[Event, tuple[Any, ...]]) -> list[str]:
    return [reduce(lambda value, step: value[step], form[1], event) for event in events(text)]


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def scrubbed(text: str) -> str:
    after = applied(text, edits(text))
    assert edits(after) == ()
    return after


@pytest.mark.parametrize("size", [1, 2, 5, 17])
@pytest.mark.parametrize("name", FORMS)
def test_text(name: str, size: int) -> None:
    """The replacement stands in the first piece of the secret, and no event is removed."""
    form = FORMS[name]
    texts = cut(SAID, size)
    found = pieces_in(scrubbed(stream(form, texts)), form)
    assert "".join(found) == TOLD
    assert len(found) == len(texts)


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("name", CALLS)
def test_arguments(name: str, size: int) -> None:
    """Arguments stay JSON, and fields that are secret by their name are removed too."""
    form = CALLS[name]
    found = pieces_in(scrubbed(stream(form, cut(json.dumps(CALLED), size))), form)
    assert json.loads("".join(found)) == CALLED_TOLD


def test_a_block_that_starts_with_text() -> None:
    """Text in the start of a block is searched together with the block's deltas."""
    start = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": KEY[:9]}}
    before = f"data: {json.dumps(start)}\n\n" + stream(FORMS["messages"], [KEY[9:], "!"])
    first, *rest = events(scrubbed(before))
    assert first["content_block"]["text"] == "[secret]"
    assert [event["delta"]["text"] for event in rest] == ["", "!"]


def test_texts_that_come_at_the_same_time_are_told_apart() -> None:
    """Choices and calls have indices, so that pieces of two texts are not joined."""
    one, other = KEY[:12], KEY[12:]

    def both(first: int, second: int) -> str:
        choices = [{"index": index, "delta": {"content": text}} for index, text in ((first, one), (second, other))]
        return "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices)

    assert edits(both(0, 1)) == ()
    assert len(edits(both(1, 1))) == 2


@pytest.mark.parametrize(
    "body",
    [
        "".join(json.dumps({"content": text}) + "\n" for text in (KEY[:12], KEY[12:])),
        "".join(f"data: {json.dumps({'model': text})}\n\n" for text in (KEY[:12], KEY[12:])),
        json.dumps({"choices": [{"delta": {"content": KEY[:12]}}, {"delta": {"content": KEY[12:]}}]}),
    ],
)
def test_what_are_no_pieces_of_one_text(body: str) -> None:
    """Lines of separate documents, fields without text, and a single document are not joined."""
    assert edits(body) == ()


def test_each_is_found_once() -> None:
    """A secret in pieces has one place, from first event to last; a part that looks like a key is not found again."""
    [first, second] = hits_in_body(stream(FORMS["chat"], ["use ", f"{KEY}Aa", "Bb77 now"]))
    assert (first.place, first.value, first.continues) == (
        "events 1 to 2 $.choices[0].delta.content", f"{KEY}AaBb77", False
    )  # fmt: skip
    assert (second.value, second.continues) == (first.value, True)
    [alone] = hits_in_body(stream(FORMS["chat"], ["use ", KEY, " now"]))
    assert alone.place == "event 1 $.choices[0].delta.content"


texts = st.lists(st.text(st.characters(exclude_categories=["Cs", "N"], exclude_characters="@:/\\"), max_size=9))


@settings(max_examples=200)
@given(before=texts, after=texts, sizes=st.lists(st.integers(0, 9), max_size=40), ascii_only=st.booleans())
def test_wherever_it_is_cut(before: list[str], after: list[str], sizes: list[int], ascii_only: bool) -> None:
    """The joined text is the same with the secret replaced, and the number of pieces stays the same."""
    around = f"{''.join(before)} ", f" {''.join(after)}"
    whole, rest = [], f'{around[0]}"{KEY}"{around[1]}'
    for size in sizes:
        whole.append(rest[:size])
        rest = rest[size:]
    body = stream(FORMS["chat"], [*whole, rest], ascii_only=ascii_only)
    found = pieces_in(scrubbed(body), FORMS["chat"])
    assert "".join(found) == f'{around[0]}"[secret]"{around[1]}'
    assert len(found) == len(whole) + 1


def test_a_long_stream_takes_as_long_as_it_is() -> None:
    """Ten times the events with ten times the secrets take about ten times as long."""

    def seconds(count: int) -> float:
        body = stream(FORMS["chat"], cut(f" {KEY} is it, " * count, 4))
        begun = time.process_time()
        assert len({edit.text for edit in edits(body)}) == 2
        return time.process_time() - begun

    few = min(seconds(100) for _ in range(3))
    assert seconds(1000) < 25 * few
