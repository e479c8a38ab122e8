"""The layout of bytes: JSON in the styles of several servers, server-sent events, ids made from a seed."""

from __future__ import annotations

import functools
import string
from dataclasses import dataclass
from typing import Any

from pytest_llmtrace._stdlib import hashlib, json

__all__ = ["BASE62", "HEX", "Event", "compact", "event_of", "noise", "pretty", "pretty_line", "spaced", "uuid"]

BASE62 = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One server-sent event, before it becomes bytes.

    Attributes:
        data: The JSON value; a string is written as it is, as in `[DONE]`.
        name: The event's name; in an API that names events, every event has one.
        counts: Whether it carries a piece of the text or of a tool's arguments.
    """

    data: Any = None
    name: str = ""
    counts: bool = False


def event_of(kind: str, /, *, counts: bool = False, **data: object) -> Event:
    """Return an event with its name, which its data repeats as `type`."""
    return Event(name=kind, data={"type": kind, **data}, counts=counts)


def compact(value: object) -> str:
    """Write JSON without white space, with the keys in their given order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def spaced(value: object) -> str:
    """Write JSON as Python does by default."""
    return json.dumps(value)


def pretty(value: object) -> str:
    """Write JSON indented by two."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def pretty_line(value: object) -> str:
    """Write JSON indented by two, with a line break after it."""
    return pretty(value) + "\n"


def noise(seed: str, length: int, alphabet: str = BASE62) -> str:
    """Return text that looks random, always the same for the same seed."""
    digest = hashlib.shake_256(seed.encode("utf-8", "backslashreplace")).digest(length)
    return digest.translate(_letters(alphabet)).decode()


@functools.cache
def _letters(alphabet: str) -> bytes:
    return bytes(ord(alphabet[byte % len(alphabet)]) for byte in range(256))


def uuid(seed: str) -> str:
    """Return a UUID in the form of version 4, always the same for the same seed."""
    digits = noise(seed, 32, HEX)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
