"""Any bytes and any spans can be read, paired, checked and reported: nothing raises or hangs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any, Final

import pytest

from pytest_llmtrace import report, wire
from pytest_llmtrace.checks import CHECKS, Verdict, verify
from pytest_llmtrace.model import Exchange, Fact, Reading, SpanRecord, State
from pytest_llmtrace.reading import VOCABULARY
from tests.evidence import evidence_of
from tests.fuzz._corpus import Sound, corpus, exchange_of
from tests.fuzz._frames import is_framed
from tests.fuzz._mutate import SECRET, broken_body, broken_headers, hostile, hostile_span, is_json_body, written

EachMutant = Callable[[Callable[[Random], None]], None]

TOKENS: Final = (
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "input_tokens",
    "reasoning_tokens",
)
LONGEST_LINE: Final = 1000


def judge(exchange: Exchange, spans: tuple[SpanRecord, ...]) -> tuple[Verdict, str]:
    """Go the whole way from bytes and spans to the verdict and the text of the report."""
    evidence = evidence_of((exchange,), spans)
    verdict = verify(evidence, {})
    for call in evidence.calls:
        for reading in (*call.truths, *call.readings):
            keeps_the_rules(reading)
    return verdict, report.render("fuzz", evidence, verdict)


def keeps_the_rules(reading: Reading) -> None:
    for fact in (*reading.facts.values(), *reading.others):
        assert fact.name in VOCABULARY
        assert (fact.value is not None) is (fact.state is State.PRESENT)
        assert bool(fact.note) is (fact.state is State.UNREADABLE)
        assert len(fact.note) <= LONGEST_LINE


def can_be_shown(text: str) -> None:
    """Assert that a report is fit for any terminal or log: no control character, endless line or secret."""
    for line in text.split("\n"):
        assert line.isprintable()
        assert len(line) < LONGEST_LINE
    assert SECRET not in text


def body_of(sound: Sound) -> bytes:
    assert sound.exchange.response is not None
    return sound.exchange.response.body


@cache
def framed() -> tuple[Sound, ...]:
    """Return the calls with a stream of Amazon's frames."""
    return tuple(sound for sound in corpus() if is_framed(body_of(sound)))


def is_error_of_google(body: bytes) -> bool:
    """Tell whether a body is the one that Google sends in place of a stream: an error in a list."""
    return body.startswith(b"[") and is_json_body(body.strip()[1:-1])


@cache
def of_clouds() -> tuple[Sound, ...]:
    """Return the calls to Bedrock and Vertex AI, those with the clouds' own errors included."""
    return tuple(sound for sound in corpus() if sound.id.startswith(("scripted:bedrock", "scripted:vertex")))


Among = Callable[[], Sequence[Sound]]
# Clouds are a small part of all gateways, and frames of the clouds' replies: each group has mutants of its own.
among_all_and_clouds = pytest.mark.parametrize("among", [corpus, of_clouds, framed], ids=["all", "clouds", "frames"])


def read(exchange: Exchange) -> Reading:
    reading = wire.read(exchange)
    assert reading is not None
    return reading


@pytest.mark.parametrize("number", [0, 1], ids=["otel-genai", "openinference"])
def test_what_is_sound_gives_no_finding(number: int) -> None:
    """Unbroken, each call with true spans gives no finding: whatever the fuzzer finds comes from its mutations."""
    for sound in corpus():
        exchange = replace(sound.exchange, ambient=replace(sound.exchange.ambient, span=sound.spans[number].key))
        verdict, text = judge(exchange, (replace(sound.spans[number], parent=None),))
        assert verdict.findings == (), f"{sound.id}\n{text}"


@among_all_and_clouds
def test_broken_bytes(each_mutant: EachMutant, among: Among) -> None:
    """Bodies that are cut, mixed up, mistyped or not text, under any headers, are read, checked and reported.

    Amazon's frames also get exceptions in mid-stream, and headers and lengths that no service writes.
    """

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(among())
        assert sound.exchange.response is not None
        body, asked, headers = body_of(sound), sound.exchange.request.body, sound.exchange.response.headers
        body = broken_body(random, body) if random.random() < 0.9 else body
        if random.random() < 0.2:
            asked = broken_body(random, asked)
        if random.random() < 0.3:
            headers = broken_headers(random, headers)
        at = random.randrange(len(body) + 1)
        exchange = exchange_of(sound, chunks=(body[:at], body[at:]), headers=headers, body=asked)
        exchange = replace(exchange, ended=random.choice([exchange.ended, None]))
        can_be_shown(judge(exchange, sound.spans)[1])


def test_hostile_spans(each_mutant: EachMutant) -> None:
    """Spans with any values under any of the dialects' names are read, checked and reported."""

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(corpus())
        spans = tuple(hostile_span(random, span) for span in sound.spans)
        can_be_shown(judge(sound.exchange, spans)[1])


@among_all_and_clouds
def test_hostile_both(each_mutant: EachMutant, among: Among) -> None:
    """Broken bytes and hostile spans together are read, checked and reported."""

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(among())
        exchange = exchange_of(sound, chunks=(broken_body(random, body_of(sound)),))
        can_be_shown(judge(exchange, tuple(hostile_span(random, span) for span in sound.spans))[1])


def test_no_check_is_passed_over_that_would_look(each_mutant: EachMutant) -> None:
    """Checks that `verify` skips, or evaluates in one pass, look and find the same when they are called one by one."""

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(corpus())
        body = broken_body(random, body_of(sound)) if random.random() < 0.5 else body_of(sound)
        exchange = exchange_of(sound, chunks=(body,))
        spans = tuple(hostile_span(random, span) if random.random() < 0.3 else span for span in sound.spans)
        evidence = evidence_of((exchange,), spans)
        verdict = verify(evidence, {})
        asked = [check for check in CHECKS if not check.id.startswith("backend/")]  # They need a named back end.
        looked = [finding for check in asked for finding in check.look(check, evidence)]
        assert verdict.looked_at == len(looked)
        found = sorted(finding.check for finding in looked if finding is not None)
        assert sorted(each for one in verdict.findings for each in (one.check, *one.also)) == found


@among_all_and_clouds
def test_cut_bodies_invent_nothing(each_mutant: EachMutant, among: Among) -> None:
    """A cut body states nothing that the whole body does not: no other fact, no larger count, no other text."""

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(among())
        body = body_of(sound)
        cut = read(exchange_of(sound, chunks=(body[: random.randrange(len(body) + 1)],)))
        for name, fact in cut.facts.items():
            if fact.state is State.PRESENT and name not in {"truncated", "error"}:
                whole = sound.truth.fact(name)
                assert whole.state is State.PRESENT, f"{sound.id}: {fact} is invented"
                assert is_part_of(fact, whole), f"{sound.id}: {fact} is no part of {whole}"


def is_part_of(fact: Fact, whole: Fact) -> bool:
    """Tell whether a fact read from the beginning of a body fits the fact of the whole body."""
    if fact.name in TOKENS:
        return bool(0 <= fact.value <= whole.value)
    if fact.name in {"output_texts", "reasoning_texts", "refusals"}:
        pairs = zip(fact.value, whole.value, strict=False)
        return len(fact.value) <= len(whole.value) and all((all_ or "").startswith(some or "") for some, all_ in pairs)
    if fact.name == "tool_calls":
        return bool(len(fact.value) <= len(whole.value))
    if fact.name == "finish_reasons":
        return all(some in {None, all_} for some, all_ in zip(fact.value, whole.value, strict=False))
    return bool(fact.value in ("", whole.value))  # Azure's first chunk states empty texts.


@among_all_and_clouds
def test_cut_bodies_are_truncated(each_mutant: EachMutant, among: Among) -> None:
    """A cut JSON body is truncated; a cut stream that is not truncated states every finish reason of the whole one.

    Nothing may be left of an error's body, since the status says enough then.
    """

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(among())
        body = body_of(sound).rstrip()
        if sound.truth.truncated:
            return
        left = body[: random.randrange(len(body))]
        cut = read(exchange_of(sound, chunks=(left,)))
        if is_json_body(body) or is_error_of_google(body):
            assert cut.truncated is (left.strip() != b"" or not sound.truth.error), sound.id
        elif not cut.truncated and not sound.truth.error:
            assert cut.finish_reasons == sound.truth.finish_reasons, sound.id


def test_a_damaged_frame_is_named(each_mutant: EachMutant) -> None:
    """If one byte of Amazon's frames is changed, the reading reports it, and states nothing of the body."""

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(framed())
        body = bytearray(body_of(sound))
        body[random.randrange(len(body))] ^= random.randrange(1, 256)
        broken = read(exchange_of(sound, chunks=(bytes(body),)))
        assert any("frame" in problem for problem in broken.problems), sound.id
        stated = {fact.name for fact in broken.facts.values() if fact.state is State.PRESENT and _is_of_body(fact)}
        assert stated <= {"truncated"}, sound.id


def _is_of_body(fact: Fact) -> bool:
    return fact.where.endswith(("of the response", "response body"))


def test_a_fact_depends_on_what_it_is_read_from_only(each_mutant: EachMutant) -> None:
    """A hostile value in one field changes no fact that is read from other fields."""
    plain = [sound for sound in corpus() if is_json_body(body_of(sound)) and not sound.truth.error]

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(plain)
        body = json.loads(body_of(sound))
        key = random.choice([name for name in body if name not in _JUDGED_BY])
        body[key] = _writable(random)
        broken = read(exchange_of(sound, chunks=(json.dumps(body).encode(),)))
        for name, fact in sound.truth.facts.items():
            if fact.where.endswith("response body") and fact.parts and key not in _top(fact):
                assert broken.fact(name) == fact, f"{sound.id}: {key} has changed {name}"


_JUDGED_BY: Final = frozenset({"type", "object", "error", "status"})
"""Fields that tell errors from answers, or how a response ended, which concerns more than one fact."""


def _top(fact: Fact) -> set[str]:
    return {key.partition(".")[0].partition("[")[0] for key, _ in fact.parts}


def _writable(random: Random) -> Any:
    while True:
        value = hostile(random)
        try:
            json.dumps(value)
        except (ValueError, RecursionError):
            continue
        return value


def test_headers_do_not_change_what_the_body_says(each_mutant: EachMutant) -> None:
    """Headers that do not describe the body change no fact that was read from the body."""

    @each_mutant
    def _(random: Random) -> None:
        sound = random.choice(corpus())
        assert sound.exchange.response is not None
        headers = tuple(
            (
                name,
                value
                if name.lower().startswith(("content-", "x-litellm", "llm_provider", "x-amzn-errortype"))
                else written(hostile(random))[:99],
            )
            for name, value in sound.exchange.response.headers
        )
        broken = read(exchange_of(sound, headers=headers))
        for name, fact in sound.truth.facts.items():
            if not fact.where.endswith("headers"):
                assert broken.fact(name) == fact, f"{sound.id}: {name}"
