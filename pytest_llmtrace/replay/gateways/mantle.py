"""Amazon Bedrock's newer endpoint: Anthropic's messages under Anthropic's own path.

No recording of these messages was found: the form is Anthropic's, the ids are Bedrock's, and the headers are those of
recorded calls to other APIs of this endpoint.
"""

from __future__ import annotations

from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import errors, hosted
from pytest_llmtrace.replay.gateways._form import Mode, Profile
from pytest_llmtrace.replay.gateways._layout import uuid
from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["PROFILE"]


class Messages(hosted.Messages):
    infix = "bdrk_"


def _headers(reply: Reply, mode: Mode) -> Headers:  # noqa: ARG001 - one of a family
    return (
        ("access-control-allow-origin", "*"),
        ("connection", "keep-alive"),
        ("request-id", errors.request_id(reply)),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
        ("x-amzn-requestid", uuid(f"bedrock-mantle/{reply.serial}")),
    )


PROFILE = Profile(name="bedrock-mantle", forms={"messages": Messages()}, headers=_headers, served=hosted.served)
