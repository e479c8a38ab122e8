"""What every test that runs pytest in a process of its own needs."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_llmtrace

if TYPE_CHECKING:
    from tests.door import Door
    from tests.receiver import Receiver

if pytest.version_tuple < (8, 1):
    # Modules of truth and fuzz import one another, for which pytest's importlib mode needs the path before 8.1. Last in
    # it, so that the package is still the installed one.
    sys.path.append(str(Path(__file__).parents[1]))

# Each client of an HTTP library reads the authorities that it believes, which for those of the machine takes 20 to 30
# ms, more than most tests. Here it reads one, whose key nobody has; what meets a server with TLS names its own. What
# `live` meets may be out in the world.
if not any(name.startswith("LLMTRACE_LIVE_") for name in os.environ):
    os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("tls") / "nobody.pem")

# What a machine may have set and a test must not depend on: under CI, for one, pytest cuts its lines otherwise, and
# under tox all runs have one cache.
_LEFT_OUT = re.compile(
    r"CI$|BUILD_NUMBER$|PYTEST_|LLMTRACE_|TOX_|OTEL_|OPENOBSERVE_|COV_|OPENAI_|ANTHROPIC_|(?i:\w+_proxy$)"
)
_PARENT = Path(str(pytest_llmtrace.__file__)).parents[1]


@pytest.fixture
def door() -> Iterator[Door]:
    """A door that is closed when the test is over."""
    from tests.door import Door  # Not before its path is there.

    door = Door()
    yield door
    door.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A back end that takes spans, until the test is over."""
    from tests.receiver import Receiver

    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def child_environ() -> Callable[..., dict[str, str]]:
    """Return the environment of a child: what the machine needs, what the test says, and no plugin by itself."""
    installed = Path(sysconfig.get_path("purelib")) == _PARENT

    def child_environ(*folders: Path, **environ: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not _LEFT_OUT.match(name)}
        paths = [*folders, *([] if installed else [_PARENT])]
        return {
            **kept,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            # A module that is written anew within a second, as long as before, would be taken for the old one.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            **environ,
        }

    return child_environ
