"""Compute the times at which the chunks of a scripted reply come."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pytest_llmtrace.replay.gateways._reply import Reply

__all__ = ["offsets", "spread"]


def offsets(reply: Reply, pieces: Sequence[bool]) -> tuple[float, ...] | None:
    """Return the time of each chunk, in seconds after the request; None if the script gives no times.

    The first piece of text comes at the time of the first token, together with the chunks before it. The other pieces
    are spread evenly up to the time of the last token, when all closing chunks come too. A reply without pieces comes
    as a whole at that time.

    Args:
        reply: The reply; its script gives the times.
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
    """Return the times of the first and the last token, in seconds after the request; None if the script gives none."""
    script = reply.script
    if script.first_token is None and script.tokens_per_second is None:
        return None
    first = script.first_token or 0.0
    return first, first + (reply.output_tokens / script.tokens_per_second if script.tokens_per_second else 0.0)
