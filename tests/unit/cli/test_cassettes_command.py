"""`pytest-llmtrace cassettes`: the command line, the hooks for pre-commit, and the user's page about them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_llmtrace.cli import main
from pytest_llmtrace.upkeep._kinds import KINDS

ROOT = Path(__file__).parents[3]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
KEY = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x"


def write(path: Path) -> Path:
    request = {"method": "GET", "uri": "https://a.example/", "headers": {"x-api-key": KEY}}
    response = {"status": {"code": 200}, "headers": {}, "body": {"string": "{}"}}
    path.write_text(json.dumps({"version": 1, "interactions": [{"request": request, "response": response}]}))
    return path


@pytest.mark.parametrize("command", [["cassettes"], ["cassettes", "mend"], ["cassettes", "lint"]])
def test_wrong_commands_are_wrong_use(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command that is not known or lacks its paths ends with status 2."""
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2
    assert "usage: pytest-llmtrace cassettes" in capsys.readouterr().err


def test_the_hooks_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hook's entry runs: lint fails on a secret, scrub takes it out, and then lint passes."""
    path = write(tmp_path / "tape.json")
    monkeypatch.chdir(tmp_path)
    lint, scrub = (hook["entry"].split()[1:] for hook in HOOKS)
    assert main([*lint, "tape.json"]) == 1
    assert main([*scrub, "tape.json"]) == 0
    assert main([*lint, "tape.json"]) == 0
    assert KEY not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_the_hooks_look_at_cassettes_only(hook: dict[str, str]) -> None:
    """The hooks take the cassettes below a folder `cassettes`, YAML or JSON, and no other files."""
    assert re.search(hook["files"], "tests/cassettes/test_a/test_b.yaml")
    assert re.search(hook["files"], "cassettes/a.json")
    assert not re.search(hook["files"], "tests/cassettes/readme.md")
    assert not re.search(hook["files"], "my_cassettes/a.yml")


def test_commands_on_files_are_cheap() -> None:
    """Commands on files load no OpenTelemetry SDK, no pytest, no HTTP library and no vcrpy."""
    heavy = ("opentelemetry", "pytest", "vcr", "respx", "httpx", "httpx2", "openai", "anthropic")
    code = (
        "import sys; from pytest_llmtrace.cli import main; "
        f"main(['cassettes', 'lint', {str(ROOT / 'cassettes' / 'openai')!r}]); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_crash() -> None:
    """`... | head` ends without a traceback."""
    command = [sys.executable, "-P", "-c", "from pytest_llmtrace.cli import main; raise SystemExit(main())"]
    files = [str(path) for path in sorted((ROOT / "cassettes").rglob("*.yaml"))]
    with subprocess.Popen(
        [*command, "cassettes", "lint", "-v", *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 1


@pytest.mark.parametrize("command", [["cassettes", "lint"], ["cassettes", "show"], ["read"]], ids=" ".join)
def test_nobody_has_to_read(command: list[str], tmp_path: Path) -> None:
    """`... >&-` closes the output; the exit status is still right, and there is no traceback."""
    code = "from pytest_llmtrace.cli import main; raise SystemExit(main())"
    started = ["sh", "-c", '"$0" "$@" >&-', sys.executable, "-P", "-c", code]
    path = write(tmp_path / "tape.json")
    done = subprocess.run([*started, *command, str(path)], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", int("lint" in command))


def test_the_page_names_every_kind_and_option() -> None:
    """The user's page names each kind of finding with its severity, each option and each hook."""
    page = (ROOT / "docs" / "cassettes.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.severity} |" in page
    for option in (
        "--allow --check --format --full --ignore --max-age --played --raw --rootdir --strict --yes".split()  # noqa: SIM905
    ):
        assert f"`{option}" in page or f" {option}" in page, option
    for hook in HOOKS:
        assert hook["id"] in page
