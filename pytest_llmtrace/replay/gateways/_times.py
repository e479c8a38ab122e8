"""When the chunks of a scripted reply come."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["offsets", "spread"]


def offsets(reply: Reply, pieces: Sequence[bool]) -> tuple[float, ...] | None:
    """Return when each chunk comes, in seconds after the request; None if the script does not say.

    The first piece of the text comes with the first token, and with it what stands before it. The others come evenly,
    as fast as the tokens do, and what closes the reply comes with the last. Without pieces all comes at the end.

    Args:
        reply: The reply; its script says how fast it is.
        pieces: Whether each chunk holds a piece of the text.
    """
    between = spread(reply)
    if between is None:
        return None
    first, last = between
    passed = list(itertools.accumulate(pieces, initial=0))[1:]
    number = sum(pieces)
    step = (last - first) / (number - 1) if number > 1 else 0.0
    return tuple(
        last if count == number and not is_piece else first + step * max(0, count - 1)
        for count, is_piece in zip(passed, pieces, strict=True)
    )


def spread(reply: Reply) -> tuple[float, float] | None:
    """Return when the first token of a reply comes and when the last, in seconds; None if the script does not say."""
    script = reply.script
    if script.first_token is None and script.tokens_per_second is None:
        return None
    first = script.first_token or 0.0
    return first, first + (reply.output_tokens / script.tokens_per_second if script.tokens_per_second else 0.0)
