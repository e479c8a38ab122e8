"""What was asked for: comparisons of the request's parameters."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.checks import _numbers, _past_calls, _prompts, _replies, _tools_defined, _tools_offered
from pytest_llmtrace.checks._account import Account
from pytest_llmtrace.checks._compare import Comparison, Difference, Judge, comparison
from pytest_llmtrace.model import Fact

__all__ = ["REQUEST"]

_OTEL = "OTel GenAI, client inference span"
_NOT_SENT = "the request did not set it, so whoever reproduces the call from its span makes another call"

_DEFAULTS = (
    "Langfuse's parameters may have OpenAI's default, 1, where the request does not say; 0 is a value as any other."
)


def _parameter(fact: str, key: str, noun: str, judge: Judge, why: str, **fields: Any) -> Comparison:
    """Make the comparison of a parameter of the request."""
    unstated = fields.pop("unstated", _wrong)
    return comparison(
        id=f"wire/request-{key}",
        why=why,
        fact=fact,
        noun=noun,
        judge=_replies.or_later(judge, judge),
        unstated=_replies.or_later(unstated, judge),
        of_request=True,
        **{
            "title": f"The span's {noun} is the request's",
            "invented": _NOT_SENT,
            "next": "set it from the arguments that the SDK is called with, and only if they have it",
            "source": f"{_OTEL}: `gen_ai.request.*`; OpenInference, `llm.invocation_parameters`",
            **fields,
        },
    )


def _default(mine: Fact, _true: Fact, _account: Account) -> Difference | None:
    """Judge a parameter that the request does not set: Langfuse's wrapper writes the default of OpenAI's API, 1."""
    return None if mine.value == 1 and mine.keys.startswith(_WITH_DEFAULTS) else Difference()


_WITH_DEFAULTS = "langfuse.observation.model.parameters["


def _wrong(_mine: Fact, _true: Fact, _account: Account) -> Difference:
    return Difference()


REQUEST: tuple[Comparison, ...] = (
    comparison(
        id="wire/streaming",
        title="The span says streaming when the request asks for a stream",
        why="streams and plain calls differ in latency and in what they measure; mixed up, neither can be judged",
        source=f"{_OTEL}: `gen_ai.request.stream`; OpenLLMetry: `gen_ai.is_streaming`",
        fact="streaming",
        noun="streaming",
        judge=_replies.flag,
        of_request=True,
    ),
    comparison(
        id="wire/input-messages",
        title="The captured prompt is what the model was given",
        why="who reads the prompt on the span reads another than the model did",
        compares="The texts of messages and instructions, their roles and their order, without white space. Several "
        "texts may stand as one, or as the JSON of their parts; what the request has in another place (a refusal, a "
        "document) may stand among them. The id by which a tool's result names its call is that of the call; a "
        "library's span has no other, and an application's not that of another result. An application's own span may "
        "show a part, as the last message or the question of a template: there a text is missing if others before "
        "and behind it are shown, or none of the user's as late; of a library's span any is. What "
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT or an ellipsis has cut, or a mask has hidden, is not judged, nor is a "
        "conversation of which the server keeps a part; a span that shows no text may not capture content.",
        source=f"{_OTEL}: `gen_ai.input.messages`, `gen_ai.system_instructions`; OpenInference: `llm.input_messages`",
        fact="input_messages",
        noun="prompt",
        judge=_replies.or_later(_prompts.given, _prompts.given),
        of_request=True,
        next="take every message from the arguments of the call, when it is made and not later",
    ),
    comparison(
        id="wire/input-tool-calls",
        title="The tool calls in the captured prompt are those that the model was told of",
        why="who reads the prompt on the span sees tools called, or called with arguments, as the model never did",
        compares="The names, ids and arguments of the tool calls in the messages that were sent, in any order; those "
        "that the provider ran itself are passed over. An application's or a framework's span may show some of them, "
        "under names and ids of its own, and a call that was sent as a text (its name and arguments) may stand as one. "
        "Of a library's span that shows some, all are wanted; a span that shows none may have no place for them.",
        source=f"{_OTEL}: `gen_ai.input.messages`; OpenInference: `llm.input_messages.*.message.tool_calls`",
        fact="input_tool_calls",
        noun="tool calls of the prompt",
        judge=_replies.or_later(_past_calls.told_before, _past_calls.told_before),
        unstated=_replies.or_later(_past_calls.untold_before, _past_calls.told_before),
        invented="the request has no such call in its messages, so that what the model did is misread",
        of_request=True,
        next="take every message from the arguments of the call, when it is made and not later",
    ),
    comparison(
        id="wire/request-tools",
        title="The span's tools are those that the request offers",
        why="whoever asks why a tool was called, or was not, sees other tools than the model did",
        compares="The names of the tools, or the types of those that have none. A library's span that shows some of "
        "the functions has to show all; tools of other kinds (custom, run by the provider) have no place in all "
        "conventions. A name that is the same but for its punctuation, or for a word before it, is no other one, and "
        "a tool may be offered in the words of a message.",
        source=f"{_OTEL}: `gen_ai.tool.definitions`; OpenInference: `llm.tools.*.tool.json_schema`",
        fact="tools",
        noun="tools",
        judge=_replies.or_later(_tools_offered.offered, _tools_offered.offered),
        unstated=_replies.or_later(_tools_offered.unoffered, _tools_offered.offered),
        invented="the request offers no tools, so that whoever asks why none was called is misled",
        of_request=True,
        next="take the tools from the arguments of the call, when it is made and not later",
    ),
    comparison(
        id="wire/tool-definitions",
        title="The span's definitions of tools are the request's",
        why="whoever asks why a tool was called so, or was not, reads another description or schema than the model did",
        compares="The description and the parameters (JSON schema) of each tool with those of the request's tool of "
        "that name, as far as both have them: what only one of them has (`strict`, a default, a description) is no "
        "difference, but a parameter that the request's tool does not have is. Schemas are compared as JSON: the "
        "order of keys does not matter, nor that of required parameters, types and enumerated values. What a "
        "response says that it was made with is as true as the request. What a limit has cut, or a mask has hidden, "
        "is not judged.",
        source=f"{_OTEL}: `gen_ai.tool.definitions`; OpenInference: `llm.tools.*.tool.json_schema`",
        fact="tool_definitions",
        noun="tool definitions",
        judge=_replies.or_later(_tools_defined.defined, _tools_defined.defined_later),
        of_request=True,
        next="take the tools from the arguments of the call, when it is made and not later",
    ),
    _parameter(
        "max_tokens",
        "max-tokens",
        "output limit",
        _numbers.count_of_request,
        "whether an answer was cut at its limit cannot be told",
    ),
    _parameter(
        "temperature",
        "temperature",
        "temperature",
        _numbers.measure,
        "answers are compared as if they had been sampled alike",
        unstated=_default,
        compares=_DEFAULTS,
        zero_says=True,
    ),
    _parameter(
        "top_p",
        "top-p",
        "top-p",
        _numbers.measure,
        "answers are compared as if they had been sampled alike",
        unstated=_default,
        compares=_DEFAULTS,
        zero_says=True,
    ),
    _parameter(
        "top_k",
        "top-k",
        "top-k",
        _numbers.count_of_request,
        "answers are compared as if they had been sampled alike",
        compares="`top_logprobs` of OpenAI's API is another parameter.",
    ),
    _parameter(
        "frequency_penalty",
        "frequency-penalty",
        "frequency penalty",
        _numbers.measure,
        "answers are compared as if the same repetitions had been allowed",
    ),
    _parameter(
        "presence_penalty",
        "presence-penalty",
        "presence penalty",
        _numbers.measure,
        "answers are compared as if the same repetitions had been allowed",
    ),
    _parameter(
        "seed",
        "seed",
        "seed",
        _numbers.count_of_request,
        "who repeats the call with the seed on its span gets another answer",
        zero_says=True,
    ),
    _parameter(
        "stop",
        "stop",
        "stop sequences",
        _replies.stop,
        "why an answer ends where it ends cannot be told",
        title="The span's stop sequences are the request's",
        compares="A single sequence may be a text or a list.",
    ),
    _parameter(
        "choice_count",
        "choices",
        "number of choices",
        _numbers.count_of_request,
        "output tokens for one answer look like those for several, or the other way round",
        unstated=_replies.choice_count,
        compares="Where the request does not say, one is right.",
    ),
    _parameter(
        "tool_choice",
        "tool-choice",
        "tool choice",
        _tools_offered.chosen,
        "a call that was asked for looks like the model's own decision, or the other way round",
        compares="The name of the tool that is to be called, else whether one is: `required` and `any` are one word, "
        "and each API has a form of its own. Where the request does not say, nothing is judged.",
        invented="",
        source="OpenInference: `llm.invocation_parameters`",
    ),
    _parameter(
        "dimensions",
        "dimensions",
        "number of dimensions",
        _numbers.count_of_request,
        "who embeds by the number on the span gets vectors that do not fit the others",
        source="OpenInference: `embedding.invocation_parameters`; Langfuse: `langfuse.observation.model.parameters`; "
        "MLflow: the call's arguments",
    ),
)
