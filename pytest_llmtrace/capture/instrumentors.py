"""The installed instrumentors: which are on, which are off, which refuse to be switched on."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_llmtrace._stdlib import re
from pytest_llmtrace.capture._otel_internals import conflict_of, existing_instance
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.headers import header
from pytest_llmtrace.model import Call, Maker, Request

__all__ = [
    "Instrumentor",
    "Switch",
    "distribution",
    "installed",
    "loaded",
    "named",
    "product",
    "silent",
    "switch_on",
]

_GROUP = "opentelemetry_instrumentor"
_switched: set[str] = set()


class Switch(StrEnum):
    """The state of an instrumentor."""

    ON = "on"
    OFF = "off"
    REFUSED = "refused"  # its `instrument()` does nothing, since it does not know the installed release


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrumentor:
    """An installed instrumentor.

    Attributes:
        name: The name of its entry point, which says what it instruments.
        package: The distribution that it comes from.
        state: Whether it is on, off, or has refused.
        needs: If it refused: the release that it wants.
        found: If it refused: the release that is installed, if any.
    """

    name: str
    package: str
    state: Switch
    needs: str = ""
    found: str = ""


def installed() -> tuple[Instrumentor, ...]:
    """Return the installed instrumentors, sorted by name. None is imported: if its module is not loaded, it is off."""
    points = sorted(entry_points(group=_GROUP), key=lambda point: (point.name, _package(point)))
    return tuple(_state(point) for point in points)


def loaded() -> Iterator[tuple[Instrumentor, Exception | None]]:
    """Import and instantiate each installed instrumentor, in the order of their names; none is switched on.

    Yields:
        Each instrumentor, and the error if importing or instantiating it failed.
    """
    for point in sorted(entry_points(group=_GROUP), key=lambda point: (point.name, _package(point))):
        try:
            cls = point.load()
            if existing_instance(cls) is None:
                cls()
            yield _state(point), None
        except Exception as error:  # noqa: BLE001  # Somebody else's module may raise anything.
            yield Instrumentor(name=point.name, package=_package(point), state=Switch.OFF), error


def silent(calls: Iterable[Call]) -> dict[int, tuple[Maker, ...]]:
    """Return, for each call without a span, the instrumentors that are on for its SDK and should have made one.

    Returns:
        Their distributions and versions, by the index of the call's first exchange; a call for which no instrumentor
        is on is left out.
    """
    requests = {call.exchanges[0].index: call.exchanges[0].request for call in calls if not call.spans}
    on = [point for point in entry_points(group=_GROUP) if _state(point).state is Switch.ON] if requests else []
    found = {
        index: tuple(dict.fromkeys(_maker(point) for point in on if _is_for(point, product(of))))
        for index, of in requests.items()
    }
    return {index: makers for index, makers in found.items() if makers}


def _is_for(point: EntryPoint, product: str) -> bool:
    """Tell whether an instrumentor is for the SDK that a request names."""
    instance = _instance(point)
    needed = map(distribution, instance.instrumentation_dependencies()) if instance is not None else ()
    return any(name and name in product for name in needed)


def product(request: Request) -> str:
    """Return the SDK that a request names: `asyncopenai` for `AsyncOpenAI/Python 3.57.0`; empty if it names none."""
    return header(request.headers, "user-agent").partition("/")[0].lower()


def distribution(requirement: str) -> str:
    """Return the distribution that a requirement names: `openai` for `openai >= 1.69.0`."""
    found = re.match(r"[\w.-]+", requirement)
    return found[0].lower() if found else ""


def _maker(point: EntryPoint) -> Maker:
    return Maker(scope=_package(point), version=point.dist.version if point.dist else "")


def switch_on(names: Iterable[str]) -> None:
    """Switch instrumentors on, each once per process, if the app has not done so.

    Args:
        names: Entry point names (`openai`) or, where several packages have the same, names of packages.

    Raises:
        UsageError: If no package or several packages have such an instrumentor, or it cannot be loaded.
        Exception: Whatever an instrumentor raises when it is switched on.
    """
    for name in names:
        if name in _switched:
            continue
        for point in named(name):
            _switch_on(point)
        _switched.add(name)


def _switch_on(point: EntryPoint) -> None:
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the instrumentor {point.name!r} of {_package(point)}, which is to be switched on, cannot be loaded: "
            f"{type(error).__name__}: {error}; install what it needs, or do not name it"
        ) from error
    instrumentor = kind()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument()  # What it raises is not caught, so that it is shown with its traceback.


def named(name: str) -> list[EntryPoint]:
    """Return the entry points of instrumentors that have a name, or whose package has it. None is imported.

    Raises:
        UsageError: If no package or several packages have such an instrumentor.
    """
    points = tuple(entry_points(group=_GROUP))
    fitting = [point for point in points if name in (point.name, _package(point))]
    packages = sorted({_package(point) for point in fitting})
    if len(packages) == 1:
        return fitting
    if packages:
        raise UsageError(f"several packages have an instrumentor {name!r}; name one: {', '.join(packages)}")
    known = sorted({known for point in points for known in (point.name, _package(point))})
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"installed: {', '.join(known) or 'none'}"
    raise UsageError(f"there is no instrumentor {name!r}; {hint}")


def _state(point: EntryPoint) -> Instrumentor:
    instance = _instance(point)
    if instance is not None and instance.is_instrumented_by_opentelemetry:
        return Instrumentor(name=point.name, package=_package(point), state=Switch.ON)
    conflict = conflict_of(instance) if instance is not None else None
    if conflict is None:
        return Instrumentor(name=point.name, package=_package(point), state=Switch.OFF)
    return Instrumentor(
        name=point.name,
        package=_package(point),
        state=Switch.REFUSED,
        needs=_either(conflict.required, getattr(conflict, "required_any", None)),
        found=_either(conflict.found, getattr(conflict, "found_any", None)),
    )


def _instance(point: EntryPoint) -> Any | None:
    module = sys.modules.get(point.module)
    cls = getattr(module, point.attr, None)
    return existing_instance(cls) if cls is not None else None


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def _either(one: object, several: Iterable[object] | None) -> str:
    return str(one) if one else " or ".join(str(item) for item in several or ())
