"""`pytest-llmtrace dashboard`: what an exported dashboard or alert makes of a suite's spans."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace import cli
from pytest_llmtrace.model import SpanKey, SpanRecord
from pytest_llmtrace.openobserve import kept, record

SPANS = [
    {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 12},
    {"plain": True, "token": "hush"},
]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Return the file with the records of a suite of one test, as a report writes it."""
    stored = [record(SpanRecord(key=SpanKey(1, n), name="x", attributes=one)) for n, one in enumerate(SPANS)]
    plain = kept.as_plain(stored, lambda text: text.replace("hush", "***"))
    path = tmp_path / "records.json"
    path.write_text(kept.as_file({"test_chat": json.loads(json.dumps(plain))}), encoding="utf-8")
    return path


def sql(title: str, query: str, *, kind: str = "sql", of: str = "traces") -> dict[str, Any]:
    return {"title": title, "queryType": kind, "queries": [{"query": query, "fields": {"stream_type": of}}]}


PANELS = [
    sql("Models", 'SELECT gen_ai_response_model, SUM(gen_ai_usage_input_tokens) AS n FROM "default" GROUP BY 1'),
    sql("Slow", 'SELECT operation_name FROM "default" WHERE duration > $limit'),
    sql("Old name", 'SELECT llm_usage_tokens_input FROM "default"'),
    sql("Typo", 'SELECT gen_ai_usage_input_token FROM "default"'),
    sql("Broken", 'SELEKT 1 FROM "default"'),
    sql("Prices", 'SELECT gen_ai_usage_cost FROM "default"'),
    sql("Index", "SELECT COUNT(*) AS n FROM \"default\" WHERE match_all('timeout')"),
    sql("Other", 'SELECT 1 AS one, CAST(NULL AS TEXT) AS two FROM "spans"'),
    sql("Unset", "SELECT 1 FROM \"default\" WHERE operation_name = '$nobody'"),
    sql("Logs", 'SELECT 1 FROM "logs"', of="logs"),
    sql("Metrics", "up", kind="promql"),
    {
        "title": "Fields",
        "queries": [
            {
                "fields": {
                    "x": [{"column": "_timestamp"}],
                    "y": [{"column": "llm_tokens"}, {"column": "gen_ai_operation"}],
                    "filter": {"filterType": "group", "conditions": [{"column": "span_status"}]},
                }
            }
        ],
    },
    {"title": "Words", "queries": []},
]
VARIABLES = {"list": [{"name": "limit", "value": "5000000"}]}
SHOWN = """\
  filled       Models
  empty        Slow: no rows
  fails        Old name: no column llm_usage_tokens_input, did you mean gen_ai_usage_input_tokens?
  fails        Typo: no column gen_ai_usage_input_token, did you mean gen_ai_usage_input_tokens?
  fails        Broken: OpenObserve would refuse this query: {error}
  passed over  Prices: gen_ai_usage_cost is not reproducible on 1 of 2 spans: {price}
  passed over  Index: match_all() is a function of OpenObserve that is not available here
  filled       Other: two is NULL in all rows
  passed over  Unset: the variable $nobody has no value in the file
  passed over  Logs: it is on logs, not on traces
  passed over  Metrics: PromQL is not run
  fails        Fields: no column llm_tokens; no column gen_ai_operation, did you mean gen_ai_operation_name?
  passed over  Words: it has no query
"""


@pytest.mark.parametrize(
    "dashboard", [{"version": 8, "tabs": [{"panels": PANELS}]}, {"version": 1, "panels": PANELS}], ids=["tabs", "old"]
)
def test_a_dashboard(
    dashboard: dict[str, Any], records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each panel has one line: filled, empty, failing or passed over, and why; one that fails makes it exit with 1."""
    path = tmp_path / "team.json"
    path.write_text(json.dumps({**dashboard, "variables": VARIABLES}), encoding="utf-8")
    assert cli.main(["dashboard", str(path), "--records", str(records)]) == 1
    lines = capsys.readouterr().out.splitlines()
    error = lines[5].partition("query: ")[2]
    price = "the server takes prices from its own catalogue, which changes"
    assert "SELEKT" in error
    assert "\n".join(lines) + "\n" == f"{path}\n" + SHOWN.format(error=error, price=price)


ALERT = {"name": "Too many", "stream_type": "traces", "stream_name": "default"}
QUERY = {"type": "sql", "sql": 'SELECT COUNT(*) AS n FROM "default"'}
CONDITIONS = {"or": [{"column": "duration"}, {"and": [{"column": "llm_tokens"}]}]}


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        (QUERY, {"state": "filled", "reasons": []}),
        ({**QUERY, "sql": f"{QUERY['sql']} WHERE duration < 0"}, {"state": "empty", "reasons": ["it counts 0"]}),
        (
            {"type": "custom", "conditions": {"or": [{"column": "duration"}]}},
            {"state": "filled", "reasons": ["its columns exist; a query that is built from fields is not run"]},
        ),
        ({"type": "custom", "conditions": CONDITIONS}, {"state": "fails", "reasons": ["no column llm_tokens"]}),
        ({"type": "promql", "promql": "up"}, {"state": "passed over", "reasons": ["PromQL is not run"]}),
    ],
)
def test_an_alert_as_json(
    condition: Any, verdict: Any, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alert is judged as one panel; the JSON form has the same content as the text."""
    path = tmp_path / "alert.json"
    path.write_text(json.dumps({**ALERT, "query_condition": condition}), encoding="utf-8")
    status = cli.main(["dashboard", str(path), "--records", str(records), "--format", "json"])
    assert json.loads(capsys.readouterr().out) == {str(path): [{"title": "Too many", **verdict}]}
    assert status == (verdict["state"] == "fails")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", " is not valid JSON: "),
        ("[" * 100_000, ": its JSON is nested too deeply"),
        ("[]", " is neither a dashboard with panels nor an alert, as OpenObserve exports them"),
        ('{"panels": [7]}', " is a damaged dashboard or alert: "),
        ('{"query_condition": {"sql": "SELECT 1"}, "stream_name": 3}', " is a damaged dashboard or alert: "),
        ('{"query_condition": {"sql": "SELECT 1"}, "stream_name": "\\ud83d"}', " is a damaged dashboard or alert: "),
        ('{"query_condition": {"sql": "SELECT \'\\ud83d\'"}}', " is a damaged dashboard or alert: "),
    ],
)
def test_what_is_no_dashboard(
    text: str, error: str, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not a dashboard or an alert is refused in one line, which says what is wrong with it."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    assert cli.main(["dashboard", str(path), "--records", str(records)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"pytest-llmtrace: {path}{error}")
    assert said.count("\n") == 1


STORED = """{"format": "pytest-llmtrace openobserve", "version": 1, "tests": {"a": [
    {"profile": "0.92", "is_llm": true, "unknown": {}, "columns": {"name": %s}}]}}"""
ODD = (("[1]", "[1]"), ("true", "True"), ("{}", "{}"), ("9" * 19, "9" * 19))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", " has no records that can be read; pytest --llmtrace-report openobserve="),
        ('{"format": "pytest-llmtrace openobserve", "version": 1, "tests": {"a": [{}]}}', " is damaged: "),
        *((STORED % value, f""" is damaged: ValueError("the column 'name' holds {shown}")""") for value, shown in ODD),
        (
            '{"format": "pytest-llmtrace openobserve", "version": 1, "tests": {"a": []}}',
            " has no spans: no test of the run that wrote it captured any",
        ),
    ],
)
def test_what_are_no_records(text: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file of records is refused in one line, which says what is wrong with it."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    assert cli.main(["dashboard", "any.json", "--records", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"pytest-llmtrace: {path}{error}")


def test_records_that_are_not_there(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is an error that names the nearest one beside it."""
    wrong = records.with_stem("redords")
    assert cli.main(["dashboard", "any.json", "--records", str(wrong)]) == 2
    assert capsys.readouterr().err == (
        f"pytest-llmtrace: unknown file or folder '{wrong.name}': did you mean '{records.name}'? known: "
        f"{records.name}\n"
    )


def test_a_title_moves_no_cursor(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A title is foreign text: its control characters are escaped, so that a panel stays one line."""
    path = tmp_path / "team.json"
    path.write_text(json.dumps({"panels": [sql("a\n\x1b[2Jb", 'SELECT nobody FROM "\x1b"')]}), encoding="utf-8")
    assert cli.main(["dashboard", str(path), "--records", str(records)]) == 1
    assert capsys.readouterr().out == f"{path}\n  fails        a\\n\\x1b[2Jb: no column nobody\n"


def test_records_are_masked(records: Path) -> None:
    """Secrets are masked in the file of records."""
    text = records.read_text(encoding="utf-8")
    assert "***" in text
    assert "hush" not in text


@pytest.fixture
def verdicts(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Any], list[str]]:
    """Return a function that judges a file's content, and returns the state and reasons of each panel as a line."""

    def verdicts(content: Any) -> list[str]:
        path = tmp_path / "content.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        cli.main(["dashboard", str(path), "--records", str(records), "--format", "json"])
        found = json.loads(capsys.readouterr().out)[str(path)]
        return [": ".join((one["state"], *one["reasons"])) for one in found]

    return verdicts


@pytest.mark.parametrize(
    ("where", "verdict"),
    [
        ("operation_name IN ($names)", "filled"),
        ("operation_name IN (${names})", "filled"),
        ("operation_name IN (${names:singlequote})", "filled"),
        ("operation_name IN (${name:singlequote})", "filled"),
        ("re_match(operation_name, '^(${names:pipe})$')", "filled"),
        ("operation_name = '$names'", "filled"),
        ("re_match(operation_name, '^($names)$') -- it's enough", "filled"),
        ("operation_name = '${name}'", "filled"),
        ("operation_name IN (${names:csv})", "fails: no column x"),
    ],
)
def test_values_of_variables(verdicts: Callable[[Any], list[str]], where: str, verdict: str) -> None:
    """Several values are written as the format says, or without one as a list for SQL; in quotes only the first."""
    variables = {"list": [{"name": "names", "value": ["x", "y"]}, {"name": "name", "value": "x"}]}
    panel = sql("Names", f'SELECT COUNT(*) AS n FROM "default" WHERE {where}')  # noqa: S608
    assert verdicts({"version": 8, "tabs": [{"panels": [panel]}], "variables": variables}) == [verdict]


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ('-- from "elsewhere"\nSELECT COUNT(*) AS n FROM "default"', "filled"),
        ('SELECT EXTRACT(EPOCH FROM to_timestamp_micros(_timestamp)) AS t FROM "default"', "filled"),
        ('SELECT COUNT(*) AS n FROM "My.Stream"', "filled"),
        ('SELECT a.span_id FROM "spans" a JOIN "spans" b ON a.span_id = b.span_id', "filled"),
        (
            'SELECT a.span_id FROM "spans" a JOIN "logs" b ON a.trace_id = b.trace_id',
            "passed over: it reads several streams, spans among them",
        ),
        ('SELECT COUNT(*) AS n, SUM(duration) AS d FROM "default" WHERE duration < 0', "empty: it counts 0"),
        ("  \n", "passed over: it has neither a query nor fields"),
    ],
)
def test_streams_of_a_query(verdicts: Callable[[Any], list[str]], query: str, verdict: str) -> None:
    """The records stand for the one stream that a query reads, as the engine parses it, and for no other stream."""
    assert verdicts({"version": 8, "tabs": [{"panels": [sql("One", query)]}]}) == [verdict]


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "breakdown": ({"breakdown": [{"column": "nobody"}]}, "fails: no column nobody"),
    "arguments": ({"y": [{"args": [{"type": "field", "value": {"field": "nobody"}}]}]}, "fails: no column nobody"),
    "a condition": ({"filter": {"conditions": [{"column": {"field": "nobody"}}]}}, "fails: no column nobody"),
    "derived": (
        {"y": [{"column": "nobody", "isDerived": True}]},
        "filled: its columns exist; a query that is built from fields is not run",
    ),
    "joined": ({"joins": [{"stream": "logs"}]}, "passed over: it joins other streams"),
}


@pytest.mark.parametrize(("fields", "verdict"), FIELDS.values(), ids=FIELDS.keys())
def test_fields(verdicts: Callable[[Any], list[str]], fields: dict[str, Any], verdict: str) -> None:
    """Columns are found wherever a version has them, except those that the panel derives by itself."""
    query = {"query": "", "fields": {"stream_type": "traces", "x": [{"column": "_timestamp"}], **fields}}
    assert verdicts({"version": 8, "tabs": [{"panels": [{"title": "One", "queries": [query]}]}]}) == [verdict]


def test_files_of_the_api(verdicts: Callable[[Any], list[str]]) -> None:
    """The API puts a dashboard below its version, and several alerts are a list."""
    dashboard = {"tabs": [{"panels": [sql("One", 'SELECT operation_name FROM "default"')]}]}
    assert verdicts({"v1": None, "v8": dashboard, "version": 8}) == ["filled"]
    assert verdicts([{**ALERT, "query_condition": QUERY}, {**ALERT, "query_condition": QUERY}]) == ["filled", "filled"]


def test_the_kind_of_an_alert(verdicts: Callable[[Any], list[str]]) -> None:
    """Parts of another kind that an alert still has are not run; columns of groups and their limits are checked too."""
    condition: dict[str, Any] = {"type": "custom", "sql": "SELECT nobody", "conditions": [{"column": "duration"}]}
    assert verdicts({**ALERT, "query_condition": condition}) == [
        "filled: its columns exist; a query that is built from fields is not run"
    ]
    condition["aggregation"] = {"group_by": ["team"], "having": {"column": "nobody"}}
    assert verdicts({**ALERT, "query_condition": condition}) == ["fails: no column team: no column nobody"]
