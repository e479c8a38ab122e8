"""Take out of a recording what must not be written, and make the rest readable.

The user's filters and functions come first, in vcrpy's order and with vcrpy's own filters; then what `replay.scrub`
knows to be secret is taken out. The comparison of replay leaves out the same things, or a scrubbed request would no
longer match its own recording.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from itertools import accumulate
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.codings import unpacked
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.headers import without
from pytest_llmtrace.model import Headers, Recording, Request, Response
from pytest_llmtrace.record._layout import laid_out
from pytest_llmtrace.record._plain import codings_of, plain, plain_request
from pytest_llmtrace.replay import scrub
from pytest_llmtrace.replay.hooks import concealed, filtered, filtered_response, interaction_through
from pytest_llmtrace.replay.payload import with_length
from pytest_llmtrace.replay.settings import ReplaySettings
from pytest_llmtrace.secrets.edits import edits_of
from pytest_llmtrace.secrets.urls import hits_in_url, is_url

__all__ = ["Scrubbed", "Scrubber", "compares_bytes"]

Patterns = tuple[re.Pattern[str], ...]

_VCR_FILTERS = {
    "filter_headers": "replace_headers",
    "filter_query_parameters": "replace_query_parameters",
    "filter_post_data_parameters": "replace_post_data_parameters",
}


@dataclass(frozen=True, kw_only=True)
class Scrubbed:
    """A recording as it may be written, and how often something was taken out, by place."""

    recording: Recording
    places: Counter[str] = field(default_factory=Counter)


class Scrubber:
    """Scrubs recordings.

    Args:
        settings: The configuration as `read_config` has read it.
        config: The configuration itself, for the part that only recording needs: the replacements of its filters.
    """

    def __init__(self, settings: ReplaySettings, config: Mapping[str, Any]) -> None:
        self._settings = settings
        self._filters = tuple(_filters(config))

    def scrubbed(self, recording: Recording) -> Scrubbed | None:
        """Return a recording as it may be written; `None` if a function of the user's drops it.

        Raises:
            UsageError: If vcrpy cannot filter as the configuration says.
        """
        request = filtered(recording.request, self._settings, first=self._filters)
        if request is None:
            return None
        response = recording.response
        if response is not None:
            response = filtered_response(response, self._settings)
            if response is None:
                return None
        asked = replace(recording, request=request, response=response)
        kept = interaction_through(asked, self._settings.before_save, "before_save_interaction")
        if kept is None:
            return None
        recording = concealed(kept, self._settings)
        places: Counter[str] = Counter()
        written = replace(
            recording,
            request=_request(recording.request, self._settings, places),
            response=recording.response
            and _response(recording.response, self._settings.keep, places, ended=recording.failure is None),
        )
        return Scrubbed(recording=written, places=places)


def _filters(config: Mapping[str, Any]) -> Iterator[Callable[[Any], Any]]:
    """Yield the filters of vcrpy that the configuration asks for."""
    if not any(config.get(name) for name in _VCR_FILTERS):
        return
    from vcr import filters

    for name, function in _VCR_FILTERS.items():
        entries = config.get(name)
        if entries:
            pairs = [entry if isinstance(entry, tuple | list) else (entry, None) for entry in entries]
            yield _filter(name, getattr(filters, function), [tuple(pair) for pair in pairs], config)


def _filter(
    name: str, function: Callable[..., Any], pairs: Sequence[Any], config: Mapping[str, Any]
) -> Callable[[Any], Any]:
    options = {"recursive": True} if "post" in name and config.get("filter_nested_post_data_parameters") else {}

    def apply(request: Any) -> Any:
        if not options.keys() <= signature(function).parameters.keys():
            raise UsageError(
                "filter_nested_post_data_parameters is not supported by the installed vcrpy; install a newer one"
            )
        return function(request, pairs, **options)

    return apply


# --- the parts of a message ------------------------------------------------------------------------------------------


def compares_bytes(settings: ReplaySettings) -> bool:
    """Tell whether matchers may compare the very bytes of a request: they would not find one that is laid out."""
    return any(callable(matcher) or matcher == "raw_body" for matcher in settings.match_on)


def _request(request: Request, settings: ReplaySettings, places: Counter[str]) -> Request:
    is_raw = compares_bytes(settings)
    request = request if is_raw else plain_request(request)
    body, _ = _body(request.body, (), settings.keep, "request body", places, is_raw=is_raw)
    return Request(
        method=request.method,
        url=_url(request.url, places),
        headers=_headers(without(request.headers, *scrub.TRANSPORT_HEADERS), "request header", places),
        body=body,
    )


def _response(response: Response, keep: Patterns, places: Counter[str], *, ended: bool) -> Response:
    sent, response = response.body, _plain(response, keep, ended=ended)
    headers = _headers(without(response.headers, *scrub.VOLATILE_HEADERS), "response header", places)
    lengths = tuple(map(len, response.chunks))
    is_raw = bool(codings_of(response))  # What is not in the coding that it claims stays as it was sent.
    body, lengths = _body(response.body, lengths, keep, "response body", places, is_raw=is_raw)
    chunks, at = [], 0
    for length in lengths:
        chunks.append(body[at : at + length])
        at += length
    offsets = response.offsets
    if offsets is not None and len(offsets) != len(chunks):  # laid out as one chunk, which was complete with the last
        offsets = offsets[-1:]
    reason = scrub.edits(response.reason)
    if reason:
        places["reason phrase"] += 1
    return replace(
        response,
        reason=scrub.applied(response.reason, reason),
        headers=headers if body == sent else with_length(headers, len(body)),  # Without a body, as of HEAD, it stays.
        chunks=tuple(chunks),
        offsets=offsets and tuple(round(offset, 4) for offset in offsets),
    )


def _plain(response: Response, keep: Patterns, *, ended: bool) -> Response:
    """Return a response without its coding, unless a client raises at it; one with secrets in it is decoded anyway."""
    decoded = plain(response, ended=ended)
    if decoded is response and ended:
        readable = plain(response, ended=False)
        if scrub.edits(scrub.as_text(readable.body), keep):
            return readable
    return decoded


def _headers(headers: Headers, what: str, places: Counter[str]) -> Headers:
    kept = []
    for name, value in headers:
        secret = scrub.is_secret_header(name)
        changes = () if secret else edits_of(hits_in_url(value)) if is_url(value) else scrub.edits(value)
        if secret or changes:
            places[f"{what} {name.lower()}"] += 1
        kept.append((name, scrub.MASK if secret else scrub.applied(value, changes)))
    return tuple(kept)


def _url(url: str, places: Counter[str]) -> str:
    for hit in hits_in_url(url):
        places[hit.place or "url"] += 1
    return scrub.scrubbed_url(url)


def _body(
    body: bytes, lengths: Sequence[int], keep: Patterns, what: str, places: Counter[str], *, is_raw: bool = False
) -> tuple[bytes, tuple[int, ...]]:
    """Scrub a body and lay it out, unless it is to stay raw; return the result with the new lengths of its chunks."""
    content = unpacked(body)
    if content is not body:  # A file that is compressed in itself, such as results to download, stays compressed.
        changes = scrub.edits(scrub.as_text(content), keep)
        if changes:
            places[what] += sum(bool(edit.text) for edit in changes)
            body = gzip.compress(scrub.as_bytes(scrub.applied(scrub.as_text(content), changes)), mtime=0)
        return body, tuple(lengths) if sum(lengths) == len(body) else (len(body),)
    text = scrub.as_text(body)
    changes = scrub.edits(text, keep)
    if changes:
        places[what] += sum(bool(edit.text) for edit in changes)
        lengths = _moved(lengths, text, changes)
        text = scrub.applied(text, changes)
    shown = scrub.as_bytes(laid_out(text) if scrub.is_all_text(text) and not is_raw else text)
    if lengths and len(shown) != sum(lengths):
        lengths = (len(shown),)
    return shown, tuple(lengths)


def _moved(lengths: Sequence[int], text: str, changes: Sequence[scrub.Edit]) -> tuple[int, ...]:
    """Return the lengths of chunks after edits. A chunk that ends within an edit ends after it."""
    edits = []  # in bytes: where each edit starts and ends, and how much longer the text is after it
    position = at = shift = 0
    for change in changes:
        start = at + len(scrub.as_bytes(text[position : change.start]))
        at = start + len(scrub.as_bytes(text[change.start : change.end]))
        position = change.end
        shift += len(scrub.as_bytes(change.text)) - (at - start)
        edits.append((start, at, shift))
    ends, index, shift = [], 0, 0
    for end in accumulate(lengths):
        moved = end
        while index < len(edits) and edits[index][0] < end:
            moved = max(moved, edits[index][1])
            shift = edits[index][2]
            index += 1
        last = max(moved, edits[index - 1][1]) if index else moved
        ends.append(last + shift)
    return tuple(after - before for before, after in zip([0, *ends], ends, strict=False))
