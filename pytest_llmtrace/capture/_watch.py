"""Find the instances of a class: those that exist already, and those that will be made."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["existing", "subclasses", "when_made"]

T = TypeVar("T")
_REFERS = vars(sys)
_OLD = sys.getrefcount


def when_made(cls: type[T], adopt: Callable[[T], None]) -> None:
    """Call `adopt` on every new instance of a class or subclass, as soon as the class's own constructor has run."""
    construct = cls.__init__

    @functools.wraps(construct)
    def construct_and_adopt(self: T, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        adopt(self)

    cls.__init__ = construct_and_adopt  # type: ignore[assignment]


def existing(*classes: type) -> tuple[Any, ...]:
    """Return the living instances of some classes and their subclasses.

    An instance refers to its type, so that one look at the referrers of all these types finds the instances; a walk
    over all objects takes a hundred times as long.
    """
    wanted = tuple({found for cls in classes for found in subclasses(cls)})
    # By type(), not isinstance(): a wrapt proxy or a mock pretends to be what it wraps.
    return tuple(found for found in _referrers(*wanted) if issubclass(type(found), classes))


def _referrers(*objects: object) -> list[Any]:
    """Return the referrers of some objects, even those that `gc.freeze` hides: suites call it to be faster.

    Counting what is frozen takes as long as the search; so one more object is looked for, of which it is known what
    refers to it since Python has started.
    """
    found = gc.get_referrers(*objects, _OLD)
    if any(one is _REFERS for one in found):
        return found
    gc.unfreeze()
    try:
        return gc.get_referrers(*objects)
    finally:
        gc.freeze()


def subclasses(cls: type) -> Iterator[type]:
    """Yield a class and all classes that derive from it."""
    yield cls
    derived: type
    for derived in cls.__subclasses__():
        yield from subclasses(derived)
