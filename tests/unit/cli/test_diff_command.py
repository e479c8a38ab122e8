"""`pytest-llmtrace diff`: its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.cli import main


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write contracts of one scope: `old`, `less`, `more`, and `newer`, which is `old` with another version."""
    monkeypatch.chdir(tmp_path)
    for name, attributes, version in (("old", "a", "1"), ("less", "", "1"), ("more", "ab", "1"), ("newer", "a", "2")):
        counts = {one: {"seen": 1, "types": ["int"]} for one in attributes}
        words = {"names": ["chat"], "kinds": ["CLIENT"], "statuses": ["OK"]}
        span: dict[str, Any] = {"seen": 1, **words, "attributes": counts, "events": {}}
        scope = {"versions": [version], "spans": {"chat": span}, "logs": {}, "metrics": {}}
        content = {"format": "pytest-llmtrace contract", "version": 1, "scopes": {"app": scope}}
        Path(f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("new", "fail_on", "status"),
    [
        ("old", "any", 0),
        ("less", "breaking", 1),
        ("less", "any", 1),
        ("less", "none", 0),
        ("more", "breaking", 0),
        ("more", "any", 1),
        ("newer", "breaking", 0),
        ("newer", "any", 0),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.usefixtures("written")
def test_exit_status(new: str, fail_on: str, status: int, form: str) -> None:
    """The exit status is 1 if there are changes that `--fail-on` names, in every form; a new version does not count."""
    assert main(["diff", "old.json", f"{new}.json", "--fail-on", fail_on, "--format", form]) == status


@pytest.mark.usefixtures("written")
def test_breaking_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an option, text is printed and breaking changes fail."""
    assert main(["diff", "old.json", "less.json"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "old.json -> less.json: 1 breaking, 0 other, 0 additions",
        "",
        "app",
        "  span chat",
        "    breaking  removed  attribute a (int, 1 of 1)",
    ]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("files", [["old.json", "spans.json"], ["spans.json", "old.json"]])
def test_what_is_no_contract(capsys: pytest.CaptureFixture[str], files: list[str]) -> None:
    """A foreign file is one line on the error stream, and exit status 2."""
    Path("spans.json").write_text('{"resourceSpans": []}', encoding="utf-8")
    assert main(["diff", *files]) == 2
    said = capsys.readouterr()
    reason = "spans.json is not a contract; pytest --llmtrace-report contract=spans.json writes one"
    assert (said.out, said.err) == ("", f"pytest-llmtrace: {reason}\n")
