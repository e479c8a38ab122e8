"""Baselines: a suite starts green with its present findings, only new ones fail, and later runs shrink the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WAYS = pytest.mark.parametrize(
    ("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"]
)
WRITE, READ = ["--llmtrace-baseline=old.json", "--llmtrace-write-baseline"], ["--llmtrace-baseline=old.json"]
COMMAND = "pytest --llmtrace-baseline=old.json --llmtrace-write-baseline"
BROKEN, RESTORE = "the baseline old.json cannot be read:", f"restore it, or delete it and run {COMMAND}"
INPUT, MORE = "wire/input-tokens  span 'chat' (app)", "wire/input-tokens  span 'more' (app)"

SUITE = """
import pytest
from told import chat

def test_good(llmtrace):
    chat(llmtrace)

def test_bad(llmtrace):
    chat(llmtrace, 4)

@pytest.mark.parametrize("times", [1, 2])
def test_several(llmtrace, times):
    for _ in range(times):
        chat(llmtrace, 4)
    chat(llmtrace, 4, name="more")

@pytest.mark.xfail(reason="its finding")
def test_expected_to_fail(llmtrace):
    chat(llmtrace, 4)

@pytest.mark.xfail(False, reason="not here")
def test_not_expected_to_fail(llmtrace):
    chat(llmtrace, 4)

@pytest.mark.llmtrace(ignore={"wire/input-tokens": "waived"})
def test_waived(llmtrace):
    chat(llmtrace, 4)

def test_judged_by_itself(llmtrace):
    chat(llmtrace, 4)
    assert [finding.check for finding in llmtrace.findings()] == ["wire/input-tokens"]
    llmtrace.verify()

@pytest.fixture
def left_open():
    from child import left_open
    yield left_open()

def test_fixture_leaves_a_span_open(left_open, llmtrace):
    chat(llmtrace)
"""
ENTRIES = {
    "test_it.py::test_bad": {INPUT: 1},
    "test_it.py::test_fixture_leaves_a_span_open": {"structure/span-never-ended  span 'left open' (app)": 1},
    "test_it.py::test_judged_by_itself": {INPUT: 1},
    "test_it.py::test_not_expected_to_fail": {INPUT: 1},
    "test_it.py::test_several[1]": {INPUT: 1, MORE: 1},
    "test_it.py::test_several[2]": {INPUT: 2, MORE: 1},
}


def written(folder: Path) -> Any:
    return json.loads((folder / "old.json").read_text(encoding="utf-8"))


def entries(**found: dict[str, int]) -> str:
    return json.dumps({"version": 1, "findings": {f"test_it.py::{name}": one for name, one in found.items()}})


@WAYS
def test_a_suite_starts_green(run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]) -> None:
    """The findings of a run are written and fail no test; with the file, a second run is green and changes nothing."""
    first = run(SUITE, plugins=plugins, options=[*options, *WRITE, "--llmtrace-strict"])
    assert (first.code, written(tmp_path)) == (0, {"version": 1, "findings": ENTRIES}), first.out
    head = "9 tests, 12 exchanges, 12 LLM spans, 1 finding, 1 waived, 9 in the baseline"
    assert first.summary() == [
        head,
        "  replayed    12  scripted openai chat",
        "  captured    12  app",
        "  found        1  wire/input-tokens",
        "  baseline     wrote old.json: 9 findings in 6 tests",
    ]
    before = (tmp_path / "old.json").read_bytes()
    second = run(SUITE, plugins=plugins, options=[*options, *READ, "--llmtrace-strict"])
    assert (second.code, second.summary()) == (0, first.summary()[:-1]), second.out
    run(SUITE, plugins=plugins, options=[*options, *WRITE])
    assert (tmp_path / "old.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".old")] == []


def test_a_group_of_xdist_makes_no_other_test_of_one(run: Callable[..., Any], tmp_path: Path) -> None:
    """`--dist=loadgroup` adds groups to test ids; the baseline is written and read without them."""
    suite = SUITE.replace("import pytest\n", "import pytest\npytestmark = pytest.mark.xdist_group('a@b')\n", 1)
    files = {"pytest.ini": "[pytest]\nmarkers = xdist_group\n"}
    grouped = {"plugins": ["xdist"], "files": files}
    split = ["-n", "2", "--dist=loadgroup", "--llmtrace-strict"]
    assert run(suite, options=[*split, *WRITE], **grouped).code == 0
    assert written(tmp_path) == {"version": 1, "findings": ENTRIES}
    for options in (split, ["--llmtrace-strict"]):
        again = run(suite, options=[*options, *READ], **grouped)
        assert (again.code, again.summary()[-1]) == (0, "  found        1  wire/input-tokens"), again.out


def test_the_file_is_made_for_small_differences(run: Callable[..., Any], tmp_path: Path) -> None:
    """The file is sorted, has one finding a line and no values; ini may name it too, relative to the root directory."""
    suite = (
        'from told import chat\ndef test_b(llmtrace):\n    chat(llmtrace, 4, name="sk-proj-abcDEF123456789012345")\n'
    )
    ini = "[pytest]\nllmtrace_baseline = sub/old.json\n"
    files = {"pytest.ini": ini, "sub/test_a.py": suite.replace("test_b", "test_a"), "sub/__init__.py": "#"}
    options = ["--llmtrace-write-baseline", "--rootdir=."]
    assert run(suite, files=files, options=options).code == 0
    assert (tmp_path / "sub" / "old.json").read_text(encoding="utf-8") == (
        "{\n"
        '  "version": 1,\n'
        '  "findings": {\n'
        '    "sub/test_a.py::test_a": {\n'
        "      \"privacy/secret  span '[secret]' (app)\": 1,\n"
        "      \"structure/span-name  span '[secret]' (app)\": 1,\n"
        "      \"wire/input-tokens  span '[secret]' (app)\": 1\n"
        "    },\n"
        '    "test_it.py::test_b": {\n'
        "      \"privacy/secret  span '[secret]' (app)\": 1,\n"
        "      \"structure/span-name  span '[secret]' (app)\": 1,\n"
        "      \"wire/input-tokens  span '[secret]' (app)\": 1\n"
        "    }\n"
        "  }\n"
        "}\n"
    )
    assert run(suite, files=files).code == 0


NEW = """
from told import chat

def test_more_often(llmtrace):
    chat(llmtrace, 4)
    chat(llmtrace, 5)

def test_less_often(llmtrace):
    chat(llmtrace, 4)

def test_new(llmtrace):
    chat(llmtrace, 4)

def test_fails(llmtrace):
    assert False
"""
OLD = entries(
    test_more_often={INPUT: 1},
    test_less_often={INPUT: 3, MORE: 1},
    test_renamed={INPUT: 1},
    test_fails={INPUT: 1},
).replace("test_it.py::test_fails", 'test_gone.py::test_it": {"a": 1}, "test_it.py::test_fails')


@WAYS
def test_only_new_findings_fail(run: Callable[..., Any], plugins: list[str], options: list[str]) -> None:
    """Findings beyond the recorded count fail. Entries that no longer occur are listed, but not of failed tests."""
    result = run(NEW, plugins=plugins, options=[*options, *READ], files={"old.json": OLD})
    assert result.outcomes == {
        "test_more_often": "failed",
        "test_less_often": "passed",
        "test_new": "failed",
        "test_fails": "failed",
    }, result.out
    report = "Failed: llmtrace: 1 finding, 1 in the baseline in test_more_often (2 exchanges, 2 LLM spans, N checks)\n"
    assert result.text("test_more_often").startswith(report)
    assert "gen_ai.usage.input_tokens = 5" in result.text("test_more_often")
    assert result.summary() == [
        "4 tests, 4 exchanges, 4 LLM spans, 2 findings, 2 in the baseline",
        "  replayed     4  scripted openai chat",
        "  captured     4  app",
        "  found        2  wire/input-tokens",
        "  baseline     5 findings of old.json no longer occur:",
        "                 test_gone.py::test_it  a",
        f"                 test_it.py::test_less_often  {INPUT}  (2 times)",
        f"                 test_it.py::test_less_often  {MORE}",
        f"                 test_it.py::test_renamed  {INPUT}",
        f"               to remove them: {COMMAND}",
    ]


@WAYS
def test_a_baseline_shrinks(run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]) -> None:
    """Entries of tests that ran are updated, those of vanished tests are removed, those of failed tests are kept."""
    run(NEW, plugins=plugins, options=[*options, *WRITE], files={"old.json": OLD})
    assert written(tmp_path)["findings"] == {
        "test_it.py::test_fails": {INPUT: 1},
        "test_it.py::test_less_often": {INPUT: 1},
        "test_it.py::test_more_often": {INPUT: 2},
        "test_it.py::test_new": {INPUT: 1},
    }


@pytest.mark.parametrize("options", [["-k", "new"], ["test_it.py::test_new"]], ids=" ".join)
def test_what_did_not_run_is_kept(run: Callable[..., Any], tmp_path: Path, options: list[str]) -> None:
    """A run of some tests only updates their entries; of the others, only tests whose file is gone are removed."""
    assert run(NEW, options=[*options, *READ], files={"old.json": OLD}).summary()[4:6] == [
        "  baseline     1 finding of old.json no longer occurs:",
        "                 test_gone.py::test_it  a",
    ]
    assert run(NEW, options=[*options, *WRITE]).code == 0
    assert sorted(written(tmp_path)["findings"]) == [
        "test_it.py::test_fails",
        "test_it.py::test_less_often",
        "test_it.py::test_more_often",
        "test_it.py::test_new",
        "test_it.py::test_renamed",
    ]


SHARD = """
    def pytest_collection_modifyitems(items):
        items[:] = items[:1]
    """
LEFT_OUT = """
    from told import chat

    def test_first(llmtrace):
        chat(llmtrace, 4)

    def test_second(llmtrace):
        chat(llmtrace, 4)
    """


@WAYS
def test_what_a_plugin_has_taken_out_is_kept(
    run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]
) -> None:
    """Tests that a plugin leaves to another machine, without a word, did not run: their entries are kept."""
    old = entries(test_first={INPUT: 1, MORE: 1}, test_second={INPUT: 1})
    files = {"old.json": old, "conftest.py": SHARD}
    assert run(LEFT_OUT, plugins=plugins, options=[*options, *WRITE], files=files).code == 0
    assert written(tmp_path) == json.loads(entries(test_first={INPUT: 1}, test_second={INPUT: 1}))


def test_what_was_no_last_failure_is_kept(run: Callable[..., Any], tmp_path: Path) -> None:
    """`--lf` passes over tests before they are collected, and says nothing of them: their entries are kept."""
    failing = LEFT_OUT.replace("def test_second(llmtrace):", "def test_second(llmtrace):\n        assert False")
    first = run(failing, options=["-o", "llmtrace_verify=warn"])
    assert first.outcomes == {"test_first": "passed", "test_second": "failed"}, first.out
    old = entries(test_first={INPUT: 1}, test_second={INPUT: 1, MORE: 1})
    result = run(LEFT_OUT, options=[*WRITE, "--lf"], files={"old.json": old})
    assert result.outcomes == {"test_second": "passed"}, result.out
    assert written(tmp_path) == json.loads(entries(test_first={INPUT: 1}, test_second={INPUT: 1}))


def test_a_parameter_that_is_a_secret(run: Callable[..., Any], tmp_path: Path) -> None:
    """Keys in test ids are masked; tests that only differ in these share an entry, with as many findings as any had."""
    suite = """
        import pytest
        from told import chat

        @pytest.mark.parametrize("key", ["sk-proj-Ab3dE9fGh1Jk2Lm4Np5Q", "sk-proj-Zb3dE9fGh1Jk2Lm4Np5Q"])
        def test_it(llmtrace, key):
            for _ in range(1 + ("Z" in key)):
                chat(llmtrace, 4)
        """
    assert run(suite, options=WRITE).code == 0
    assert written(tmp_path)["findings"] == {"test_it.py::test_it[[secret]]": {INPUT: 2}}
    again = run(suite, options=READ)
    assert (again.code, again.summary()[0]) == (0, "2 tests, 3 exchanges, 3 LLM spans, 0 findings, 3 in the baseline")


def test_what_no_longer_occurs_is_safe_to_print(run: Callable[..., Any]) -> None:
    """The name of a span may hold what moves the cursor of a terminal; the summary escapes it."""
    old = entries(test_good={"wire/input-tokens  span 'a\x1b[2Jb\nc' (app)": 1})
    result = run(SUITE, options=[*READ, "-k", "good"], files={"old.json": old})
    assert (
        result.summary()[-2] == "                 test_it.py::test_good  wire/input-tokens  span 'a\\x1b[2Jb\\nc' (app)"
    )


def test_tests_that_are_run_again(run: Callable[..., Any], tmp_path: Path) -> None:
    """When a test is rerun, its last run counts."""
    pytest.importorskip("pytest_rerunfailures")
    suite = """
        from told import chat

        runs = []

        def test_flaky(llmtrace):
            runs.append(1)
            chat(llmtrace, 4)
            if len(runs) < 3:
                chat(llmtrace, 4, name="more")
                assert False
        """
    options = ["--reruns", "2", *WRITE]
    assert run(suite, plugins=["pytest_rerunfailures"], options=options).code == 0
    assert written(tmp_path)["findings"] == {"test_it.py::test_flaky": {INPUT: 1}}


def test_a_run_without_traced_tests_writes_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    """A run in which no test is traced, or nothing can be collected, leaves the file as it is."""
    run("def test_plain(): pass", options=WRITE, files={"old.json": OLD})
    run("nonsense", options=WRITE)
    assert (tmp_path / "old.json").read_text(encoding="utf-8") == OLD


def test_a_baseline_that_cannot_be_written(run: Callable[..., Any]) -> None:
    """The summary reports the error, and the run fails."""
    unwritable = """
        import pathlib

        def pytest_runtestloop():
            pathlib.Path("old.json").mkdir()
        """
    result = run(SUITE, options=[*WRITE, "-k", "good"], files={"conftest.py": unwritable})
    assert (result.code, result.outcomes) == (1, {"test_good": "passed"}), result.out
    assert re.fullmatch(r"  baseline     old.json could not be written: \w.*", result.summary()[-1])


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", READ, f"there is no baseline old.json: create it with {COMMAND}"),
        ("", ["--llmtrace-baseline=no/old.json"], "there is no baseline no/old.json: create the folder no"),
        ("", WRITE[1:],
         "--llmtrace-write-baseline needs --llmtrace-baseline=FILE, or the ini option llmtrace_baseline"),
        ('{"version": 1,\n<<<<<<< HEAD', READ,
         f"{BROKEN} line 2: Expecting property name enclosed in double quotes; {RESTORE}"),
        ('{"version": 1, "findings": {"a": {"b": 1}, "a": {"c": 1}}}', READ,
         f"{BROKEN} 'a' stands twice in one object; a merge may have kept both sides; {RESTORE}"),
        ('{"version": 1, "findings": {"a": {"b": 0}}}', WRITE,
         f"{BROKEN} expected {{'version': 1, 'findings': {{test: {{finding: count}}}}}}; {RESTORE}"),
        ('{"version": 2, "findings": {}}', READ,
         "the baseline old.json has version 2, not 1: update pytest-llmtrace"),
    ],
)  # fmt: skip
def test_wrong_use(run: Callable[..., Any], content: str, options: list[str], said: str) -> None:
    """A missing or broken baseline stops the run before any test, and the error says how to fix it."""
    result = run("def test_it(): pass", options=options, files={"old.json": content})
    assert result.usage_error() == f"ERROR: llmtrace: {said}"
