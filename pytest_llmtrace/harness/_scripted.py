"""The part of `LLMTrace` with which a test says what answers its requests, and what goes wrong with the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmtrace.harness._desk import Desk

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_llmtrace.faults import Fault
    from pytest_llmtrace.model import Cassette
    from pytest_llmtrace.replay.gateways import Gateway
    from pytest_llmtrace.replay.router import Router

__all__ = ["Scripted"]


class Scripted:
    """Scripted replies, cassettes and faults of a trace. The subclass sets `_desk`, which holds all that can answer."""

    _desk: Desk

    def gateway(self, name: str) -> Gateway:
        """Return a scripted gateway: each reply that is queued on it answers once, by API path, on any host.

        Raises:
            UsageError: If there is no such gateway.
        """
        return self._desk.gateway(name)

    def replay(self, cassette: str | Cassette) -> AbstractContextManager[object]:
        """Let a cassette answer for the length of a `with` block.

        Args:
            cassette: The cassette's name, or a cassette that `replay.load` has read.

        Raises:
            CassetteError: If the cassette is missing or cannot be read.
        """
        return self._desk.playing(cassette)

    @property
    def router(self) -> Router:
        """A respx router behind the same port, for httpx and httpx2 alike.

        Raises:
            UsageError: If respx is not installed.
        """
        return self._desk.router

    def fault(
        self,
        kind: int | str,
        *,
        after: int | None = None,
        seconds: float | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        message: str | None = None,
        gateway: str | None = None,
        times: int | None = None,
        every: int | None = None,
        rate: float | None = None,
        seed: int | None = None,
        api: str | None = None,
        model: str | None = None,
    ) -> Fault:
        """Let something go wrong with an LLM call, whoever answers it: a cassette, a gateway or the router.

        A fault that comes instead of a reply (a status, `connect-error`, `connect-timeout`; `read-timeout` and
        `disconnect` before the first chunk) leaves the reply to the next attempt. All others are put on a reply.

        Args:
            kind: A status from 400 to 599, or `connect-error`, `connect-timeout`, `read-timeout`, `disconnect`,
                `truncate`, `error-in-body`, `error-in-stream`, `malformed-sse`, `invalid-json`, `stall`,
                `slow-first-byte`, `wrong-content-type`, `empty-body`.
            after: How many chunks (of a stream: events) come before the fault. Default: half of them; for
                `read-timeout`, none.
            seconds: How long `stall` and `slow-first-byte` let the client wait. Default: an hour.
            retry_after: Seconds for the `retry-after` header of a status.
            status: The status that an `error-in-body` or `error-in-stream` names.
            message: The error's message. Default: what the gateway says for the status.
            gateway: The gateway in whose form an error is written. Default: the gateway that the request goes to.
            times: How often the fault happens at most. Default: once; without limit if `every` or `rate` is given.
            every: With `every=3`, the fault happens to every third request.
            rate: The share of the requests that the fault happens to, above 0 and at most 1.
            seed: A number that makes `rate` choose other requests.
            api: The only API whose requests count: `chat`, `completions`, `responses`, `embeddings` or `messages`.
            model: The only model whose requests count, by the name that they ask for.

        Returns:
            The fault; `happened` says how often it has happened. One that never did is reported as `replay/unplayed`.

        Raises:
            UsageError: If there is no such kind, the kind has no such option, or a value has no meaning.
        """
        when = {"times": times, "every": every, "rate": rate, "seed": seed, "api": api, "model": model}
        said = {"after": after, "seconds": seconds, "retry_after": retry_after, "status": status, "message": message}
        return self._desk.faults.add(kind, when, {**said, "gateway": gateway})
