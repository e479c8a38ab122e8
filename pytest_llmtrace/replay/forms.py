"""Every form of cassette seen in the wild, read as recordings.

vcrpy's own form is `{version: 1, interactions: [{request, response}]}`. Others write `parsed_body` for a JSON body,
`content` and `status_code` (vcrpy before 6), `body: {type, content}` (cassetter), `url` for `uri`, or one
`{request, response}` in each file, with `base64:` before a body that is not text (Datadog's test agent), or
`{requests: [...], responses: [...]}` in a file in gzip (LangChain, `.yaml.gz`). A body that the application sent as a
file is one in the cassette too (`!!python/object/new:_io.BytesIO`), and is read as its content. This package adds the
key `llmtrace`, which vcrpy ignores:

- beside `interactions`: `{origin: recorded | written, ...}`, what the file says about itself;
- in a response: `{chunks: [length, ...], offsets: [seconds, ...]}`, how the body arrived. Lengths are in bytes of the
  body as it travels, offsets count from the request; chunks that do not add up to the body (it was edited) are ignored;
- in a response: `{coding: as-sent}`, where the body is not in the coding that its header names, and the server is to
  blame: a client raises. Without this, a recorder is taken to have decoded the body, and the header is left out;
- in an interaction: `{test: tests/test_chat.py::test_stream}`, its test, in a file that several tests may share;
- in a response or in an interaction: `{failure: read-timeout}`, how the connection broke (`model.Failure`). Where
  it broke before any response, `response` is null, which vcrpy skips.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_llmtrace.errors import CassetteError
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Failure, Headers, Recording, Request, Response
from pytest_llmtrace.replay.bodies import body_bytes, json_bytes, marked_bytes
from pytest_llmtrace.replay.payload import Shared, in_chunks, pieces, settled

__all__ = ["Forms"]

_USUALLY_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
_AS_SENT = "as-sent"
_BODILESS = frozenset({204, 304})
_CASSETTE = "expected `interactions` (vcrpy), or one `request` with its `response`"


class Forms:
    """A reader of the value of one file, whose path its errors name."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._shared = Shared()
        self._of_test_agent = False

    def error(self, reason: str, where: Any = None) -> CassetteError:
        """Return an error at the line of the mapping `where`, if the line is known."""
        return CassetteError(self.path, reason, line=getattr(where, "line", None))

    # --- the file ---

    def recordings(self, document: Any) -> tuple[Recording, ...]:
        """Return the interactions of a document in order.

        Raises:
            CassetteError: If this is not a cassette, has another version, or ends in the middle of an interaction.
        """
        interactions = self.interactions(document)
        whole = "version" in document or "request" in document
        last = len(interactions) - 1
        return tuple(
            item if isinstance(item, Recording) else self.recording(index, item, cut_off=index == last and not whole)
            for index, item in enumerate(interactions)
        )

    def early(self, index: int, item: Any) -> Any:
        """Read an interaction while the rest of the file is not known yet.

        Returns:
            A recording; or the interaction unchanged, if the rest of the file decides how to read it or what is wrong.
        """
        if not isinstance(item, dict) or item.get("response") is None:
            return item
        try:
            return self.recording(index, item, cut_off=False)
        except CassetteError:
            return item

    def interactions(self, document: Any) -> list[Any]:
        """Return the list of interactions, which are not checked yet."""
        if not isinstance(document, dict):
            raise self.error(f"{_described(document)} is not a cassette: {_CASSETTE}")
        version = document.get("version", 1)
        if str(version) not in {"1", "1.0"}:
            raise self.error(f"cassettes of version {version!r} cannot be read, only those of version 1", document)
        if "interactions" not in document and "request" in document:
            self._of_test_agent = True
            return [document]
        if "interactions" not in document and isinstance(document.get("requests"), list):
            return self.paired(document)
        interactions = document.get("interactions")
        if not isinstance(interactions, list):
            found = f"`interactions` is {_described(interactions)}, not a list" if "interactions" in document else ""
            raise self.error(found or f"{_described(document)} is not a cassette: {_CASSETTE}", document)
        return interactions

    def paired(self, document: dict[Any, Any]) -> list[Any]:
        """Return the interactions of a file that lists requests and responses apart."""
        requests, responses = document["requests"], document.get("responses")
        if not isinstance(responses, list) or len(requests) != len(responses):
            number = len(responses) if isinstance(responses, list) else "no"
            raise self.error(f"it lists {len(requests)} requests and {number} responses", document)
        both = zip(requests, responses, strict=True)
        return [{"request": request, "response": response} for request, response in both]

    def origin(self, document: Any) -> Mapping[str, Any]:
        """Return what the file says about itself under `llmtrace`; empty if it says nothing."""
        origin = document.get("llmtrace") if isinstance(document, dict) else None
        if origin is None:
            return {}
        if not isinstance(origin, dict):
            raise self.error(f"`llmtrace` is {_described(origin)}, not a mapping", document)
        return dict(origin)

    # --- one interaction ---

    def recording(self, index: int, item: Any, *, cut_off: bool) -> Recording:
        """Read one interaction; `cut_off` says that the file may have been cut off within it."""
        name = f"interaction {index}"
        if not isinstance(item, dict) or not isinstance(item.get("request"), dict):
            raise self.error(
                f"{name} has no `request`, it is {_described(item)}: not an HTTP call, or the file is cut off here",
                item,
            )
        request, any_body = self.request(item["request"], name)
        raw = item.get("response")
        if cut_off and raw is None:
            raise self.error(f"{name} has no `response`, and no `version` follows: the file is cut off here", item)
        return Recording(
            index=index,
            request=request,
            response=None if raw is None else self.response(raw, name, item, request.method),
            failure=self.failure(item, raw, name),
            line=getattr(item, "line", None),
            any_body=any_body,
            test=self.test(item, name),
        )

    def test(self, item: dict[Any, Any], name: str) -> str:
        """Return the name of the test that recorded an interaction, empty if the interaction does not name it."""
        extra = item.get("llmtrace")
        test = extra.get("test", "") if isinstance(extra, dict) else ""
        if not isinstance(test, str):
            raise self.error(f"{name} has a `llmtrace.test` that is {_described(test)}, not the name of a test", item)
        return test

    def request(self, raw: dict[Any, Any], name: str) -> tuple[Request, bool]:
        """Read a request, and tell whether the file has dropped its body.

        The body was dropped if there is none although the method usually has one, or `content-length` announces one.
        """
        method, url = raw.get("method"), raw.get("uri", raw.get("url"))
        for key, value in (("method", method), ("uri", url)):
            if not isinstance(value, str) or not value:
                raise self.error(_lacking(f"the request of {name}", key, value, "a string"), raw)
        if not _is_url(str(url)):
            raise self.error(
                f"the `uri` of the request of {name} is not a URL, so no client can have requested it", raw
            )
        method = str(method).upper()
        headers = self.headers(raw, f"the request of {name}")
        body = self.body(raw, f"the request of {name}")
        dropped = body is None and not _HAS_BODY_KEY & raw.keys() and method in _USUALLY_WITH_BODY
        dropped = dropped or (not body and header(headers, "content-length").strip() not in {"", "0"})
        method, url = self._shared.text(method), self._shared.text(str(url))
        return Request(method=method, url=url, headers=headers, body=body or b""), dropped

    def response(self, raw: Any, name: str, item: dict[Any, Any], method: str) -> Response:
        """Read a response."""
        owner = f"the response of {name}"
        if not isinstance(raw, dict):
            raise self.error(f"{owner} is {_described(raw)}, not a mapping", item)
        status, reason = self.status(raw, owner)
        headers = self.headers(raw, owner)
        body = self.body(raw, owner) or b""
        bodiless = method == "HEAD" or status in _BODILESS
        headers = settled(headers, body, bodiless=bodiless, as_sent=self.is_as_sent(raw, owner))
        chunks, offsets = self.chunks(raw, body, owner)
        return Response(
            status=status,
            headers=headers,
            chunks=in_chunks(body, headers) if chunks is None else chunks,
            offsets=offsets,
            reason=reason,
            http_version=str(raw.get("http_version") or "HTTP/1.1"),
        )

    def is_as_sent(self, raw: dict[Any, Any], owner: str) -> bool:
        """Tell whether the file says that the server sent the body so, whatever the header about its coding says."""
        extra = raw.get("llmtrace")
        coding = extra.get("coding") if isinstance(extra, dict) else None
        if coding not in {None, _AS_SENT}:
            raise self.error(f"the `llmtrace.coding` of {owner} is {coding!r}, not {_AS_SENT!r}", raw)
        return coding is not None

    def status(self, raw: dict[Any, Any], owner: str) -> tuple[int, str]:
        """Read `{code, message}`, a bare number, or `status_code`."""
        status: Any = raw.get("status", raw.get("status_code"))
        reason: Any = raw.get("reason")
        if isinstance(status, dict):
            status, reason = status.get("code"), status.get("message")
        try:
            code = int(status)
        except (TypeError, ValueError, OverflowError):
            raise self.error(_lacking(owner, "status", status, "a number such as 200"), raw) from None
        return code, "" if reason is None else _word(reason)

    def failure(self, item: dict[Any, Any], response: Any, name: str) -> Failure | None:
        """Read how the connection broke; None if it did not."""
        for holder in (item, response):
            extra = holder.get("llmtrace") if isinstance(holder, dict) else None
            failure = extra.get("failure") if isinstance(extra, dict) else None
            if failure is None:
                continue
            try:
                return Failure(failure)
            except ValueError:
                raise self.error(
                    f"{name} has the unknown failure {failure!r}; known: {', '.join(Failure)}", item
                ) from None
        return None

    def chunks(
        self, raw: dict[Any, Any], body: bytes, owner: str
    ) -> tuple[tuple[bytes, ...] | None, tuple[float, ...] | None]:
        """Read the chunks of a body, and their times; None for what was not recorded."""
        extra = raw.get("llmtrace")
        if not isinstance(extra, dict) or extra.get("chunks") is None:
            return None, None
        lengths, offsets = extra["chunks"], extra.get("offsets")
        if not _lengths(lengths):
            raise self.error(f"the `llmtrace.chunks` of {owner} are not a list of lengths", extra)
        seconds = None if offsets is None else _seconds(offsets)
        if offsets is not None and seconds is None:
            raise self.error(f"the `llmtrace.offsets` of {owner} are not a list of seconds", extra)
        chunks = pieces(body, lengths)
        return chunks, None if chunks is None else seconds

    # --- parts of a message ---

    def headers(self, raw: dict[Any, Any], owner: str) -> Headers:
        """Read headers: a mapping of each name to one value or several, or a list of pairs."""
        headers = raw.get("headers")
        if headers is None:
            return ()
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        if not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
            raise self.error(f"the headers of {owner} are neither a mapping nor a list of pairs", raw)
        return self._shared.headers(
            (_word(name), _word(value))
            for name, values in pairs
            for value in (values if isinstance(values, list) else [values])
        )

    def body(self, raw: dict[Any, Any], owner: str) -> bytes | None:
        """Read a body in any of its forms, None if there is none."""
        try:
            if raw.get("body") is not None:
                return (marked_bytes if self._of_test_agent else body_bytes)(raw["body"])
            if "parsed_body" in raw:
                return json_bytes(raw["parsed_body"])
            return None if raw.get("content") is None else body_bytes(raw["content"])
        except (binascii.Error, TypeError, ValueError):
            raise self.error(f"the body of {owner} cannot be decoded", raw) from None


_HAS_BODY_KEY = frozenset({"body", "content", "parsed_body"})


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2  # noqa: PLR2004


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:  # For example, for `http://[`.
        return False
    return True


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return "" if value is None else str(value)


def _lengths(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _seconds(value: Any) -> tuple[float, ...] | None:
    """Read a list of numbers; None for any other value. Whether they make sense as times is checked by `clock.flaw`."""
    if not isinstance(value, list) or not all(type(item) in {int, float} for item in value):
        return None
    try:
        return tuple(map(float, value))
    except OverflowError:
        return None


def _lacking(owner: str, key: str, value: Any, wanted: str) -> str:
    if value is None or value == "":
        return f"{owner} has no `{key}`: the file is cut off here, or is not a cassette"
    return f"the `{key}` of {owner} is {_described(value)}, not {wanted}"


def _described(value: Any) -> str:
    if isinstance(value, dict):
        keys = ", ".join(repr(str(key)[:40]) for key in list(value)[:4])
        return f"a mapping with the keys {keys}" if keys else "an empty mapping"
    names = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), "binary data")
