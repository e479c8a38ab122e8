"""The functions that OpenObserve's SQL has beside those of DataFusion, as far as they make sense on traces.

Arrays are JSON in text, as OpenObserve stores them. Source: OpenObserve's SQL reference, pages on array, aggregate and
full-text functions; what the reference leaves open (an empty or malformed array) gives NULL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from pytest_llmtrace._stdlib import json, re

__all__ = ["ABSENT", "NAMES", "functions"]

ABSENT = (
    "approx_topk",
    "approx_topk_distinct",
    "match_all",
    "match_all_raw",
    "match_all_raw_ignore_case",
    "re_matches",
    "regexp_match_to_fields",
    "string_to_array_v2",
)
"""Functions of the server that this view of it does not offer: they depend on its indexes, or give approximations."""

NAMES = frozenset(
    {
        "arr_descending",
        "arrcount",
        "arrindex",
        "arrjoin",
        "arrsort",
        "arrzip",
        "cast_to_arr",
        "match_field",
        "match_field_ignore_case",
        "re_match",
        "re_not_match",
        "spath",
        "str_match",
        "str_match_ignore_case",
        "to_array_string",
    }
)
"""Functions that the view has and that work on texts, or on arrays of texts."""

_UNITS = {
    name: seconds
    for names, seconds in (
        ("s sec secs second seconds", 1),
        ("m min mins minute minutes", 60),
        ("h hr hrs hour hours", 3600),
        ("d day days", 86400),
        ("w week weeks", 604800),
    )
    for name in names.split()
}
"""The seconds of each unit of time, by its names in Arrow, which reads intervals for the server."""
_INTERVAL = re.compile(r"\s*(\d+)\s*([a-z]+)\s*", re.IGNORECASE)
_DEFAULT_INTERVAL = 10
"""Seconds of a bucket if the query gives no interval; the server chooses one from the time range of the query."""


def functions(refused: list[str]) -> Iterator[Any]:
    """Yield the functions of the view, for a session of DataFusion.

    Args:
        refused: A sentence is added to it when a function cannot take its arguments: the engine gives a traceback only.
    """
    import pyarrow as pa
    from datafusion import udf
    from pyarrow import compute

    text, whole = pa.string(), pa.int64()

    def function(name: str, call: Callable[..., Any], arguments: list[Any], result: Any) -> Any:
        def guarded(*columns: Any) -> Any:
            try:
                return call(*columns)
            except ValueError as error:
                refused.append(f"{name}() cannot be computed: {error}")
                raise

        return udf(guarded, arguments, result, "immutable", name=name)

    def scalar(name: str, call: Callable[..., Any], arguments: list[Any], result: Any) -> Any:
        def over_rows(*columns: Any) -> Any:
            rows = zip(*(column.to_pylist() for column in columns), strict=True)
            return pa.array([None if None in row else call(*row) for row in rows], type=result)

        return function(name, over_rows, arguments, result)

    def matches(fields: Any, patterns: Any) -> Any:
        """Match by RE2, which has the same regular expressions as the server's Rust; Python's differ."""
        found = [None] * len(fields)
        for pattern in {each for each in patterns.to_pylist() if each is not None}:
            matched = compute.match_substring_regex(fields, pattern).to_pylist()
            found = [
                new if of == pattern else old for of, new, old in zip(patterns.to_pylist(), matched, found, strict=True)
            ]
        return pa.array(found, type=pa.bool_())

    for name in ("str_match", "match_field"):
        yield scalar(name, lambda field, value: value in field, [text, text], pa.bool_())
    for name in ("str_match_ignore_case", "match_field_ignore_case"):
        yield scalar(name, lambda field, value: value.lower() in field.lower(), [text, text], pa.bool_())
    yield function("re_match", matches, [text, text], pa.bool_())
    yield function("re_not_match", lambda *given: compute.invert(matches(*given)), [text, text], pa.bool_())
    yield scalar("histogram", _histogram, [whole, text], text)
    yield scalar("arrcount", _of_array(len), [text], whole)
    yield scalar("arrsort", _of_array(lambda array: _json(sorted(array))), [text], text)
    yield scalar("arr_descending", _of_array(lambda array: _json(sorted(array, reverse=True))), [text], text)
    yield scalar("arrindex", _arrindex, [text, whole, whole], text)
    yield scalar("arrjoin", _arrjoin, [text, text], text)
    yield scalar("arrzip", _arrzip, [text, text, text], text)
    yield scalar("spath", _spath, [text, text], text)
    yield scalar("cast_to_arr", _of_array(lambda array: [_plain(each) for each in array]), [text], pa.list_(text))
    yield scalar("to_array_string", _json, [pa.list_(text)], text)


def _histogram(timestamp: int, interval: str) -> str:
    """Return the beginning of the bucket that a time in microseconds is in.

    Raises:
        ValueError: If the timestamp is not a time, or the interval cannot be read.
    """
    seconds = _DEFAULT_INTERVAL
    if interval:
        found = _INTERVAL.fullmatch(interval)
        unit = _UNITS.get(found[2].lower()) if found else None
        if found is None or unit is None:
            raise ValueError(f"{interval!r} is not an interval in seconds, minutes, hours, days or weeks")
        seconds = max(1, int(found[1]) * unit)
    begin = timestamp // 1_000_000 // seconds * seconds
    try:
        return dt.datetime.fromtimestamp(begin, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{timestamp} is not a time in microseconds") from None


def _array(text: str) -> list[Any] | None:
    found = _parsed(text)
    return found if isinstance(found, list) else None


def _parsed(text: str) -> Any:
    """Return the value of a JSON text; `None` if the server would refuse the text, as it does lone surrogates."""
    try:
        found = json.loads(text)
        if "\\u" in text:
            _json(found).encode()
    except (ValueError, RecursionError):
        return None
    return found


def _of_array(call: Callable[[list[Any]], Any]) -> Callable[[str], Any]:
    def on_text(text: str) -> Any:
        array = _array(text)
        try:
            return None if array is None else call(array)
        except TypeError:  # Elements of several types have no order.
            return None

    return on_text


def _arrindex(text: str, start: int, end: int) -> str | None:
    array = _array(text)
    return None if array is None else _json(array[max(start, 0) : end + 1])


def _arrjoin(text: str, delimiter: str) -> str | None:
    array = _array(text)
    return None if array is None else delimiter.join(map(_plain, array))


def _arrzip(first: str, second: str, delimiter: str) -> str | None:
    left, right = _array(first), _array(second)
    if left is None or right is None:
        return None
    return _json([f"{_plain(a)}{delimiter}{_plain(b)}" for a, b in zip(left, right, strict=False)])


def _spath(text: str, path: str) -> str | None:
    found = _parsed(text)
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return _plain(found)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
