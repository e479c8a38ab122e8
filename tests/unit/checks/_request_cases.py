"""What was asked for: the request's parameters."""

from __future__ import annotations

from typing import Any

from tests.unit.checks._cases import ABSENT, NULL, STREAMING

NOT_SENT = "the request did not set it, so whoever reproduces the call from its span makes another call"
SAMPLED = "answers are compared as if they had been sampled alike"
CHOSEN = "a call that was asked for looks like the model's own decision, or the other way round"
REPETITIONS = "answers are compared as if the same repetitions had been allowed"


# Check, facts of the wire, facts of the span; the lines `span`, `wire` and `why`; more about the call.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        "wire/request-tool-choice",
        {"tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"tool_choice": "auto"},
        "gen_ai.tool_choice = 'auto'",
        "tool_choice = {'type': 'function', 'function': {'name': 'look'}}",
        CHOSEN,
    ),
    (
        "wire/request-tool-choice",
        {"tool_choice": {"type": "tool", "name": "look"}},
        {"tool_choice": {"name": "hear"}},
        "gen_ai.tool_choice = {'name': 'hear'}",
        "tool_choice = {'type': 'tool', 'name': 'look'}",
        CHOSEN,
    ),
    (
        "wire/streaming",
        STREAMING,
        {"streaming": False},
        "gen_ai.streaming = False",
        "streaming = True",
        "streams and plain calls differ in latency and in what they measure; mixed up, neither can be judged",
    ),
    (
        "wire/request-max-tokens",
        {"max_tokens": 1024},
        {"max_tokens": 4096},
        "gen_ai.max_tokens = 4096",
        "max_tokens = 1024",
        "nobody can tell whether an answer was cut at its limit",
    ),
    (
        "wire/request-max-tokens",
        {"max_tokens": ABSENT},
        {"max_tokens": 4096},
        "gen_ai.max_tokens = 4096",
        "no output limit",
        NOT_SENT,
    ),
    (
        "wire/request-temperature",
        {"temperature": 0.7},
        {"temperature": 1.0},
        "gen_ai.temperature = 1.0",
        "temperature = 0.7",
        SAMPLED,
    ),
    (
        "wire/request-temperature",
        {"temperature": ABSENT},
        {"temperature": 0.0},
        "gen_ai.temperature = 0.0",
        "no temperature",
        NOT_SENT,
    ),
    ("wire/request-top-p", {"top_p": ABSENT}, {"top_p": 0}, "gen_ai.top_p = 0", "no top-p", NOT_SENT),
    ("wire/request-seed", {"seed": NULL}, {"seed": 0}, "gen_ai.seed = 0", "seed = null", NOT_SENT),
    ("wire/request-top-p", {"top_p": 0.9}, {"top_p": 0.95}, "gen_ai.top_p = 0.95", "top_p = 0.9", SAMPLED),
    ("wire/request-top-k", {"top_k": 40}, {"top_k": 5}, "gen_ai.top_k = 5", "top_k = 40", SAMPLED),
    ("wire/request-top-k", {"top_k": ABSENT}, {"top_k": 5}, "gen_ai.top_k = 5", "no top-k", NOT_SENT),
    (
        "wire/request-frequency-penalty",
        {"frequency_penalty": 0.5},
        {"frequency_penalty": -0.5},
        "gen_ai.frequency_penalty = -0.5",
        "frequency_penalty = 0.5",
        REPETITIONS,
    ),
    (
        "wire/request-presence-penalty",
        {"presence_penalty": 0.5},
        {"presence_penalty": 0.25},
        "gen_ai.presence_penalty = 0.25",
        "presence_penalty = 0.5",
        REPETITIONS,
    ),
    (
        "wire/request-seed",
        {"seed": 42},
        {"seed": 43},
        "gen_ai.seed = 43",
        "seed = 42",
        "whoever repeats the call with the seed on its span gets another answer",
    ),
    (
        "wire/request-stop",
        {"stop": ["END", "STOP"]},
        {"stop": ["END"]},
        "gen_ai.stop = ['END']",
        "stop = ['END', 'STOP']",
        "nobody can tell why an answer ends where it does",
    ),
    (
        "wire/request-choices",
        {"choice_count": 3},
        {"choice_count": 1},
        "gen_ai.choice_count = 1",
        "choice_count = 3",
        "output tokens for one answer look like those for several, or the other way round",
    ),
    (
        "wire/request-choices",
        {"choice_count": ABSENT},
        {"choice_count": 2},
        "gen_ai.choice_count = 2",
        "no number of choices",
        NOT_SENT,
    ),
    (
        "wire/request-dimensions",
        {"dimensions": 256},
        {"dimensions": 1024},
        "gen_ai.dimensions = 1024",
        "dimensions = 256",
        "whoever embeds with the number on the span gets vectors that do not fit the others",
    ),
    (
        "wire/request-dimensions",
        {"dimensions": ABSENT},
        {"dimensions": 1024},
        "gen_ai.dimensions = 1024",
        "no number of dimensions",
        NOT_SENT,
    ),
)

# Check, facts of the wire, facts of the span; more about the call.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    # Each API has a form of its own, and frameworks write the name alone.
    *(
        ("wire/request-tool-choice", {"tool_choice": true}, {"tool_choice": mine})
        for true, mine in (
            ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
            ({"type": "function", "name": "look"}, "look"),
            ({"name": "look"}, {"function": {"name": "look"}}),
            ({"type": "any", "disable_parallel_tool_use": True}, "required"),
            ({"type": "auto"}, "auto"),
            ("none", {"type": ["none"]}),
            ("none", "__REDACTED__"),
            ({"type": "tool", "name": "look"}, '{"type": "tool"}'),
            (["look"], "look"),
            (ABSENT, "auto"),
            (NULL, "auto"),
        )
    ),
    ("wire/streaming", {"streaming": False}, {"streaming": False}),
    ("wire/request-max-tokens", {"max_tokens": 1024}, {"max_tokens": 1024.0}),
    ("wire/request-temperature", {"temperature": 1}, {"temperature": 1.0}),
    ("wire/request-temperature", {"temperature": 0.7}, {"temperature": 0.699999988079071}),
    ("wire/request-temperature", {}, {"temperature": 0.7}),
    ("wire/request-top-p", {"top_p": 1}, {"top_p": 1.0}),
    ("wire/request-top-k", {"top_k": 40}, {"top_k": 40}),
    ("wire/request-top-k", {"top_k": ABSENT}, {"top_k": 0}),
    ("wire/request-max-tokens", {"max_tokens": ABSENT}, {"max_tokens": 0}),
    ("wire/request-frequency-penalty", {"frequency_penalty": NULL}, {"frequency_penalty": 0}),
    ("wire/request-presence-penalty", {"presence_penalty": ABSENT}, {"presence_penalty": 0.0}),
    ("wire/request-seed", {"seed": 42}, {"seed": 42}),
    ("wire/request-stop", {"stop": ["END"]}, {"stop": "END"}),
    ("wire/request-stop", {"stop": ["END", "STOP"]}, {"stop": ("END", "STOP")}),
    ("wire/request-choices", {"choice_count": ABSENT}, {"choice_count": 1}),
    ("wire/request-dimensions", {"dimensions": 256}, {"dimensions": 256.0}),
    ("wire/request-dimensions", {}, {"dimensions": 256}),
)
