"""Each system sets global providers, so its tests run in a process of their own; several run at the same time."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

collect_ignore = ["anannas", "anthropic_manual", "litellm_proxy", "openrouter"]


@pytest.fixture(scope="session")
def start_pytest():
    """Return a function that starts pytest in a folder when a processor is free; its `.result()` has the `stdout`."""

    def run(folder, *options):
        command = [sys.executable, "-m", "pytest", "--color=no", *options]
        # pytest abbreviates differently on CI, and this run is not a worker of the one that starts it.
        left_out = ("BUILD_NUMBER", "CI", "PYTEST_XDIST")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return subprocess.run(  # noqa: S603
            command,
            cwd=folder,
            env=environment | {"COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    with ThreadPoolExecutor(os.cpu_count()) as processors:
        yield lambda *arguments: processors.submit(run, *arguments)
        processors.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def start_all(request, start_pytest):
    """Return a function that starts the runs for all selected values of a parameter, and returns them by value."""

    def start_all(parameter, arguments):
        items = (getattr(item, "callspec", None) for item in request.session.items)
        chosen = [call.params[parameter] for call in items if call and parameter in call.params]
        return {value: start_pytest(*arguments(value)) for value in chosen}

    return start_all
