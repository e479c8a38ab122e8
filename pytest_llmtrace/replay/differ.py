"""Say in which parts two requests differ, with JSON paths and without secrets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any

from pytest_llmtrace._stdlib import json, re
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.canonical import Body, Compared

__all__ = ["count_of", "differences"]

LINES = 6
WIDTH = 80
COUNTED = 1000
_NOT_THERE = object()
_NAME = re.compile(r"[A-Za-z_]\w*")

Difference = tuple[str, Any, Any]


def differences(parts: tuple[str, ...], recorded: Compared, sent: Compared, *, any_body: bool = False) -> list[str]:
    """Return one line for each difference, at most six, and then a line with the number of the others."""
    found = list(islice(_all(parts, recorded, sent, any_body=any_body), COUNTED))
    lines = [f"{place}: {_said(old, new)}" for place, old, new in found[:LINES]]
    if len(found) > LINES:
        lines.append(f"... and {len(found) - LINES} more")
    return lines


def count_of(parts: tuple[str, ...], recorded: Compared, sent: Compared, *, any_body: bool = False) -> int:
    """Return the number of differences, of which at most `COUNTED` are counted."""
    return sum(1 for _ in islice(_all(parts, recorded, sent, any_body=any_body), COUNTED))


def _all(parts: tuple[str, ...], recorded: Compared, sent: Compared, *, any_body: bool) -> Iterator[Difference]:
    for part in parts:
        if part in {"body", "raw_body"}:
            if not any_body and recorded.part(part) != sent.part(part):
                yield from _of_body(part, recorded, sent)
        elif part in {"query", "headers"}:
            yield from _of_pairs(part.removesuffix("s"), recorded.part(part), sent.part(part))
        elif recorded.part(part) != sent.part(part):
            if part == "uri":
                yield part, _Plain(scrub.mask_url(recorded.request.url)), _Plain(scrub.mask_url(sent.request.url))
            else:
                yield part, _Plain(recorded.part(part)), _Plain(sent.part(part))


def _of_pairs(what: str, recorded: Any, sent: Any) -> Iterator[Difference]:
    old, new = _grouped(recorded), _grouped(sent)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{what} {name}", old.get(name, _NOT_THERE), new.get(name, _NOT_THERE)


def _grouped(pairs: Any) -> dict[str, Any]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}


def _of_body(part: str, recorded: Compared, sent: Compared) -> Iterator[Difference]:
    old, new = recorded.body, sent.body
    if part == "raw_body" and old.key() == new.key():
        yield "raw_body", _Plain("the same values in other bytes"), _Plain("these")
    elif old.form != new.form:
        yield "body", _Plain(_kind(old)), _Plain(_kind(new))
    elif old.form == "json":
        yield from (("body " + place, a, b) for place, a, b in _of_json("$", old.value, new.value))
    elif old.form == "form":
        yield from _of_pairs("body field", old.value, new.value)
    elif old.form == "multipart":
        yield from _of_parts(old.value, new.value)
    else:
        yield "body", _shown_bytes(old.value), _shown_bytes(new.value)


def _kind(body: Body) -> str:
    names = {"json": "JSON", "form": "a form", "multipart": "multipart"}
    return f"{len(body.value)} bytes" if body.form == "bytes" else names.get(body.form, body.form)


def _of_json(place: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            step = f".{key}" if _NAME.fullmatch(key) else f"[{key!r}]"
            yield from _of_json(place + step, old.get(key, _NOT_THERE), new.get(key, _NOT_THERE))
    elif isinstance(old, list) and isinstance(new, list):
        for index, (before, after) in enumerate(zip_longest(old, new, fillvalue=_NOT_THERE)):
            yield from _of_json(f"{place}[{index}]", before, after)
    elif not _equal(old, new):
        yield place, old, new


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, str) and isinstance(new, str):
        return old == new or unicodedata.normalize("NFC", old) == unicodedata.normalize("NFC", new)
    return old is new or (old == new and isinstance(old, bool) == isinstance(new, bool))


def _of_parts(old: tuple[bytes, ...], new: tuple[bytes, ...]) -> Iterator[Difference]:
    for index, (before, after) in enumerate(zip_longest(old, new)):
        if before != after:
            yield (
                f"body part {index}",
                _NOT_THERE if before is None else _shown_bytes(before),
                _NOT_THERE if after is None else _shown_bytes(after),
            )


def _shown_bytes(value: bytes) -> Any:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return _Plain(f"{len(value)} bytes")
    return text if len(text) <= WIDTH else _Plain(f"{len(value)} bytes")


class _Plain:
    """A value that is printed without quotes."""

    def __init__(self, value: Any) -> None:
        self.text = str(value)


def _said(old: Any, new: Any) -> str:
    if isinstance(old, str) and isinstance(new, str):
        old, new = _around_difference(scrub.mask_text(old), scrub.mask_text(new))
        return f"recorded {old!r}, sent {new!r}"
    before = "not recorded" if old is _NOT_THERE else f"recorded {_shown(old)}"
    after = "not sent" if new is _NOT_THERE else f"sent {_shown(new)}"
    return f"{before}, {after}"


def _shown(value: Any) -> str:
    if isinstance(value, _Plain):
        return scrub.mask_text(value.text)
    if isinstance(value, str):
        return repr(_cut(scrub.mask_text(value)))
    return _cut(scrub.mask_text(json.dumps(value, ensure_ascii=False)))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def _around_difference(old: str, new: str) -> tuple[str, str]:
    """Cut two long texts to the part around their first difference."""
    if max(len(old), len(new)) <= WIDTH:
        return old, new
    first = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, first - WIDTH // 4)
    return tuple(  # type: ignore[return-value]
        ("..." if start else "") + text[start : start + WIDTH] + ("..." if len(text) > start + WIDTH else "")
        for text in (old, new)
    )
