"""Run the suite with an instrumentor before and after an upgrade, and keep the telemetry contract of each run.

`python tests/docs/upgrade/record.py FOLDER` makes two environments in the folder; needs uv and the package registry.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = "opentelemetry-instrumentation-openai"
BEFORE, AFTER = "0.54.0", "0.55.0"
OTHERS = ("openai==3.57.0", "opentelemetry-sdk==1.45.2")

HERE = Path(__file__).parent


def main(folder: Path) -> None:
    """Write `before.json` and `after.json`, the contracts of the two releases."""
    for name, version in (("before", BEFORE), ("after", AFTER)):
        environment = folder / version
        uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment))
        python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        uv("pip", "install", "--quiet", "--python", str(python), str(HERE.parents[2]), f"{PACKAGE}=={version}", *OTHERS)
        report = f"contract={HERE / f'{name}.json'}"
        command = (
            str(python),
            "-m",
            "pytest",
            "--quiet",
            "-p",
            "no:cacheprovider",
            "--llmtrace-report",
            report,
            "suite.py",
        )
        subprocess.run(command, cwd=HERE, check=True)


def uv(*arguments: str) -> None:
    """Run uv with these arguments."""
    subprocess.run((sys.executable, "-m", "uv", *arguments), check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
