"""Read a body in any of the forms in which cassettes hold it."""

from __future__ import annotations

from typing import Any

from pytest_llmtrace._stdlib import base64, json

__all__ = ["body_bytes", "json_bytes", "marked_bytes"]

_MARK = "base64:"


def body_bytes(value: Any) -> bytes | None:
    """Return the bytes of a body that is text, bytes, None, parsed JSON, or a mapping that names its own form.

    Raises:
        ValueError: If the body is not in the form that it names; it may be a TypeError as well.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes) or value is None:
        return value
    return _wrapped(value) if isinstance(value, dict) else json_bytes(value)


def marked_bytes(value: Any) -> bytes | None:
    """Return a body as `body_bytes` does; after the mark `base64:` of Datadog's test agent, a text stands for bytes.

    Raises:
        ValueError: As for `body_bytes`; it may be a TypeError as well.
    """
    if isinstance(value, str) and value.startswith(_MARK):
        return base64.b64decode(value.removeprefix(_MARK), validate=True)
    return body_bytes(value)


def _wrapped(value: dict[str, Any]) -> bytes | None:
    """Read a mapping that names its own form; any other mapping is a parsed JSON body."""
    for key in ("base64_string", "base64"):
        if isinstance(value.get(key), str | bytes):
            return base64.b64decode(value[key])
    if "string" in value:
        if value.get("encoding") == "base64" and isinstance(value["string"], str):
            return base64.b64decode(value["string"])
        return body_bytes(value["string"])
    match value:
        case {"type": "json", "content": content}:
            return json_bytes(content)
        case {"type": "binary", "content": str(content)}:
            return bytes.fromhex(content)
        case {"type": "text", "content": str(content)}:
            return body_bytes(content)
        case {"type": "none"} if len(value) == 1:
            return None
    return json_bytes(value) if value else None


def json_bytes(value: Any) -> bytes:
    """Return the bytes of a parsed JSON body, written compactly as clients do."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
