"""Correct instrumentations with one deliberate fault each give the finding that names it, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from pytest_llmtrace import wire
from pytest_llmtrace.compare._cases import Case, every_case
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Settings
from tests.truth._answer import Answer, Asked, Choice, ToolCall, Usage
from tests.truth._calls import Caller, Instrumentation
from tests.truth._dialects import DIALECTS
from tests.truth._odd_cases import ODD_CASES

# Some cassettes name models that are deprecated now.
pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

CASES: Final = {case.id: case for case in (*every_case(), *ODD_CASES)}

OI, GENAI, OLDER, OLLM, LOGFIRE = "openinference", "otel-genai", "otel-genai, older names", "openllmetry", "logfire"
BY_HAND, NATIVE, LANGFUSE, MLFLOW = "hand-written", "anthropic-native", "langfuse", "mlflow"
PLATFORMS = (LANGFUSE, MLFLOW)
ANY = (OI, GENAI, OLDER, OLLM, LOGFIRE, *PLATFORMS)
ALL = (*ANY, BY_HAND, NATIVE)
OTEL = (GENAI, OLDER, OLLM, LOGFIRE)
SPOKEN = (OI, GENAI, OLLM, LOGFIRE, *PLATFORMS)

CHAT = ("scripted:openai/chat-cached", "scripted:openrouter/chat-cached-stream")
RESPONSES = ("scripted:openai/responses-cached", "scripted:azure/responses-cached-stream")
MESSAGES = ("scripted:anthropic/messages-cached", "scripted:litellm/messages-cached-stream")
TOOLS = (
    "scripted:openai/chat-tools",
    "scripted:litellm/chat-tools-stream",
    "scripted:openai/responses-tools-stream",
    "scripted:anthropic/messages-tools",
    "scripted:anthropic/messages-tools-stream",
)
TALK = (
    "scripted:openai/chat-plain-stream",
    "scripted:openai/responses-plain",
    "scripted:anthropic/messages-plain-stream",
)
CONVERSATIONS = ("odd:openai/conversation", "odd:anthropic/conversation", "odd:openai/responses-conversation")
FAILED = (
    "scripted:openai/chat-limited",
    "scripted:openai/responses-overloaded-stream",
    "scripted:anthropic/messages-limited",
)


LOST = tuple(f"odd:{api}/{why}" for api in ("openai", "anthropic") for why in ("connect-error", "read-timeout"))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that an instrumentation makes.

    Attributes:
        name: The fault in words.
        check: The check that must find it.
        dialects: The conventions in which it can be made.
        cases: The calls in which it shows.
        how: The fields of the instrumentation that make it.
        writes: The fields of the convention's writer that make it.
    """

    name: str
    check: str
    dialects: tuple[str, ...]
    cases: tuple[str, ...]
    how: Mapping[str, Any] = field(default_factory=dict)
    writes: Mapping[str, Any] = field(default_factory=dict)

    def by(self, dialect: str) -> Instrumentation:
        """Return the instrumentation that makes the fault in a convention."""
        return Instrumentation(writer=replace(DIALECTS[dialect], **self.writes), **self.how)


def usage(name: str, change: Callable[[Usage], int | float | None]) -> Mapping[str, Any]:
    """Return a fault that changes one count."""

    def misread(answer: Answer) -> None:
        assert answer.usage is not None
        setattr(answer.usage, name, change(answer.usage))

    return {"misread": misread}


def more(name: str, by: float = 1) -> Mapping[str, Any]:
    """Return a fault that makes one count higher."""
    return usage(name, lambda said: getattr(said, name) + by)


def first(change: Callable[[Choice], object]) -> Mapping[str, Any]:
    """Return a fault that changes the first choice."""
    return {"misread": lambda answer: change(answer.in_order[0])}


def tool(**fields: str) -> Mapping[str, Any]:
    """Return a fault that changes the last tool call."""

    def misread(answer: Answer) -> None:
        last = answer.in_order[0].tool_calls
        last[-1] = replace(last[-1], **fields)

    return {"misread": misread}


def said(**fields: Any) -> Mapping[str, Any]:
    """Return a fault that changes fields of the answer."""

    def misread(answer: Answer) -> None:
        for name, value in fields.items():
            setattr(answer, name, value)

    return {"misread": misread}


def asked(**arguments: Any) -> Mapping[str, Any]:
    """Return a fault that changes arguments of the call on the span."""

    def misheard(told: Asked) -> None:
        told.arguments |= arguments

    return {"misheard": misheard}


def heard(change: Callable[[list[Any]], object]) -> Mapping[str, Any]:
    """Return a fault that changes the messages on the span."""

    def misheard(told: Asked) -> None:
        name = "messages" if "messages" in told.arguments else "input"
        told.arguments[name] = deepcopy(told.arguments[name])
        change(told.arguments[name])

    return {"misheard": misheard}


def offered(change: Callable[[dict[str, Any]], object]) -> Mapping[str, Any]:
    """Return a fault that changes the definition of the first offered tool on the span."""

    def misheard(told: Asked) -> None:
        told.arguments["tools"] = deepcopy(told.arguments["tools"])
        change(told.arguments["tools"][0].get("function", told.arguments["tools"][0]))

    return {"misheard": misheard}


def _take_another(tool: dict[str, Any]) -> None:
    tool["parameters" if "parameters" in tool else "input_schema"]["type"] = "array"


def _cut(text: str | None) -> str:
    assert text
    return text[: text.rindex(" ")]


def _last_text_lost(choice: Choice) -> None:
    choice.text = _cut(choice.text)


def _forget_second(answer: Answer) -> None:
    answer.choices[1].finish_reason = None


def _only_first_vector(answer: Answer) -> None:
    del answer.vectors[1:]


def _one_short_vector(answer: Answer) -> None:
    answer.vectors[1] = answer.vectors[1][1:]


def _short_vectors(answer: Answer) -> None:
    answer.vectors = [vector[1:] for vector in answer.vectors]


def _encode_arguments(choice: Choice) -> None:
    for call in choice.tool_calls:
        call.arguments = json.dumps(call.arguments)


def _swap_arguments(choice: Choice) -> None:
    one, two = choice.tool_calls
    one.arguments, two.arguments = two.arguments, one.arguments


def _faults_of_usage() -> Iterable[Fault]:
    both = (*CHAT, *RESPONSES, *MESSAGES)
    yield Fault(name="input off by one", check="wire/input-tokens", dialects=ALL, cases=both, how=more("input"))
    yield Fault(
        name="cached tokens left out",
        check="wire/input-tokens",
        dialects=ALL,
        cases=MESSAGES,
        how=usage("input", lambda said: said.raw["input_tokens"]),
    )
    yield Fault(name="output off by one", check="wire/output-tokens", dialects=ALL, cases=both, how=more("output"))
    yield Fault(
        name="output of the first event",
        check="wire/output-tokens",
        dialects=ALL,
        cases=MESSAGES[1:],
        how=usage("output", lambda _: 1),
    )
    yield Fault(
        name="total off by one",
        check="wire/total-tokens",
        dialects=(OI, OLLM, *PLATFORMS),
        cases=both,
        how=more("total"),
    )
    yield Fault(
        name="total without cached tokens",
        check="wire/total-tokens",
        dialects=(OI, OLLM, *PLATFORMS),
        cases=MESSAGES,
        how=usage("total", lambda said: said.raw["input_tokens"] + (said.output or 0)),
    )
    yield Fault(
        name="total that no reply has",
        check="wire/total-tokens",
        dialects=(OI, OLLM, *PLATFORMS),
        cases=MESSAGES,
        how=usage("total", lambda _: 0),
    )
    keen = (OI, GENAI, OLDER, OLLM, *PLATFORMS)
    yield Fault(name="cache reads", check="wire/cache-read-tokens", dialects=keen, cases=both, how=more("cache_read"))
    yield Fault(
        name="cache writes",
        check="wire/cache-write-tokens",
        dialects=(*keen, BY_HAND, NATIVE),
        cases=MESSAGES,
        how=more("cache_write"),
    )
    yield Fault(
        name="reasoning said to be none",
        check="wire/reasoning-tokens",
        dialects=(OI, GENAI, OLLM, *PLATFORMS),
        cases=(*CHAT, *RESPONSES),
        how=usage("reasoning", lambda _: 0),
    )
    heard = ("builtin:openai/chat#0",)
    for name, check in (("input_audio", "wire/input-audio-tokens"), ("output_audio", "wire/output-audio-tokens")):
        yield Fault(name=name, check=check, dialects=(OI, GENAI, *PLATFORMS), cases=heard, how=more(name))
    yield Fault(
        name="cost",
        check="wire/cost",
        dialects=(OI, *PLATFORMS),
        cases=("builtin:openrouter/chat#0", "scripted:openrouter/chat-cached-stream"),
        how=more("cost", by=0.01),
    )
    yield Fault(name="no usage", check="wire/usage-missing", dialects=ALL, cases=both, how=said(usage=None))
    yield Fault(
        name="usage of a stream without any",
        check="wire/input-tokens",
        dialects=ANY,
        cases=("scripted:openai/chat-no-usage-stream",),
        how=said(usage=Usage(input=9)),
    )
    yield Fault(
        name="usage of a failed call",
        check="wire/output-tokens",
        dialects=ALL,
        cases=(*FAILED, *LOST),
        how=said(usage=Usage(output=3)),
    )


def _faults_of_answers() -> Iterable[Fault]:
    named = (*OTEL, NATIVE, MLFLOW)
    yield Fault(name="id", check="wire/response-id", dialects=named, cases=TALK, how=said(id="chatcmpl-other"))
    yield Fault(name="id of a failed call", check="wire/response-id", dialects=named, cases=FAILED, how=said(id="x-1"))
    yield Fault(
        name="response model of the request",
        check="wire/response-model",
        dialects=(*OTEL, BY_HAND, NATIVE),
        cases=("builtin:openai/chat#0", "builtin:anthropic/messages#0", "builtin:openrouter/stream#0"),
        how={"miswrite": lambda written: written.update({"gen_ai.response.model": "unknown/model"})},
    )
    yield Fault(name="model", check="wire/model", dialects=(OI, LANGFUSE), cases=TALK, how=said(model="unknown-model"))
    yield Fault(
        name="response model of a failed call",
        check="wire/response-model",
        dialects=(*OTEL, BY_HAND, NATIVE),
        cases=FAILED,
        how=said(model="gpt-4o-mini"),
    )
    yield Fault(
        name="finish reason",
        check="wire/finish-reasons",
        dialects=ALL,
        cases=(
            "scripted:openai/chat-length",
            "scripted:openai/responses-incomplete",
            "scripted:anthropic/messages-length",
        ),
        how=first(lambda choice: setattr(choice, "finish_reason", "stop")),
    )
    yield Fault(
        name="one finish reason of two",
        check="wire/finish-reasons",
        dialects=(*OTEL, MLFLOW),
        cases=("odd:openai/choices-with-tools", "odd:openai/choices-with-tools-stream"),
        how={"misread": _forget_second},
    )
    yield Fault(
        name="finish reason of a failed call",
        check="wire/finish-reasons",
        dialects=ALL,
        cases=(*FAILED, *LOST),
        how=said(choices={0: Choice(finish_reason="stop")}),
    )
    yield Fault(
        name="completed said to have failed",
        check="wire/finish-reasons",
        dialects=(GENAI, LOGFIRE),
        cases=TALK,
        how=first(lambda choice: setattr(choice, "finish_reason", "error")),
    )
    yield Fault(
        name="completed said to be incomplete",
        check="wire/finish-reasons",
        dialects=ANY,
        cases=("scripted:openai/responses-plain",),
        how=first(lambda choice: setattr(choice, "finish_reason", "incomplete")),
    )
    yield Fault(
        name="last piece of the text",
        check="wire/output-text",
        dialects=SPOKEN,
        cases=TALK,
        how=first(_last_text_lost),
    )
    yield Fault(
        name="text beside a tool call",
        check="wire/output-text",
        dialects=SPOKEN,
        cases=("builtin:anthropic/tools#0",),
        how=first(lambda choice: setattr(choice, "text", None)),
    )
    yield Fault(
        name="text of nothing, where the prompt is shown",
        check="wire/output-text",
        dialects=(OLLM,),
        cases=TALK,
        how=first(lambda choice: setattr(choice, "text", "")),
    )
    yield Fault(
        name="reasoning",
        check="wire/reasoning-text",
        dialects=SPOKEN,
        cases=("builtin:openrouter/chat#0", "scripted:anthropic/messages-reasoning-stream", "odd:openai/items-stream"),
        how=first(lambda choice: setattr(choice, "reasoning", "I know.")),
    )
    yield Fault(
        name="refusal",
        check="wire/refusal",
        dialects=(GENAI, LOGFIRE, *PLATFORMS),
        cases=("scripted:openai/chat-refusal", "odd:openai/refusal-stream", "odd:openai/items"),
        how=first(lambda choice: setattr(choice, "refusal", "Gladly.")),
    )
    yield Fault(
        name="embedding lost",
        check="wire/embedding-count",
        dialects=(OI, *PLATFORMS),
        cases=("scripted:openai/embeddings-plain",),
        how={"misread": _only_first_vector},
    )
    yield Fault(
        name="dimensions",
        check="wire/embedding-dimensions",
        dialects=(OI, GENAI, *PLATFORMS),
        cases=("scripted:openai/embeddings-plain", "scripted:litellm/embeddings-base64"),
        how={"misread": _short_vectors},
    )
    yield Fault(
        name="dimensions of one",
        check="wire/embedding-dimensions",
        dialects=(OI, MLFLOW),
        cases=("scripted:openai/embeddings-plain",),
        how={"misread": _one_short_vector},
    )


def _faults_of_tools() -> Iterable[Fault]:
    for what, change in (("for", lambda tool: tool.update(description="Listens.")), ("taking", _take_another)):
        yield Fault(
            name=f"tools {what} something else",
            check="wire/tool-definitions",
            dialects=SPOKEN,
            cases=TOOLS,
            how=offered(change),
        )
    yield Fault(
        name="arguments",
        check="wire/tool-call-arguments",
        dialects=SPOKEN,
        cases=TOOLS,
        how=tool(arguments='{"zone": "UTC"}'),
    )
    yield Fault(
        name="arguments encoded twice",
        check="wire/tool-call-arguments",
        dialects=(OI, OLLM, *PLATFORMS),  # OTel GenAI's messages allow any JSON value here, so a text is right.
        cases=TOOLS,
        how=first(_encode_arguments),
    )
    yield Fault(
        name="arguments swapped",
        check="wire/tool-call-arguments",
        dialects=SPOKEN,
        cases=TOOLS,
        how=first(_swap_arguments),
    )
    yield Fault(
        name="id of a tool call", check="wire/tool-call-ids", dialects=SPOKEN, cases=TOOLS, how=tool(id="call_x")
    )
    yield Fault(
        name="name of a tool",
        check="wire/tool-calls",
        dialects=(*SPOKEN, BY_HAND),
        cases=TOOLS,
        how=tool(name="get_date"),
    )
    yield Fault(
        name="one of two calls lost",
        check="wire/tool-calls",
        dialects=(*SPOKEN, BY_HAND),
        cases=TOOLS,
        how=first(lambda choice: choice.tool_calls.pop()),
    )
    yield Fault(
        name="every call lost, and with them the whole answer",
        check="wire/tool-calls",
        dialects=SPOKEN,
        cases=TOOLS,
        how=first(lambda choice: choice.tool_calls.clear()),
    )
    yield Fault(
        name="a call that was never made",
        check="wire/tool-calls",
        dialects=(*SPOKEN, BY_HAND),
        cases=TALK[::2],  # For the Responses API the finish reason would be wrong, too.
        how=first(lambda choice: choice.tool_calls.append(ToolCall(id="call_1", name="get_date"))),
    )


_PARAMETERS = ("llm.invocation_parameters", "request_data", "langfuse.observation.model.parameters")


_MISHEARD: Mapping[str, Callable[[list[Any]], object]] = {
    "a template": lambda turns: turns[-1].update(content="And in {city}?"),
    "an older prompt": lambda turns: turns[-1].update(content="Is it cold in Oslo?"),
    "what was answered later": lambda turns: turns.append({"role": "assistant", "content": "No."}),
    "no question": lambda turns: turns.pop(),
    "no answer before": lambda turns: turns.pop(-2),
    "half a question": lambda turns: turns[-7]["content"].pop(),
    "a tool's words as the user's": lambda turns: turns.__setitem__(-3, {"role": "user", "content": _result(turns)}),
    "the assistant's words as the user's": lambda turns: turns[-2].update(role="user"),
    "in another order": lambda turns: turns.insert(-2, turns.pop()),
    "twice": lambda turns: turns.append(turns[-1]),
}


_MISTOLD: Mapping[str, Callable[[list[Any]], object]] = {
    "a tool of another name": lambda turns: _called(turns[-4]).update(name="hear"),
    "a tool that was asked for something else": lambda turns: _called(turns[-4]).update(
        {"input": {"at": "Rome"}} if "input" in _called(turns[-4]) else {"arguments": '{"at": "Rome"}'}
    ),
    "a call that was made later": lambda turns: turns.append(_renamed(deepcopy(turns[-4]))),
}


def _called(turn: dict[str, Any]) -> dict[str, Any]:
    """Return the tool call of a turn."""
    made: dict[str, Any] = turn["tool_calls"][0]["function"] if "tool_calls" in turn else turn
    return made["content"][0] if "content" in made else made


def _renamed(turn: dict[str, Any]) -> dict[str, Any]:
    """Return a turn with its call changed into one of another tool."""
    owner = turn["tool_calls"][0] if "tool_calls" in turn else _called(turn)
    owner["call_id" if "call_id" in owner else "id"] = "call_9"
    _called(turn)["name"] = "hear"
    return turn


_ANSWERS = {"call_id", "tool_call_id", "tool_use_id"}


def _answer_another(turns: list[Any]) -> None:
    """Let the last tool result name the call of the result before it."""
    before, last = (turn["content"][0] if isinstance(turn.get("content"), list) else turn for turn in turns[-5:-2:2])
    last.update({name: before[name] for name in _ANSWERS & before.keys()})


def _result(turns: list[Any]) -> str:
    """Return the result of the last tool call."""
    result = turns[-3]
    parts = result["content"] if isinstance(result.get("content"), list) else []
    return str(parts[0]["content"][0]["text"] if parts else result.get("output") or result["content"])


def _faults_of_requests() -> Iterable[Fault]:
    plain = ("scripted:openai/chat-plain", "scripted:anthropic/messages-plain")
    yield Fault(
        name="model",
        check="wire/request-model",
        dialects=(*OTEL, BY_HAND, NATIVE),
        cases=plain,
        how=asked(model="gpt-4"),
    )
    yield Fault(
        name="requested model", check="wire/request-model", dialects=(OI,), cases=plain[:1], how=asked(model="gpt-4")
    )
    yield Fault(
        name="plain said to be a stream",
        check="wire/streaming",
        dialects=(OI, GENAI, OLLM, LOGFIRE, NATIVE, *PLATFORMS),
        cases=plain,
        how=asked(stream=True),
    )
    yield Fault(
        name="stream said to be plain",
        check="wire/streaming",
        dialects=(OI, OLLM, LOGFIRE, *PLATFORMS),
        cases=TALK[::2],
        how=asked(stream=False),
    )
    for name, change in _MISHEARD.items():
        # In Anthropic's API the results of tools are in the user's messages.
        cases = CONVERSATIONS[::2] if name.startswith("a tool's") else CONVERSATIONS
        yield Fault(name=name, check="wire/input-messages", dialects=SPOKEN, cases=cases, how=heard(change))
    yield Fault(
        name="the result of another call",
        check="wire/input-messages",
        dialects=SPOKEN,
        cases=CONVERSATIONS,
        how=heard(_answer_another),
    )
    for name, change in _MISTOLD.items():
        how = heard(change)
        yield Fault(name=name, check="wire/input-tool-calls", dialects=SPOKEN, cases=CONVERSATIONS, how=how)
    yield Fault(
        name="tools that were never offered",
        check="wire/request-tools",
        dialects=SPOKEN,
        cases=plain,
        how=asked(tools=[{"type": "function", "name": "hear", "function": {"name": "hear"}}]),
    )
    yield Fault(
        name="parameters encoded twice",
        check="wire/unreadable",
        dialects=(OI, LOGFIRE, LANGFUSE),
        cases=plain,
        how={"miswrite": lambda written: written.update(dict.fromkeys(_PARAMETERS, json.dumps('{"max_tokens": 256}')))},
    )
    yield Fault(name="limit", check="wire/request-max-tokens", dialects=ALL, cases=plain, how=asked(max_tokens=4096))
    full = (*ANY, NATIVE)
    yield Fault(
        name="temperature", check="wire/request-temperature", dialects=full, cases=plain, how=asked(temperature=0.7)
    )
    yield Fault(
        name="temperature of nothing",
        check="wire/request-temperature",
        dialects=full,
        cases=("builtin:openai/chat#0", "odd:anthropic/blocks"),
        how=asked(temperature=0),
    )
    yield Fault(
        name="default temperature",
        check="wire/request-temperature",
        dialects=tuple(dialect for dialect in full if dialect != LANGFUSE),  # Langfuse's convention writes it.
        cases=("builtin:openai/chat#0", "odd:anthropic/blocks"),
        how=asked(temperature=1.0),
    )
    chat, messages = ("odd:openai/one-refusal-of-two",), ("odd:anthropic/blocks",)
    yield Fault(name="top-p", check="wire/request-top-p", dialects=ANY, cases=plain[:1], how=asked(top_p=0.5))
    yield Fault(name="top-k", check="wire/request-top-k", dialects=full, cases=messages, how=asked(top_k=5))
    yield Fault(
        name="seed",
        check="wire/request-seed",
        dialects=(OI, GENAI, OLDER, LOGFIRE, *PLATFORMS),
        cases=chat,
        how=asked(seed=8),
    )
    yield Fault(name="stop", check="wire/request-stop", dialects=ANY, cases=chat, how=asked(stop=["STOP"]))
    yield Fault(
        name="stop sequences",
        check="wire/request-stop",
        dialects=full,
        cases=plain[1:],
        how=asked(stop_sequences=["END", "STOP"]),
    )
    yield Fault(
        name="choices",
        check="wire/request-choices",
        dialects=(OI, GENAI, OLDER, LOGFIRE, *PLATFORMS),
        cases=chat,
        how=asked(n=3),
    )
    yield Fault(
        name="dimensions",
        check="wire/request-dimensions",
        dialects=(OI, LOGFIRE, *PLATFORMS),
        cases=("scripted:openai/embeddings-plain", "scripted:litellm/embeddings-base64"),
        how=asked(dimensions=16),
    )
    yield Fault(
        name="frequency",
        check="wire/request-frequency-penalty",
        dialects=ANY,
        cases=chat,
        how=asked(frequency_penalty=1),
    )
    yield Fault(
        name="presence",
        check="wire/request-presence-penalty",
        dialects=ANY,
        cases=chat,
        how=asked(presence_penalty=0.2),
    )


def _faults_of_behaviour() -> Iterable[Fault]:
    midway = tuple(
        f"scripted:{name}-fails-midway-stream" for name in ("openrouter/chat", "openai/responses", "anthropic/messages")
    )
    inside = ("odd:openrouter/error-in-200", "odd:openai/failed-stream", "odd:openai/failed")
    yield Fault(
        name="failure shown green",
        check="wire/error-status",
        dialects=ALL,
        cases=(*FAILED, *midway, *inside, *LOST, "odd:openai/broken-stream"),
        how={"fails_green": True},
    )
    yield Fault(name="no reason", check="wire/error-reason", dialects=ALL, cases=FAILED, how={"fails_silently": True})
    typed = (GENAI, OLDER, OLLM, LOGFIRE, BY_HAND, NATIVE)
    yield Fault(
        name="no error.type",
        check="wire/error-type",
        dialects=(GENAI, OLDER, LOGFIRE, NATIVE),
        cases=FAILED,
        writes={"failed": lambda _: {}},
    )
    yield Fault(
        name="another code",
        check="wire/error-code",
        dialects=typed,
        cases=FAILED,
        writes={"failed": lambda _: {"error.type": "500"}},
    )
    yield Fault(
        name="cut stream shown green",
        check="wire/cut-stream",
        dialects=(OI, OLDER, OLLM, BY_HAND, NATIVE),  # The others write `error` as the finish reason.
        cases=("odd:openai/cut-stream", "odd:openai/responses-cut-stream", "odd:anthropic/cut-stream"),
        how={"fails_green": True},
    )
    yield Fault(
        name="span ends with the opening of the stream",
        check="structure/ended-before-stream",
        dialects=ALL,
        cases=(*TALK[::2], "scripted:openai/responses-plain-stream"),
        how={"ends_early": True},
    )
    for dialect in ALL:
        twice = {"within": DIALECTS[dialect]}
        yield Fault(
            name=f"two spans, {dialect}", check="structure/reported-twice", dialects=(dialect,), cases=TALK, how=twice
        )
    yield Fault(
        name="two conventions",
        check="structure/counted-twice",
        dialects=(GENAI, OLDER, OLLM, BY_HAND, NATIVE),
        cases=TALK,
        how={"within": DIALECTS[OI]},
    )


FAULTS: Final = (
    *_faults_of_usage(),
    *_faults_of_answers(),
    *_faults_of_tools(),
    *_faults_of_requests(),
    *_faults_of_behaviour(),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}, {fault.name}")
def test_one_fault_one_finding(caller: Caller, fault: Fault) -> None:
    """Each fault gives its own finding in every convention that has a place for it, and no other finding."""
    found: dict[tuple[str, str], set[str]] = {}
    for dialect in fault.dialects:
        for case in map(CASES.__getitem__, fault.cases):
            if api_of(case) in DIALECTS[dialect].apis:
                found[dialect, case.id] = play(caller, fault.by(dialect), case)
    assert {key: ids for key, ids in found.items() if ids != {fault.check}} == {}
    assert {dialect for dialect, _ in found} == set(fault.dialects)


def api_of(case: Case) -> str:
    """Return the API of a case."""
    return wire.identify(case.request) or ""


def play(caller: Caller, instrumentation: Instrumentation, case: Case) -> set[str]:
    """Make one call, and return the ids of the checks that found something."""
    with LLMTrace(settings=Settings(label=case.id, verify=False)) as trace, case.prepare(trace):
        caller.call(instrumentation, case.request)
        return {finding.check for finding in trace.findings()}
