"""The doctor's checks of installed instrumentors: which of them would do nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_llmtrace.doctor._installed import instrumentors

MODULE = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Acme(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return [{wants!r}]
    def _instrument(self, **kwargs):
        raise AssertionError("nobody is switched on")
    def _uninstrument(self, **kwargs): ...
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            MODULE.format(wants="pytest < 1"),
            (
                "problem  {}: it needs pytest < 1, but pytest VERSION is installed: it will do nothing; install "
                "pytest < 1, or a release of Acme_LLM that supports yours"
            ),
        ),
        (
            MODULE.format(wants="acme-sdk > 1"),
            "ok       {}: it needs acme-sdk > 1, which is not installed: there is nothing to instrument",
        ),
        (
            "import acme_sdk",
            (
                "unknown  {}: it cannot be loaded: ModuleNotFoundError: No module named 'acme_sdk'; "
                "install the missing module if the app uses it"
            ),
        ),
        (
            "1 / 0",
            (
                "problem  {}: it cannot be loaded: ZeroDivisionError: division by zero; install a release of "
                "Acme_LLM that fits what is installed"
            ),
        ),
    ],
    ids=["refuses", "nothing to instrument", "module missing", "broken"],
)
def test_instrumentors(install: Callable[[str], None], source: str, said: str) -> None:
    """Each instrumentor that would do nothing has its own line; none is switched on."""
    install(source)
    lines = [str(found).replace(pytest.__version__, "VERSION") for found in instrumentors()]
    assert [line for line in lines if "acme" in line] == [said.format("instrumentor acme of Acme_LLM")]


def test_instrumentors_that_fit(install: Callable[[str], None]) -> None:
    """Instrumentors that fit are listed in one line."""
    install(MODULE.format(wants="pytest >= 1"))
    (line,) = [str(found) for found in instrumentors() if "acme" in str(found)]
    assert line.startswith("ok       instrumentors that support the installed releases: acme (Acme_LLM)")
