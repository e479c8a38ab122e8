"""Google's Vertex AI: Anthropic's messages through rawPredict and streamRawPredict.

Headers and bodies of whole replies follow one logged call of 2026. Some errors follow quotations in bug reports; the
words of the others are ours. No recorded stream was found; its form is assumed to be Anthropic's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.model import Headers
from pytest_llmtrace.replay.gateways import errors, hosted
from pytest_llmtrace.replay.gateways._form import Mode, Profile, encoded
from pytest_llmtrace.replay.gateways._layout import Event, pretty
from pytest_llmtrace.replay.gateways._paths import ModelPath
from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["PROFILE"]

_UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_DENIED = (
    "Permission 'aiplatform.endpoints.predict' denied on resource "
    "'//aiplatform.googleapis.com/publishers/anthropic/models/{model}' (or it may not exist)."
)
_NO_MODEL = (
    "Publisher Model `publishers/anthropic/models/{model}` was not found or your project does not have access to it."
)
_NO_QUOTA = (
    "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: "
    "anthropic-{base}. Please submit a quota increase request. "
    "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai."
)
# Status -> Google's name for it, message. With these statuses Google itself refuses, before it asks the model.
_GOOGLE: Mapping[int, tuple[str, str]] = {
    401: ("UNAUTHENTICATED", _UNAUTHENTICATED),
    403: ("PERMISSION_DENIED", _DENIED),
    404: ("NOT_FOUND", _NO_MODEL),
    429: ("RESOURCE_EXHAUSTED", _NO_QUOTA),
    503: ("UNAVAILABLE", "The service is currently unavailable."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}


def _is_of_google(reply: Reply) -> bool:
    """Tell whether an error is Google's: by the queued type (Google's are in capitals), else by the status."""
    error = errors.failing(reply)
    return error.type.isupper() if error.type else error.status in _GOOGLE


def _error(reply: Reply) -> dict[str, Any]:
    """Return Google's own error, or Anthropic's, which Google passes on."""
    if not _is_of_google(reply):
        return errors.anthropic(reply)
    error = errors.failing(reply)
    word, text = _GOOGLE.get(error.status, ("", HTTPStatus(error.status).phrase))
    said = errors.worded(reply, text.replace("{base}", reply.requested.partition("@")[0]))
    code = error.status if error.code is None else error.code
    return {"error": {"code": code, "message": said, "status": error.type or word}}


class Messages(hosted.Messages):
    infix = "vrtx_"
    error = staticmethod(_error)

    def failure(self, reply: Reply) -> tuple[bytes, ...]:
        """Write an error in place of a reply; in place of a stream, Google's error is the only item of a list."""
        if not _is_of_google(reply):
            return super().failure(reply)
        text = pretty(self.error(reply))
        return (encoded(f"[{text}\n]\n" if reply.streaming else f"{text}\n"),)

    def broken(self, reply: Reply) -> Iterable[Event]:
        """Return the events that end a stream which fails midway: Anthropic's error, since Anthropic began it."""
        return (Event(name="error", data=errors.anthropic(reply)),)


def _error_type(reply: Reply) -> str:
    return "application/json; charset=UTF-8" if _is_of_google(reply) else "application/json"


def _headers(reply: Reply, mode: Mode) -> Headers:
    answered = mode != "error" or not _is_of_google(reply)
    backend = (
        ("x-vertex-ai-internal-prediction-backend", "harpoon"),
        ("request-id", errors.request_id(reply)),
    )
    return (
        *(backend if answered else ()),
        ("vary", "X-Origin"),
        ("vary", "Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("alt-svc", 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'),
        ("accept-ranges", "none"),
        ("vary", "Origin,Accept-Encoding"),
    )


PROFILE = Profile(
    name="vertex",
    forms={"messages": Messages()},
    headers=_headers,
    served=hosted.served,
    error_type=_error_type,
    chunked=True,
    path=ModelPath(
        # In the path of `count-tokens`, this stands where the model would be.
        pattern=re.compile(
            r"/publishers/anthropic/models/(?!count-tokens:)(?P<model>[^/]+):(?:rawPredict|(?P<streamed>streamRawPredict))$"
        ),
        shown="/publishers/anthropic/models/<model>:rawPredict, ...:streamRawPredict",
    ),
)
