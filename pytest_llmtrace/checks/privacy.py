"""Does telemetry give away what it should not: secrets anywhere, and content where the settings forbid it?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pytest_llmtrace._argtypes import is_count
from pytest_llmtrace.canaries import Sought, layers
from pytest_llmtrace.checks._check import Check, Evidence
from pytest_llmtrace.checks._privacy_captured import uncaptured
from pytest_llmtrace.checks._privacy_places import Holds, content_in, side_of, switch_for
from pytest_llmtrace.checks._privacy_sizes import HIGH_CARDINALITY, OVERSIZED
from pytest_llmtrace.checks._privacy_texts import Carrier, Text, place_in
from pytest_llmtrace.checks._words import first_of, place_of_exchange
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.model import Finding, LogRecord, MetricPoint
from pytest_llmtrace.secrets.shapes import Shape, shapes_in, shown

__all__ = ["CHECKS", "CONTENT", "SECRET", "refuse_content"]

CONTENTS = ("captured", "redacted", "absent")
_MOST = 8


class _Leak(NamedTuple):
    """A secret or content that came out: its place, what it is, where it is known from, and the switch against it."""

    place: str
    what: str
    source: str
    switch: str


# --- Secrets ---------------------------------------------------------------------------------------------------------


def _secret(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    leaking = _Leaking(check)
    for carrier, suspicion in zip(evidence.carriers, evidence.suspicions, strict=True):
        leaks: list[_Leak] = []
        if suspicion.secrets:
            leaks = [leak for text in carrier.texts() for leak in _secrets_in(carrier, text, evidence)]
        if leaks:
            leaking.add(carrier, leaks)
        else:
            yield None
    yield from leaking.findings()


def _secrets_in(carrier: Carrier, text: Text, evidence: Evidence) -> Iterator[_Leak]:
    known = [sought for sought in evidence.secrets.within(text.text) if not _belongs(sought, text, evidence)]
    for sought in known:
        yield _leak(carrier, text, evidence.secrets.within, sought, f"{sought.what}, {shown(sought.value)}")
    for shape, value in () if known else _shaped(text.text):
        place = place_in(text.text, lambda part: bool(_whole_shapes(part)))
        yield _Leak(_place(text, place), f"{shape.looks_like}, {shown(value)}", "", _switch(carrier, text))


def _belongs(sought: Sought, text: Text, evidence: Evidence) -> bool:
    """Tell whether a text may hold an organization: it is documented to, or holds it in base64 only.

    Anthropic puts it there itself, in signatures of thinking and encrypted results, which clients must send back.
    """
    if not sought.home:
        return False
    return text.key == sought.home or all(one is not sought for _, _, one in evidence.secrets.places(text.text))


def _shaped(text: str) -> list[tuple[Shape, str]]:
    """Return what looks like a secret in a text or, failing that, in the first of its decoded layers that has one."""
    return next(filter(None, map(_whole_shapes, layers(text))), [])


def _whole_shapes(text: str) -> list[tuple[Shape, str]]:
    """Return what looks like a secret, without masked secrets, as in OpenAI's own message that a key is wrong.

    Recordings leave masked ones out, since they give away some of the key; but nobody can use them, so they may stay.
    """
    found = ((shape, text[shape.start : shape.end]) for shape in shapes_in(text))
    return [(shape, value) for shape, value in found if _MASKED not in value]


_MASKED = "***"


# --- Content ---------------------------------------------------------------------------------------------------------


def refuse_content(content: object = None, longest_attribute: object = 1) -> None:
    """Refuse an intention or a limit that has no meaning.

    Raises:
        UsageError: If the intention or the limit has no meaning.
    """
    if content is not None and content not in CONTENTS:
        raise UsageError.unknown("value of content=", content, CONTENTS)
    if not is_count(longest_attribute) or longest_attribute < 1:
        raise UsageError(f"longest_attribute= takes a number of characters, 1 or more, not {longest_attribute!r}")


def _content(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    if evidence.content is None:
        return
    if evidence.content == "captured":
        yield from _captured(check, evidence)
        return
    plain: defaultdict[str, set[str]] = defaultdict(set)
    leaking = _Leaking(check)
    for carrier, suspicion in zip(evidence.carriers, evidence.suspicions, strict=True):
        leaks: list[_Leak] = []
        if suspicion.contents or _has_place(carrier, plain):
            leaks = [leak for text in carrier.texts() for leak in _content_in(carrier, text, evidence)]
        if leaks:
            leaking.add(carrier, leaks)
        else:
            yield None
    yield from leaking.findings()


def _has_place(carrier: Carrier, plain: dict[str, set[str]]) -> bool:
    """Tell whether a carrier has a place for content; `plain` collects the other keys, by channel."""
    if isinstance(carrier.subject, LogRecord) and carrier.subject.event_name:
        return True
    for channel, attributes in carrier.groups():
        if not plain[channel].issuperset(attributes):
            plain[channel] |= {key for key in attributes if side_of(channel, key) is None}
            if not plain[channel].issuperset(attributes):
                return True
    return False


def _content_in(carrier: Carrier, text: Text, evidence: Evidence) -> Iterator[_Leak]:
    if text.key in _OF_USERS:
        return
    known = evidence.contents.within(text.text)
    for sought in known:
        yield _leak(carrier, text, evidence.contents.within, sought, _sized(sought.what, sought.value))
    side = None if text.is_key or known else side_of(text.channel, text.key)
    held = content_in(text.text, text.key) if side else Holds.NOTHING
    if held is Holds.CONTENT:
        yield _Leak(text.place, _sized(f"content ({side})", text.text), "", _switch(carrier, text))
    elif held is Holds.MARKER and evidence.content == "absent":
        yield _Leak(text.place, 'a marker in place of content, which only content="redacted" allows', "", "")


_OF_USERS = frozenset({"enduser.id", "enduser.pseudo.id", "session.id", "user.id"})
"""Attributes in which conventions want the id of a user: the application itself put it there, so it is not a leak."""


def _sized(what: str, value: str) -> str:
    return f"{what}, {len(value):,} characters"


def _captured(check: Check, evidence: Evidence) -> Iterator[Finding | None]:
    for span, call, missing in uncaptured(evidence):
        if not missing:
            yield None
            continue
        what = "\n".join(f"{noun} is nowhere: not on the span, its events or its log records" for noun in missing)
        exchange = call.exchanges[-1]
        yield check.finding(
            span,
            ("span", what),
            ("wire", place_of_exchange(exchange)),
            why='content="captured" promises it, and whoever looks for a bad answer in the back end finds nothing',
            next="switch content capture on in the instrumentation",
        )


# --- Findings --------------------------------------------------------------------------------------------------------


def _leak(
    carrier: Carrier, text: Text, within: Callable[[str], tuple[Sought, ...]], sought: Sought, what: str
) -> _Leak:
    place = place_in(text.text, lambda part: sought in within(part))
    return _Leak(_place(text, place), what, sought.where, _switch(carrier, text))


def _place(text: Text, inside: str) -> str:
    # A key that is a secret is not named.
    return f"{text.channel}, a key" if text.is_key else f"{text.place}{inside}"


def _switch(carrier: Carrier, text: Text) -> str:
    return switch_for(carrier.subject, text.channel, text.key)


class _Leaking:
    """What leaks, in the order in which it was found: each carrier, and the series of one metric together."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: dict[object, tuple[Carrier, list[_Leak]]] = {}

    def add(self, carrier: Carrier, leaks: Iterable[_Leak]) -> None:
        """Add the leaks of a carrier."""
        is_series = isinstance(carrier.subject, MetricPoint)
        self._found.setdefault(carrier.title if is_series else id(carrier), (carrier, []))[1].extend(leaks)

    def findings(self) -> Iterator[Finding]:
        """Yield the findings."""
        for carrier, leaks in self._found.values():
            yield _finding(self._check, carrier, leaks)


def _finding(check: Check, carrier: Carrier, leaks: list[_Leak]) -> Finding:
    switches = list(dict.fromkeys(leak.switch for leak in leaks if leak.switch))
    title = carrier.title
    wire = list(dict.fromkeys(f"{leak.what.partition(',')[0]}: {leak.source}" for leak in leaks if leak.source))
    return check.finding(
        title,
        (carrier.label, "\n".join(_lines(leaks))),
        *([("wire", "\n".join(first_of(wire, _MOST)))] if wire else []),
        next=f"set {' and '.join(switches)}" if switches else "",
        makers=carrier.makers,
    )


def _lines(leaks: list[_Leak]) -> Iterable[str]:
    by_place: defaultdict[str, list[str]] = defaultdict(list)
    for leak in leaks:
        by_place[leak.place].append(leak.what)
    lines = [f"{place}: {'; '.join(first_of(list(dict.fromkeys(whats)), _MOST))}" for place, whats in by_place.items()]
    return first_of(lines, _MOST)


SECRET = Check(
    id="privacy/secret",
    title="No secret leaves the process in telemetry",
    why="whoever may read the back end can use it, and it stays there as long as the data",
    next="keep it out of telemetry, and replace it if spans like this were ever exported",
    look=_secret,
    source="OpenTelemetry, Handling sensitive data: whoever instruments is responsible for what telemetry holds",
    compares="Secrets with every text that telemetry carries.\n"
    "  - Looked for are the secrets that the exchanges carry (keys, provider keys, cookies and organizations in "
    "headers, fields and the user in the URL, fields of the body) and canaries. Each must have 8 characters or more "
    "and be no plain word, nor words that are the name of the host or of a span's provider, as a key `lm-studio` is; "
    "in a prompt, nor a variable, a placeholder, a pattern or a code of words (`too_short`). "
    "It must stand by itself in the text: as it is, as JSON or URLs escape it, or in base64. "
    "Also looked for is whatever has the shape of a key of a provider, or of a service that agents use. The "
    "organization may stand in `anthropic.organization.id`, which is documented to hold it, and in base64, as in "
    "Anthropic's own signatures of thinking and encrypted results.\n"
    "  - Looked through are span names, attributes and their keys, events, links, status descriptions, attributes of "
    "scopes, resources, log records, and attributes of metrics.",
)

CONTENT = Check(
    id="privacy/content",
    title="Content is captured, masked or left out as intended",
    why="what users say is stored where nobody is meant to read it",
    next="keep it out of this place",
    look=_content,
    source="OTel GenAI, capturing instructions, inputs and outputs: SHOULD NOT by default, and SHOULD be an option",
    about=("content",),
    compares="Judged only where `content=` is set.\n"
    '  - `"absent"` and `"redacted"`: what the exchanges say (prompts, system prompts, tool arguments and results, '
    "answers, ids of users) and canaries must stand in no text that telemetry carries; texts of 16 characters or more "
    "are looked for, and ids of 8 or more. The attributes in which the conventions put content must hold none, "
    'however short. `"redacted"` allows a marker there, such as `__REDACTED__`. The attributes for the id of a user '
    "or a session (`user.id` and others) are not judged.\n"
    '  - `"captured"`: what was asked and what was answered must stand on the span of the call, in its events or in '
    "its log records. An answer that failed or was not complete may be missing.",
)

CHECKS: tuple[Check, ...] = (SECRET, CONTENT, OVERSIZED, HIGH_CARDINALITY)
