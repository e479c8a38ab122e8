"""The answer: finish reasons, tool calls, texts and embeddings of the response against those of the span."""

from __future__ import annotations

import json
from typing import Any

from pytest_llmtrace.model import Fact, Request, State
from pytest_llmtrace.reading import Joined
from tests.unit.checks._cases import ABSENT, CLOSED, FAILED, ONE_BLOCK, STREAMING, call, seen

COMPACTED = {"content": [{"type": "compaction", "content": "They spoke of Oslo."}]}
WITH_SUMMARY: dict[str, Any] = {
    "api": "messages",
    "exchange": {
        "request": Request(
            method="POST", url="https://api.anthropic.com/v1/messages", body=b'{"model": "m", "messages": []}'
        ),
        "chunks": (json.dumps(COMPACTED).encode(),),
    },
}
COMPUTER = {"output": [{"type": "computer_call", "id": "cu_1", "call_id": "call_9", "action": {"type": "click"}}]}
WITH_COMPUTER: dict[str, Any] = {
    "api": "responses",
    "exchange": {
        "request": Request(
            method="POST", url="https://api.openai.com/v1/responses", body=b'{"model": "m", "input": ""}'
        ),
        "chunks": (json.dumps(COMPUTER).encode(),),
    },
}


NOT_FOLLOWED = (
    "what an agent did cannot be followed: a call that the model made is missing, or one is there that it never made"
)
# What Groq's compound systems have done themselves. Tools have a kind here, and neither a name nor an id.
SEARCHED = {"type": "search", "index": 0, "arguments": '{"query": "Oslo"}', "output": "Cold."}
WITH_SEARCH: dict[str, Any] = {
    "exchange": {
        "request": Request(
            method="POST",
            url="https://api.groq.com/openai/v1/chat/completions",
            body=b'{"model": "groq/compound", "messages": []}',
        ),
        "chunks": (json.dumps({"choices": [{"message": {"executed_tools": [SEARCHED, 5]}}]}).encode(),),
    }
}
# The same of Anthropic's API and of the Responses API, where a span may give a call without its id.
WITH_SERVER_TOOL: dict[str, Any] = {
    "api": "messages",
    "exchange": {
        "request": Request(
            method="POST", url="https://api.anthropic.com/v1/messages", body=b'{"model": "m", "messages": []}'
        ),
        "chunks": (
            json.dumps(
                {
                    "content": [
                        {
                            "type": "server_tool_use",
                            "id": "srvtoolu_1",
                            "name": "web_search",
                            "input": {"query": "Oslo"},
                        },
                        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "ask_wiki", "input": {"page": "Oslo"}},
                        7,
                    ]
                }
            ).encode(),
        ),
    },
}
WITH_MCP_CALL: dict[str, Any] = {
    "api": "responses",
    "exchange": {
        "request": Request(
            method="POST", url="https://api.openai.com/v1/responses", body=b'{"model": "m", "input": ""}'
        ),
        "chunks": (
            json.dumps(
                {"output": [{"type": "mcp_call", "id": "mcp_1", "name": "ask_wiki", "arguments": '{"page": "Oslo"}'}]}
            ).encode(),
        ),
    },
}
NOT_GIVEN = "the span says that no reason was given, but the response gives one"
DENIED = "the span says that the model failed, but the response says that it came to an end"
LEFT_UNFINISHED = "the reader left before the model had finished, and the span makes it look finished"
OTHER_TEXT = "the answer shown on the span is not the one that the user got"
LONG = "It is cold in Oslo. " * 20
CUT = LONG[:128]
TWO_TEXTS = {"output_texts": [Joined.of(["First.", "Second."])]}

WRONG_LENGTH = "vectors of another length than the index expects are found only when it refuses them"

THOUGHT: dict[str, Any] = {"reasoning_texts": ["Brr."], "output_texts": ["Cold."]}

AS_GIVEN = (
    "write the text that the model gave (in a stream, all of its fragments), or json.dumps(...) of the parsed arguments"
)
MAIL: dict[str, Any] = {"to": "ann@example.com", "copies": ["bob@example.com"], "text": "Dear Ann, " + "hello " * 20}
UNFINISHED = "no choice has a finish reason, but the span makes the answer look finished"

# Check, facts of the wire, facts of the span; the lines `span`, `wire` and `why`; more about the call.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        "wire/finish-reasons",
        {"finish_reasons": ["length"]},
        {"finish_reasons": ["stop"]},
        "gen_ai.finish_reasons = ['stop']",
        "finish_reasons = ['length']",
        "an answer that was cut or filtered, or that asks for tools, cannot be told from one that is complete",
    ),
    (
        "wire/finish-reasons",
        {
            "finish_reasons": seen(
                ["stop", "length"], ("choices[0].finish_reason", "stop"), ("choices[1].finish_reason", "length")
            )
        },
        {"finish_reasons": ["stop"]},
        "gen_ai.finish_reasons = ['stop']",
        "choices[0].finish_reason, choices[1].finish_reason = ['stop', 'length']",
        "the span has 1 reason, the response 2: choices and reasons no longer match",
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["completed"]},
        {"finish_reasons": ["tool_calls"]},
        "gen_ai.finish_reasons = ['tool_calls']",
        "finish_reasons = ['completed']",
        "an answer that was cut or filtered, or that asks for tools, cannot be told from one that is complete",
        {"api": "responses"},
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["max_output_tokens"], "tool_calls": [call()]},
        {"finish_reasons": ["incomplete", "tool_call"]},
        "gen_ai.finish_reasons = ['incomplete', 'tool_call']",
        "finish_reasons = ['max_output_tokens']",
        "an answer that was cut or filtered, or that asks for tools, cannot be told from one that is complete",
        {"api": "responses"},
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["pause_turn"]},
        {"finish_reasons": ["end_turn"]},
        "gen_ai.finish_reasons = ['end_turn']",
        "finish_reasons = ['pause_turn']",
        "an answer that was cut or filtered, or that asks for tools, cannot be told from one that is complete",
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": [None], "truncated": True},
        {"finish_reasons": ["stop"]},
        "gen_ai.finish_reasons = ['stop']",
        "finish_reasons = [None]",
        "the response never said that it was complete, and the span makes it look as if it had",
        {"record": {"status": "ERROR", "status_description": "cut"}},
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ABSENT, **FAILED},
        {"finish_reason": "stop"},
        "gen_ai.finish_reason = 'stop'",
        "no finish reason: the call failed with 429 rate_limit_error 'Slow down'",
        "the call failed, and the span makes it look as if the model had finished",
        {"record": {"status": "ERROR", "status_description": "Slow down"}, "exchange": {"status": 429}},
    ),
    # The response is whole, but does not say of any choice that it was finished.
    (
        "wire/finish-reasons",
        {"finish_reasons": Fact("", None, State.NULL, (("choices[0].finish_reason", None),))},
        {"finish_reasons": ["stop"]},
        "gen_ai.finish_reasons = ['stop']",
        "choices[0].finish_reason = null",
        UNFINISHED,
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ABSENT},
        {"finish_reason": "stop"},
        "gen_ai.finish_reason = 'stop'",
        "no finish reason",
        UNFINISHED,
    ),
    # The client left before a finish reason came.
    (
        "wire/finish-reasons",
        {"finish_reasons": ABSENT, "truncated": True, **STREAMING},
        {"finish_reasons": ["stop"]},
        "gen_ai.finish_reasons = ['stop']",
        "no finish reason: the reader left before one came",
        LEFT_UNFINISHED,
        CLOSED,
        "leave it out where none came before the reader left",
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": [None], "truncated": True, **STREAMING},
        {"finish_reason": "length"},
        "gen_ai.finish_reason = 'length'",
        "finish_reasons = [None]",
        LEFT_UNFINISHED,
        CLOSED,
        "leave it out where none came before the reader left",
    ),
    # The client left after the first of two choices was finished.
    (
        "wire/finish-reasons",
        {"finish_reasons": ["stop", None], "truncated": True, **STREAMING},
        {"finish_reasons": ["stop", "stop"]},
        "gen_ai.finish_reasons = ['stop', 'stop']",
        "finish_reasons = ['stop', None]",
        "the span gives a reason for a choice for which the response gives none",
        CLOSED,
    ),
    # The span's words for "none" are counted as what they are.
    *(
        (
            "wire/finish-reasons",
            {"finish_reasons": there},
            {place: said},
            f"gen_ai.{place} = {said!r}",
            f"finish_reasons = {there}",
            why,
        )
        for there, place, said, why in (
            (["tool_calls"], "finish_reasons", ["error"], DENIED),
            (["stop"], "finish_reasons", ["None"], NOT_GIVEN),
            (["stop"], "finish_reason", "unknown", NOT_GIVEN),
            (["stop", "length"], "finish_reasons", ["stop", "error"], DENIED),
        )
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["stop", "stop", "length"]},
        {"finish_reasons": ["stop", "error"]},
        "gen_ai.finish_reasons = ['stop', 'error']",
        "finish_reasons = ['stop', 'stop', 'length']",
        "the span has 2 reasons, the response 3: choices and reasons no longer match",
    ),
    (
        "wire/tool-calls",
        {"tool_calls": ABSENT},
        {"tool_calls": [call("computer", "call_8")]},
        "gen_ai.tool_calls = [{'id': 'call_8', 'name': 'computer', 'arguments': {}}]",
        "no tool call",
        "the model called no tool",
        WITH_COMPUTER,
    ),
    (
        "wire/tool-calls",
        {"tool_calls": ABSENT},
        {"tool_calls": [call("web_search", None, query="Rome")]},
        "gen_ai.tool_calls = [{'id': None, 'name': 'web_search', 'arguments': {'query': 'Rome'}}]",
        "no tool call",
        "the model called no tool",
        WITH_SEARCH,
    ),
    (
        "wire/output-text",
        {"output_texts": ["<think>Brr.</think>Cold."], "reasoning_texts": ["Hot."]},
        {"reasoning_texts": ["Hot."], "output_texts": ["Cold."]},
        "gen_ai.output_texts: 'Cold.'",
        "output_texts: '<think>Brr.</think>Cold.', different from character 1 on",
        OTHER_TEXT,
    ),
    (
        "wire/tool-calls",
        {"tool_calls": [call(), call("get_time", "call_2")]},
        {"tool_calls": [call()]},
        "gen_ai.tool_calls: ['get_weather']",
        "tool_calls: ['get_weather', 'get_time']",
        NOT_FOLLOWED,
    ),
    (
        "wire/tool-calls",
        {"tool_calls": [call(), call("get_time", "call_2")]},
        {"tool_call_count": 1},
        "gen_ai.tool_call_count = 1",
        "2 tool calls: ['get_weather', 'get_time']",
        NOT_FOLLOWED,
    ),
    *(
        (
            "wire/tool-calls",
            {"tool_calls": ABSENT},
            {"tool_calls": [ran]},
            f"gen_ai.tool_calls = [{ran}]",
            "no tool call",
            "the model called no tool",
            more,
        )
        for ran, more in (
            (call("web_search", None, query="Rome"), WITH_SERVER_TOOL),
            (call("get_weather", None, query="Oslo"), WITH_SERVER_TOOL),
            (call("ask_wiki", None, page="Rome"), WITH_MCP_CALL),
        )
    ),
    (
        "wire/tool-calls",
        {"tool_calls": ABSENT},
        {"tool_call_names": ["get_time"]},
        "gen_ai.tool_call_names = ['get_time']",
        "no tool call",
        "the model called no tool",
    ),
    (
        "wire/tool-call-ids",
        {"tool_calls": [call(id="call_1")]},
        {"tool_calls": [call(id="toolu_1")]},
        "gen_ai.tool_calls: ids ['toolu_1']",
        "tool_calls: ids ['call_1']",
        "a tool's result can no longer be joined to the call that asked for it",
    ),
    (
        "wire/tool-call-arguments",
        {"tool_calls": [call(days=[1])]},
        {"tool_calls": [call(days=[True])]},
        "gen_ai.tool_calls: get_weather called with {'days': [True]}",
        "tool_calls: get_weather called with {'days': [1]}",
        "the tool was called with other arguments than the span says",
    ),
    (
        "wire/tool-call-arguments",
        {"tool_calls": [call(city="Oslo")]},
        {"tool_calls": [{**call(), "arguments": '{"city": "Os'}]},
        'gen_ai.tool_calls: get_weather called with \'{"city": "Os\'',
        "tool_calls: get_weather called with {'city': 'Oslo'}",
        "the tool was called with other arguments than the span says",
    ),
    *(
        (
            "wire/tool-call-arguments",
            {"tool_calls": [{**call(), "arguments": wire}]},
            {"tool_calls": [{**call(), "arguments": span}]},
            f"gen_ai.tool_calls: get_weather called with {span!r}",
            f"tool_calls: get_weather called with {wire!r}",
            "the tool was called with other arguments than the span says",
        )
        for wire, span in (
            ('{"city": "Os', {"city": "Bergen"}),
            ('{"days": [1, 2, ', {"days": [1, 2, 3]}),
            ("look it up", {"input": "leave it"}),
            ({"city": "Oslo"}, {"input": {"city": "Bergen"}}),
        )
    ),
    *(
        (
            "wire/tool-call-arguments",
            {"tool_calls": [call(city="Oslo")]},
            {"tool_calls": [{**call(), "arguments": span}]},
            f"gen_ai.tool_calls: get_weather called with {span!r}",
            "tool_calls: get_weather called with {'city': 'Oslo'}",
            why,
            None,
            AS_GIVEN,
        )
        for span, why in (
            (
                r'"{\"city\": \"Oslo\"}"',
                "the arguments were encoded as JSON twice, so whoever parses them gets a string and not an object",
            ),
            ("{'city': 'Oslo'}", "the arguments are not JSON, so whoever reads the span cannot parse them"),
        )
    ),
    *(
        (
            "wire/tool-call-arguments",
            {"tool_calls": [call(to="ann", way="visible")]},
            {"tool_calls": [call(**said)]},
            f"gen_ai.tool_calls: get_weather called with {said}",
            "tool_calls: get_weather called with {'to': 'ann', 'way': 'visible'}",
            "the tool was called with other arguments than the span says",
        )
        for said in ({"to": "***", "way": "all"}, {"to": "ann", "way": "hidden"})
    ),
    (
        "wire/output-text",
        {"output_texts": ["It is cold in Oslo, and it will be colder."]},
        {"output_texts": ["It is cold in Oslo, and it will"]},
        "gen_ai.output_texts: ...'t is cold in Oslo, and it will'",
        (
            "output_texts: ...'t is cold in Oslo, and it will be colder.', "
            "of which the span has the first 31 of 42 characters"
        ),
        "the answer shown on the span is not the one that the user got",
    ),
    (
        "wire/output-text",
        {"output_texts": ["yes"]},
        {"output_texts": ["yes, but no"]},
        "gen_ai.output_texts: 'yes, but no'",
        "output_texts: 'yes', to which the span adds 8 characters",
        "the answer shown on the span is not the one that the user got",
    ),
    (
        "wire/output-text",
        {"output_texts": ["yes"]},
        {"output_texts": ["no"]},
        "gen_ai.output_texts: 'no'",
        "output_texts: 'yes', different from character 1 on",
        "the answer shown on the span is not the one that the user got",
    ),
    (
        "wire/output-text",
        {"output_texts": ["Ask (Ann) today, or Bob."]},
        {"output_texts": ["Ask (Ann), or Bob."]},
        "gen_ai.output_texts: 'Ask (Ann), or Bob.'",
        "output_texts: 'Ask (Ann) today, or Bob.', different from character 10 on",
        "the answer shown on the span is not the one that the user got",
    ),
    (
        "wire/output-text",
        {"output_texts": ["Wait... it is cold"]},
        {"output_texts": ["Wait... cold"]},
        "gen_ai.output_texts: 'Wait... cold'",
        "output_texts: 'Wait... it is cold', different from character 9 on",
        "the answer shown on the span is not the one that the user got",
    ),
    (
        "wire/output-text",
        {"output_texts": ["yes", "no"]},
        {"output_texts": ["yes"]},
        "gen_ai.output_texts = ['yes']",
        "output_texts = ['yes', 'no']",
        "the answer shown on the span is not the one that the user got; the span has 1 text, the response 2",
    ),
    (
        "wire/output-text",
        {"output_texts": ABSENT},
        {"output_texts": ["yes"]},
        "gen_ai.output_texts = ['yes']",
        "no output text",
        "the answer has no such text",
    ),
    (
        "wire/output-text",
        {"output_texts": ABSENT},
        {"output_texts": ["They spoke of Rome."]},
        "gen_ai.output_texts = ['They spoke of Rome.']",
        "no output text",
        "the answer has no such text",
        WITH_SUMMARY,
    ),
    (
        "wire/output-text",
        {"output_texts": ["Yes.", "Well."], "refusals": ["No."]},
        {"output_texts": ["No.", "Well.", "Yes."]},
        "gen_ai.output_texts = ['No.', 'Well.', 'Yes.']",
        "output_texts = ['Yes.', 'Well.']",
        OTHER_TEXT + "; the span has 3 texts, the response 2",
    ),
    (
        "wire/refusal",
        {"refusals": ["I cannot help with that."]},
        {"refusals": ["I cannot"]},
        "gen_ai.refusals: 'I cannot'",
        "refusals: 'I cannot help with that.', of which the span has the first 8 of 24 characters",
        "the refusal shown on the span is not the one that the user got",
    ),
    (
        "wire/reasoning-text",
        {"reasoning_texts": ["Cold, so a coat."]},
        {"reasoning_texts": ["Warm, so no coat."]},
        "gen_ai.reasoning_texts: 'Warm, so no coat.'",
        "reasoning_texts: 'Cold, so a coat.', different from character 1 on",
        "the reasoning shown on the span is not what the model wrote",
    ),
    (
        "wire/reasoning-text",
        {"reasoning_texts": ["Cold, so a coat."]},
        {"reasoning_texts": ['[{"text": "Cold."}]']},
        """gen_ai.reasoning_texts: '[{"text": "Cold."}]'""",
        "reasoning_texts: 'Cold, so a coat.', different from character 1 on",
        "the reasoning shown on the span is not what the model wrote",
    ),
    (
        "wire/embedding-dimensions",
        {"embedding_dimensions": ABSENT, "dimensions": 8},
        {"embedding_dimensions": 16},
        "gen_ai.embedding_dimensions = 16",
        "no dimensions",
        "no embedding came back",
    ),
    (
        "wire/embedding-count",
        {"embedding_count": 2},
        {"embedding_count": 1},
        "gen_ai.embedding_count = 1",
        "embedding_count = 2",
        "an index that lacks documents looks complete",
    ),
    (
        "wire/embedding-dimensions",
        {"embedding_dimensions": 1536},
        {"embedding_dimensions": 3072},
        "gen_ai.embedding_dimensions = 3072",
        "1536 numbers in embedding_dimensions",
        WRONG_LENGTH,
    ),
    (
        "wire/embedding-dimensions",
        {"embedding_dimensions": 8},
        {"embedding_dimensions": 44},
        "gen_ai.embedding_dimensions = 44",
        "8 numbers in embedding_dimensions",
        f"{WRONG_LENGTH}; this is the length of the base64 text that they came in",
    ),
)

# Check, facts of the wire, facts of the span; more about the call.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    *(
        ("wire/finish-reasons", {"finish_reasons": [wire]}, {"finish_reasons": [span]})
        for wire, span in (
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("completed", "stop"),
            ("eos", "STOP"),
            ("stop", "FinishReason.STOP"),
            ("max_tokens", "length"),
            ("length", "max_output_tokens"),
            ("tool_use", "tool_calls"),
            ("tool_calls", "tool_call"),
            ("function_call", "tool-call"),
            ("refusal", "content_filter"),
            ("content_filter", "safety"),
            ("pause_turn", "pause_turn"),
            ("pause_turn", "stop"),
            ("compaction", "stop"),
            ("", "unknown"),
            (None, "error"),
            (None, ""),
        )
    ),
    ("wire/finish-reasons", {"finish_reasons": ["stop", None]}, {"finish_reasons": ["stop"]}),
    ("wire/finish-reasons", {"finish_reasons": [None, "stop"]}, {"finish_reasons": ["error", "stop"]}),
    ("wire/finish-reasons", {"finish_reasons": ["stop", "length"]}, {"finish_reason": "length"}),
    ("wire/finish-reasons", {"finish_reasons": ABSENT}, {"finish_reasons": ["error"]}),
    *(
        (
            "wire/finish-reasons",
            {"finish_reasons": wire, "truncated": True, **STREAMING},
            {"finish_reasons": span},
            CLOSED,
        )
        for wire, span in (
            (ABSENT, ["error"]),
            (ABSENT, ["cancelled"]),
            (ABSENT, ["client_disconnected"]),
            ([None], ["aborted"]),
            (["stop", None], ["stop"]),
            (["stop", None], ["stop", "incomplete"]),
        )
    ),
    ("wire/finish-reasons", {"finish_reasons": [None], "truncated": True}, {"finish_reasons": ["aborted"]}),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["completed"], "tool_calls": [call()]},
        {"finish_reasons": ["stop", "tool_calls"]},
        {"api": "responses"},
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["completed"], "tool_calls": [call()]},
        {"finish_reasons": ["tool_calls"]},
        {"api": "responses"},
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["completed"], "refusals": ["I cannot."]},
        {"finish_reasons": ["content_filter"]},
        {"api": "responses"},
    ),
    ("wire/finish-reasons", {"finish_reasons": ["length"]}, {"finish_reasons": ["incomplete"]}, {"api": "responses"}),
    # The answer has two items, of which the second was cut.
    (
        "wire/finish-reasons",
        {"finish_reasons": ["max_output_tokens"]},
        {"finish_reasons": ["stop", "incomplete"]},
        {"api": "responses"},
    ),
    (
        "wire/finish-reasons",
        {"finish_reasons": ["max_output_tokens"], "tool_calls": [call()]},
        {"finish_reasons": ["tool_call", "length"]},
        {"api": "responses"},
    ),
    ("wire/embedding-dimensions", {"embedding_dimensions": ABSENT, "dimensions": 8}, {"embedding_dimensions": 8}),
    (
        "wire/reasoning-text",
        {"reasoning_texts": ["Cold, so a coat."]},
        {"reasoning_texts": ['[{"type": "summary_text", "text": "Cold, "}, {"text": "so a coat."}]']},
    ),
    (
        "wire/reasoning-text",
        {"reasoning_texts": ["Cold, so a coat."]},
        {"reasoning_texts": ['[{"text": "Cold, "}]', None, '[{"text": "so a coat."}]']},
    ),
    (
        "wire/tool-calls",
        {"tool_calls": [call("a", "1"), call("b", "2")]},
        {"tool_calls": [call("b", "2"), call("a", "1")], "tool_call_count": 2, "tool_call_names": ["b", "a"]},
    ),
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_call_count": 0, "tool_call_names": []}),
    (
        "wire/output-text",
        {"output_texts": ["One. Two."]},
        {"output_texts": ["One. ", None, "Two."]},
        {"api": "responses"},
    ),
    ("wire/reasoning-text", {"reasoning_texts": ["Cold, so a coat."]}, {"reasoning_texts": ["Cold, ", "so a coat."]}),
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_calls": [call("web_search", "srvtoolu_1")]}),
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_calls": [call("ask_wiki", "mcptoolu_1")]}),
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_calls": [call("ask_wiki", "mcpr_1")]}),
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_calls": [call("wiki", "mcpl_1"), call("tools", "tsc_1")]}),
    ("wire/tool-calls", {"tool_calls": [call()]}, {"tool_calls": [call("web_search", "ws_1"), call()]}),
    # Calls without a name on the wire: only the reply's bytes tell that they were made.
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_calls": [call("computer", "call_9")]}, WITH_COMPUTER),
    ("wire/tool-calls", {"tool_calls": [call()]}, {"tool_calls": [call("shell", "call_9"), call()]}, WITH_COMPUTER),
    ("wire/tool-calls", {"tool_calls": [call()]}, {"tool_calls": [call()]}, WITH_COMPUTER),
    # Calls that the server has made itself: their arguments tell.
    ("wire/tool-calls", {"tool_calls": ABSENT}, {"tool_calls": [call("web_search", query="Oslo")]}, WITH_SEARCH),
    ("wire/tool-calls", {"tool_calls": [call()]}, {"tool_calls": [call("s", "x", query="Oslo"), call()]}, WITH_SEARCH),
    *(
        ("wire/tool-calls", {"tool_calls": wire}, {"tool_calls": [{**ran, "id": None}, *also]}, more)
        for wire, also in ((ABSENT, ()), ([call()], (call(),)), ([call()], ({**call(), "id": None},)))
        for ran, more in (
            (call("web_search", query="Oslo"), WITH_SERVER_TOOL),
            (call("ask_wiki", page="Oslo"), WITH_SERVER_TOOL),
            (call("ask_wiki", page="Oslo"), WITH_MCP_CALL),
        )
    ),
    # Reasoning that a model writes into its answer.
    ("wire/output-text", {"output_texts": ["<think>Brr.</think>\n\nCold."]}, THOUGHT),
    ("wire/output-text", {"output_texts": ["<thinking>Brr.</thinking>Cold."]}, THOUGHT),
    ("wire/output-text", {"output_texts": ["<think>Brr.</think>"]}, {"reasoning_texts": ["Brr."], "output_texts": []}),
    ("wire/output-text", {"output_texts": ["Co<think>Br</think>ld.<think>r."]}, THOUGHT),
    ("wire/output-text", {"output_texts": ["<think>Brr. Snow.</think>Cold."]}, {"reasoning_texts": ["Brr"]}, CLOSED),
    ("wire/finish-reasons", {"finish_reasons": ["completed"]}, {"finish_reasons": ["tool_call"]}, WITH_COMPUTER),
    ("wire/tool-call-ids", {"tool_calls": [call(id=None)]}, {"tool_calls": [call(id="made-up")]}),
    ("wire/tool-call-ids", {"tool_calls": [call()]}, {"tool_calls": [{"name": "get_weather"}]}),
    (
        "wire/tool-call-arguments",
        {"tool_calls": [call(city="Oslo", days=2)]},
        {"tool_calls": [{**call(), "arguments": '{"days": 2,\n "city": "Oslo"}'}]},
    ),
    *(
        (
            "wire/tool-call-arguments",
            {"tool_calls": [{**call(), "arguments": wire}]},
            {"tool_calls": [{**call(), "arguments": span}]},
        )
        for wire, span in (
            ("", {}),
            ({}, None),
            ({}, "{}"),
            ({"city": "Oslo"}, "__REDACTED__"),
            ({"city": "Oslo"}, '{"city": "O...'),
            ('{"city": "Os', '{"city": "Os'),
            # The arguments broke off: the span has what could be read of them so far.
            ('{"city": "Os', {}),
            ('{"city": "Os', '{"city": "Os"}'),
            ('{"days": [1, 2, ', {"days": [1, 2]}),
            ('{"in": {"city": "T\\u00f8nder", "days": 1', {"in": {"city": "T\u00f8nder"}}),
            # A custom tool is called with a text, which may be JSON.
            ("look it up", {"input": "look it up"}),
            ({"city": "Oslo"}, {"input": '{"city": "Oslo"}'}),
            ("", '{"input": ""}'),
            ("print(3**3)", {"__arg1": "print(3**3)"}),
            ('{"city": "Oslo"}', r'"{\"city\": \"Oslo\"}"'),
        )
    ),
    (
        "wire/tool-call-arguments",
        {"tool_calls": [call("a", "1", n=1), call("a", "2", n=2)]},
        {"tool_calls": [call("a", "2", n=2), call("a", "1", n=1)]},
    ),
    (
        "wire/tool-call-arguments",
        {"tool_calls": [call(days=1, at=float("nan"))]},
        {"tool_calls": [{**call(), "arguments": '{"at": NaN, "days": 1.0}'}]},
    ),
    *(
        ("wire/tool-call-arguments", {"tool_calls": [call(**MAIL)]}, {"tool_calls": [call(**{**MAIL, **left})]})
        for left in (
            {"to": "***", "copies": "[REDACTED]"},
            {"copies": ["<EMAIL_ADDRESS>"]},
            {"text": "Dear [PERSON], " + "hello " * 20},
            {"text": "Dear Ann, hello..."},
        )
    ),
    ("wire/output-text", {"output_texts": ["It is cold."]}, {"output_texts": ["__REDACTED__"]}),
    ("wire/output-text", {"output_texts": ["It is cold.\n"]}, {"output_texts": ["It is cold."]}),
    ("wire/output-text", TWO_TEXTS, {"output_texts": ["First.\n\nSecond."]}),
    ("wire/output-text", {"output_texts": [None, "yes"]}, {"output_texts": ["", "yes"]}),
    ("wire/output-text", {"output_texts": ["Sun \ud83d\ude00"]}, {"output_texts": ["Sun \U0001f600"]}),
    ("wire/output-text", {"output_texts": ["Sun \ud83d"]}, {"output_texts": ["Sun \ufffd"]}),
    ("wire/output-text", {"output_texts": [LONG]}, {"output_texts": ["It is cold in Oslo..."]}),
    ("wire/output-text", {"output_texts": [LONG]}, {"output_texts": ["It is cold in Oslo [truncated]"]}),
    *(
        ("wire/output-text", {"output_texts": [LONG]}, {"output_texts": [f"It is cold in {mark}"]})
        for mark in ("... (truncated)", "...[truncated 820 chars]", "…[+900 more]", "... 1,024 of 8,000 characters")
    ),
    *(
        ("wire/output-text", {"output_texts": [LONG]}, {"output_texts": [f"It is cold{mark}cold in Oslo. "]})
        for mark in (" ... ", "…", "[... 800 more characters ...]")
    ),
    ("wire/output-text", {"output_texts": [LONG]}, {"output_texts": ["[content omitted]"]}),
    ("wire/output-text", {"output_texts": [LONG]}, {"output_texts": [LONG.replace("Oslo", "<LOCATION>")]}),
    ("wire/reasoning-text", {"reasoning_texts": ["Ann asks."]}, {"reasoning_texts": ["[PERSON] asks."]}),
    (
        "wire/output-text",
        {"output_texts": [LONG]},
        {"output_texts": [CUT]},
        {"record": {"attributes": {"gen_ai.completion.0.content": CUT}}},
    ),
    ("wire/output-text", {"output_texts": [LONG], **STREAMING}, {"output_texts": ["It is cold"]}, CLOSED),
    ("wire/output-text", {"output_texts": [LONG], **STREAMING}, {"output_texts": ["It is cold"]}, ONE_BLOCK),
    ("wire/output-text", {"output_texts": [None], "refusals": ["No."]}, {"output_texts": ["No."]}),
    ("wire/output-text", {"output_texts": ABSENT, "refusals": ["No."]}, {"output_texts": ["No."]}),
    # The refusal of one choice, before the texts of others.
    ("wire/output-text", {"output_texts": [None, "Yes."], "refusals": ["No."]}, {"output_texts": ["No.", "Yes."]}),
    ("wire/output-text", {"output_texts": ["Yes.", None], "refusals": ["No."]}, {"output_texts": ["Yes.", "No."]}),
    (  # A text that begins as the refusal, before the refusal itself.
        "wire/output-text",
        {"output_texts": ["No. Or yes.", None], "refusals": ["No."]},
        {"output_texts": ["No. Or yes.", "No."]},
    ),
    # A summary into which Anthropic's API has compacted the conversation is a text of the reply too.
    ("wire/output-text", {"output_texts": ABSENT}, {"output_texts": ["They spoke of Oslo."]}, WITH_SUMMARY),
    (
        "wire/output-text",
        {"output_texts": ["It is."]},
        {"output_texts": ["They spoke of Oslo.", "It is."]},
        WITH_SUMMARY,
    ),
    ("wire/output-text", {"output_texts": ["It is."]}, {"output_texts": ["They spoke of Oslo.It is."]}, WITH_SUMMARY),
    ("wire/output-text", {"output_texts": ["It is."]}, {"output_texts": ["It is."]}, WITH_SUMMARY),
    ("wire/refusal", {"refusals": ["No."]}, {"refusals": ["No."]}),
    ("wire/embedding-count", {"embedding_count": 2}, {"embedding_count": 2}),
    ("wire/embedding-dimensions", {"embedding_dimensions": 1536}, {"embedding_dimensions": 1536}),
)
