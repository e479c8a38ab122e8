"""What a test says that answers, and what goes wrong with it."""

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
    """Scripted replies, cassettes and faults of a trace. Whoever opens the trace sets the desk."""

    _desk: Desk

    def gateway(self, name: str) -> Gateway:
        """Return a scripted gateway: what is queued on it answers by API path, on any host, each once.

        Raises:
            UsageError: There is no such gateway.
        """
        return self._desk.gateway(name)

    def replay(self, cassette: str | Cassette) -> AbstractContextManager[object]:
        """Let a cassette answer for the length of a `with` block.

        Args:
            cassette: Its name, or what `replay.load` has read.

        Raises:
            CassetteError: It is missing or cannot be read.
        """
        return self._desk.playing(cassette)

    @property
    def router(self) -> Router:
        """A respx router behind the same port, for httpx and httpx2 alike.

        Raises:
            UsageError: respx is not installed.
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

        What comes instead of a reply (a status, `connect-error`, `connect-timeout`, `read-timeout`) leaves the reply to
        the next attempt. All others are put on a reply.

        Args:
            kind: A status from 400 to 599, or `connect-error`, `connect-timeout`, `read-timeout`, `disconnect`,
                `truncate`, `error-in-body`, `error-in-stream`, `malformed-sse`, `invalid-json`, `stall`,
                `slow-first-byte`, `wrong-content-type`, `empty-body`.
            after: How many chunks (of a stream: events) come before it. Default: half of them; of `read-timeout` none.
            seconds: How long `stall` and `slow-first-byte` let the client wait. Default: an hour.
            retry_after: Seconds for the `retry-after` header of a status.
            status: What an `error-in-body` or `error-in-stream` names.
            message: The error's message. Default: what the gateway says for the status.
            gateway: In whose form an error is written. Default: that of the gateway that the request goes to.
            times: How often it happens at most. Default: once; without limit if `every` or `rate` is given.
            every: It happens to every so many-th request that it meets.
            rate: The share of the requests that it happens to.
            seed: Another choice of the same `rate`.
            api: The one API that it meets: `chat`, `completions`, `responses`, `embeddings` or `messages`.
            model: The one requested model that it meets.

        Returns:
            The fault; `happened` says how often it did. One that never did is found as `replay/unplayed`.

        Raises:
            UsageError: There is no such kind, it has no such option, or a value has no meaning.
        """
        when = {"times": times, "every": every, "rate": rate, "seed": seed, "api": api, "model": model}
        said = {"after": after, "seconds": seconds, "retry_after": retry_after, "status": status, "message": message}
        return self._desk.faults.add(kind, when, {**said, "gateway": gateway})
