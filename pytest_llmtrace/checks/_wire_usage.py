"""What it cost: comparisons of token counts and cost."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.checks import _numbers
from pytest_llmtrace.checks._compare import Comparison, Early, Judge, comparison

__all__ = ["USAGE"]

_BOTH = "OTel GenAI, client inference span: `gen_ai.usage.*`; OpenInference: `llm.token_count.*`"
_ESTIMATED = "no response stated a count, so the span's is an estimate that nobody is billed by"


def _tokens(fact: str, key: str, noun: str, why: str, judge: Judge = _numbers.count, **fields: Any) -> Comparison:
    """Make the comparison of a count of tokens."""
    return comparison(
        id=f"wire/{key}",
        why=why,
        fact=fact,
        noun=noun,
        judge=judge,
        summed=True,
        **{"title": f"The count of {noun} is the wire's", "invented": _ESTIMATED, "source": _BOTH, **fields},
    )


USAGE: tuple[Comparison, ...] = (
    _tokens(
        "input_tokens",
        "input-tokens",
        "input tokens",
        "dashboards add this count up and costs are computed from it",
        _numbers.sum_of_parts,
        early=Early.MESSAGES,
        compares="The span's count of input tokens with the response's. Input is everything that the model read, "
        "cached tokens included: on Anthropic's API, the sum of three counts. If such a reply lists several "
        "iterations, all counts may also be those of all iterations, which are billed. If one span describes a turn "
        "that `pause_turn` has divided into several requests, each count is the sum over them.",
        source=f"{_BOTH}. OTel GenAI, Anthropic: `gen_ai.usage.input_tokens` is the sum of `input_tokens`, "
        "`cache_read_input_tokens` and `cache_creation_input_tokens`",
    ),
    _tokens(
        "output_tokens",
        "output-tokens",
        "output tokens",
        "dashboards add this count up and costs are computed from it",
        _numbers.sum_of_parts,
        compares="The span's count of output tokens with the response's. In a stream, the last stated count is the "
        "right one: Anthropic's counts are cumulative, and the first is only a placeholder. Output is everything that "
        "the model wrote, its reasoning included: where the response counts reasoning tokens beside the completion "
        "(xAI), which its total shows, the sum of both.",
        source=f"{_BOTH}. OTel GenAI: `gen_ai.usage.reasoning.output_tokens` SHOULD be included in "
        '`gen_ai.usage.output_tokens`. xAI, "Consumption and rate limits"',
    ),
    _tokens(
        "total_tokens",
        "total-tokens",
        "total tokens",
        "budgets and dashboards go by this count",
        unstated=_numbers.derived_total,
        zero_says=True,
        title="The total of tokens is the wire's",
        compares="The span's total with the response's. Where the response states no total, the sum of its input "
        "tokens (cached ones included) and its output tokens is right, and 0 is wrong.",
        source="OpenInference: `llm.token_count.total`; OpenLLMetry: `gen_ai.usage.total_tokens`",
    ),
    _tokens(
        "cache_read_tokens",
        "cache-read-tokens",
        "tokens read from a cache",
        "what caching saves is computed from this count",
        early=Early.MESSAGES,
    ),
    _tokens(
        "cache_write_tokens",
        "cache-write-tokens",
        "tokens written to a cache",
        "cache writes cost more than plain input, and their price is computed from this count",
        early=Early.MESSAGES,
    ),
    _tokens(
        "reasoning_tokens",
        "reasoning-tokens",
        "reasoning tokens",
        "this is the part of the output that nobody sees and everybody pays",
    ),
    _tokens(
        "input_audio_tokens",
        "input-audio-tokens",
        "audio input tokens",
        "audio tokens have a price of their own",
    ),
    _tokens(
        "output_audio_tokens",
        "output-audio-tokens",
        "audio output tokens",
        "audio tokens have a price of their own",
    ),
    comparison(
        id="wire/cost",
        title="The cost is what the gateway states",
        why="budgets and bills are checked against this number, and the gateway charges another",
        compares="The span's cost with the gateway's, to within a millionth, since a single-precision float carries "
        "no more digits. Where no gateway states a cost, a cost that was computed from a price list is not judged.",
        source="OpenRouter and Anannas: `usage.cost`; LiteLLM Proxy: header `x-litellm-response-cost`",
        fact="cost",
        noun="cost",
        judge=_numbers.measure,
        summed=True,
        next="take the cost that the gateway states",
    ),
)
