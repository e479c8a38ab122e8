"""Reports of a run: one file for the whole run, in whichever processes its tests ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WAYS = pytest.mark.parametrize(
    ("plugins", "options"), [([], []), (["xdist"], ["-n", "2"])], ids=["in one process", "xdist"]
)

SUITE = """
import pytest
from child import BODY, MOCKED, library_named
from opentelemetry import trace

tracer = trace.get_tracer("app")

@pytest.mark.parametrize("number", [1, 2])
def test_chat(llmtrace, number):
    llmtrace.gateway("openai").chat(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    with tracer.start_as_current_span("chat gpt-4o", kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.request.model", "gpt-4o")
        span.set_attribute("gen_ai.mood.secret", "sulky today")
        span.set_attributes({"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2})
        with library_named().Client() as client:
            client.post(MOCKED, json=BODY)

def test_nothing():
    pass
"""


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


BROKEN = """
import pytest
from pytest_llmtrace import report

def stumble(*_):
    raise ZeroDivisionError("a bug of ours")

def test_before(llmtrace):
    pass

@pytest.mark.parametrize("fails", [False, True])
def test_seen(llmtrace, monkeypatch, fails):
    monkeypatch.setattr(report, "account", stumble)
    assert not fails, "a bug of theirs"

def test_after(llmtrace):
    pass
"""


@WAYS
def test_a_bug_of_ours_fails_one_test(run: Callable[..., Any], plugins: list[str], options: list[str]) -> None:
    """An internal error of this package fails the test that caused it, and the run goes on."""
    done = run(BROKEN, plugins=plugins, options=options)
    assert done.code == 1, done.out
    assert done.outcomes == {
        "test_before": "passed",
        "test_seen[False]": "failed",
        "test_seen[True]": "failed",
        "test_after": "passed",
    }
    assert "llmtrace: internal error while it reported on this test; please report it" in done.text("test_seen[False]")
    assert "ZeroDivisionError: a bug of ours" in done.text("test_seen[False]")
    assert "a bug of theirs" in done.text("test_seen[True]")


MISTAKEN = """
import pytest
from opentelemetry import trace
from pytest_llmtrace import Dialect, register_dialect

register_dialect(Dialect(name="ours", facts={}, recognises=lambda span: span.attributes["kind"] == "llm"))

@pytest.mark.parametrize("fails", [False, True])
def test_seen(llmtrace, fails):
    with trace.get_tracer("app").start_as_current_span("step"):
        pass
    assert not fails, "a bug of theirs"
"""


def test_a_mistake_of_the_suite_is_no_bug_of_ours(run: Callable[..., Any]) -> None:
    """A dialect's function that raises is named once, also beside a failure; nobody is asked to report a bug."""
    done = run(MISTAKEN)
    assert done.outcomes == {"test_seen[False]": "failed", "test_seen[True]": "failed"}
    said = (
        "recognises= of dialect 'ours' raised KeyError: 'kind', at the span 'step' (app); it is asked about each span"
    )
    for test, failure in (("test_seen[False]", f"UsageError: {said}"), ("test_seen[True]", "a bug of theirs")):
        assert failure in done.text(test)
    assert done.out.count(said) == 2
    assert "internal error" not in done.out


@WAYS
def test_half_a_character(run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]) -> None:
    """Models may stop in the middle of a character; the reports are written, with the half in JSON's escaped form."""
    suite = SUITE.replace("sulky today", "sulky \\ud83d").replace("chat gpt-4o", "chat \\ud83d")
    records, contract = tmp_path / "records.json", tmp_path / "contract.json"
    reports = [f"--llmtrace-report=openobserve={records}", f"--llmtrace-report=contract={contract}"]
    done = run(suite, plugins=plugins, options=[*options, *reports])
    assert done.code == 0, done.out
    for report in (records, contract):
        assert read(report)
        assert '"chat \\ud83d"' in report.read_text(encoding="utf-8")


@WAYS
def test_weaver(run: Callable[..., Any], tmp_path: Path, plugins: list[str], options: list[str]) -> None:
    """The report in Weaver's form has all LLM spans of the run with the findings on them, and no values."""
    done = run(SUITE, plugins=plugins, options=[*options, "--llmtrace-report=weaver=out/weaver.json"])
    assert done.code == 0, done.out
    assert done.summary()[-1] == f"  report       wrote weaver to {tmp_path / 'out' / 'weaver.json'}"
    text = (tmp_path / "out" / "weaver.json").read_text(encoding="utf-8")
    assert "sulky" not in text
    report = json.loads(text)
    [first, second] = report["samples"]
    assert first == second
    assert first["span"]["attributes"][3] == {
        "name": "gen_ai.mood.secret",
        "value": None,
        "type": "string",
        "live_check_result": {
            "all_advice": [
                {
                    "id": "missing_attribute",
                    "level": "violation",
                    "message": "Attribute 'gen_ai.mood.secret' does not exist in the registry.",
                    "context": {"attribute_key": "gen_ai.mood.secret"},
                    "signal_type": "span",
                    "signal_name": "chat gpt-4o",
                }
            ],
            "highest_advice_level": "violation",
        },
    }
    statistics = report["statistics"]
    assert {name: statistics[name] for name in ("total_entities_by_type", "advice_type_counts", "no_advice_count")} == {
        "total_entities_by_type": {"span": 2, "attribute": 12},
        "advice_type_counts": {"missing_attribute": 2},
        "no_advice_count": 12,
    }
    assert statistics["seen_registry_attributes"]["gen_ai.request.model"] == 2
    assert statistics["seen_non_registry_attributes"] == {"gen_ai.mood.secret": 2}


def test_configured(run: Callable[..., Any], tmp_path: Path) -> None:
    """The ini value works like the option; the report is written even if no test was traced."""
    ini = "[pytest]\nllmtrace_report = weaver=weaver.json\n"
    assert run("def test_nothing(): pass\n", files={"pytest.ini": ini}).code == 0
    assert read(tmp_path / "weaver.json")["samples"] == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("weaver", "--llmtrace-report takes FORMAT=PATH, such as weaver=weaver.json, not 'weaver'"),
        ("wever=w.json", "unknown format of --llmtrace-report 'wever': did you mean 'weaver'? known: "),
    ],
)
def test_wrong_values(run: Callable[..., Any], value: str, said: str) -> None:
    """A value that has no meaning stops the run."""
    assert said in run("def test_nothing(): pass\n", options=[f"--llmtrace-report={value}"]).usage_error()


def test_several_reports_to_one_file(run: Callable[..., Any]) -> None:
    """Two formats in one file stop the run: the second would overwrite the first. Both may go to the terminal."""
    options = [f"--llmtrace-report={name}=one.json" for name in ("contract", "weaver")]
    error = run("def test_nothing(): pass\n", options=options).usage_error()
    assert error == "ERROR: llmtrace: --llmtrace-report: contract and weaver would both be written to one.json"
    assert run(SUITE, options=["--llmtrace-report=contract=-", "--llmtrace-report=coverage=-"]).code == 0


def test_one_report_to_several_places(run: Callable[..., Any], tmp_path: Path) -> None:
    """One report may go to several files, and to the terminal."""
    done = run(SUITE, options=[f"--llmtrace-report=contract={place}" for place in ("a.json", "-", "b.json")])
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == text
    assert text in done.out


FILES = {
    "report": "--llmtrace-report=contract={}",
    "played": "--llmtrace-played={}",
    "spans": "--llmtrace-export=file={}",
}


@pytest.mark.parametrize("tests", [SUITE, "def test_nothing(): pass"], ids=["traced", "untraced"])
@pytest.mark.parametrize("file", ["report", "played"])
def test_not_written(run: Callable[..., Any], file: str, tests: str) -> None:
    """A file that cannot be written fails the run but no test; the summary says so, even if no test was traced."""
    done = run(tests, files={"taken": "a file, not a folder"}, options=[FILES[file].format("taken/file.json")])
    assert done.code == pytest.ExitCode.TESTS_FAILED
    assert set(done.outcomes.values()) == {"passed"}
    assert done.summary()[-1].startswith(f"  {file:<12} {done.folder / 'taken'}")
    assert done.summary()[-1].endswith(" could not be written: File exists")


def test_one_that_is_not_written_leaves_the_others_be(run: Callable[..., Any]) -> None:
    """Reports are written independently; one that fails, on a full disk for example, is named as it was asked for."""
    reports = [FILES["report"].format(path) for path in ("/dev/full", "contract.json")]
    done = run(SUITE, options=reports)
    assert done.code == pytest.ExitCode.TESTS_FAILED
    assert done.summary()[-2:] == [
        "  report       /dev/full could not be written: No space left on device",
        f"  report       wrote contract to {done.folder / 'contract.json'}",
    ]
    assert (done.folder / "contract.json").exists()


def test_a_run_that_lists_tests_writes_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    """Listing tests, as editors do with the suite's options, leaves the files of the last run as they were."""
    options = [option.format(tmp_path / name) for name, option in FILES.items()]
    assert run(SUITE, options=options).code == 0
    written = {name: (tmp_path / name).read_bytes() for name in FILES}
    assert all(len(content) > 30 for content in written.values())
    for listing in ("--collect-only", "--setup-plan", "--fixtures", "--markers"):
        assert run(SUITE, options=[*options, listing]).code == 0
        assert {name: (tmp_path / name).read_bytes() for name in FILES} == written


def test_a_run_that_cannot_collect_writes_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    """If no test could run, since a module cannot be imported, the files of the last run stay; if none is left, not."""
    options = [FILES[name].format(tmp_path / name) for name in ("report", "played")]
    assert run(SUITE, options=options).code == 0
    written = {name: (tmp_path / name).read_bytes() for name in ("report", "played")}
    for plugins, more in (([], []), (["xdist"], ["-n", "1"])):
        broken = run("import no_such_module", plugins=plugins, options=[*options, *more])
        assert broken.code > 0, broken.out
        assert {name: (tmp_path / name).read_bytes() for name in written} == written
    none = run(SUITE, options=[*options, "-k", "no_such_test"])
    assert (none.code, none.summary()[-1]) == (5, f"  report       wrote contract to {tmp_path / 'report'}"), none.out


def test_a_run_that_is_stopped_says_that_its_reports_are_not_whole(run: Callable[..., Any], tmp_path: Path) -> None:
    """A contract without the tests that did not run looks as if their telemetry had gone, so the summary says why."""
    source = f"{SUITE}\ndef test_interrupted():\n    raise KeyboardInterrupt\n"
    done = run(source, options=[FILES["report"].format("contract.json")])
    file, why = tmp_path / "contract.json", "tests may be missing in it, since the run was stopped"
    assert f"  report       wrote contract to {file}; {why}" in done.summary(), done.out


def test_reports_do_not_depend_on_the_order_of_the_tests(run: Callable[..., Any], tmp_path: Path) -> None:
    """Reports without times and ids are the same, byte for byte, in whatever order the tests run."""
    source = f"{SUITE}\ndef test_another(llmtrace):\n    import told\n    told.chat(llmtrace, name='another')\n"
    turned = "def pytest_collection_modifyitems(items):\n    items.reverse()\n"
    for name, files in (("first", {}), ("second", {"conftest.py": turned})):
        reports = [f"--llmtrace-report={kind}={name}.{kind}" for kind in ("weaver", "contract", "coverage-json")]
        assert run(source, options=reports, files=files, LLMTRACE_VERIFY="warn").code == 0
    for kind in ("weaver", "contract", "coverage-json"):
        assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["contract", "coverage", "coverage-json", "openobserve", "weaver"])
def test_what_looks_like_a_secret_gets_into_no_report(run: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    """A key in a scope, its version, a name, a value or a parameter is masked in files and in the terminal."""
    key = "sk-proj-" + "Ab3dE9fGh1Jk2Lm4Np5Qr6St7Uv8Wx0Yz"
    source = f"""
        import pytest
        from opentelemetry import trace
        from told import chat

        @pytest.mark.parametrize("key", ["{key}"])
        def test_it(llmtrace, key):
            chat(llmtrace, scope="app " + key, version="1 " + key, name="chat " + key)
            with trace.get_tracer("app").start_as_current_span("said", attributes={{"note": '{{"a": "' + key + '"}}'}}):
                pass
        """
    done = run(source, options=[f"--llmtrace-report={kind}=report"], LLMTRACE_VERIFY="warn")
    assert done.code == 0, done.out
    assert key not in (tmp_path / "report").read_text(encoding="utf-8")
    assert "  captured     1  app [secret]" in done.summary()


def test_files_are_relative_to_where_the_run_began(run: Callable[..., Any], tmp_path: Path) -> None:
    """A test that changes the working directory does not move the files."""
    source = f"{SUITE}\ndef test_elsewhere(llmtrace, tmp_path):\n    import os\n    os.chdir(tmp_path)\n"
    done = run(source, options=[option.format(name) for name, option in FILES.items()], LLMTRACE_VERIFY="warn")
    assert [name for name in FILES if not (tmp_path / name).is_file()] == [], done.out


def test_files_that_settings_name_are_relative_to_the_rootdir(run: Callable[..., Any], tmp_path: Path) -> None:
    """Wherever the run is started, files named in the ini file or the environment are written to the same place."""
    named = {"LLMTRACE_REPORT": "weaver=weaver.json", "LLMTRACE_EXPORT": "file=spans.jsonl", "LLMTRACE_VERIFY": "warn"}
    done = run(SUITE, options=["--rootdir=root"], files={"root/README": "the root"}, **named)
    assert done.code == 0, done.out
    assert {path.name for path in (tmp_path / "root").iterdir()} >= {"weaver.json", "spans.jsonl"}
