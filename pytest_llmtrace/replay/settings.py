"""Read the settings in a `vcr_config` or `llmtrace_config`, as far as replay needs them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.errors import UsageError

__all__ = ["AS_VCRPY", "DEFAULT_MATCH_ON", "KNOWN_KEYS", "READ_KEYS", "ReplaySettings", "read_config"]

DEFAULT_MATCH_ON = ("method", "scheme", "host", "port", "path", "query", "body")
_MATCHERS = (*DEFAULT_MATCH_ON, "headers", "raw_body", "uri", "url")
"""vcrpy's names of request parts. Headers are compared only on demand: most change with every run or release."""

Matcher = Callable[[Any, Any], Any]
Hook = Callable[..., Any]

READ_KEYS = frozenset(
    {
        "additional_matchers",
        "after_load_interaction",
        "allow_playback_repeats",
        "before_record",
        "before_record_request",
        "before_record_response",
        "before_save_interaction",
        "decode_compressed_response",
        "filter_headers",
        "filter_nested_post_data_parameters",
        "filter_post_data_parameters",
        "filter_query_parameters",
        "filter_sensitive_data",
        "ignore_hosts",
        "ignore_localhost",
        "match_on",
        "scrub_keep",  # ours
    }
)
_OF_RECORDING = frozenset(
    {
        "allowed_hosts",  # pytest-recording's
        "cassette_library_dir",
        "custom_patches",
        "drop_unused_requests",
        "func_path_generator",
        "inject",
        "inject_cassette",
        "path",
        "path_transformer",
        "persister",
        "record_mode",
        "record_on_exception",
        "serializer",
        "skip_patchers",
        "with_current_defaults",
    }
)
KNOWN_KEYS = READ_KEYS | _OF_RECORDING
"""All keys that a configuration may have; `read_config` uses those in `READ_KEYS`."""
_LOCAL = ("localhost", "0.0.0.0", "127.0.0.1", "::1")  # noqa: S104


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaySettings:
    """How requests are compared with recordings.

    Attributes:
        match_on: vcrpy's names of the parts to compare, and functions `(sent, recorded)` that return a truth value or
            assert.
        allow_repeats: Whether the last recording of a request is served again when all were played.
        filter_headers: The names of headers, in lower case, that are left out of the comparison.
        filter_query: The names of query parameters that are left out of the comparison.
        filter_body: The names of fields in form and JSON bodies that are left out of the comparison.
        filter_nested: Whether `filter_body` applies to nested JSON objects too.
        ignore_hosts: Hosts (names or compiled patterns) whose requests are neither recorded nor answered.
        before_request: Functions that each request, sent or recorded, passes through before it is compared.
        before_response: Functions that each recorded response passes through.
        decode_response: Whether the functions in `before_response` see the body without its content encoding.
        after_load: vcrpy 9's `after_load_interaction`.
        before_save: vcrpy 9's `before_save_interaction`.
        sensitive: Pairs of a placeholder in the file and the value that it stands for (or a function that returns it).
        keep: Patterns of texts that a recorder keeps in a body although they look secret or personal.
    """

    match_on: tuple[str | Matcher, ...] = DEFAULT_MATCH_ON
    allow_repeats: bool = False
    filter_headers: frozenset[str] = frozenset()
    filter_query: frozenset[str] = frozenset()
    filter_body: frozenset[str] = frozenset()
    filter_nested: bool = False
    ignore_hosts: tuple[Any, ...] = ()
    before_request: tuple[Hook, ...] = ()
    before_response: tuple[Hook, ...] = ()
    decode_response: bool = False
    after_load: tuple[Hook, ...] = ()
    before_save: tuple[Hook, ...] = ()
    sensitive: tuple[tuple[Any, Any], ...] = ()
    keep: tuple[re.Pattern[str], ...] = ()

    @property
    def rewrites(self) -> bool:
        """Whether functions of the user, or placeholders, change recordings before they are compared."""
        return bool(self.before_request or self.before_response or self.after_load or self.sensitive)


AS_VCRPY = ReplaySettings()
"""The settings where nothing is configured: vcrpy's defaults."""


def read_config(config: Mapping[str, Any]) -> ReplaySettings:
    """Read a `vcr_config` or `llmtrace_config`.

    Args:
        config: The keys that `vcr.use_cassette` accepts (vcrpy 7 to 9), and `scrub_keep`. Keys that only concern
            recording are accepted and ignored.

    Raises:
        UsageError: If a key or a matcher is not known, or a value has the wrong type.
    """
    for key in config:
        if key not in KNOWN_KEYS:
            raise UsageError(f"the replay configuration has the unknown key {key!r}{_nearest(str(key), KNOWN_KEYS)}")
    names = [*_several(config, "match_on", DEFAULT_MATCH_ON), *_several(config, "additional_matchers")]
    hosts = [*_several(config, "ignore_hosts"), *(_LOCAL if config.get("ignore_localhost") else ())]
    return ReplaySettings(
        match_on=_match_on(names),
        allow_repeats=bool(config.get("allow_playback_repeats", False)),
        filter_headers=frozenset(name.lower() for name in _names(config, "filter_headers")),
        filter_query=_names(config, "filter_query_parameters"),
        filter_body=_names(config, "filter_post_data_parameters"),
        filter_nested=bool(config.get("filter_nested_post_data_parameters", False)),
        ignore_hosts=tuple(hosts),
        before_request=_hooks(config, "before_record_request") or _hooks(config, "before_record"),
        before_response=_hooks(config, "before_record_response"),
        decode_response=bool(config.get("decode_compressed_response", False)),
        after_load=_hooks(config, "after_load_interaction"),
        before_save=_hooks(config, "before_save_interaction"),
        sensitive=_placeholders(config),
        keep=_scrub_keep(config),
    )


def _match_on(match_on: Iterable[str | Matcher]) -> tuple[str | Matcher, ...]:
    """Check the names in a `match_on` and return it.

    Raises:
        UsageError: If a name is not known.
    """
    checked: list[str | Matcher] = []
    for matcher in match_on:
        if callable(matcher):
            checked.append(matcher)
        elif matcher in _MATCHERS:
            checked.append("uri" if matcher == "url" else matcher)
        else:
            near = _nearest(str(matcher), _MATCHERS) or "."
            raise UsageError(
                f"match_on has the unknown name {matcher!r}{near} For a matcher of your own, pass the function"
            )
    return tuple(checked)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _several(config: Mapping[str, Any], key: str, default: Iterable[Any] = ()) -> list[Any]:
    value = config.get(key)
    if value is None:
        return list(default)
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise UsageError(f"{key} must be a list, not {value!r}")
    return list(value)


def _names(config: Mapping[str, Any], key: str) -> frozenset[str]:
    """Read names, each bare or in a pair with its replacement; replacements matter to the recorder only."""
    names = [entry[0] if isinstance(entry, tuple | list) and entry else entry for entry in _several(config, key)]
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"{key} holds {name!r}, which is not a name")
    return frozenset(names)


def _scrub_keep(config: Mapping[str, Any]) -> tuple[re.Pattern[str], ...]:
    patterns = _several(config, "scrub_keep")
    try:
        return tuple(map(re.compile, patterns))
    except (re.error, TypeError) as error:
        raise UsageError(f"scrub_keep holds an invalid regular expression: {error}") from None


def _hooks(config: Mapping[str, Any], key: str) -> tuple[Hook, ...]:
    value = config.get(key)
    if isinstance(value, str | bytes) or not (value is None or callable(value) or isinstance(value, Iterable)):
        raise UsageError(f"{key} must be a function or a list of functions, not {value!r}")
    hooks: tuple[Any, ...] = (value,) if callable(value) else tuple(value or ())
    for hook in hooks:
        if not callable(hook):
            raise UsageError(f"{key} holds {hook!r}, which is not a function")
    return hooks


def _placeholders(config: Mapping[str, Any]) -> tuple[tuple[Any, Any], ...]:
    value = config.get("filter_sensitive_data")
    pairs = [*value.items()] if isinstance(value, Mapping) else _several(config, "filter_sensitive_data")
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:  # noqa: PLR2004
            raise UsageError(f"filter_sensitive_data holds {pair!r}, which is not a pair of placeholder and value")
    return tuple((placeholder, secret) for placeholder, secret in pairs)
