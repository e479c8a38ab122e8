"""Run each broken twin of a system, and compare the whole text of its failures.

A twin is a patch of one hunk in `<system>/twins`. Beside it stands the text that its tests must fail with. To rewrite
these texts: `REWRITE_TWINS=1 pytest examples/test_twins.py`, then read the difference.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATCHES = sorted(HERE.glob("*/twins/*.patch"))


@pytest.fixture(scope="session")
def runs(start_all, tmp_path_factory):
    def broken(patch):
        folder = tmp_path_factory.mktemp(patch.stem) / "twin"
        shutil.copytree(patch.parents[1], folder, ignore=shutil.ignore_patterns("twins", "__pycache__"))
        apply(patch.read_text(), folder)
        # An abandoned generator may be collected, and its error logged, in any of the tests.
        left_out = ("-p", "no:logging", "-p", "no:randomly", "-p", "no:cacheprovider")
        return folder, "-s", "--tb=short", *left_out

    return start_all("patch", broken)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: f"{patch.parts[-3]}-{patch.stem}")
def test_twin_fails_as_expected(patch, runs, capsys):
    run = runs[patch].result()

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    failures = failures_of(run.stdout)
    with capsys.disabled():
        print(
            f"\n\n{patch.parts[-3]}, broken by {patch.name}, fails as it must; its first failure:\n{first_of(failures)}"
        )
    expected = patch.with_suffix(".txt")
    if os.environ.get("REWRITE_TWINS"):
        expected.write_text(failures)
    assert failures == expected.read_text()


def apply(patch, folder):
    """Apply a unified diff that has one file and one hunk."""
    header, hunk = re.split(r"^@@.*\n", patch, maxsplit=1, flags=re.MULTILINE)
    file = folder / re.search(r"^\+\+\+ b/(.*)$", header, re.MULTILINE)[1]
    lines = hunk.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    source = file.read_text()
    assert source.count(old) == 1, f"{file.name} has changed: write the patch anew"
    file.write_text(source.replace(old, new))


def failures_of(output):
    """Return what pytest prints between the heading FAILURES and the next one, without what differs by machine."""
    failures = re.search(r"^=+ FAILURES =+\n(.*?)^=+ ", output, re.DOTALL | re.MULTILINE)[1]
    failures = re.sub(r"\b\d+(\.\d+)? (ms|s)\b", "<duration>", failures)
    return re.sub(r"(?<=installed but not switched on: ).*", "<instrumentors>", failures)


def first_of(failures):
    """Return the first failure of several."""
    return re.split(r"^_+ .* _+\n", failures, flags=re.MULTILINE)[1]
