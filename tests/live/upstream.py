"""A small OpenAI-compatible server whose answers are the same in every run: `python upstream.py` prints its port.

`POST /behave` sets its behaviour from then on: `"well"`, `"dying"` (streams break off after three chunks) or
`"limiting"` (429 for every request). It also empties the cache, from which a repeated prompt with an image is read.
"""

from __future__ import annotations

import base64
import itertools
import json
import struct
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREATED = 1793520000
WORDS = ("OpenTelemetry", " is an open", " source framework", " for collecting", " traces, metrics", " and logs.")
DIAGRAM = "The diagram shows an OpenTelemetry Collector that receives traces and sends them to two back ends."
SERVED = "gpt-4o-mini-2024-07-18"
ORGANIZATION = "org-CanaryUpstream0000000001"
# The canaries stand in the headers in which real providers send values that must not be published.
HEADERS = {
    "openai-version": "2020-10-01",
    "openai-organization": ORGANIZATION,
    "openai-project": "proj_CanaryUpstream00000001",
    "set-cookie": "__cf_bm=CanaryUpstreamCookie; path=/",
    "x-request-id": "req_CanaryUpstream0000000000000001",
    "x-ratelimit-remaining-requests": "9999",
}
RATE_LIMITED = {
    "message": f"Rate limit reached for gpt-4o-mini in organization {ORGANIZATION}. Try again in 7s.",
    "type": "requests",
    "param": None,
    "code": "rate_limit_exceeded",
}

Reply = Mapping[str, Any]


class Upstream(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    behaves = "well"
    seen: frozenset[str] = frozenset()

    def do_POST(self) -> None:
        """Answer calls of chat and embeddings, and changes of behaviour."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/behave":
            Upstream.behaves, Upstream.seen = asked, frozenset()
            self._json({})
        elif self.behaves == "limiting":
            self._json({"error": RATE_LIMITED}, 429, {"retry-after": "7", "retry-after-ms": "7000"})
        elif self.path == "/v1/embeddings":
            self._json(_embeddings(asked))
        elif asked.get("stream"):
            self._stream(_chunks(asked), dies=self.behaves == "dying")
        else:
            self._json(self._completion(asked))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the class calls it by
        """Log nothing."""

    def _completion(self, asked: Reply) -> Reply:
        message, finish, usage = _answer(asked, known=(prompt := json.dumps(asked["messages"])) in self.seen)
        Upstream.seen = self.seen | {prompt}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**_head(asked, "chat.completion"), "choices": [choice], "usage": usage, "service_tier": "default"}

    def _json(self, body: Reply, status: int = 200, headers: Mapping[str, str] = HEADERS) -> None:
        content = json.dumps(body).encode()
        self._head(status, {**HEADERS, **headers, "content-type": "application/json"})
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, chunks: Iterator[Reply], *, dies: bool) -> None:
        self._head(200, {**HEADERS, "content-type": "text/event-stream; charset=utf-8"})
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in itertools.islice(chunks, 3 if dies else None):
            self._piece(f"data: {json.dumps(chunk)}\n\n")
        if dies:
            self.close_connection = True  # Without the last, empty chunk the body is incomplete.
        else:
            self._piece("data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

    def _piece(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)


def _answer(asked: Reply, *, known: bool) -> tuple[Reply, str, Reply]:
    last = asked["messages"][-1]
    if last["role"] == "tool":
        return _said(f"It is {last['content']}."), "stop", _usage(79, 12)
    if asked.get("tools"):
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"city":"Paris"}'}
        call = {"id": "call_live0001", "type": "function", "function": function}
        return {**_said(None), "tool_calls": [call]}, "tool_calls", _usage(50, 14)
    if "image_url" in json.dumps(last["content"]):
        return _said(DIAGRAM), "stop", _usage(2846, 20, 2816 if known else 0)
    return _said("".join(WORDS)), "stop", _usage(12, 15)


def _said(text: str | None) -> Reply:
    return {"role": "assistant", "content": text, "refusal": None, "annotations": []}


def _chunks(asked: Reply) -> Iterator[Reply]:
    """Yield a stream in the order of OpenAI's: role, pieces of text, finish reason, and usage if requested."""
    head = _head(asked, "chat.completion.chunk")
    deltas = [{"role": "assistant", "content": "", "refusal": None}, *({"content": word} for word in WORDS), {}]
    told = {"usage": None} if (asked.get("stream_options") or {}).get("include_usage") else {}
    for number, delta in enumerate(deltas, 1):
        finish = "stop" if number == len(deltas) else None
        yield {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **told}
    if told:
        yield {**head, "choices": [], "usage": _usage(12, 15)}


def _embeddings(asked: Reply) -> Reply:
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = []
    for index, _ in enumerate(texts):
        values = [0.5, -0.25, 0.125 * (index + 1)]
        packed = base64.b64encode(struct.pack("<3f", *values)).decode()
        embedding = packed if asked.get("encoding_format") == "base64" else values
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": 6, "total_tokens": 6}
    return {"object": "list", "data": data, "model": asked["model"], "usage": usage}


def _head(asked: Reply, kind: str) -> Reply:
    number = len(asked["messages"])
    return {
        "id": f"chatcmpl-Live{number:04}",
        "object": kind,
        "created": CREATED + number,
        "model": SERVED,
        "system_fingerprint": "fp_0000000000",
    }


def _usage(prompt: int, completion: int, cached: int = 0) -> Reply:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0 if len(sys.argv) < 2 else int(sys.argv[1])), Upstream)
    print(server.server_port, flush=True)
    server.serve_forever()
