"""Models, providers and ids of the request and the response against those of the span."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace.model import Request
from tests.unit.checks._cases import ABSENT, CLOSED, NULL, UNREADABLE, seen

LIMITED: dict[str, Any] = {"record": {"text_limit": 9}}
AZURE: dict[str, Any] = {
    "exchange": {
        "request": Request(method="POST", url="https://a.azure.com/openai/deployments/chatdeployment/chat/completions")
    }
}

# A stream whose last chunk names itself and its model in another way, as Groq's may.
RENAMED: dict[str, Any] = {
    "exchange": {
        "headers": (("content-type", "text/event-stream"),),
        "chunks": (b'data: {"id": "one", "model": "gpt-4o-b"}\n\n', b'data: {"id": "stub", "model": "gpt-4o"}\n\n'),
    }
}

# The model may be in the stored prompt, and the request need not repeat it.
STORED: dict[str, Any] = {
    "exchange": {
        "request": Request(
            method="POST", url="https://api.openai.com/v1/responses", body=b'{"prompt": {"id": "pmpt_1"}}'
        )
    }
}


CUT_OFF = "the provider was cut off the model's name, but the gateway's prices and logs use the whole name"

# Check, facts of the wire, facts of the span; the lines `span`, `wire` and `why`; more about the call.
FAULTS: tuple[tuple[Any, ...], ...] = (
    (
        "wire/request-model",
        {"request_model": "gpt-4o"},
        {"request_model": "gpt-4o-mini"},
        "gen_ai.request_model = 'gpt-4o-mini'",
        "request_model = 'gpt-4o'",
        "calls, costs and latencies are counted for a model that this request did not name",
    ),
    *(
        (
            "wire/request-model",
            {"request_model": "gpt-4o"},
            {"request_model": segment},  # It is a segment of the URL, but not one that names a model.
            f"gen_ai.request_model = {segment!r}",
            "request_model = 'gpt-4o'",
            "calls, costs and latencies are counted for a model that this request did not name",
            AZURE,
        )
        for segment in ("deployments", "chat", "completions", "")
    ),
    (
        "wire/request-model",
        {"request_model": ABSENT},
        {"request_model": "gpt-4o"},
        "gen_ai.request_model = 'gpt-4o'",
        "no request model",
        "the request names no model, so the span's is a guess",
    ),
    (
        "wire/request-model",
        {"request_model": ABSENT, "response_model": "gpt-5-mini-2025-08-07"},
        {"request_model": "gpt-5"},
        "gen_ai.request_model = 'gpt-5'",
        "no request model",
        "the request names no model, and the one on the span is not the one that answered",
        STORED,
        "leave it out, or take it from the reply",
    ),
    (
        "wire/response-model",
        {"request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06"},
        {"response_model": "gpt-4o"},
        "gen_ai.response_model = 'gpt-4o'",
        "response_model = 'gpt-4o-2024-08-06'",
        "this is the model that the request names: if another model answers, nobody sees it",
    ),
    (
        "wire/response-model",
        {"request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06"},
        {"response_model": "gpt-3.5"},
        "gen_ai.response_model = 'gpt-3.5'",
        "response_model = 'gpt-4o-2024-08-06'",
        "the model that answered is priced and judged as another",
    ),
    (
        "wire/response-model",
        {"request_model": "gpt-4o", "response_model": ABSENT},
        {"response_model": "gpt-4o"},
        "gen_ai.response_model = 'gpt-4o'",
        "no response model",
        "this is the model that the request names: if another model answers, nobody sees it",
    ),
    (
        "wire/request-model",
        {"request_model": "openai/gpt-4o"},
        {"request_model": "gpt-4o"},
        "gen_ai.request_model = 'gpt-4o'",
        "request_model = 'openai/gpt-4o'",
        CUT_OFF,
        None,
        "leave the name as it is",
    ),
    (
        "wire/response-model",
        {"request_model": "gpt-4o", "response_model": "openai/gpt-4o"},
        {"response_model": "gpt-4o"},
        "gen_ai.response_model = 'gpt-4o'",
        "response_model = 'openai/gpt-4o'",
        CUT_OFF,
        None,
        "leave the name as it is",
    ),
    (
        "wire/model",
        {"request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06"},
        {"model": "gpt-3.5"},
        "gen_ai.model = 'gpt-3.5'",
        "requested 'gpt-4o', answered by 'gpt-4o-2024-08-06'",
        "calls, costs and latencies are counted for a model that neither asked nor answered",
    ),
    (
        "wire/served-model",
        {"served_model": "gpt-4o-mini-2024-07-18"},
        {"served_model": "gpt-4o-mini"},
        "gen_ai.served_model = 'gpt-4o-mini'",
        "served_model = 'gpt-4o-mini-2024-07-18'",
        "costs are computed with the prices of another model",
    ),
    (
        "wire/provider",
        {"provider": "Azure"},
        {"provider": "OpenAI"},
        "gen_ai.provider = 'OpenAI'",
        "provider = 'Azure'",
        "latency, errors and data protection are looked up at a provider that never saw this call",
    ),
    (
        "wire/response-id",
        {"response_id": "chatcmpl-1"},
        {"response_id": "chatcmpl-2"},
        "gen_ai.response_id = 'chatcmpl-2'",
        "response_id = 'chatcmpl-1'",
        "nobody can find this call at the provider, in its logs or its bills, by the id on the span",
    ),
    (
        "wire/request-id",
        {"request_id": "req_1"},
        {"request_id": "req_2"},
        "gen_ai.request_id = 'req_2'",
        "request_id = 'req_1'",
        "whoever reports this call to the provider names another one",
    ),
    (
        "wire/response-id",
        {"response_id": "one"},
        {"response_id": "two"},
        "gen_ai.response_id = 'two'",
        "response_id = 'one'",
        "nobody can find this call at the provider, in its logs or its bills, by the id on the span",
        RENAMED,
    ),
    (
        "wire/response-id",
        {"response_id": NULL},
        {"response_id": "made-up"},
        "gen_ai.response_id = 'made-up'",
        "response_id = null",
        "no response gave itself an id, so the span's leads nowhere",
    ),
)

# Check, facts of the wire, facts of the span; more about the call.
NO_FAULTS: tuple[tuple[Any, ...], ...] = (
    ("wire/response-id", {"response_id": "one"}, {"response_id": "stub"}, RENAMED),
    ("wire/response-model", {"response_model": "gpt-4o-b"}, {"response_model": "gpt-4o"}, RENAMED),
    ("wire/model", {"request_model": "alias", "response_model": "gpt-4o-b"}, {"model": "gpt-4o"}, RENAMED),
    ("wire/request-model", {"request_model": "gpt-4o"}, {"request_model": "openai/gpt-4o"}),
    ("wire/request-model", {"request_model": "gpt-4o"}, {"request_model": "chatdeployment"}, AZURE),
    ("wire/request-model", {"request_model": "gpt-4o"}, {"request_model": ABSENT}),
    *(
        ("wire/request-model", {"request_model": ABSENT, "response_model": answered}, {"request_model": said}, STORED)
        for answered, said in (
            ("gpt-5-mini-2025-08-07", "gpt-5-mini-2025-08-07"),
            ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
            ("gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
            (ABSENT, "gpt-5-mini"),  # The call failed: only the team knows what its prompt names.
        )
    ),
    ("wire/request-model", {"request_model": UNREADABLE}, {"request_model": "gpt-4o"}),
    (
        "wire/response-model",
        {"response_model": "alias", "served_model": "gpt-4o-mini"},
        {"response_model": "gpt-4o-mini"},
    ),
    (
        "wire/response-model",
        {"response_model": ABSENT, "served_model": "gpt-4o-mini"},
        {"response_model": "gpt-4o-mini"},
    ),
    ("wire/response-model", {"response_model": ABSENT}, {"response_model": "x"}, CLOSED),
    ("wire/model", {"request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06"}, {"model": "gpt-4o"}),
    ("wire/model", {"request_model": "gpt-4o", "response_model": "gpt-4o-2024"}, {"model": "gpt-4o-2024"}),
    ("wire/model", {"request_model": "alias", "served_model": "gpt-4o"}, {"model": "gpt-4o"}),
    ("wire/model", {"request_model": "alias", "response_model": "gpt-4o-2024"}, {"model": "gpt-4o-20"}, LIMITED),
    ("wire/model", {"request_model": "alias", "served_model": "gpt-4o-2024"}, {"model": "gpt-4o-20"}, LIMITED),
    ("wire/request-model", {"request_model": "gpt-4o"}, {"request_model": "chatdeplo"}, {**LIMITED, **AZURE}),
    (
        "wire/response-model",
        {"response_model": "alias", "served_model": "gpt-4o-2024"},
        {"response_model": "gpt-4o-20"},
        LIMITED,
    ),
    (
        "wire/response-model",
        {"response_model": ABSENT, "served_model": "gpt-4o-2024"},
        {"response_model": "gpt-4o-20"},
        LIMITED,
    ),
    ("wire/served-model", {"served_model": "gpt-4o"}, {"served_model": "gpt-4o"}),
    ("wire/served-model", {"served_model": ABSENT}, {"served_model": "gpt-4o"}),
    ("wire/provider", {"provider": "Google AI Studio"}, {"provider": "google_ai_studio"}),
    ("wire/provider", {"provider": ABSENT}, {"provider": "openai"}),
    ("wire/request-id", {"request_id": ABSENT}, {"request_id": "req_of_the_body"}),
    # A header may be sent several times.
    *(
        (
            "wire/request-id",
            {"request_id": seen("req_1", ("request-id", "req_1"))},
            {"request_id": said},
            {"exchange": {"headers": (("Request-Id", "req_1"), ("date", "now"), ("request-id", "req_2"))}},
        )
        for said in ("req_1", "req_1, req_2")
    ),
    ("wire/response-id", {"response_id": ""}, {"response_id": ""}),
    ("wire/response-id", {"response_id": NULL}, {"response_id": ""}),
)
