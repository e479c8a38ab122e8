"""Who was asked, who answered: comparisons of models, providers and ids."""

from __future__ import annotations

from pytest_llmtrace.checks import _models, _replies
from pytest_llmtrace.checks._compare import Comparison, Early, comparison

__all__ = ["MODELS"]

_OTEL = "OTel GenAI, client inference span"

MODELS: tuple[Comparison, ...] = (
    comparison(
        id="wire/request-model",
        title="The request model is the one that was asked for",
        why="calls, costs and latencies are counted for a model that this request did not name",
        compares="The span's request model with the model in the request. The name of a provider in front makes no "
        "difference (`openai/gpt-4o` for `gpt-4o`), unless it is a rival of the provider whose own servers were "
        "asked. The name of the model or deployment in the URL is right as well. Where the request names no model, as "
        "one with a stored prompt may not, the model that answered is right, and a span may also leave it out.",
        source=f"{_OTEL}: `gen_ai.request.model`, the name of the model that a request is being made to",
        fact="request_model",
        noun="request model",
        judge=_models.requested_model,
        of_request=True,
        invented="the request names no model, so the span's is a guess",
        unstated=_models.unnamed_model,
        next="take it from the arguments that the SDK is called with, not from a default or the reply",
    ),
    comparison(
        id="wire/response-model",
        title="The response model is the one that answered",
        why="the model that answered is priced and judged as another",
        compares="The span's response model with the model in the response body; where the chunks of a stream name "
        "several, with any of them. Behind a gateway, the upstream's own name for the model is right as well.",
        source=f"{_OTEL}: `gen_ai.response.model`, the name of the model that generated the response",
        fact="response_model",
        noun="response model",
        judge=_models.response_model,
        early=Early.YES,
        invented="no response named a model, so the span's is a guess",
        unstated=_models.copied_model,
        next="take it from the reply, and leave it out where there is none",
    ),
    comparison(
        id="wire/model",
        title="The model is one that the call names",
        why="calls, costs and latencies are counted for a model that neither asked nor answered",
        compares="The model on spans of conventions that have only one place for it. It may be the requested model, "
        "the one that answered, or a gateway's upstream model.",
        source="OpenInference: `llm.model_name`",
        fact="request_model",
        about=("model",),
        noun="model",
        judge=_models.one_of_the_models,
        early=Early.YES,
        next="take it from the reply, or from the arguments that the SDK is called with where there is no reply",
    ),
    comparison(
        id="wire/served-model",
        title="The upstream model is the one that the gateway names",
        why="costs are computed with the prices of another model",
        source="LiteLLM Proxy: header `x-litellm-model-name`",
        fact="served_model",
        noun="upstream model",
        judge=_replies.same,
        early=Early.YES,
    ),
    comparison(
        id="wire/provider",
        title="The provider is the one that the gateway names",
        why="latency, errors and data protection are looked up at a provider that never saw this call",
        compares="The span's provider with the one that the gateway names. Case and punctuation make no difference.",
        source="OpenRouter: `provider` in the response",
        fact="provider",
        noun="provider",
        judge=_models.provider,
        early=Early.YES,
    ),
    comparison(
        id="wire/response-id",
        title="The response id is the response's own",
        why="nobody can find this call at the provider, in its logs or its bills, by the id on the span",
        compares="The span's id with that of the response; where the chunks of a stream have several, with any of "
        "them; if one span describes a turn of several requests, with that of any of its replies.",
        source=f"{_OTEL}: `gen_ai.response.id`, the unique identifier for the completion",
        fact="response_id",
        noun="response id",
        judge=_replies.response_id,
        early=Early.YES,
        invented="no response gave itself an id, so the span's leads nowhere",
        next="take it from the reply, and leave it out where there is none",
    ),
    comparison(
        id="wire/request-id",
        title="The request id is the one that the server gave",
        why="whoever reports this call to the provider names another one",
        compares="The span's request id with the header of the response; if there are several such headers, with the "
        "first one, or with all of them as one list. Where the response has no such header, nothing is judged.",
        source="Anthropic's native spans: `anthropic.request.id`",
        fact="request_id",
        noun="request id",
        judge=_replies.request_id,
        early=Early.YES,
    ),
)
