"""Usage: counts of tokens and cost of the response against those of the span."""

from __future__ import annotations

import json
from typing import Any

from pytest_llmtrace.model import Request
from tests.unit.checks._cases import ABSENT, CLOSED, FAILED, NULL, ONE_BLOCK, STREAMING, UNREADABLE, seen

SUM = seen(60, ("usage.input_tokens", 10), ("cache_creation_input_tokens", 20), ("cache_read_input_tokens", 30))
REASONED = seen(10, ("usage.completion_tokens", 7), ("completion_tokens_details.reasoning_tokens", 3))
SUM_IN_WORDS = "usage.input_tokens 10 + cache_creation_input_tokens 20 + cache_read_input_tokens 30 = 60"
LOW = "dashboards add this count up and costs are computed from it; the count is too low"
HIGH = "dashboards add this count up and costs are computed from it; the count is too high"
SAVED_LOW = "what caching saves is computed from this count; the count is too low"
ESTIMATE = "no response stated a count, so the span's is an estimate that nobody is billed by"
AUDIO = "audio tokens have a price of their own"


# Anthropic's API compacts a conversation in an iteration of its own, which the counts beside the iterations leave out.
MESSAGE = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
COMPACTION = {**MESSAGE, "input_tokens": 100, "output_tokens": 30, "cache_creation_input_tokens": 7}
COMPACTED: dict[str, Any] = {
    "api": "messages",
    "exchange": {
        "request": Request(
            method="POST", url="https://api.anthropic.com/v1/messages", body=b'{"model": "m", "messages": []}'
        ),
        "chunks": (json.dumps({"usage": {**MESSAGE, "iterations": [COMPACTION, MESSAGE]}}).encode(),),
    },
}
BESIDE = {"input_tokens": 10, "output_tokens": 5, "cache_write_tokens": 0}


# Check, facts of the wire, facts of the span; the lines `span`, `wire` and `why`; more about the call.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        "wire/input-tokens",
        {"input_tokens": SUM},
        {"input_tokens": 10},
        "gen_ai.input_tokens = 10",
        SUM_IN_WORDS,
        "input counts include cached tokens (OTel GenAI, Anthropic); cost dashboards will be too low",
    ),
    (
        "wire/output-tokens",
        {"output_tokens": REASONED},
        {"output_tokens": 7},
        "gen_ai.output_tokens = 7",
        "usage.completion_tokens 7 + completion_tokens_details.reasoning_tokens 3 = 10",
        "output counts include reasoning tokens (OTel GenAI); cost dashboards will be too low",
    ),
    (
        "wire/input-tokens",
        {"input_tokens": 10},
        {"input_tokens": 9},
        "gen_ai.input_tokens = 9",
        "input_tokens = 10",
        LOW,
    ),
    (
        "wire/input-tokens",
        BESIDE,
        {"input_tokens": 110},
        "gen_ai.input_tokens = 110",
        "input_tokens = 10",
        HIGH,
        COMPACTED,
    ),
    *(
        (
            check,
            {
                "input_tokens": 60,
                "cache_read_tokens": 30,
                "cache_write_tokens": 20,
                "output_tokens": 9,
                "reasoning_tokens": 4,
                "total_tokens": 69,
            },
            {check.removeprefix("wire/").replace("-", "_"): mine},
            f"gen_ai.{check.removeprefix('wire/').replace('-', '_')} = {mine}",
            f"{check.removeprefix('wire/').replace('-', '_')} = {true}",
            f"{why}{what}",
        )
        for check, mine, true, why, what in (
            ("wire/input-tokens", 90, 60, HIGH, " by 30, the number of tokens read from a cache"),
            (
                "wire/input-tokens",
                110,
                60,
                HIGH,
                " by 50, the number of tokens read from a cache and tokens written to a cache",
            ),
            (
                "wire/input-tokens",
                10,
                60,
                LOW,
                " by 50, the number of tokens read from a cache and tokens written to a cache",
            ),
            ("wire/input-tokens", 9, 60, LOW, ": it is the output count"),
            ("wire/output-tokens", 13, 9, HIGH, " by 4, the number of reasoning tokens"),
            ("wire/output-tokens", 5, 9, LOW, " by 4, the number of reasoning tokens"),
            ("wire/output-tokens", 69, 9, HIGH, ": it is the total count"),
            ("wire/output-tokens", 68, 9, HIGH, ""),
            ("wire/cache-read-tokens", 20, 30, SAVED_LOW, ": it is the number of tokens written to a cache"),
        )
    ),
    (
        "wire/input-tokens",
        {"input_tokens": ABSENT},
        {"input_tokens": 9},
        "gen_ai.input_tokens = 9",
        "no input tokens",
        ESTIMATE,
    ),
    (
        "wire/output-tokens",
        {"output_tokens": 5},
        {"output_tokens": 6},
        "gen_ai.output_tokens = 6",
        "output_tokens = 5",
        HIGH,
    ),
    (
        "wire/output-tokens",
        {"output_tokens": ABSENT, **FAILED},
        {"output_tokens": 6},
        "gen_ai.output_tokens = 6",
        "no output tokens: the call failed with 429 rate_limit_error 'Slow down'",
        ESTIMATE,
        {"record": {"status": "ERROR", "status_description": "Slow down"}, "exchange": {"status": 429}},
    ),
    (
        "wire/total-tokens",
        {"total_tokens": 15},
        {"total_tokens": 14},
        "gen_ai.total_tokens = 14",
        "total_tokens = 15",
        "budgets and dashboards go by this count; the count is too low",
    ),
    (
        "wire/total-tokens",
        {"input_tokens": SUM, "output_tokens": seen(5, ("usage.output_tokens", 5)), "total_tokens": ABSENT},
        {"total_tokens": 15, "input_tokens": 60},
        "gen_ai.total_tokens = 15",
        f"no total; {SUM_IN_WORDS}; usage.output_tokens = 5; together 65",
        "budgets and dashboards go by this count; the count is too low",
    ),
    (
        "wire/total-tokens",
        {"input_tokens": SUM, "output_tokens": seen(5, ("usage.output_tokens", 5)), "total_tokens": ABSENT},
        {"total_tokens": 0, "input_tokens": 60},
        "gen_ai.total_tokens = 0",
        f"no total; {SUM_IN_WORDS}; usage.output_tokens = 5; together 65",
        "budgets and dashboards go by this count; the count is too low",
    ),
    (
        "wire/total-tokens",
        {"total_tokens": ABSENT},
        {"total_tokens": 15},
        "gen_ai.total_tokens = 15",
        "no total tokens",
        ESTIMATE,
    ),
    (
        "wire/cache-read-tokens",
        {"cache_read_tokens": 30},
        {"cache_read_tokens": 0},
        "gen_ai.cache_read_tokens = 0",
        "cache_read_tokens = 30",
        "what caching saves is computed from this count; the count is too low",
    ),
    (
        "wire/cache-write-tokens",
        {"cache_write_tokens": 20},
        {"cache_write_tokens": 30},
        "gen_ai.cache_write_tokens = 30",
        "cache_write_tokens = 20",
        "cache writes cost more than plain input, and their price is computed from this count; the count is too high",
    ),
    (
        "wire/reasoning-tokens",
        {"reasoning_tokens": 4},
        {"reasoning_tokens": 5},
        "gen_ai.reasoning_tokens = 5",
        "reasoning_tokens = 4",
        "this is the part of the output that nobody sees and everybody pays; the count is too high",
    ),
    (
        "wire/input-audio-tokens",
        {"input_audio_tokens": 4},
        {"input_audio_tokens": 5},
        "gen_ai.input_audio_tokens = 5",
        "input_audio_tokens = 4",
        f"{AUDIO}; the count is too high",
    ),
    (
        "wire/output-audio-tokens",
        {"output_audio_tokens": ABSENT},
        {"output_audio_tokens": 5},
        "gen_ai.output_audio_tokens = 5",
        "no audio output tokens",
        ESTIMATE,
    ),
    (
        "wire/cost",
        {"cost": 0.00125},
        {"cost": 0.00126},
        "gen_ai.cost = 0.00126",
        "cost = 0.00125",
        "budgets and bills are checked against this number, and the gateway charges another",
    ),
)

# Check, facts of the wire, facts of the span; more about the call.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    ("wire/input-tokens", {"input_tokens": SUM}, {"input_tokens": 60}),
    ("wire/input-tokens", BESIDE, {"input_tokens": 117, "output_tokens": 35, "cache_write_tokens": 7}, COMPACTED),
    ("wire/input-tokens", BESIDE, {**BESIDE, "total_tokens": 15}, COMPACTED),
    ("wire/total-tokens", BESIDE, {"total_tokens": 152}, COMPACTED),
    ("wire/input-tokens", {"input_tokens": 10}, {"input_tokens": 10.0}),
    ("wire/input-tokens", {"input_tokens": 10}, {"output_tokens": 0}),
    ("wire/input-tokens", {"input_tokens": UNREADABLE}, {"input_tokens": 10}),
    ("wire/input-tokens", {"input_tokens": 10, **STREAMING}, {"input_tokens": 7}, ONE_BLOCK),
    ("wire/output-tokens", {"output_tokens": ABSENT}, {"output_tokens": 0}),
    ("wire/output-tokens", {}, {"output_tokens": 0}),
    (
        "wire/output-tokens",
        {"output_tokens": 1, "truncated": True, **STREAMING},
        {"output_tokens": 7},
        {"api": "messages", **CLOSED},
    ),
    (
        "wire/total-tokens",
        {"input_tokens": SUM, "output_tokens": 5, "total_tokens": ABSENT},
        {"total_tokens": 65, "input_tokens": 60},
    ),
    ("wire/total-tokens", {"input_tokens": 8, "total_tokens": ABSENT}, {"total_tokens": 8, "input_tokens": 8}),
    ("wire/total-tokens", {"total_tokens": ABSENT}, {"total_tokens": 0}),
    (
        "wire/total-tokens",
        {"input_tokens": 8, "total_tokens": ABSENT, "truncated": True},
        {"total_tokens": 0},
        {"record": {"status": "ERROR", "status_description": "cut"}},
    ),
    ("wire/total-tokens", {"input_tokens": UNREADABLE, "total_tokens": ABSENT}, {"total_tokens": 8}),
    ("wire/cache-read-tokens", {"cache_read_tokens": ABSENT}, {"cache_read_tokens": 0}),
    ("wire/cache-write-tokens", {"cache_write_tokens": NULL}, {"cache_write_tokens": 0}),
    ("wire/reasoning-tokens", {}, {"reasoning_tokens": 0}),
    ("wire/input-audio-tokens", {"input_audio_tokens": 3}, {"input_audio_tokens": 3}),
    ("wire/output-audio-tokens", {"output_audio_tokens": ABSENT}, {"output_audio_tokens": 0}),
    ("wire/cost", {"cost": 0.00125}, {"cost": 0.001250000059}),
    ("wire/cost", {"cost": ABSENT}, {"cost": 0.00125}),
)
