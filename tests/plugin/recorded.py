"""A cassette with one chat completion, which suites of child runs replay."""

from __future__ import annotations

__all__ = ["CASSETTE"]

CASSETTE = """\
version: 1
interactions:
- request:
    method: POST
    uri: http://mocked.test/v1/chat/completions
    body: '{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}'
    headers: {}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [application/json]}
    body: {string: '{"object": "chat.completion", "model": "gpt-4o", "choices": [{"index": 0, "message": \
{"role": "assistant", "content": "mocked"}, "finish_reason": "stop"}]}'}
"""
