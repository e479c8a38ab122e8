"""How `read_config` reads the replay settings of a `vcr_config`."""

import inspect
import re
from typing import Any

import pytest
import vcr.config

from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.replay.settings import DEFAULT_MATCH_ON, ReplaySettings, read_config


def hook(*_: Any) -> None:
    """Do nothing."""


def agree(sent: Any, recorded: Any) -> bool:
    """Match anything."""
    return True


def test_nothing_said() -> None:
    """The default compares everything but headers, and serves each recording once."""
    assert read_config({}) == ReplaySettings()
    assert ReplaySettings().match_on == DEFAULT_MATCH_ON


def test_what_matters_to_replay() -> None:
    """Each key that changes a replay is read, in each of its forms."""
    pattern = re.compile("x")
    assert read_config(
        {
            "match_on": ("method", "url", hook, agree),
            "additional_matchers": ["headers"],
            "allow_playback_repeats": True,
            "filter_headers": ["Authorization", ("X-Key", "X")],
            "filter_query_parameters": ["id", ("n", hook)],
            "filter_post_data_parameters": [("p", None)],
            "filter_nested_post_data_parameters": True,
            "ignore_hosts": ["a.test", pattern],
            "ignore_localhost": True,
            "before_record_request": hook,
            "before_record_response": [hook, hook],
            "decode_compressed_response": True,
            "after_load_interaction": hook,
            "filter_sensitive_data": [("<K>", "v")],
        },
    ) == ReplaySettings(
        match_on=("method", "uri", hook, agree, "headers"),
        allow_repeats=True,
        filter_headers=frozenset({"authorization", "x-key"}),
        filter_query=frozenset({"id", "n"}),
        filter_body=frozenset({"p"}),
        filter_nested=True,
        ignore_hosts=("a.test", pattern, "localhost", "0.0.0.0", "127.0.0.1", "::1"),  # noqa: S104
        before_request=(hook,),
        before_response=(hook, hook),
        decode_response=True,
        after_load=(hook,),
        sensitive=(("<K>", "v"),),
    )


def test_every_key_of_vcrpy_is_known() -> None:
    """Every key that the installed vcrpy accepts is accepted; the keys of recording change nothing in a replay."""
    source = inspect.getsource(vcr.config)
    keys = {*inspect.signature(vcr.VCR).parameters, *re.findall(r'(?:kwargs|options)\.get\(\s*"(\w+)"', source)}
    assert {"match_on", "record_mode", "allow_playback_repeats", "ignore_hosts"} <= keys
    assert read_config(dict.fromkeys(keys)) == ReplaySettings()
    assert read_config({"record_mode": "none", "serializer": "mine", "path": "x", "inject": True}) == ReplaySettings()


NO_PATTERN = "scrub_keep holds an invalid regular expression: nothing to repeat at position 0"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"match_onn": []}, "the replay configuration has the unknown key 'match_onn'; did you mean 'match_on'?"),
        ({"zzz": 1}, "the replay configuration has the unknown key 'zzz'"),
        (
            {"match_on": ["metod"]},
            (
                "match_on has the unknown name 'metod'; did you mean 'method'? For a matcher of your own, pass the "
                "function"
            ),
        ),
        ({"match_on": "method"}, "match_on must be a list, not 'method'"),
        ({"filter_headers": "x-key"}, "filter_headers must be a list, not 'x-key'"),
        ({"filter_headers": [3]}, "filter_headers holds 3, which is not a name"),
        ({"before_record_response": ["x"]}, "before_record_response holds 'x', which is not a function"),
        ({"before_record_request": 3}, "before_record_request must be a function or a list of functions, not 3"),
        ({"scrub_keep": "x"}, "scrub_keep must be a list, not 'x'"),
        (
            {"scrub_keep": ["*"]},
            NO_PATTERN,
        ),
        (
            {"filter_sensitive_data": ["x"]},
            "filter_sensitive_data holds 'x', which is not a pair of placeholder and value",
        ),
        ({"filter_sensitive_data": 3}, "filter_sensitive_data must be a list, not 3"),
    ],
)
def test_wrong_use(config: Any, message: Any) -> None:
    """An unknown key or name, or a value of the wrong type, is a usage error; a similar name is suggested."""
    with pytest.raises(UsageError) as wrong:
        read_config(config)
    assert str(wrong.value) == message
