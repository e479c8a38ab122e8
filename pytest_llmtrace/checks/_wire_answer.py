"""What was answered: comparisons of finish reasons, tool calls, texts and embeddings."""

from __future__ import annotations

from pytest_llmtrace.checks import _replies, _texts, _tools
from pytest_llmtrace.checks._compare import Comparison, Early, comparison

__all__ = ["ANSWER"]

_OTEL = "OTel GenAI, client inference span"

ANSWER: tuple[Comparison, ...] = (
    comparison(
        id="wire/finish-reasons",
        title="The finish reasons are those of all choices, in order",
        why="an answer that was cut or filtered, or that asks for tools, cannot be told from one that is complete",
        compares="The span's finish reasons with those of the response, choice by choice and by their kind.\n"
        "  - Words of one kind are the same: `stop`, `end_turn`, `stop_sequence` and `completed`; `length` and "
        "`max_tokens`; `tool_calls`, `tool_use` and `function_call`; `content_filter`, `refusal` and `safety`. "
        "`pause_turn` and `compaction` may be called `stop`, since OpenTelemetry has no word for them.\n"
        "  - A choice without a reason may be left out, or be called `error`, `unknown` or `incomplete`.\n"
        "  - An attribute with room for only one reason may hold that of any choice.\n"
        "  - If one span describes a turn of several requests, it has the reason of the last reply, or those of all.\n"
        "  - For a reply of the Responses API, the span may have a reason for each item of the output. The reason of "
        "the last item then has to tell whether the reply was cut. A reply with a refusal may be called filtered.\n"
        "  - Where no reason came, as in a stream that was cut or that its reader left, any word is right that no API "
        "uses for an end.",
        source=f"{_OTEL}: `gen_ai.response.finish_reasons`, one for each choice in order",
        fact="finish_reasons",
        about=("finish_reasons", "finish_reason"),
        noun="finish reason",
        judge=_replies.finish_reasons,
        early=Early.END,
        invented="no choice has a finish reason, but the span makes the answer look finished",
        unstated=_replies.made_up_reasons,
        next="take it from the reply, one for each choice, and leave it out where there is none",
    ),
    comparison(
        id="wire/tool-calls",
        title="The tool calls are those that the model made",
        why="what an agent did cannot be followed: a call that the model made is missing, or one is there that it "
        "never made",
        compares="The names of the called tools, and how often each was called, with those of the response. The order "
        "of parallel calls makes no difference. Where an answer has several choices, and the span as many messages, "
        "each call must be in its choice. Calls of tools that the provider runs itself may be listed or left out, and "
        "so may calls of tools without a name (a computer, a shell, a patch).",
        source=f"{_OTEL}: `gen_ai.output.messages`; OpenInference: `llm.output_messages.N.message.tool_calls`",
        fact="tool_calls",
        about=("tool_calls", "tool_call_count", "tool_call_names"),
        noun="tool call",
        judge=_tools.tool_names,
        invented="the model called no tool",
        unstated=_tools.unstated_tools,
        next="take every call of every choice; in a stream, join fragments by their index",
    ),
    comparison(
        id="wire/tool-call-ids",
        title="The ids of tool calls are the model's",
        why="a tool's result can no longer be joined to the call that asked for it",
        compares="The ids of the tool calls on the span with those of the response. They are compared only if both "
        "sides have the same number of calls, and an id for each.",
        source="OTel GenAI: `id` of a `tool_call` part; OpenInference: `tool_call.id`",
        fact="tool_calls",
        noun="tool calls",
        judge=_tools.tool_ids,
        next="take the id that the tool's result will name: in the Responses API `call_id`, not the item's `id`",
    ),
    comparison(
        id="wire/tool-call-arguments",
        title="The arguments of tool calls are the model's",
        why="the tool was called with other arguments than the span says",
        compares="The arguments of each tool call with those in the response, as JSON values.\n"
        "  - The order of keys and white space make no difference, and `{}` is the same as no arguments. Arguments "
        "that were encoded twice are a text and not an object, and therefore wrong.\n"
        "  - Of arguments that broke off (`max_tokens`, a cut stream), the values that had come are right, as "
        "Anthropic's SDK hands them out.\n"
        "  - The text for a custom tool may stand as the `input` of an object, as OpenInference writes it.\n"
        "  - Missing arguments are a finding where the messages show a text, reasoning or the arguments of another "
        "call, or the span shows the prompt: then content capture is on, and they were not left out on purpose.\n"
        "  - What a length limit has cut, or a mask has hidden, is not judged.",
        source="OTel GenAI: `arguments` of a `tool_call` part; OpenInference: `tool_call.function.arguments`",
        fact="tool_calls",
        noun="tool calls",
        judge=_tools.tool_arguments,
        next="take the arguments as the model gave them; in a stream, join fragments by their index",
    ),
    comparison(
        id="wire/output-text",
        title="The captured answer is the answer",
        why="the answer shown on the span is not the one that the user got",
        compares="The text of each choice with that of the response. The texts on the span are compared, and those in "
        "OpenTelemetry's events, whether they are events of the span or log records emitted in it. What audio says is "
        "compared where the span has its transcript.\n"
        "  - White space may differ at the ends of a text, between the parts that the response has it in, in JSON that "
        "was written anew, and in the form of line ends. A refusal, and a summary that Anthropic's `compaction` block "
        "has, may stand among the texts. Reasoning that a model writes into its answer in `<think>` tags may be left "
        "out of the answer if the span shows it as reasoning.\n"
        "  - If one span describes a turn that `pause_turn` has divided into several requests, the answer is that of "
        "all replies, or that of the last.\n"
        "  - Where an answer has several choices, and the span as many messages, each text must be in its choice. In "
        "the chat API, one choice must not look like several.\n"
        "  - A missing text (in `gen_ai.output.messages` also a missing refusal) is a finding where the message shows "
        "reasoning or the arguments of tool calls, or the span shows the prompt: then content capture is on, and the "
        "text was not left out on purpose.\n"
        "  - Not judged is what a length limit (`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, or one that leaves an ellipsis) "
        "has cut or a mask has hidden. Anything else that is missing at the end is a lost chunk.",
        source=f"{_OTEL}: `gen_ai.output.messages`; OpenInference: `llm.output_messages`",
        fact="output_texts",
        noun="output text",
        judge=_texts.texts,
        early=Early.BEGINNING,
        invented="the answer has no such text",
        unstated=_texts.unstated_texts,
        unsaid=_texts.unsaid,
        next="take the text of all chunks, to the last",
    ),
    comparison(
        id="wire/refusal",
        title="The captured refusal is the refusal",
        why="the refusal shown on the span is not the one that the user got",
        compares="The texts of the refusals, in the same way as `wire/output-text` compares answers.",
        source="OpenAI: `message.refusal`",
        fact="refusals",
        noun="refusal",
        judge=_texts.texts,
        early=Early.BEGINNING,
        invented="the model refused nothing",
    ),
    comparison(
        id="wire/reasoning-text",
        title="The captured reasoning is the model's",
        why="the reasoning shown on the span is not what the model wrote",
        compares="The text of the reasoning, in the same way as `wire/output-text` compares answers. Where the "
        "response has no reasoning in a field for it, the span's must stand in some other field, or in the answer "
        "(between `<think>` tags). Of a reply that has both the reasoning and a summary of it, the span may show "
        "either. What Anthropic has encrypted of it may stand where it does in the reply.",
        source="OTel GenAI: `reasoning` part of `gen_ai.output.messages`",
        fact="reasoning_texts",
        noun="reasoning",
        judge=_texts.reasoning,
        early=Early.BEGINNING,
        invented="the model showed no reasoning",
        unstated=_texts.unstated_reasoning,
        next="show only the reasoning that the reply has",
    ),
    comparison(
        id="wire/embedding-count",
        title="The span has as many embeddings as came back",
        why="an index that lacks documents looks complete",
        source="OpenInference: `embedding.embeddings`",
        fact="embedding_count",
        noun="embeddings",
        judge=_replies.same,
        invented="no embedding came back",
    ),
    comparison(
        id="wire/embedding-dimensions",
        title="The dimensions are those of the embeddings",
        why="vectors of another length than the index expects are found only when it refuses them",
        source="OTel GenAI, embeddings span: `gen_ai.embeddings.dimension.count`",
        fact="embedding_dimensions",
        noun="dimensions",
        judge=_replies.dimensions,
        invented="no embedding came back",
        unstated=_replies.dimensions,
    ),
)
