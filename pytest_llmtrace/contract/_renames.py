"""What conventions have renamed, and which name of an old contract is which name of a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from pytest_llmtrace.conventions import Profile

__all__ = ["Renames"]


class Renames:
    """The rename tables of several conventions.

    Args:
        profiles: The conventions.
    """

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._new: dict[str, set[str]] = {}
        for profile in profiles:
            for name, rename in profile.renames.items():
                if rename.new:
                    self._new.setdefault(name, set()).add(rename.new)

    def paired(self, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[tuple[str | None, str | None]]:
        """Yield each name of either side once with what it is called on the other; None if it is not there.

        A name is renamed if it is gone, and a name that a convention has for it has come.
        """
        come = set(new) - set(old)
        renamed: dict[str, str] = {}
        for name in sorted(set(old) - set(new)):
            found = self._found(name, come)
            if found:
                renamed[name] = found
                come.discard(found)
        for name in sorted({*old, *come}):
            if name in old:
                yield name, name if name in new else renamed.get(name)
            else:
                yield None, name

    def _found(self, name: str, come: AbstractSet[str]) -> str | None:
        """Follow what a name was renamed to, by one convention after the other, to what has come."""
        seen: set[str] = set()
        pending = [name]
        while pending:
            for new in sorted(self._new.get(pending.pop(0), set()) - seen):
                if new in come:
                    return new
                seen.add(new)
                pending.append(new)
        return None
