"""Canaries are values that occur nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmtrace.canaries import PLACES, Canaries
from pytest_llmtrace.canaries._search import is_telling
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.secrets.shapes import shapes_in


def test_each_is_its_own() -> None:
    """Each place and each test has its own canary; a later run has the same ones, since recordings contain them."""
    values = [Canaries(seed).give(place) for seed in ("test_a", "test_b") for place in PLACES]
    assert len(set(values)) == 2 * len(PLACES)
    assert values[0] == Canaries("test_a").give("api_key")


def test_each_tells() -> None:
    """Each canary is long enough to be searched for, and the one for a key looks like a key."""
    canaries = Canaries("test_a")
    for place, found in PLACES.items():
        assert is_telling(canaries.give(place), found.kind)
    assert [shape.looks_like for shape in shapes_in(canaries.give("api_key"))] == ["a provider's key"]


def test_only_those_that_were_given_are_known() -> None:
    """Canaries that a test has not asked for are not searched for."""
    canaries = Canaries("test_a")
    value = canaries.give("user_id")
    assert [(one.value, one.what, one.where, one.kind) for one in canaries.given()] == [
        (value, "the user's id", "canary 'user_id'", "id")
    ]


@pytest.mark.parametrize("place", ["apikey", ["api_key"]])
def test_another_place_is_a_mistake(place: Any) -> None:
    """The error names the nearest known place."""
    with pytest.raises(UsageError) as error:
        Canaries("test_a").give(place)
    assert str(error.value) == (
        f"unknown place for a canary {place!r}: did you mean 'api_key'? known: api_key, cookie, exception, "
        "organization, output, prompt, provider_key, system_prompt, tool_arguments, tool_result, user_id"
    )
