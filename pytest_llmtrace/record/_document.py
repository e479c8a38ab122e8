"""Write recordings as the text of a cassette, in vcrpy's form; what has not changed stays exactly as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from pytest_llmtrace._stdlib import base64, json
from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.model import Headers, Recording, Request, Response
from pytest_llmtrace.record._sameness import pairs
from pytest_llmtrace.record._yaml import emitted, emitted_item
from pytest_llmtrace.replay import yaml_layout, yaml_safe  # noqa: F401 - what is written is read again at a test's end
from pytest_llmtrace.replay.cassette import parse
from pytest_llmtrace.replay.payload import belies_coding

__all__ = ["appended", "rewritten"]

_HTTP = "HTTP/1.1"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def rewritten(
    path: Path,
    old: bytes | None,
    recordings: Sequence[Recording],
    origin: Mapping[str, Any],
    *,
    is_raw: bool = False,
    by_body: bool = True,
) -> tuple[str, list[Recording]]:
    """Return the text of a cassette with these recordings, and what it reads as: old ones where these have stayed.

    A recording that the old file has already, apart from values that are new on every run, stays as it is there; if the
    old file has just these recordings, its text is returned as it is.

    Args:
        path: The file; its suffix says whether it is JSON.
        old: The present content of the file, `None` if there is no file.
        recordings: The scrubbed recordings that the file shall hold.
        origin: What the file states about its origin.
        is_raw: Whether the bytes of a request count: then it does not stay as it is if only its layout differs.
        by_body: Whether bodies are matched: else a request may get the reply to another one, and their order counts.
    """
    items: list[Any] = [_item(recording) for recording in recordings]
    before = _sections(path, old) if old is not None else None
    held = list(recordings)
    if before is not None:
        kept = _kept(before, recordings, is_raw=is_raw)
        items, held = _stayed(before, kept, items, held)
        if _is_all(kept, before, by_body=by_body):
            return before.text, list(before.recordings)
    return _whole(path, items, origin), held


def _kept(before: _Sections, recordings: Sequence[Recording], *, is_raw: bool) -> list[int | None]:
    """Return, for each recording, the position of the one that stays in its place, or `None`."""
    return [
        None if place is None or _is_stale(before.recordings[place], recording, is_raw=is_raw) else place
        for place, recording in zip(pairs(before.recordings, recordings), recordings, strict=True)
    ]


def _is_all(kept: Sequence[int | None], before: _Sections, *, by_body: bool) -> bool:
    """Tell whether recordings that were kept are all those of a file, in an order that is played alike.

    Requests of several threads or tasks come in another order on every run. Only that of requests which may be matched
    with one another counts.
    """
    places = [place for place in kept if place is not None]
    if len(places) < len(kept) or len(places) != len(before.items):
        return False
    last: dict[bytes, int] = {}
    for place in places:
        body = before.recordings[place].request.body if by_body else b""
        if last.get(body, -1) > place:
            return False
        last[body] = place
    return True


def _stayed(
    before: _Sections, kept: Sequence[int | None], items: Sequence[Any], recordings: Sequence[Recording]
) -> tuple[list[Any], list[Recording]]:
    """Return items and recordings with those that stay in their places."""
    return (
        [item if place is None else before.items[place] for item, place in zip(items, kept, strict=True)],
        [new if place is None else before.recordings[place] for new, place in zip(recordings, kept, strict=True)],
    )


def _is_stale(before: Recording, now: Recording, *, is_raw: bool) -> bool:
    """Tell whether an old recording names another test than the one that records it now, as after a renaming.

    One whose bytes differ is stale too, where bytes count.
    """
    names_another = bool(before.test) and before.test != now.test
    return names_another or (is_raw and before.request.body != now.request.body)


def appended(
    path: Path, old: bytes, recordings: Sequence[Recording], earlier: bytes | None = None, *, is_raw: bool = False
) -> tuple[str, list[Recording]]:
    """Return the text of a cassette with these recordings after its own, and what these read as.

    The new recordings name their test only if all old ones name theirs: otherwise it is unknown which test recorded the
    others.

    Args:
        path: The file; its suffix says whether it is JSON.
        old: The present content of the file.
        recordings: The scrubbed recordings to add.
        earlier: What the file held before this run: a recording that is the same there is added as it was.
        is_raw: As for `rewritten`.

    Raises:
        CassetteError: If the file has a form that nothing can be appended to.
    """
    before = _sections(path, old)
    if before is None:
        raise CassetteError(
            path, "new interactions cannot be appended to a file of this form; --llmtrace-record=all writes it anew"
        )
    if not all(recording.test for recording in before.recordings):
        recordings = [replace(recording, test="") for recording in recordings]
    items: list[Any] = [_item(recording) for recording in recordings]
    held = list(recordings)
    known = _sections(path, earlier) if earlier is not None else None
    if known is not None and known.margin == before.margin:
        kept = [
            None if place is None or known.recordings[place].test != recording.test else place
            for place, recording in zip(_kept(known, recordings, is_raw=is_raw), recordings, strict=True)
        ]
        items, held = _stayed(known, kept, items, held)
    if _is_json(path):
        document = json.loads(before.text)
        document["interactions"] += items
        return _json(document), held
    new = "".join(item if isinstance(item, str) else _indented(item, before.margin) for item in items)
    return before.head + "".join(before.items) + new + before.tail, held


def _indented(item: Any, margin: str) -> str:
    lines = emitted_item(item).splitlines(keepends=True)
    return "".join(f"{margin}{line}" if line.strip() else line for line in lines)


def _whole(path: Path, items: Sequence[Any], origin: Mapping[str, Any]) -> str:
    if _is_json(path):
        return _json({"llmtrace": dict(origin), "interactions": list(items), "version": 1})
    texts = [item if isinstance(item, str) else emitted_item(item) for item in items]
    return f"{emitted({'llmtrace': origin})}interactions:\n{''.join(texts)}version: 1\n"


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, default=_base64) + "\n"


def _base64(body: bytes) -> dict[str, str]:
    """Return bytes in a JSON form that this package reads; JSON and vcrpy have none for them."""
    return {"base64_string": base64.b64encode(body).decode("ascii")}


# --- an interaction as plain values ----------------------------------------------------------------------------------


def _item(recording: Recording) -> dict[str, Any]:
    response, failure = recording.response, recording.failure
    item: dict[str, Any] = {"request": _request(recording.request)}
    item["response"] = None if response is None else _response(response, None if failure is None else failure.value)
    extra = {"test": recording.test} if recording.test else {}
    if response is None and failure is not None:
        extra["failure"] = failure.value
    return {**item, "llmtrace": extra} if extra else item


def _request(request: Request) -> dict[str, Any]:
    body = _body(request.body) if request.body else None
    return {"method": request.method, "uri": request.url, "headers": _headers(request.headers), "body": body}


def _response(response: Response, failure: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {
        "status": {"code": response.status, "message": response.reason},
        "headers": _headers(response.headers),
        "body": {"string": _body(response.body)},
    }
    if response.http_version != _HTTP:
        item["http_version"] = response.http_version
    extra: dict[str, Any] = {}
    if response.offsets:
        extra = {"chunks": [len(chunk) for chunk in response.chunks], "offsets": list(response.offsets)}
    if response.body and belies_coding(response.headers, response.body):
        extra["coding"] = "as-sent"
    if failure is not None:
        extra["failure"] = failure
    return {**item, "llmtrace": extra} if extra else item


def _headers(headers: Headers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(names.setdefault(name.lower(), name), []).append(value)
    return found


def _body(body: bytes) -> str | bytes:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body


# --- the parts of a file ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Sections:
    """A file, cut before each interaction."""

    text: str
    head: str
    items: tuple[Any, ...]
    tail: str
    margin: str
    recordings: tuple[Recording, ...]


def _sections(path: Path, content: bytes) -> _Sections | None:
    """Cut a file; `None` if it cannot be read, or if its interactions are not on lines of their own."""
    try:
        recordings = parse(content, path).recordings
        text = content.decode("utf-8-sig")
        if _is_json(path):
            items = tuple(json.loads(text)["interactions"])
            return _Sections(text=text, head="", items=items, tail="", margin="", recordings=recordings)
        return _yaml_sections(text, recordings)
    except (CassetteError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None


def _yaml_sections(text: str, recordings: tuple[Recording, ...]) -> _Sections | None:
    root: Any = yaml.compose(text, Loader=_Loader)
    sequence = next(value for key, value in root.value if key.value == "interactions")
    if sequence.flow_style or not sequence.value:
        return None
    lines = text.splitlines(keepends=True)
    starts = [item.start_mark.line for item in sequence.value]
    margins = {lines[start].partition("-")[0] for start in starts}
    following = [key.start_mark.line for key, value in root.value if key.start_mark.line > starts[-1]]
    end = min(following, default=len(lines))
    if len({*starts}) < len(starts) or len(margins) > 1 or any(margins.copy().pop().strip()):
        return None
    bounds = [*starts, end]
    return _Sections(
        text=text,
        head="".join(lines[: starts[0]]),
        items=tuple("".join(lines[a:b]) for a, b in pairwise(bounds)),
        tail="".join(lines[end:]),
        margin=margins.pop(),
        recordings=recordings,
    )
