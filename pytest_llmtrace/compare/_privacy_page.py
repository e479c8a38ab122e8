"""Write the comparison of content modes as a page for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_llmtrace.compare._instrumentors import CLIENTS
from pytest_llmtrace.compare._privacy_calls import CALLS, PLACES
from pytest_llmtrace.compare._privacy_run import Made, Privacy, Row, broken, idle, named

__all__ = ["page"]

_INTRODUCTION = """\
# What comes out, and which switch keeps it in

This page shows which secrets and personal data of an LLM call end up in its telemetry, under each instrumentor and \
each of its content modes.

It is measured with canaries: values that occur nowhere else. Each call has a canary in every place in which secrets \
and personal data travel. It goes through the real SDK, with its synchronous and its asynchronous client, under each \
instrumentor, in each of its content modes, each in a process of its own. Then the canaries are searched for in all \
that came out: names of spans, attributes and their keys, events, links, status descriptions, resources, log records, \
and attributes of metrics. Nothing is sent to the network. To make this page anew:

```console
python -m tox -e compare -- --privacy --output docs/privacy.md
```

The calls: {calls}. In the calls that fail, the error message has a canary. An embedding vector has a number as its \
canary.

Each instrumentor has three tables. Calls for which it makes no span are named above them.

**The first table** has a row for each content mode and a column for each canary. A cell names the channels in which \
the canary came out, in any of the calls; an empty cell means that it came out nowhere, and *n/a* that no call of this \
instrumentor has this canary. Where the two clients differ, both are named. The channels:

- **A**: an attribute of the span, or of one of its links
- **E**: an event of the span
- **S**: the status description of the span
- **N**: the name of the span
- **L**: a log record
- **M**: an attribute of a metric
- **R**: the resource

**The second table** has what each mode promises by its documentation, whether the promise is kept, and where else the \
content that the mode hides came out all the same. *Nothing to hide* means that these calls have no such content there \
in any mode, so this page cannot tell whether the switch works.

**The third table** has every place exactly: for the default mode, and for each other mode that differs from it."""

_LETTERS = {
    "attribute": "A",
    "event": "E",
    "link": "A",
    "log": "L",
    "metric": "M",
    "name": "N",
    "resource": "R",
    "status": "S",
}


def page(results: Sequence[Privacy], sdks: Sequence[str]) -> str:
    """Return the text of the page.

    Args:
        results: One result per instrumentor.
        sdks: The SDKs with their versions.
    """
    parts = [_INTRODUCTION.format(calls="; ".join(CALLS)), f"SDKs: {', '.join(sdks)}."]
    for result in results:
        parts.append(f"## {result.name}\n\n{', '.join(result.versions)}.{_silent(result)}")
        parts += ["\n".join(table(result)) for table in (_matrix, _promises, _places)]
    return "\n\n".join(parts)


def _silent(result: Privacy) -> str:
    silent = [call for call in result.rows[0].calls if not call["spans"]]
    return f" Calls without a span: {named(silent)}." if silent else ""


def _matrix(result: Privacy) -> Iterator[str]:
    yield f"| mode | {' | '.join(PLACES.values())} |"
    yield f"| --- |{' --- |' * len(PLACES)}"
    for row in result.rows:
        yield f"| {_name(row)} | {' | '.join(_cell(row, place) for place in PLACES)} |"


def _cell(row: Row, place: str) -> str:
    if not any(place in call["put"] for call in row.calls):
        return "n/a"
    by_client = {client: _channels(row, place, client) for client in CLIENTS}
    if len(set(by_client.values())) == 1:
        return by_client["sync"]
    return "; ".join(f"{client}: {channels or 'nowhere'}" for client, channels in by_client.items())


def _channels(row: Row, place: str, client: str) -> str:
    found = [where for where, calls in row.places(place).items() if client in _clients(calls)]
    letters = {_LETTERS[where.partition(" ")[0]] for where in found}
    return " ".join(letter for letter in "AESNLMR" if letter in letters)


def _clients(calls: Sequence[Made]) -> set[str]:
    return {call["client"] for call in calls}


def _promises(result: Privacy) -> Iterator[str]:
    yield "| mode | promise | kept? | came out elsewhere |"
    yield "| --- | --- | --- | --- |"
    for row in result.rows:
        yield f"| {_name(row)} | {row.mode.promise} | {_kept(row, result.rows)} | {_beside(row)} |"


def _kept(row: Row, rows: Sequence[Row]) -> str:
    faults = list(broken(row))
    if faults:
        return f"**no**: {'; '.join(faults)}"
    vain = idle(row, rows)
    if vain and vain == row.mode.hides:
        return "nothing to hide"
    nouns = [noun for place, noun in PLACES.items() if place in vain]
    return f"yes; nothing to hide: {', '.join(nouns)}" if nouns else "yes"


def _beside(row: Row) -> str:
    """Return where the content that a mode hides came out, apart from the channels in which the mode shows it."""
    lines = []
    for place, noun in PLACES.items():
        found = [pair for pair in sorted(row.places(place).items()) if not pair[0].startswith(tuple(row.mode.shows))]
        if found and place in row.mode.hides:
            lines.append(f"{noun}: {', '.join(_where(*pair) for pair in found)}")
    return "; ".join(lines)


def _places(result: Privacy) -> Iterator[str]:
    yield "| place | mode | where |"
    yield "| --- | --- | --- |"
    default = {place: _list(result.rows[0], place) for place in PLACES}
    for place, noun in PLACES.items():
        for row in result.rows:
            where = _list(row, place)
            if (row is result.rows[0] and where) or where != default[place]:
                yield f"| {noun} | {_name(row)} | {where or 'nowhere'} |"


def _list(row: Row, place: str) -> str:
    return ", ".join(_where(where, calls) for where, calls in sorted(row.places(place).items()))


def _where(where: str, calls: Sequence[Made]) -> str:
    clients = _clients(calls)
    return f"`{_short(where)}`" + (f" ({clients.pop()} only)" if len(clients) < len(CLIENTS) else "")


def _short(where: str) -> str:
    return where.removeprefix("attribute ")


def _name(row: Row) -> str:
    return row.mode.name if row.mode.name == "default" else f"`{row.mode.name}`"
