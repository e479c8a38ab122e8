"""`pytest-llmtrace compare`: every installed instrumentor against the wire."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace import _sdks
from pytest_llmtrace.checks import COMPARISONS
from pytest_llmtrace.cli import main
from pytest_llmtrace.compare import _worker
from pytest_llmtrace.compare._cases import chosen, every_case
from pytest_llmtrace.compare._instrumentors import INSTRUMENTORS
from pytest_llmtrace.compare._mishaps import FAULTS, is_mishap
from pytest_llmtrace.compare._mishaps_page import tables
from pytest_llmtrace.compare._page import page
from pytest_llmtrace.compare._privacy_run import run_modes
from pytest_llmtrace.compare._run import Result, run
from pytest_llmtrace.errors import UsageError
from pytest_llmtrace.exits import ASYNC_WAYS
from pytest_llmtrace.faults._kinds import KINDS
from pytest_llmtrace.harness import LLMTrace
from pytest_llmtrace.model import Request
from pytest_llmtrace.replay.gateways import GATEWAYS
from pytest_llmtrace.replay.gateways._paths import COUNTED

CACHED = "scripted:anthropic/messages-cached"
WRONG_INPUT = """\
error  wire/input-tokens  span 'anthropic.messages.create' (chat-api.llm)
       span   gen_ai.usage.input_tokens = 10
       wire   usage.input_tokens 10 + cache_creation_input_tokens 20 + cache_read_input_tokens 30 = 60
              scripted anthropic messages, exchange 0, response body
       why    input counts include cached tokens (OTel GenAI, Anthropic); cost dashboards will be too low
       next   fix the instrumentation, or waive: @pytest.mark.llmtrace(ignore={"wire/input-tokens": "reason"})"""

http = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")

CLOUDS = ("bedrock", "bedrock-mantle", "vertex")
SCRIPTED = chosen(["scripted:"])

needs_streams = pytest.mark.skipif(
    (_sdks.installed("anthropic") or "0").startswith("0."), reason="the hand-written wrapper is for anthropic 1 and 2"
)


def compared(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """Run the command, and return what it prints as JSON."""
    assert main(["compare", "--format", "json", *arguments]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_all_gateways_and_apis_are_shown() -> None:
    """Each API that asks a model has scripted cases, each gateway but Azure and clouds recorded ones; ids differ."""
    cases = every_case()
    assert len({case.id for case in cases}) == len(cases)
    apis = {(name, api) for name in GATEWAYS for api in GATEWAYS[name].forms if api not in COUNTED}
    scripted = {
        (case.gateway, re.split("[/-]", case.id.removeprefix(f"scripted:{case.gateway}"))[1]) for case in SCRIPTED
    }
    assert scripted == apis
    assert {case.gateway for case in cases if case.id.startswith("builtin:")} == {*GATEWAYS} - {"azure", *CLOUDS}


def said_in(request: Request) -> dict[str, Any]:
    """Return what a request says, without the version, which differs between releases of the SDK."""
    said: dict[str, Any] = json.loads(request.body)
    return {key: value if key != "anthropic_version" else "any" for key, value in said.items()}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_is_asked_as_its_client_asks(cloud: str, asynchronous: bool) -> None:
    """The SDK's own client for a cloud sends what a case says, path and body, and that cloud answers."""
    cases = [case for case in SCRIPTED if case.gateway == cloud]
    assert {case.id.removeprefix(f"scripted:{cloud}") for case in cases} == {
        case.id.removeprefix("scripted:anthropic") for case in SCRIPTED if case.gateway == "anthropic"
    }
    for case in cases:
        with LLMTrace(settings=case.settings) as trace, case.prepare(trace):
            with suppress(ValueError):  # anthropic 0.125 has no class for an exception in a frame.
                _sdks.send(case.request, typed=True, native=False, asynchronous=asynchronous)
            [exchange] = trace.exchanges()
        assert exchange.request.url == case.request.url
        assert said_in(exchange.request) == said_in(case.request)
        assert exchange.truth is not None
        assert exchange.truth.gateway == cloud


def test_no_two_cases_get_one_response_id() -> None:
    """An instrumentor that keeps answers by their id, as some do, must not take one case for another."""
    seen: Counter[str] = Counter()
    for case in chosen(["scripted:"]):
        with LLMTrace(settings=case.settings) as trace, case.prepare(trace):
            http.post(case.request.url, content=case.request.body)
            seen.update(view.truth.response_id for view in trace.exchanges() if view.truth and view.truth.response_id)
    assert len(seen) > 100
    assert [repeated for repeated, times in seen.items() if times > 1] == []


def test_what_goes_wrong_is_shown_too() -> None:
    """Each way to leave a stream and each kind of fault is a case; a whole run has them, beside all others."""
    cases = [case for case in chosen([]) if is_mishap({"case": case.id})]
    assert len(chosen([])) == len(every_case()) + len(cases)
    assert {case.way for case in cases} == {"", *ASYNC_WAYS}
    assert {*map(str, KINDS)} - {str(fault.kind) for fault in FAULTS.values()} == set()
    streams = {case.id.partition("-")[0] for case in cases if case.way}
    assert streams == {"left:openai/chat", "left:openai/responses", "left:anthropic/messages"}
    replies = {case.id.partition("-")[0] for case in cases if case.id.endswith("-429-whole")}
    assert replies == {"fault:openai/embeddings", *(one.replace("left:", "fault:") for one in streams)}
    own = {case.id for case in cases if case.gateway == "openrouter"}
    assert own == {f"fault:openrouter/chat-{name}" for name in ("error-in-body-whole", "error-in-stream-stream")}


@needs_streams
@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("id_", [case.id for case in chosen(["fault:"]) if case.retries])
def test_what_is_tried_again_is_answered(id_: str, asynchronous: bool) -> None:
    """After a 429 that names a time the SDK makes a second request, which is answered."""
    [case] = chosen([id_])
    with LLMTrace(settings=case.settings) as trace, case.prepare(trace):
        _sdks.send(case.request, typed=True, native=False, asynchronous=asynchronous, retries=case.retries)
        statuses = [view.response and view.response.status for view in trace.exchanges()]
    assert statuses == [429, 200]


@needs_streams
def test_mishaps_have_tables_of_their_own() -> None:
    """A cell leads to the finding, or says that there is none; the counts of the page are of the other cases."""
    ids = [f"left:anthropic/messages-{way}" for way in ("break", "cancelled", "truncated")]
    results = run(["by-hand"], [CACHED, *ids, "fault:anthropic/messages-429"])
    text = page(results, ["anthropic 2.11.0"])
    assert "| by-hand | anthropic " in text
    assert " | 2 | 2 |" in text
    cut = "[cut-stream](#by-hand-wire-cut-stream) [partial-usage](#by-hand-stream-partial-usage)"
    assert f"| truncated | {cut} |" in text
    assert "| break | - |" in text
    assert "| 429 | - |" in text
    assert '<a id="by-hand-stream-partial-usage"></a>' in text
    assert "| cancelled | sync: none; async: - |" in text


def test_a_gateway_that_is_shown_for_its_own_errors_is_named() -> None:
    """In a cell are the names of APIs; what one gateway alone does stands under its name."""
    found = [{"check": "wire/error-status", "severity": "error", "subject": "", "also": []}]
    cases: tuple[dict[str, Any], ...] = tuple(
        {"case": f"fault:{name}-error-in-body-whole", "spans": [], "facts": {}, "findings": said, "raised": None}
        for name, said in (("openai/chat", []), ("openrouter/chat", found))
    )
    result = Result(name="some", versions=("some 1",), clients={"sync": cases, "async": cases})
    cell = "chat: -, openrouter: [error-status](#some-wire-error-status)"
    assert f"| error-in-body | {cell} |" in "\n".join(tables([result]))


@pytest.mark.parametrize(("module", "cell"), [("openinference.instrumentation.x", "**raises**"), ("anthropic", "-")])
def test_an_instrumentation_that_breaks_the_call_is_told(
    monkeypatch: pytest.MonkeyPatch, module: str, cell: str
) -> None:
    """An error that an instrumentation itself raises fails the application's call; an SDK's error does not count."""
    name = "fault:anthropic/messages-error-in-body-whole"
    scope: dict[str, Any] = {"__name__": module}
    exec("def _make(*args, **kwargs): raise TypeError('it is None')", scope)  # noqa: S102
    monkeypatch.setattr(_worker, "_make", scope["_make"])
    [case] = _worker._played(INSTRUMENTORS["native-anthropic"], chosen([name]), asynchronous=False)
    assert case["raised"] == "TypeError: it is None"
    case["findings"] = []
    result = Result(name="some", versions=(), clients={"sync": (case,), "async": (case,)})
    assert f"| error-in-body | {cell} |" in "\n".join(tables([result]))


def test_a_case_is_chosen_by_how_its_id_begins() -> None:
    """`--case` takes a whole id, or the beginning of several ids."""
    assert [case.id for case in chosen([CACHED + "-stream"])] == [f"{CACHED}-stream"]
    assert [case.id for case in chosen([CACHED])] == [CACHED, f"{CACHED}-stream"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            "builtin:opnrouter/cht",
            "no case has an id that begins with 'builtin:opnrouter/cht'; the nearest: builtin:openrouter/chat#0, ",
        ),
        ("?", "no case has an id that begins with '?'; docs/instrumentors.md lists all cases"),
    ],
)
def test_a_case_that_is_not_there(wanted: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that fits no case is wrong use, not a comparison without findings."""
    assert main(["compare", "--only", "by-hand", "--case", "builtin:openai/chat", "--case", wanted]) == 2
    assert capsys.readouterr().err.startswith(f"pytest-llmtrace: {said}")


def test_what_needs_a_package_that_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bedrock's streams need botocore to be read; without it they are left out, and the page says once how many."""
    monkeypatch.setitem(sys.modules, "botocore", None)
    streams = [case for case in chosen(["scripted:bedrock/"]) if "stream" in case.id]
    assert list(_worker._played(INSTRUMENTORS["native-anthropic"], tuple(streams), asynchronous=False)) == []
    [first, second] = run(["by-hand", "native-anthropic"], ["scripted:bedrock/"], [])
    said = f'Left out: {len(streams)} cases, since botocore is not installed: pip install "anthropic[bedrock]"'
    assert first.left_out == second.left_out == said
    assert page([first, second], ["anthropic 2.11.0"]).count(said) == 1
    assert run(["by-hand"], ["scripted:vertex/"], [])[0].left_out == ""


def test_what_is_asked_for_and_needs_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A case that was asked for and cannot be made is refused in one sentence, like a missing instrumentor."""
    monkeypatch.setitem(sys.modules, "botocore", None)
    wanted = "scripted:bedrock/messages-plain-stream"
    assert main(["compare", "--only", "by-hand", "--case", wanted]) == 2
    said = f'pytest-llmtrace: {wanted}: botocore is not installed: pip install "anthropic[bedrock]"\n'
    assert capsys.readouterr().err == said


@needs_streams
def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The hand-written wrapper copies the input count, which leaves out cached tokens; the rest is right."""
    [result] = compared(capsys, "--only", "by-hand", "--case", CACHED)
    assert set(result["clients"]) == {"sync", "async"}
    plain, *others = (case for cases in result["clients"].values() for case in cases)
    assert [case["case"] for case in others] == [f"{CACHED}-stream", CACHED, f"{CACHED}-stream"]
    for case in (plain, *others):
        assert (case["raised"], len(case["spans"])) == (None, 1)
        assert [finding["check"] for finding in case["findings"]] == ["wire/input-tokens"]
        assert case["facts"]["wire/input-tokens"] == "wrong"
        assert case["facts"]["wire/output-tokens"] == "right"
        assert case["facts"]["wire/response-id"] == "absent"
    assert plain["report"].split("\n\n")[1] == WRONG_INPUT


@needs_streams
def test_the_page_leads_from_a_wrong_cell_to_its_finding() -> None:
    """Each finding is there once, in full, with the command that shows it and the other cases that have it."""
    text = page(run(["by-hand"], [CACHED], ["sync"]), ["anthropic 2.11.0"])
    assert "| input tokens (`wire/input-tokens`) | [2 wrong](#by-hand-wire-input-tokens) |" in text
    assert '<a id="by-hand-wire-input-tokens"></a>' in text
    assert "| output tokens (`wire/output-tokens`) | 2 right |" in text
    assert "### wire/input-tokens, 2 of 2 calls" in text
    assert f"pytest-llmtrace compare --only by-hand --case {CACHED}\n" in text
    assert f"```text\n{WRONG_INPUT}\n```" in text
    assert f"Also in `{CACHED}-stream`." in text


def test_an_instrumentor_that_is_right_has_no_finding() -> None:
    """The page says "No finding" for an instrumentor that has none."""
    case = {"case": "scripted:a/chat", "spans": ["chat (app)"], "raised": None, "report": "", "findings": []}
    facts = {check.id: "right" for check in COMPARISONS[:2]}
    cases = ({**case, "facts": facts},)
    result = Result(name="mine", versions=("mine 1.0",), clients={"sync": cases, "async": cases})
    text = page([result], ["openai 3.0"])
    assert "| mine | mine 1.0 | 1 | 1 | 2 | 0 | 0 |" in text
    assert text.endswith("## mine\n\nNo finding.")


def told(case: str, *checks: str, facts: Mapping[str, str], also: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a process prints of a case in which these checks have found something."""
    report = "\n\n".join(["llmtrace: findings", *(f"error  {check}  span 'chat' (app)" for check in checks)])
    findings = [{"check": check, "severity": "error", "subject": "", "also": list(also)} for check in checks]
    return {
        "case": case,
        "spans": ["chat (app)"],
        "raised": None,
        "report": report,
        "findings": findings,
        "facts": facts,
    }


def test_clients_that_differ_are_both_named() -> None:
    """Sync and async clients are named only where they differ, in the tables and in the list of findings."""
    right, wrong = {"wire/response-id": "right"}, {"wire/response-id": "wrong"}
    sync = (told("a/one", facts=right), told("a/two", "wire/response-id", facts=wrong), told("a/three", facts=right))
    late = (
        told("a/one", "wire/response-id", facts=wrong),
        told("a/two", "wire/response-id", facts=wrong),
        told("a/three", "wire/error-status", facts=right),
    )
    text = page([Result(name="mine", versions=("mine 1.0",), clients={"sync": sync, "async": late})], ["openai 3.0"])
    assert "| mine | mine 1.0 | 3 | 3 | sync: 2; async: 1 | sync: 1; async: 2 | 0 |" in text
    cell = "sync: 2 right, [1 wrong](#mine-wire-response-id); async: 1 right, [2 wrong](#mine-wire-response-id)"
    assert f"| response id (`wire/response-id`) | {cell} |" in text
    assert "### wire/response-id, 2 of 3 calls\n\n" in text
    assert "pytest-llmtrace compare --only mine --case a/one --async\n" in text
    assert "Also in `a/two`." in text
    assert "### wire/error-status, 1 of 3 calls, async only\n\n" in text


def test_the_times_of_one_run_are_not_shown() -> None:
    """Durations are masked, so that a run on another machine makes the same page."""
    case = told("a/one", "structure/retries-hidden", facts={})
    case["report"] += "\n       span   the last attempt, which began 12 ms later"
    text = page([Result(name="mine", versions=("mine 1.0",), clients={"sync": (case,)})], ["openai 3.0"])
    assert "       span   the last attempt, which began N ms later\n" in text


def test_what_follows_leads_to_its_cause() -> None:
    """A fact that is wrong because of another has no finding of its own to lead to."""
    facts = {"wire/output-tokens": "wrong", "wire/total-tokens": "wrong"}
    checks = ("wire/output-tokens", "wire/input-tokens")
    cases = tuple(told(f"a/{check}", check, facts=facts, also=["wire/total-tokens"]) for check in checks)
    text = page([Result(name="mine", versions=(), clients={"sync": cases})], [])
    assert '<a id="mine-wire-output-tokens"></a><a id="mine-wire-total-tokens"></a>\n\n### wire/output-tokens' in text
    assert "| total tokens (`wire/total-tokens`) | [2 wrong](#mine-wire-total-tokens) |" in text
    assert text.count('<a id="mine-wire-total-tokens"></a>') == 1


@pytest.mark.parametrize("run_them", [run, run_modes])
@pytest.mark.parametrize(
    ("only", "said"),
    [
        (["openinferense"], "did you mean 'openinference'?"),
        (["otel-genai"], "otel-genai is not installed: pip install opentelemetry-instrumentation-genai-openai"),
        ([], "by-hand; for the first: pip install openai openinference-instrumentation-openai"),
    ],
)
def test_wrong_use(
    only: Sequence[str], said: str, run_them: Callable[[Sequence[str]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instrumentor that is not known, or not installed, is named with what to do, and so is that there is none."""
    monkeypatch.setattr(_sdks, "installed", lambda _: None)
    with pytest.raises(UsageError) as caught:
        run_them(only)
    assert said in str(caught.value)


def test_each_instrumentor_says_what_it_needs() -> None:
    """Each has a part for at least one known SDK, and only `native-anthropic` leaves the SDK's own spans on."""
    for name, one in INSTRUMENTORS.items():
        assert one.name == name
        assert set(one.packages) <= {"openai", "anthropic"}
        assert one.native == (name == "native-anthropic")


def test_the_output_takes_the_form_of_its_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--output` prints nothing and may name several files in one run; an unknown suffix is wrong use."""
    files = [tmp_path / name for name in ("page.md", "page.json", "page.txt")]
    output = [text for path in files for text in ("--output", str(path))]
    nothing = ("--only", "by-hand", "--case", "builtin:openai/chat#0")  # The hand-written wrapper is Anthropic's.
    assert main(["compare", *nothing, *output]) == 0
    assert capsys.readouterr().out == ""
    assert files[0].read_text(encoding="utf-8").startswith("# Instrumentors, compared\n")
    assert all(
        result["clients"] == {"sync": [], "async": []} for result in json.loads(files[1].read_text(encoding="utf-8"))
    )
    assert main(["compare", *nothing, "--async", "--output", str(files[1])]) == 0
    assert all(result["clients"] == {"async": []} for result in json.loads(files[1].read_text(encoding="utf-8")))
    assert main(["compare", "--output", "page.pdf"]) == 2
    assert "unknown suffix of --output '.pdf'" in capsys.readouterr().err
