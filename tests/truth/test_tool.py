"""The tool that contributors run over their own recordings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_recordings_of_a_folder(child_environ: Callable[..., dict[str, str]]) -> None:
    """Correct instrumentations of a gateway's recordings, in each convention that fits, give no finding."""
    run = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "tools" / "recordings.py", ROOT / "cassettes" / "openrouter"],
        env=child_environ(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    calls, _, rest = run.stdout.partition(" calls made\n")
    assert int(calls) >= 5
    assert rest == ""
