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
        why="an answer that was cut, filtered or that asks for tools cannot be told from one that is complete",
        compares="By kind: `stop`, `end_turn`, `stop_sequence` and `completed` are one; so are `length` and "
        "`max_tokens`; `tool_calls`, `tool_use` and `function_call`; `content_filter`, `refusal` and `safety`. A "
        "choice without a reason may be left out, or be called `error`, `unknown` or `incomplete`. A place for one "
        "reason may hold that of any choice. A reply of the Responses API may have a reason for each item of "
        "its output, of which that of the last tells whether it was cut, and a refusal in it is a filtered answer. "
        "`pause_turn` and `compaction` may be called `stop`: OpenTelemetry has no word for them. Where no reason came, "
        "as in a stream that was cut or that its reader left, any word will do that no API has for an end.",
        source=f"{_OTEL}: `gen_ai.response.finish_reasons`, one for each choice in order",
        fact="finish_reasons",
        about=("finish_reasons", "finish_reason"),
        noun="finish reason",
        judge=_replies.finish_reasons,
        early=Early.END,
        invented="no choice was finished, and the span makes it look so",
        unstated=_replies.made_up_reasons,
        next="take it from the reply, one for each choice",
    ),
    comparison(
        id="wire/tool-calls",
        title="The tool calls are those that the model made",
        why="what an agent did cannot be followed: a call that the model made is missing, or one is there that it "
        "never made",
        compares="Names and how often each was called; the order of parallel calls does not matter. Calls of tools "
        "that the provider runs itself may be listed or left out, and so may those of tools without a name: a "
        "computer, a shell, a patch.",
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
        compares="Where both sides have an id for each call, and the same number of calls.",
        source="OTel GenAI: `id` of a `tool_call` part; OpenInference: `tool_call.id`",
        fact="tool_calls",
        noun="tool calls",
        judge=_tools.tool_ids,
        next="take the id that the tool's result will name: in the Responses API `call_id`, not the item's `id`",
    ),
    comparison(
        id="wire/tool-call-arguments",
        title="The arguments of tool calls are the model's",
        why="the tool was asked for something else than the span says",
        compares="As JSON: the order of keys and white space do not matter, nor does `{}` for none; what was encoded "
        "twice is a text, and no object. Of arguments that "
        "broke off (`max_tokens`, a cut stream) the values that had come are right, as Anthropic's SDK has them; so is "
        "the text of a custom tool as the `input` of an object, as OpenInference has it. What a limit of "
        "the exporter has cut, or a mask has hidden, is not judged.",
        source="OTel GenAI: `arguments` of a `tool_call` part; OpenInference: `tool_call.function.arguments`",
        fact="tool_calls",
        noun="tool calls",
        judge=_tools.tool_arguments,
        next="take the arguments as the model gave them; in a stream, join fragments by their index",
    ),
    comparison(
        id="wire/output-text",
        title="The captured answer is the answer",
        why="who reads the answer on the span reads another than the user did",
        compares="By choice, without white space, on the span and in OpenTelemetry's events that are of it or emitted "
        "in it. Where a message shows tool calls or reasoning, or the span the prompt, its text is not left out on "
        "purpose. What OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT or an ellipsis has cut, or a "
        "mask has hidden, is not judged; anything else that is missing at the end is a lost chunk.",
        source=f"{_OTEL}: `gen_ai.output.messages`; OpenInference: `llm.output_messages`",
        fact="output_texts",
        noun="output text",
        judge=_texts.texts,
        early=Early.BEGINNING,
        invented="the answer has no such text",
        unstated=_texts.unstated_texts,
        next="take the text of all chunks, to the last",
    ),
    comparison(
        id="wire/refusal",
        title="The captured refusal is the refusal",
        why="who looks for what the model refuses reads another text than the user did",
        compares="As for `wire/output-text`.",
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
        why="who looks for why the model answered so reads another text than it wrote",
        compares="As for `wire/output-text`; nothing is said where the wire shows no reasoning.",
        source="OTel GenAI: `reasoning` part of `gen_ai.output.messages`",
        fact="reasoning_texts",
        noun="reasoning",
        judge=_texts.reasoning,
        early=Early.BEGINNING,
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
