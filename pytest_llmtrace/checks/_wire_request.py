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
    "The span's value with the request's; 0 is a value like any other. Where the request does not say, Langfuse's "
    "parameters may have OpenAI's default, 1."
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
        why="the prompt shown on the span is not the one that the model was given",
        compares="The texts of messages and instructions, their roles and their order, with those of the request.\n"
        "  - White space may differ at the ends of each text, in JSON, in the form of line ends and, before an "
        "embedding, in its kind. Several texts may be joined into one, or stand as the JSON of their parts. What the "
        "request has in another place (a refusal, a document) may stand among the texts, and so may the result of a "
        "tool that was not sent as a text, or that the provider's own tool returned. A text that was sent may be the "
        "content of a file on the span, or an answer with its reasoning before it, in `<think>` tags.\n"
        "  - The id by which the result of a tool names its call must be that of the call. On the span of an "
        "instrumentation or a framework, any other id is wrong. An application's own span may have an id of its own "
        "there, but not that of another result.\n"
        "  - The span of an instrumentation or a framework must show all texts: OTel GenAI lets it offer its users a "
        "filter, which no span tells of, so whoever has set one waives this check. An application's own span may show "
        "only some, such as the last message, or the question that went into a template. On such a span, a text that "
        "was sent after the first message shown is missing if a later one is shown, if several are shown, or if it is "
        "the user's.\n"
        "  - Not judged are texts that a length limit (`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, or one that leaves an "
        "ellipsis) has cut or a mask has hidden, conversations of which the server keeps a part, and spans that show "
        "no text at all, since content capture may be off.",
        source=f"{_OTEL}: `gen_ai.input.messages`, `gen_ai.system_instructions`; OpenInference: `llm.input_messages`",
        fact="input_messages",
        noun="prompt",
        judge=_replies.or_later(_prompts.given, _prompts.given),
        of_request=True,
        next="take every message from the arguments of the call, when it is made and not later",
    ),
    comparison(
        id="wire/input-tool-calls",
        title="The tool calls in the captured prompt are those that the request contains",
        why="the tool calls in the prompt on the span are not those that the model was given",
        compares="The names, ids and arguments of the tool calls in the span's prompt with those in the messages of "
        "the request, in any order. Calls that the provider ran itself, and those of tools without a name (a computer, "
        "a shell, a patch), are passed over.\n"
        "  - The span of an instrumentation or a framework that shows some of the calls, or the result of one, must "
        "show all of them. A span that shows neither may have no place for them.\n"
        "  - An application's own span may show only some of the calls, and under ids of its own.\n"
        "  - Where the ids are the same, names may differ as they may in `wire/request-tools`.\n"
        "  - A call that was sent as a text, with its name and its arguments, may be shown as a call.\n"
        "  - Conversations of which the server keeps a part are not judged.",
        source=f"{_OTEL}: `gen_ai.input.messages`; OpenInference: `llm.input_messages.*.message.tool_calls`",
        fact="input_tool_calls",
        noun="tool calls of the prompt",
        judge=_replies.or_later(_past_calls.told_before, _past_calls.told_before),
        unstated=_replies.or_later(_past_calls.untold_before, _past_calls.told_before),
        invented="the request has no such call in its messages, so the span misreports what the model did",
        of_request=True,
        next="take every message from the arguments of the call, when it is made and not later",
    ),
    comparison(
        id="wire/request-tools",
        title="The span's tools are those that the request offers",
        why="whoever asks why a tool was called, or was not, sees other tools than the model did",
        compares="The names of the tools on the span with those of the tools in the request; for tools without a "
        "name, their types.\n"
        "  - The span of an instrumentation or a framework that shows some of the functions must show all of them. "
        "Tools of other kinds (custom tools, tools that the provider runs) may be missing, since not all conventions "
        "have a place for them.\n"
        "  - A name is the same if the request's differs only in its punctuation (`math.add`, sent as `math_add`) or "
        "has a word in front (`look`, sent as `functions_look`).\n"
        "  - A tool that the request offers in the text of a message, and not as a tool, is right as well, and so is "
        "one that the conversation adds (Responses: `additional_tools`, `tool_search_output`; Messages: "
        "`tool_addition`).",
        source=f"{_OTEL}: `gen_ai.tool.definitions`; OpenInference: `llm.tools.*.tool.json_schema`",
        fact="tools",
        noun="tools",
        judge=_replies.or_later(_tools_offered.offered, _tools_offered.offered),
        unstated=_replies.or_later(_tools_offered.unoffered, _tools_offered.offered),
        invented="the request offers no tools, so whoever asks why none was called is misled",
        of_request=True,
        next="take the tools from the arguments of the call, when it is made and not later",
    ),
    comparison(
        id="wire/tool-definitions",
        title="The span's definitions of tools are the request's",
        why="whoever asks why a tool was called in this way, or not at all, reads another description or schema than "
        "the model had",
        compares="The description and the parameters (a JSON schema) of each tool on the span with those of the tool "
        "of the same name in the request.\n"
        "  - What only one side has (`strict`, a default, a description) makes no difference; but a parameter that "
        "the request's tool does not have is a finding.\n"
        "  - Schemas are compared as JSON: neither the order of keys matters, nor the order of required parameters, "
        "types and enumerated values.\n"
        "  - The tools that a response says it was made with are as right as those of the request.\n"
        "  - What a length limit has cut, or a mask has hidden, is not judged.",
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
        "nobody can tell whether an answer was cut at its limit",
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
        compares="The span's top-k with the request's. `top_logprobs` of OpenAI's API is another parameter.",
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
        "whoever repeats the call with the seed on its span gets another answer",
        zero_says=True,
    ),
    _parameter(
        "stop",
        "stop",
        "stop sequences",
        _replies.stop,
        "nobody can tell why an answer ends where it does",
        title="The span's stop sequences are the request's",
        compares="The span's stop sequences with the request's. A single sequence may be a text or a list.",
    ),
    _parameter(
        "choice_count",
        "choices",
        "number of choices",
        _numbers.count_of_request,
        "output tokens for one answer look like those for several, or the other way round",
        unstated=_replies.choice_count,
        compares="The span's number of choices with the request's. Where the request does not say, only 1 is right.",
    ),
    _parameter(
        "tool_choice",
        "tool-choice",
        "tool choice",
        _tools_offered.chosen,
        "a call that was asked for looks like the model's own decision, or the other way round",
        compares="The name of the tool that the model is told to call; if none is named, whether the model is to call "
        "a tool at all. Each API has its own form for this, and `required` and `any` mean the same. Where the request "
        "does not say, nothing is judged.",
        invented="",
        source="OpenInference: `llm.invocation_parameters`",
    ),
    _parameter(
        "dimensions",
        "dimensions",
        "number of dimensions",
        _numbers.count_of_request,
        "whoever embeds with the number on the span gets vectors that do not fit the others",
        source="OpenInference: `embedding.invocation_parameters`; Langfuse: `langfuse.observation.model.parameters`; "
        "MLflow: the call's arguments",
    ),
)
