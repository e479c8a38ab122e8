"""Ask OpenObserve which spans it has (its search API, the same in all releases)."""

from __future__ import annotations

import http
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pytest_llmtrace._stdlib import json
from pytest_llmtrace.export import _http
from pytest_llmtrace.export._answers import MALFORMED
from pytest_llmtrace.export._destination import Destination
from pytest_llmtrace.export._spool import key_of, spans_of

__all__ = ["UntoldError", "look", "present"]

_ID: Final = "llmtrace.run.id"
_TEST: Final = "test.case.name"
_ANSWERS: Final = 100_000


class UntoldError(Exception):
    """A back end does not tell which spans it has; the text says why.

    Attributes:
        status: The HTTP status of its answer; `None` if it has not answered.
    """

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


def present(destination: Destination, resources: list[dict[str, Any]]) -> set[str] | None:
    """Return the keys of those spans that the back end has; `None` if it does not tell.

    OpenObserve answers users and service accounts, but not those who have a token for ingestion only.

    Args:
        destination: The back end.
        resources: The spans of one test, as elements of `resourceSpans`.
    """
    if not destination.search_url:
        return None
    try:
        return look(destination, resources, timeout=destination.timeout)
    except UntoldError:
        return None


def look(destination: Destination, resources: list[dict[str, Any]], *, timeout: float) -> set[str]:
    """Return the keys of those spans that a back end with a search API has.

    Args:
        destination: The back end.
        resources: The spans of one test, as elements of `resourceSpans`.
        timeout: Limit for each wait for the server, in seconds.

    Raises:
        UntoldError: If the back end does not tell.
    """
    try:
        reply = _http.ask(
            destination.search_url,
            json.dumps({"query": _query(destination, resources)}).encode(),
            headers={"authorization": destination.headers["authorization"]},
            timeout=timeout,
        )
    except _http.NoReplyError as error:
        raise UntoldError(str(error)) from error
    if reply.status != http.HTTPStatus.OK:
        raise UntoldError(f"it answered {reply.status}", reply.status)
    try:
        return set(_keys(json.loads(reply.body)["hits"], resources))
    except MALFORMED as error:
        raise UntoldError("it did not answer as the search API does", reply.status) from error


def _query(destination: Destination, resources: list[dict[str, Any]]) -> dict[str, Any]:
    spans = list(spans_of(resources))
    starts = [int(span["startTimeUnixNano"]) // 1000 for span in spans]
    traces = ", ".join(f"'{trace}'" for trace in sorted({span["traceId"] for span in spans}))
    return {
        # All columns: to name one that the stream does not have is an error.
        "sql": f'SELECT * FROM "{destination.stream}" WHERE trace_id IN ({traces})',  # noqa: S608  # Our own hex digits
        "start_time": min(starts),
        "end_time": max(starts) + 1,
        "from": 0,
        "size": _ANSWERS,
    }


def _keys(hits: Iterable[Mapping[str, Any]], resources: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the keys of the hits from the same run and test: some suites use the same ids again and again."""
    run = _attribute(resources[0]["resource"]["attributes"], _ID)
    test = _attribute(next(spans_of(resources))["attributes"], _TEST)
    for hit in hits:
        # A server's own pipeline may have dropped these columns; then the ids alone count.
        if hit.get("service_llmtrace_run_id", run) == run and hit.get("test_case_name", test) == test:
            yield key_of({"traceId": hit["trace_id"], "spanId": hit["span_id"]})


def _attribute(attributes: Iterable[Mapping[str, Any]], name: str) -> str | None:
    return next((pair["value"]["stringValue"] for pair in attributes if pair["key"] == name), None)
