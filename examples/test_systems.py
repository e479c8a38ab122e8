"""Run each system's tests in a process of its own, and show what they print."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def runs(start_all):
    return start_all("system", lambda system: (HERE / system, "-v"))


@pytest.mark.parametrize("system", ["anannas", "anthropic_manual", "litellm_proxy", "openrouter"])
def test_system(system, runs, capsys):
    run = runs[system].result()
    with capsys.disabled():
        print(f"\n\n{system}\n{run.stdout}")
    assert run.returncode == pytest.ExitCode.OK
