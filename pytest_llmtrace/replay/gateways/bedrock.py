"""Amazon Bedrock: Anthropic's messages by InvokeModel and InvokeModelWithResponseStream.

Whole replies, headers, frames and the error of an unknown model have been compared with recordings of 2024 to 2026.
The texts of other errors are those that bug reports quote, or are modelled on the API reference; the exceptions in a
stream follow the service model, and have not been compared with any recording.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_llmtrace._stdlib import base64, re
from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import errors, hosted
from pytest_llmtrace.replay.gateways._form import Mode, Profile, encoded
from pytest_llmtrace.replay.gateways._frames import CONTENT_TYPE, framed
from pytest_llmtrace.replay.gateways._layout import Event, compact, uuid
from pytest_llmtrace.replay.gateways._paths import ModelPath
from pytest_llmtrace.replay.gateways._reply import Reply
from pytest_llmtrace.replay.gateways._times import spread

__all__ = ["PROFILE"]

# Status -> exception, message.
_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("ValidationException", "The provided model identifier is invalid."),
    401: ("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."),
    403: ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
    404: ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier."),
    408: ("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
    413: ("ValidationException", "Input is too long for requested model."),
    424: ("ModelErrorException", "The request failed due to an error while processing the model."),
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: (
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    503: ("ServiceUnavailableException", "Too many connections, please wait before trying again."),
}
_NAMESPACE = "http://internal.amazon.com/coral/com.amazon.bedrock/"
# A stream can end with only a few exceptions (service model, ResponseStream); these statuses become another one there.
_IN_STREAM = {
    401: "ValidationException",
    403: "ValidationException",
    404: "ValidationException",
    424: "ModelStreamErrorException",
}

_FIRST_BYTE, _WHOLE = 0.312, 0.845  # Seconds, used where the script gives no times.
_AS_JSON = {":content-type": "application/json"}
_PADDING = string.ascii_letters + string.digits


class Messages(hosted.Messages):
    """Messages whose events are put into frames; the last event of a stream reports the metrics of the call."""

    infix = "bdrk_"

    @staticmethod
    def error(reply: Reply) -> dict[str, Any]:
        """Return the body of an error, without its type, which is in a header."""
        _, text = errors.by_status(_ERRORS, errors.failing(reply).status)
        return {"message": errors.worded(reply, text)}

    def events(self, reply: Reply) -> Iterator[Event]:
        """Yield the events of a whole stream, without pings; the last one has the metrics of the call."""
        for event in super().events(reply):
            if event.name == "message_stop":
                yield replace(event, data={**event.data, "amazon-bedrock-invocationMetrics": self.metrics(reply)})
            elif event.name != "ping":
                yield event

    def metrics(self, reply: Reply) -> dict[str, int]:
        """Return the metrics of the call, which a stream reports in an event and a whole reply in headers."""
        counts, (first, last) = _counts(self.usage(reply)), _milliseconds(reply)
        return {
            "inputTokenCount": counts["Input"],
            "outputTokenCount": counts["Output"],
            "invocationLatency": last,
            "firstByteLatency": first,
            "cacheReadInputTokenCount": counts["Cache-Read-Input"],
            "cacheWriteInputTokenCount": counts["Cache-Write-Input"],
        }

    def write(self, event: Event, reply: Reply, number: int) -> bytes:
        """Write one event into a frame, padded so that its length says less about the text."""
        if event.name == "error":
            name = _exception(reply, streamed=True)
            kind = {":exception-type": name[0].lower() + name[1:]}
            return framed({**kind, **_AS_JSON, ":message-type": "exception"}, encoded(compact(event.data)))
        payload = {
            "bytes": base64.b64encode(encoded(compact(event.data))).decode(),
            "p": _PADDING[: 2 + number * 23 % 60],
        }
        return framed({":event-type": "chunk", **_AS_JSON, ":message-type": "event"}, encoded(compact(payload)))


class OlderMessages(Messages):
    restates = False


def _exception(reply: Reply, *, streamed: bool) -> str:
    """Return the name of an error's exception: the queued type, else the exception for the status."""
    error = errors.failing(reply)
    name, _ = errors.by_status(_ERRORS, error.status)
    return error.type or (_IN_STREAM.get(error.status, name) if streamed else name)


def _counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return token counts by their names in Bedrock's headers."""
    return {
        "Input": usage["input_tokens"] or 0,
        "Output": usage["output_tokens"] or 0,
        "Cache-Read-Input": usage["cache_read_input_tokens"] or 0,
        "Cache-Write-Input": usage["cache_creation_input_tokens"] or 0,
    }


def _milliseconds(reply: Reply) -> tuple[int, int]:
    """Return the times of the first and the last byte, in milliseconds after the request."""
    first, last = spread(reply) or (_FIRST_BYTE, _WHOLE)
    return round(first * 1000), round(last * 1000)


def _headers(reply: Reply, mode: Mode) -> Headers:
    common = (("connection", "keep-alive"), ("x-amzn-RequestId", uuid(f"bedrock/{reply.serial}")))
    if mode == "error":
        return (*common, ("x-amzn-ErrorType", f"{_exception(reply, streamed=False)}:{_NAMESPACE}"))
    if mode == "stream":
        return (*common, ("X-Amzn-Bedrock-Content-Type", "application/json"))
    counts = _counts(_FORM.usage(reply))
    return (
        *common,
        ("X-Amzn-Bedrock-Invocation-Latency", str(_milliseconds(reply)[1])),
        *((f"X-Amzn-Bedrock-{name}-Token-Count", str(count)) for name, count in counts.items()),
    )


_FORM = Messages()
_CURRENT = Profile(
    name="bedrock",
    forms={"messages": _FORM},
    headers=_headers,
    served=hosted.served,
    options=frozenset({"older"}),
    stream_type=CONTENT_TYPE,
    path=ModelPath(
        pattern=re.compile(r"/model/(?P<model>[^/]+)/invoke(?P<streamed>-with-response-stream)?$"),
        shown="/model/<model>/invoke, .../invoke-with-response-stream",
    ),
)
PROFILE = replace(_CURRENT, older=replace(_CURRENT, forms={"messages": OlderMessages()}))
