"""Signs that a text is not the whole text: a mask, an ellipsis, or the length of a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmtrace._stdlib import re

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmtrace.model import SpanRecord

__all__ = ["cut_at", "has_mask", "is_mask", "is_masked", "is_masked_from", "limit_of", "without_stand_ins"]

_MASK = re.compile(r"[\W_]*(redacted|masked|filtered|hidden|removed|omitted)[\W_]*|[*x•]{3,}", re.IGNORECASE)
# What stands in the place of a text: `[content omitted]`, `<1032 chars>`, `sha256:9f86d081884c7d65`.
_MASK_IN_WORDS = re.compile(
    r"[\[<({]+(?:content|data|input|message|output|prompt|text)s? (?:redacted|masked|filtered|hidden|removed|omitted)"
    r"[\]>)}]+|[\[<({]+\d[\d,]* (?:characters?|chars?|bytes?|tokens?|words?)[\]>)}]+"
    r"|(?:md5|sha\d{1,3})[:=-][0-9a-f]{8,}",
    re.IGNORECASE,
)
_ELLIPSIS = r"(?:\.\.\.|…)"
_MEASURED = r"truncated|omitted|shortened|trimmed|characters?|chars?|bytes?|tokens?|words?|more|of|total"
# At the end of a text: `...`, `[truncated]`, `... (truncated)`, `…[+900 more]`, `...[truncated 820 chars]`.
_CUT_MARK = re.compile(
    rf"\W{{0,3}}(?:{_ELLIPSIS}(?:[\W\d_]|{_MEASURED}){{0,40}}|[\[(<]*truncated[\])>]*)$", re.IGNORECASE
)
_LONGEST_MARK = 80
# In a text: `[REDACTED]`, `<EMAIL_ADDRESS>`, `{{NAME}}`, `***`, and marks of omission: ` ... `, `[... 800 more ...]`.
# Sentences have words in round brackets, too, as `(Yes)`, so there only capitals are a mask.
_MASKS_INSIDE = re.compile(
    r"(?:[\[<{]{1,3}[A-Z][A-Za-z0-9_ :-]{0,80}[\]>}]{1,3}|\([A-Z][A-Z0-9_ :-]{1,80}\)|[*x•]{3,}"
    rf"|\s{{0,3}}[\[<({{]?{_ELLIPSIS}(?:(?:[\s\d,+]|{_MEASURED}){{0,20}}{_ELLIPSIS}?[\]>)}}])?\s{{0,3}})"
)
# What stands in a text for content that is not text: `[image]`, `<audio omitted>`, `[file: a.pdf]`.
_STAND_IN = re.compile(
    r"[\[<({]{1,3}(?:attachment|audio|document|file|image|img|pdf|picture|video)s?\b[^\[\]<>(){}]{0,80}[\]>)}]{1,3}",
    re.IGNORECASE,
)
_SHORTEST_LIMIT = 100
_SHORTEST_BELOW_POWER = 255


def is_masked(text: str) -> bool:
    """Tell whether a text only says that a text was there: `__REDACTED__`, `[redacted]`, `***`."""
    return _MASK.fullmatch(text) is not None or _MASK_IN_WORDS.fullmatch(text) is not None


def is_mask(value: str) -> bool:
    """Tell whether a value among others is a mask by its form: `hidden` may be a value, `[hidden]` is a mask."""
    return _MASKS_INSIDE.fullmatch(value) is not None or (is_masked(value) and not value.isalpha())


def without_stand_ins(text: str) -> str:
    """Return a text without its stand-ins for images, files and the like, as `[image]`."""
    return _STAND_IN.sub("", text)


def cut_at(text: str) -> int | None:
    """Return where the mark begins that says that a text was cut there; None if the text ends without such a mark."""
    behind = max(0, len(text) - _LONGEST_MARK)
    found = _CUT_MARK.search(text, behind)
    return None if found is None else found.start()


def has_mask(text: str) -> bool:
    """Tell whether something in a text may have been masked."""
    return _MASKS_INSIDE.search(text) is not None


def is_masked_from(text: str, whole: str) -> bool:
    """Tell whether a text is `whole` with some of it masked: all that stands around the masks is there, in order."""
    first, *others = _unmasked(text, whole)
    if not others or not whole.startswith(first) or not whole.endswith(others[-1]) or not any((first, *others)):
        return False
    at, end = len(first), len(whole) - len(others[-1])
    for part in others[:-1]:
        found = whole.find(part, at, end)
        if found == -1:
            return False
        at = found + len(part)
    return at <= end


def _unmasked(text: str, whole: str) -> list[str]:
    """Return the parts of a text around its masks; what looks like a mask but also stands in `whole` is not one."""
    own = {found.strip() for found in _MASKS_INSIDE.findall(whole)}
    parts, start = [], 0
    for found in _MASKS_INSIDE.finditer(text):
        if found[0].strip() not in own:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


def _is_limit(length: int) -> bool:
    """Tell whether a length may be a limit that somebody has set: a round number, large enough for an answer."""
    if length < _SHORTEST_LIMIT:
        return False
    is_below_power = length >= _SHORTEST_BELOW_POWER and length & (length + 1) == 0
    return length % 100 == 0 or length % 1024 == 0 or length & (length - 1) == 0 or is_below_power


def limit_of(span: SpanRecord, others: Iterable[SpanRecord] = ()) -> int | None:
    """Return the length to which texts on a span were cut; None if no text was.

    It is the length of the longest text, since a limit cuts all texts alike: either its provider's limit, or a round
    number that the instrumentation has set. Under such a limit, no text of the same name on other spans is longer.

    Args:
        span: The span.
        others: Further spans of its scope.
    """
    longest = max(_lengths(span.attributes.values()), default=0)
    if longest == span.text_limit:
        return longest
    if not _is_limit(longest):
        return None
    names = [name for name, value in span.attributes.items() if longest in _lengths((value,))]
    there = (other.attributes[name] for other in others for name in names if name in other.attributes)
    return None if any(length > longest for length in _lengths(there)) else longest


def _lengths(values: Iterable[Any]) -> Iterator[int]:
    for value in values:
        if isinstance(value, str):
            yield len(value)
        elif isinstance(value, tuple | list):
            yield from (len(item) for item in value if isinstance(item, str))
