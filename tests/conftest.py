"""Environment and servers for all tests, above all for those that run pytest in a process of its own."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import pytest_llmtrace

if TYPE_CHECKING:
    from tests.door import Door
    from tests.receiver import Receiver
    from tests.warm import Warm

if pytest.version_tuple < (8, 1):
    # Modules of truth and fuzz import one another, for which pytest's importlib mode needs the path before 8.1. It is
    # appended, so that the package is still the installed one.
    sys.path.append(str(Path(__file__).parents[1]))

# Each client of an HTTP library loads the certificate authorities that it trusts; loading those of the machine takes 20
# to 30 ms, more than most tests. Here it loads only one, whose key does not exist any more; a test with a TLS server
# names that server's certificate itself. The tests of `live` may reach servers anywhere in the world.
if not any(name.startswith("LLMTRACE_LIVE_") for name in os.environ):
    os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("tls") / "nobody.pem")

# How long one example takes says something about the machine only.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Variables that a machine may have set and that no test must depend on: under CI, for example, pytest truncates its
# lines differently, and under tox all runs share one cache.
_LEFT_OUT = re.compile(
    r"CI$|BUILD_NUMBER$|PYTEST_|LLMTRACE_|TOX_|OTEL_|OPENOBSERVE_|COV_|OPENAI_|ANTHROPIC_|(?i:\w+_proxy$)"
)
_PARENT = Path(str(pytest_llmtrace.__file__)).parents[1]


@pytest.fixture
def door() -> Iterator[Door]:
    """A listening socket that counts connections; it is closed when the test is over."""
    from tests.door import Door  # This conftest may be loaded before `tests` can be imported.

    door = Door()
    yield door
    door.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A back end that accepts spans until the test is over."""
    from tests.receiver import Receiver

    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def warm(child_environ: Callable[..., dict[str, str]]) -> Iterator[Warm]:
    """Runs of pytest for which the SDKs need not be imported each time."""
    from tests.warm import Warm

    warm = Warm(child_environ())
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def child_environ() -> Callable[..., dict[str, str]]:
    """Return the environment of a child process: the machine's, with the test's values, and no plugin autoloading."""
    installed = Path(sysconfig.get_path("purelib")) == _PARENT

    def child_environ(*folders: Path, **environ: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not _LEFT_OUT.match(name)}
        paths = [*folders, *([] if installed else [_PARENT])]
        return {
            **kept,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            # A module rewritten within a second, with its length unchanged, would be loaded from the bytecode cache.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            **environ,
        }

    return child_environ
