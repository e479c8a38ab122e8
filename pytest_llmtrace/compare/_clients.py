"""The results of an SDK's synchronous and asynchronous client, side by side: given once where they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["both", "side_by_side"]

Cases = tuple[dict[str, Any], ...]

_SAME = ("spans", "facts", "findings", "raised")  # Not the report, since it has durations.


def side_by_side(clients: Mapping[str, Cases]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield each case once with the clients whose results are the same, or once for each client if they differ."""
    for cases in zip(*clients.values(), strict=True):
        groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for client, case in zip(clients, cases, strict=True):
            groups.setdefault(repr([case[key] for key in _SAME]), []).append((client, case))
        yield from ((tuple(client for client, _ in group), group[0][1]) for group in groups.values())


def both(clients: Mapping[str, Cases], say: Callable[[Cases], str]) -> str:
    """Return what `say` says of each client's cases: once if it is the same for all, else for each client by name."""
    said = {client: say(cases) for client, cases in clients.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{client}: {text or 'none'}" for client, text in said.items())
