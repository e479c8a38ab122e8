"""What a span lacks to be read as an LLM call, although it has facts of one."""

from __future__ import annotations

from pytest_llmtrace.dialects._genai import CALLS, STEPS
from pytest_llmtrace.model import SpanRecord

__all__ = ["lacking"]

_GENAI = ("gen_ai.usage.", "gen_ai.request.", "gen_ai.response.")
_OPENINFERENCE = ("llm.token_count.", "llm.model_name", "llm.output_messages.")

# The well-known operations that are not one call to a model; any other name may be somebody's own name for a call.
_OTHERS = frozenset(
    {
        *("create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "plan", "retrieval", "fetch_response"),
        *("search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory"),
        *("create_memory_store", "delete_memory_store"),
    }
)


def lacking(span: SpanRecord) -> str:
    """Return what a span lacks to be read as a call, as a clause; empty if it has no facts of one.

    A step of an application or a framework lacks nothing: it may sum up the tokens of the calls inside it.
    """
    attributes = span.attributes
    if any(key in attributes for key in STEPS):
        return ""
    if "openinference.span.kind" not in attributes and (told := _first(span, _OPENINFERENCE)):
        return f"it has {told}, but no openinference.span.kind = 'LLM' (or 'EMBEDDING')"
    told = _first(span, _GENAI)
    operation = attributes.get("gen_ai.operation.name")
    if not told or (isinstance(operation, str) and operation in _OTHERS):
        return ""
    if operation is None:
        return f"it has {told}, but neither gen_ai.operation.name ({_NAMES}) nor gen_ai.request.model"
    return f"it has gen_ai.operation.name = {operation!r}, but that of an LLM call is one of {_NAMES}"


def _first(span: SpanRecord, beginnings: tuple[str, ...]) -> str:
    return next((name for name in span.attributes if name.startswith(beginnings)), "")


_NAMES = ", ".join(sorted(CALLS))
