"""Matchers that a suite registers with vcrpy stand in its `match_on` by name."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmtrace.replay import registered, with_registered
from pytest_llmtrace.replay.settings import DEFAULT_MATCH_ON


def same(sent: Any, recorded: Any) -> bool:
    """Match anything."""
    return True


def other(sent: Any, recorded: Any) -> bool:
    """Match nothing."""
    return False


def test_what_is_registered() -> None:
    """A suite's matchers are found by name, also one under a name of vcrpy's; vcrpy's own ones are not among them."""

    def configure(vcr: Any) -> None:
        vcr.register_matcher("json_body", same)
        vcr.register_matcher("path", other)
        vcr.register_serializer("yaml.gz", object())

    assert registered(configure) == {"json_body": same, "path": other}


@pytest.mark.parametrize(
    ("config", "match_on", "additional"),
    [
        ({"match_on": ["method", "json_body"]}, ["method", same], None),
        ({"match_on": ("path", other), "additional_matchers": {"json_body"}}, [other, other], [same]),
        ({}, [other if name == "path" else name for name in DEFAULT_MATCH_ON], None),
        ({"match_on": "json_body", "record_mode": "once"}, "json_body", None),
    ],
    ids=["by name", "a part's name", "where nothing is said", "no list"],
)
def test_names_are_replaced(config: dict[str, Any], match_on: Any, additional: Any) -> None:
    """Each name that is registered gives way to its function; everything else stays as it is."""
    replaced = with_registered(config, {"json_body": same, "path": other})
    assert replaced == {**config, "match_on": match_on, "additional_matchers": additional}
