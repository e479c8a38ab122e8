"""Check what is installed beside the app: distributions that share an import name, and instrumentors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions, packages_distributions, version
from typing import TYPE_CHECKING, Final

from pytest_llmtrace.doctor._diagnosis import Diagnosis, ok, problem, unknown

if TYPE_CHECKING:
    from pytest_llmtrace.capture import Instrumentor

__all__ = ["instrumentors", "judged", "names", "of_openobserve", "versions"]

UNRELATED: Final = "openobserve"
"""A log sender that is not by the makers of OpenObserve."""
SDKS: Final = ("openobserve-python-sdk", "openobserve-telemetry-sdk")


def versions() -> dict[str, str]:
    """Return the versions of the installed distributions by their names in lower case, with hyphens."""
    found = ((each.metadata["Name"], each.version) for each in distributions())
    return {name.lower().replace("_", "-"): number for name, number in found if name}


def of_openobserve() -> dict[str, str]:
    """Return the versions of the distributions that import as `openobserve`, by their names."""
    return {name: version(name) for name in sorted(set(packages_distributions().get("openobserve", ())))}


def names(installed: Mapping[str, str]) -> Diagnosis:
    """Judge the distributions that import as `openobserve`."""
    about = "distributions that import as openobserve"
    found = ", ".join(f"{name} {number}" for name, number in installed.items())
    if len(installed) > 1:
        todo = f"uninstall all of them, since their files overwrite each other, then install one: {' or '.join(SDKS)}"
        return problem(about, f"{found} are installed together", todo)
    if UNRELATED in installed:
        todo = f"uninstall it; the official ones are {' and '.join(SDKS)}, of which only one may be installed"
        return problem(about, f"{found} is not made by OpenObserve", todo)
    return ok(about, found or "none is installed")


def instrumentors() -> Iterator[Diagnosis]:
    """Load the installed instrumentors, and ask each whether it would instrument what is installed."""
    # It imports OpenTelemetry's SDK; `--help` need not wait for that.
    from pytest_llmtrace.capture import loaded

    yield from judged(loaded())


def judged(found: Iterable[tuple[Instrumentor, Exception | None]]) -> Iterator[Diagnosis]:
    """Judge instrumentors, each with the error of loading it: those that fit share one line, any other has its own."""
    from pytest_llmtrace.capture import Switch

    fit = []
    for one, error in found:
        about = f"instrumentor {one.name} of {one.package}"
        if error:
            yield _unloadable(about, one, error)
        elif one.state is not Switch.REFUSED:
            fit.append(f"{one.name} ({one.package})")
        elif one.found:
            todo = f"install {one.needs}, or a release of {one.package} that supports yours"
            yield problem(about, f"it needs {one.needs}, but {one.found} is installed: it will do nothing", todo)
        else:
            yield ok(about, f"it needs {one.needs}, which is not installed: there is nothing to instrument")
    yield ok("instrumentors that support the installed releases", ", ".join(fit) or "none")


def _unloadable(about: str, one: Instrumentor, error: Exception) -> Diagnosis:
    found = f"it cannot be loaded: {type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):  # Some import what they instrument, which the app may not use.
        return unknown(about, found, "install the missing module if the app uses it")
    return problem(about, found, f"install a release of {one.package} that fits what is installed")
