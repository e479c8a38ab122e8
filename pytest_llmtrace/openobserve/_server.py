"""The releases of OpenObserve, by what they do differently with a span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_llmtrace.errors import UsageError

__all__ = ["NEWEST", "PROFILES", "Server", "server"]

_GATE = frozenset(
    {
        "ai.model.id",
        "ai.prompt",
        "ai.prompt.messages",
        "gcp.vertex.agent.llm_request",
        "gen_ai.input.messages",
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "input",
        "input.value",
        "langfuse.observation.type",
        "llm.model_name",
        "llm.request.type",
        "mlflow.spanInputs",
        "prompt",
        "traceloop.span.kind",
    }
)
_GATE_WITH_AGENTS = _GATE | {
    "agent.name",
    "crewai.task.agent",
    "crewai.task.tools",
    "gcp.vertex.agent.name",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "langchain.tool.name",
    "openinference.span.kind",
    "tool.name",
    "tool_call.function.name",
}

_GENERATION_1 = {
    "operation": "_o2_llm_observation_type",
    "response_model": "_o2_llm_model_name",
    "provider": "_o2_llm_provider_name",
    "input": "_o2_llm_input",
    "output": "_o2_llm_output",
    "parameters": "_o2_llm_model_parameters_",
    "usage.input": "_o2_llm_usage_details_input",
    "usage.output": "_o2_llm_usage_details_output",
    "usage.total": "_o2_llm_usage_details_total",
    "usage.*": "_o2_llm_usage_details_",
    "cost.input": "_o2_llm_cost_details_input",
    "cost.output": "_o2_llm_cost_details_output",
    "cost.total": "_o2_llm_cost_details_total",
    "user": "_o2_llm_user_id",
    "conversation": "_o2_llm_session_id",
    "prompt_name": "_o2_llm_prompt_name",
    "first_chunk": "_o2_llm_completion_start_time",
    "tool_name": "_o2_llm_tool_name",
    "tool_call_id": "_o2_llm_tool_call_id",
    "tool_call_arguments": "_o2_llm_tool_call_arguments",
    "tool_call_result": "_o2_llm_tool_call_result",
}
_GENERATION_2 = {
    "operation": "llm_observation_type",
    "response_model": "gen_ai_response_model",
    "provider": "gen_ai_system",
    "input": "llm_input",
    "output": "llm_output",
    "parameters": "llm_request_parameters_",
    "usage.input": "llm_usage_tokens_input",
    "usage.output": "llm_usage_tokens_output",
    "usage.total": "llm_usage_tokens_total",
    "usage.*": "llm_usage_tokens_",
    "cost.input": "llm_usage_cost_input",
    "cost.output": "llm_usage_cost_output",
    "cost.total": "llm_usage_cost_total",
    "user": "user_id",
    "conversation": "session_id",
    "prompt_name": "gen_ai_prompt_name",
    "first_chunk": "llm_completion_start_time",
    "tool_name": "gen_ai_tool_name",
    "tool_call_id": "gen_ai_tool_call_id",
    "tool_call_arguments": "gen_ai_tool_call_arguments",
    "tool_call_result": "gen_ai_tool_call_result",
}
_GENERATION_3 = {
    **_GENERATION_2,
    "operation": "gen_ai_operation_name",
    "provider": "gen_ai_provider_name",
    "input": "gen_ai_input_messages",
    "output": "gen_ai_output_messages",
    "parameters": "gen_ai_request_",
    "usage.input": "gen_ai_usage_input_tokens",
    "usage.output": "gen_ai_usage_output_tokens",
    "usage.total": "gen_ai_usage_total_tokens",
    "usage.*": "gen_ai_usage_",
    "cost.input": "gen_ai_usage_cost_input",
    "cost.output": "gen_ai_usage_cost_output",
    "cost.total": "gen_ai_usage_cost",
    "conversation": "gen_ai_conversation_id",
    "first_chunk": "gen_ai_response_time_to_first_chunk",
}
_WITH_AGENTS = {
    **_GENERATION_3,
    "usage.cache_read": "gen_ai_usage_cache_read_input_tokens",
    "usage.cache_creation": "gen_ai_usage_cache_creation_input_tokens",
    "agent_name": "gen_ai_agent_name",
    "agent_id": "gen_ai_agent_id",
    "agent_version": "gen_ai_agent_version",
    "environment": "deployment_environment_name",
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """What a range of releases does with a span.

    Attributes:
        name: The profile's name: the release that it begins with, or whose documentation promises its columns.
        releases: The range, in words.
        generation: The generation of column names: 1, 2 or 3.
        columns: The columns that the enrichment fills, by what it computes for them.
        gate: The attributes any of which makes a span an LLM span.
        keeps_both: Whether an attribute whose column would be a base column goes into `attr_...` beside it; earlier
            releases let it take that column.
        infers_services: Whether the called service is inferred from a client's span.
        keeps_usage: Whether counts and costs that the client has sent are kept. Other releases write their own over
            them.
        prices_silence: Whether a call without any text is priced as well.
        reads_user: Whether the user is also read from the resource.
        notes_arrival: Whether there is a column for the time of arrival.
        types_streams: Whether the first LLM span of a stream gives types to the columns of numbers, for all spans.
    """

    name: str
    releases: str
    generation: int
    columns: Mapping[str, str] = field(repr=False)
    gate: frozenset[str] = field(default=_GATE, repr=False)
    keeps_both: bool = False
    infers_services: bool = False
    keeps_usage: bool = False
    prices_silence: bool = False
    reads_user: bool = True
    notes_arrival: bool = False
    types_streams: bool = False


_SERVERS = (
    Server(name="0.70", releases="v0.60.0 to v0.70.3", generation=1, columns=_GENERATION_1, reads_user=False),
    Server(name="0.90", releases="v0.80.0 to v0.90.3", generation=2, columns=_GENERATION_2),
    Server(
        name="0.91",
        releases="v0.91.0 to v0.91.5",
        generation=3,
        columns=_GENERATION_3,
        keeps_both=True,
        infers_services=True,
        types_streams=True,
    ),
    Server(
        name="0.92",
        releases="v0.92.0 and later, as of August 2026",
        generation=3,
        columns=_WITH_AGENTS,
        gate=_GATE_WITH_AGENTS,
        keeps_both=True,
        infers_services=True,
        types_streams=True,
        keeps_usage=True,
        prices_silence=True,
        notes_arrival=True,
    ),
)
_BY_NAME = {one.name: one for one in _SERVERS}

PROFILES = tuple(_BY_NAME)
NEWEST = PROFILES[-1]


def server(profile: str = NEWEST) -> Server:
    """Return what the releases of a profile do.

    Raises:
        UsageError: If there is no such profile.
    """
    if not isinstance(profile, str) or profile not in _BY_NAME:
        raise UsageError.unknown("OpenObserve profile", profile, PROFILES)
    return _BY_NAME[profile]
