"""Run each system's tests in a process of its own, and show what they print."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("system", ["anannas", "anthropic_manual", "litellm_proxy", "openrouter"])
def test_system(system, run_pytest, capsys):
    run = run_pytest(HERE / system, "-v")
    with capsys.disabled():
        print(f"\n\n{system}\n{run.stdout}")
    assert run.returncode == pytest.ExitCode.OK
