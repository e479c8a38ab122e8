"""What the model was offered: the tools of the request against those of the span."""

from __future__ import annotations

import json
from typing import Any

from pytest_llmtrace.model import Fact, Request
from tests.unit.checks._cases import ABSENT, seen
from tests.unit.checks._past_call_cases import LIBRARY

ID = "wire/request-tools"
OTHER = "whoever asks why a tool was called, or was not, sees other tools than the model did"
NONE = "the request offers no tools, so whoever asks why none was called is misled"


def tool(name: str | None, kind: str | None = "function") -> dict[str, Any]:
    """Make a tool of a request or a span."""
    return {"name": name, "type": kind}


LOOK, HEAR, RUN, SEARCH = tool("look"), tool("hear"), tool("run", "custom"), tool(None, "web_search")
SHOP = tool("shop", "mcp")


def sent(*tools: dict[str, Any]) -> dict[str, Fact]:
    """Make the tools that a request offers."""
    return {"tools": seen(list(tools), *((f"tools[{number}]", one["name"]) for number, one in enumerate(tools)))}


def told(text: str) -> dict[str, Any]:
    """Make a request without tools, and with a text."""
    return {"tools": ABSENT, "input_messages": seen([{"role": "system", "text": text}], ("messages[0].content", text))}


def holding(**body: Any) -> dict[str, Any]:
    """Make the call of a library's span, with a request that has this body."""
    url, content = "https://api.openai.com/v1/responses", json.dumps(body).encode()
    return {**LIBRARY, "exchange": {"request": Request(method="POST", url=url, body=content)}}


# The fields of a case are those in `_prompt_cases`.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        ID,
        sent(LOOK, HEAR),
        {"tools": [LOOK, tool("smell")]},
        "gen_ai.tools: 'smell'",
        "tools: ['look', 'hear']",
        OTHER,
    ),
    (ID, told("Be brief."), {"tools": [LOOK]}, "gen_ai.tools: 'look'", "no tools", NONE),
    (
        ID,
        sent(LOOK, HEAR, RUN),
        {"tools": [LOOK]},
        "gen_ai.tools: ['look']",
        "tools[1]: 'hear', which the span lacks",
        OTHER,
        LIBRARY,
    ),
    # A name may end in another tool's whole name.
    (
        ID,
        sent(tool("search"), tool("web_search"), LOOK),
        {"tools": [tool("search"), LOOK]},
        "gen_ai.tools: ['search', 'look']",
        "tools[1]: 'web_search', which the span lacks",
        OTHER,
        LIBRARY,
    ),
    # A call that is named in the conversation is not an offer.
    (
        ID,
        {"tools": ABSENT},
        {"tools": [LOOK]},
        "gen_ai.tools: 'look'",
        "no tools",
        NONE,
        holding(input=[{"type": "function_call", "name": "look", "arguments": "{}"}]),
    ),
    (ID, sent(SHOP), {"tools": [tool("crm", "mcp")]}, "gen_ai.tools: 'crm'", "tools: ['shop']", OTHER),
    (ID, sent(tool("outlook")), {"tools": [LOOK]}, "gen_ai.tools: 'look'", "tools: ['outlook']", OTHER),
)

NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    (ID, sent(LOOK, HEAR), {"tools": [HEAR, LOOK]}, LIBRARY),
    (ID, sent(LOOK, HEAR), {"tools": [tool("look", None), tool("hear", "tool")]}, LIBRARY),
    (ID, sent(LOOK, HEAR), {"tools": ["look", "hear"]}, LIBRARY),
    # An application shows what it likes, and some conventions have a place for functions only.
    (ID, sent(LOOK, HEAR), {"tools": [LOOK]}),
    (ID, sent(LOOK, RUN, SEARCH), {"tools": [LOOK]}, LIBRARY),
    (ID, sent(LOOK, SEARCH), {"tools": [LOOK, SEARCH, tool("web_search", "web_search")]}, LIBRARY),
    # A server of tools (MCP) may be shown by its name or by its type, or not at all.
    *((ID, sent(LOOK, SHOP), {"tools": [LOOK, *shown]}, LIBRARY) for shown in ([SHOP], [tool(None, "mcp")], [])),
    # Names have only characters that the API allows, and a framework may offer its tools in the text of the prompt.
    (ID, sent(tool("math_add")), {"tools": [tool("math.add")]}, LIBRARY),
    (ID, sent(tool("mathAdd"), tool("functions_look")), {"tools": [tool("math_add"), LOOK]}, LIBRARY),
    (ID, told("You may call look(at)."), {"tools": [LOOK]}, LIBRARY),
    (ID, {**told("You may call look(at)."), **sent(HEAR)}, {"tools": [LOOK, HEAR]}, LIBRARY),
    # The conversation may add tools to those that the request offers; a span may show them as well.
    *(
        (ID, {"tools": ABSENT}, {"tools": [LOOK]}, holding(**conversation))
        for conversation in (
            {"input": [{"type": "additional_tools", "tools": [{"type": "function", "name": "look"}]}]},
            {"input": [{"type": "tool_search_output", "tools": [{"type": "function", "name": "look"}]}]},
            {"messages": [{"content": [{"type": "tool_addition", "tool": {"definition": {"name": "look"}}}]}]},
        )
    ),
    (ID, sent(SEARCH), {"tools": [SEARCH]}, holding(input=[{"type": "additional_tools", "tools": [LOOK]}])),
    # Tools that are masked or cut cannot be compared.
    (ID, sent(LOOK, HEAR), {"tools": [LOOK, tool("__REDACTED__")]}, LIBRARY),
    (ID, sent(LOOK, HEAR), {"tools": [LOOK, tool(None, None)]}, LIBRARY),
    (ID, sent(LOOK), {}, LIBRARY),
    (ID, sent(LOOK), {"tools": [None, 7, LOOK]}),
    (ID, {"tools": ABSENT}, {"tools": []}, LIBRARY),
)
