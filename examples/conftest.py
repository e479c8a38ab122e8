"""Each system sets global providers, so its tests run in a process of their own, started by `test_systems.py`."""

import os
import subprocess
import sys

import pytest

collect_ignore = ["anannas", "anthropic_manual", "litellm_proxy", "openrouter"]


@pytest.fixture
def run_pytest():
    """Run pytest in a folder; its output is in `stdout`."""

    def run(folder, *options):
        command = [sys.executable, "-m", "pytest", "--color=no", *options]
        # pytest abbreviates differently on CI, and this run is no worker of the one that starts it.
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

    return run
