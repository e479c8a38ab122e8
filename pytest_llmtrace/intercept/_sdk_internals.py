"""What the port relies on inside openai and anthropic.

Between two attempts of a call the SDKs sleep by `time.sleep` and `anyio.sleep`, which their module `_base_client` looks
up in its globals `time` and `anyio` each time. Neither has a public hook there: `max_retries` says how often, nothing
says how to wait.

Supported: openai 2 and 3, anthropic 0.125 to 2. Guard: `tests/unit/intercept/test_retries.py`. To be removed when a
client takes a function to sleep with.
"""

from __future__ import annotations

__all__ = ["SLEEPING_MODULES", "SLEEPS"]

SLEEPING_MODULES = ("openai._base_client", "anthropic._base_client")
SLEEPS = ("time", "anyio")
"""The globals whose `sleep` the modules call: the first in a thread, the second in a task."""
