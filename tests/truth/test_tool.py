"""The tools that contributors run over recordings of their own, and over calls that are made up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.truth._dialects import DIALECTS

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


def test_made_up_calls(child_environ: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    """Calls made up from the types of the installed SDKs give a correct instrumentation no finding, either."""
    for tool, *options in (("made_up.py", "--calls", "2"), ("recordings.py",)):
        run = subprocess.run(
            [sys.executable, "-W", "error", ROOT / "tools" / tool, tmp_path, *options],
            env=child_environ(), capture_output=True, text=True, check=True,
        )  # fmt: skip
    calls, _, rest = run.stdout.partition(" calls made\n")
    apis = ("chat", "messages", "messages", "responses")  # `messages` has a beta, too.
    assert int(calls) == sum(2 * 2 for writer in DIALECTS.values() for api in apis if api in writer.apis)
    assert rest == ""
