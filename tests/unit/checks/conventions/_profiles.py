"""Two small conventions, and a user's small registry, for tests of the rules."""

from __future__ import annotations

from pytest_llmtrace.conventions import Attribute, Level, MetricType, Profile, Rename, SpanType, Wanted

__all__ = ["GENAI", "HOUSE", "OPENINFERENCE"]


def _attributes(**types: str) -> dict[str, Attribute]:
    named = {name.replace("__", "."): kind for name, kind in types.items()}
    return {name: Attribute(name=name, types=tuple(kind.split("|"))) for name, kind in named.items()}


def _listed(name: str, *values: str, is_open: bool = False) -> Attribute:
    return Attribute(name=name, types=("string",), values=frozenset(values), is_open=is_open)


def _when(condition: str) -> Wanted:
    return Wanted(level=Level.CONDITIONALLY_REQUIRED, condition=condition)


_REQUIRED = Wanted(level=Level.REQUIRED)

GENAI = Profile(
    name="genai-small",
    convention="otel-genai",
    source="example/semantic-conventions-genai at 1234567",
    namespaces=("gen_ai.",),
    attributes={
        **_attributes(
            gen_ai__operation__name="string",
            gen_ai__request__model="string",
            gen_ai__request__stream="boolean",
            gen_ai__request__choice__count="int",
            gen_ai__request__temperature="double",
            gen_ai__response__finish_reasons="string[]",
            gen_ai__response__time_to_first_chunk="double",
            gen_ai__usage__input_tokens="int",
            gen_ai__usage__cache_read__input_tokens="int",
            gen_ai__usage__cache_write__input_tokens="int",
            gen_ai__usage__output_tokens="int",
            gen_ai__usage__reasoning__output_tokens="int",
            gen_ai__input__messages="any",
            gen_ai__output__messages="any",
            gen_ai__system_instructions="any",
            gen_ai__tool__definitions="any",
            error__type="string",
            server__address="string",
            server__port="int",
        ),
        "gen_ai.prompt.variable": Attribute(name="gen_ai.prompt.variable", types=("string",), is_family=True),
        "gen_ai.provider.name": _listed("gen_ai.provider.name", "aws.bedrock", "openai", "x_ai", is_open=True),
        "gen_ai.level": Attribute(name="gen_ai.level", types=("int",), values=frozenset({"1", "2"}), is_open=False),
        "gen_ai.tier": _listed("gen_ai.tier", "free", "paid"),
    },
    span_types={
        "inference": SpanType(
            id="inference",
            kinds=("CLIENT", "INTERNAL"),
            names=("{gen_ai.operation.name} {gen_ai.request.model}",),
            attributes={
                "gen_ai.operation.name": _REQUIRED,
                "gen_ai.provider.name": _REQUIRED,
                "error.type": _when("If the operation ended in an error."),
                "gen_ai.output.type": _when("If the request includes an output format."),
                "gen_ai.request.choice.count": _when("If it is not 1."),
                "gen_ai.request.stream": _when("If and only if the request is streaming."),
                "gen_ai.response.time_to_first_chunk": Wanted(level=Level.RECOMMENDED),
                "server.port": _when("If `server.address` is set."),
            },
            when=("gen_ai.operation.name", frozenset({"chat"})),
        )
    },
    metrics={
        "gen_ai.calls": MetricType(
            name="gen_ai.calls",
            instrument="counter",
            unit="{call}",
            attributes={"gen_ai.operation.name": _REQUIRED, "gen_ai.provider.name": _REQUIRED},
        ),
        "gen_ai.duration": MetricType(
            name="gen_ai.duration",
            instrument="histogram",
            unit="s",
            buckets=(0.01, 1, 100),
            attributes={"server.port": _when("If `server.address` is set.")},
        ),
        "gen_ai.depth": MetricType(name="gen_ai.depth", moved={"chat": "gen_ai.calls"}),
    },
    metric_renames={
        "gen_ai.requests": Rename(new="gen_ai.calls", since="1.37.0"),
        "gen_ai.tokens": Rename(new=None, hint="the spans"),
    },
    renames={
        "gen_ai.system": Rename(new="gen_ai.provider.name", since="1.37.0", values={"xai": "x_ai"}),
        "gen_ai.usage.prompt_tokens": Rename(new="gen_ai.usage.input_tokens"),
        "gen_ai.prompt": Rename(new=None, hint="gen_ai.input.messages"),
    },
)

OPENINFERENCE = Profile(
    name="openinference-small",
    convention="openinference",
    source="example/openinference at 7654321",
    namespaces=("llm.", "embedding.", "openinference."),
    attributes={
        **_attributes(
            llm__system="string",
            llm__model_name="string",
            llm__invocation_parameters="json",
            llm__token_count__prompt="int",
            llm__token_count__completion="int",
            llm__token_count__total="int",
            message__role="string",
            message__content="string",
            tool_call__function__arguments="json",
            embedding__vector="double[]",
        ),
        "openinference.span.kind": _listed("openinference.span.kind", "LLM", "EMBEDDING"),
    },
    span_types={
        "LLM": SpanType(
            id="LLM",
            attributes={"openinference.span.kind": _REQUIRED, "llm.system": _REQUIRED},
            when=("openinference.span.kind", frozenset({"LLM"})),
        ),
        "EMBEDDING": SpanType(
            id="EMBEDDING",
            names=("CreateEmbeddings",),
            unused=frozenset({"llm.system"}),
            when=("openinference.span.kind", frozenset({"EMBEDDING"})),
        ),
    },
    patterns=(
        r"llm\.input_messages\.\d+\.message\.(role|content)",
        r"llm\.input_messages\.\d+\.message\.tool_calls\.\d+\.tool_call\.function\.arguments",
        r"embedding\.embeddings\.\d+\.embedding\.vector",
    ),
)

HOUSE = Profile(
    name="house.yaml",
    convention="registry house.yaml",
    source="house.yaml",
    namespaces=("gen_ai.house.",),
    attributes=_attributes(gen_ai__house__mood="string"),
    metrics={"gen_ai.house.calls": MetricType(name="gen_ai.house.calls", instrument="counter", unit="{call}")},
)
