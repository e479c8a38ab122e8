"""Select spans by conditions, and name the near misses when that fails: `span(...)`, `assert_attributes`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pytest_llmtrace.errors import SelectionError, UsageError
from pytest_llmtrace.secrets.shapes import masked
from pytest_llmtrace.tree import equals, refuse_name
from pytest_llmtrace.views import SpanView

__all__ = ["Predicate", "assert_attributes", "assert_attributes_exactly", "exactly_one", "select"]

Predicate = Callable[[SpanView], bool]

_FIELDS: Final = ("attributes", "kind", "name", "scope", "status")
_KINDS: Final = ("CLIENT", "CONSUMER", "INTERNAL", "PRODUCER", "SERVER")
_STATUSES: Final = ("ERROR", "OK", "UNSET")
_ABSENT: Final = object()
_SHOWN: Final = 5


def select(spans: Iterable[SpanView], predicate: Predicate | None, where: Mapping[str, Any]) -> tuple[SpanView, ...]:
    """Return the spans that fit all conditions, in the order given.

    Raises:
        UsageError: If `where` has an unknown name or a value that no span can have, `attributes` is not a mapping, or
            `predicate` is not a function.
    """
    where = _checked(where)
    if predicate is not None and not callable(predicate):
        raise UsageError(f"a condition is a function of a span, not {predicate!r}; did you mean name={predicate!r}?")
    return tuple(span for span in spans if not _misses(span, predicate, where))


def exactly_one(
    spans: Sequence[SpanView],
    predicate: Predicate | None,
    where: Mapping[str, Any],
    *,
    noun: str,
    others: Iterable[SpanView] = (),
    mask: Callable[[str], str] = str,
    hint: str = "",
) -> SpanView:
    """Return the one span that fits all conditions.

    Args:
        spans: The spans to select from.
        others: If only LLM spans are looked for, all other spans: those that fit the conditions are near misses.
        predicate: The caller's own condition.
        where: Conditions by name.
        noun: What is looked for, in words: `span` or `LLM span`.
        mask: Masks the trace's secrets in the text of the error, which is printed and kept, as a report is.
        hint: A line for the error when no span fits, on why there may be none.

    Raises:
        SelectionError: If no span fits, or several do.
    """
    __tracebackhide__ = True
    where = _checked(where)
    found = select(spans, predicate, where)
    if len(found) == 1:
        return found[0]
    wanted = _describe(predicate, where)
    if found:
        lines = [f"expected exactly one {noun}{wanted}, found {len(found)}:"]
        lines += [f"  {_title(span)}" for span in found[:_SHOWN]]
        lines.append("next: narrow it with name=, scope=, kind=, status= or attributes=")
    else:
        near = _near_misses(spans, predicate, where) + _unread(others, predicate, where)
        lines = [f"expected exactly one {noun}{wanted}, found none among {len(spans)}" + (":" if near else ""), *near]
        if hint:
            lines.append(hint)
    raise SelectionError(masked(mask("\n".join(lines))))


def assert_attributes(span: SpanView, expected: Mapping[str, Any]) -> None:
    """Assert that a span has these attributes with these values; it may have others.

    Args:
        span: A span of `llmtrace`.
        expected: Attribute names and values; a value may be anything that compares with `==`, or a compiled pattern,
            which is searched for in the attribute's text.

    Raises:
        AssertionError: If attributes differ or are missing; the text lists them all, and masks what looks like a
            secret.
        UsageError: If `span` is not a span, or `expected` is not a mapping.
    """
    __tracebackhide__ = True
    _check_comparison(span, expected)
    _fail_on(span, _differences(span.attributes, expected))


def assert_attributes_exactly(span: SpanView, expected: Mapping[str, Any]) -> None:
    """Assert that a span has these attributes with these values, and no others.

    Args:
        span: As for `assert_attributes`.
        expected: As for `assert_attributes`.

    Raises:
        AssertionError: If attributes differ, are missing or were not expected; the text lists them all.
        UsageError: If `span` is not a span, or `expected` is not a mapping.
    """
    __tracebackhide__ = True
    _check_comparison(span, expected)
    extra = [f"{key}: not expected, found {span.attributes[key]!r}" for key in span.attributes if key not in expected]
    _fail_on(span, _differences(span.attributes, expected) + sorted(extra))


def _check_comparison(span: object, expected: object) -> None:
    __tracebackhide__ = True
    if not isinstance(getattr(span, "attributes", None), Mapping):
        raise UsageError(f"expected a span, such as llmtrace.span() returns, not {span!r}")
    if not isinstance(expected, Mapping):
        raise UsageError(f"the expected attributes must be a mapping of names to values, not {expected!r}")
    _check_names("the expected attributes", expected)


def _check_names(what: str, attributes: Mapping[Any, Any]) -> None:
    for name in attributes:
        if not isinstance(name, str):
            raise UsageError(f"the name of an attribute must be a string; {what} has {name!r}")


def _fail_on(span: SpanView, differences: list[str]) -> None:
    __tracebackhide__ = True
    if differences:
        raise AssertionError(masked("\n  ".join([f"attributes of {_title(span)} differ:", *differences])))


def _differences(attributes: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    found = []
    for key, value in expected.items():
        actual = attributes.get(key, _ABSENT)
        if actual is _ABSENT:
            found.append(f"{key}: expected {value!r}, missing{_like(key, attributes)}")
        elif not _same(actual, value):
            found.append(f"{key}: expected {value!r}, found {actual!r}")
    return found


def _like(key: str, attributes: Mapping[str, Any]) -> str:
    import difflib

    near = difflib.get_close_matches(key, list(attributes), n=1, cutoff=0.7)
    return f" (nearest: {near[0]} = {attributes[near[0]]!r})" if near else ""


def _same(actual: Any, expected: Any) -> bool:
    # Attribute sequences are tuples on a span; people write lists.
    if isinstance(actual, tuple) and isinstance(expected, list):
        return list(actual) == expected
    # True == 1 in Python, but not in a back end's column.
    if isinstance(actual, bool) != isinstance(expected, bool) and isinstance(expected, bool | int | float):
        return False
    return equals(actual, expected)


def _checked(where: Mapping[str, Any]) -> dict[str, Any]:
    for name in where:
        if name not in _FIELDS:
            raise UsageError.unknown("condition", name, _FIELDS)
    if not isinstance(where.get("attributes", {}), Mapping):
        raise UsageError(f"attributes= takes a mapping of names to values, not {where['attributes']!r}")
    _check_names("attributes=", where.get("attributes", {}))
    enums = {"kind": _KINDS, "status": _STATUSES}
    checked = {name: _member(name, value, enums[name]) if name in enums else value for name, value in where.items()}
    for name, value in checked.items():
        if name != "attributes":
            refuse_name(f"{name}=", value)
    return checked


def _member(name: str, value: Any, known: tuple[str, ...]) -> Any:
    """Return a kind or status in upper case, given as a text or an enum member: `"client"`, `SpanKind.CLIENT`."""
    text = getattr(value, "name", value)
    if isinstance(text, str) and text.upper() not in known:
        raise UsageError.unknown(name, text, known)
    return text.upper() if isinstance(text, str) else value


def _misses(span: SpanView, predicate: Predicate | None, where: Mapping[str, Any]) -> list[str]:
    """Return what keeps a span from fitting; empty if it fits."""
    missed = []
    for name, wanted in where.items():
        if name == "attributes":
            missed += _differences(span.attributes, wanted)
        elif not _same(actual := getattr(span, name), wanted):
            missed.append(f"{name} is {actual!r}")
    if predicate is not None and not predicate(span):
        missed.append("the predicate rejects it")
    return missed


def _near_misses(spans: Sequence[SpanView], predicate: Predicate | None, where: Mapping[str, Any]) -> list[str]:
    missed = sorted(((_misses(span, predicate, where), span) for span in spans), key=lambda pair: len(pair[0]))
    shown = [f"  {_title(span)}" + (f": {'; '.join(why)}" if why else "") for why, span in missed[:_SHOWN]]
    return shown + ([f"  and {len(missed) - _SHOWN} more"] if len(missed) > _SHOWN else [])


def _unread(others: Iterable[SpanView], predicate: Predicate | None, where: Mapping[str, Any]) -> list[str]:
    if predicate is not None:  # It may use `.call`, which is None for these.
        return []
    return [f"  {_title(span)}: no dialect reads it as an LLM call" for span in select(others, None, where)[:_SHOWN]]


def _describe(predicate: Predicate | None, where: Mapping[str, Any]) -> str:
    conditions = [f"{name}={value!r}" for name, value in where.items()]
    conditions += [f"predicate={getattr(predicate, '__name__', predicate)}"] if predicate is not None else []
    return f" with {', '.join(conditions)}" if conditions else ""


def _title(span: SpanView) -> str:
    return f"span {span.name!r} ({span.scope})"
