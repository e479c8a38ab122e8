"""SQL on the records of spans, with OpenObserve's engine and functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmtrace.errors import QueryError, UsageError
from pytest_llmtrace.openobserve import Record, Stream

Store = Callable[..., Record]


@pytest.fixture
def calls(store: Store) -> Stream:
    """Four spans: three calls of two models, and one that is not an LLM span."""
    spans: tuple[tuple[dict[str, Any], int], ...] = (
        ({"llm.model_name": "a", "llm.token_count.prompt": 10, "llm.token_count.completion": 5}, 1),
        ({"llm.model_name": "a", "llm.token_count.prompt": 20, "llm.token_count.completion": 5}, 6),
        ({"llm.model_name": "b", "llm.token_count.prompt": 900, "tags": ("x", "y")}, 7),
        ({"plain": True}, 1),
    )
    start = 1_700_000_000_000_000_000
    records = [
        store(attributes, start_ns=start + index * 10**9, end_ns=start + (index + seconds) * 10**9)
        for index, (attributes, seconds) in enumerate(spans)
    ]
    return Stream(records)


def test_a_group(calls: Stream) -> None:
    """Columns that the server computes are numbers; the client's columns are text, and must be cast."""
    found = calls.sql(
        "SELECT llm_model_name AS model, SUM(gen_ai_usage_input_tokens) AS n, "
        "SUM(CAST(llm_token_count_prompt AS INT)) AS m "
        'FROM "default" WHERE llm_model_name IS NOT NULL GROUP BY 1 ORDER BY 1'
    )
    assert found == [{"model": "a", "n": 30, "m": 30}, {"model": "b", "n": 900, "m": 900}]


def test_slow_but_not_huge(calls: Stream) -> None:
    """The question of a user who looks for calls that were slow without being large."""
    slow = 'SELECT llm_model_name FROM "default" WHERE duration > 5000000 AND gen_ai_usage_input_tokens < 500'
    assert calls.sql(slow) == [{"llm_model_name": "a"}]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("str_match(llm_model_name, 'B')", False),
        ("str_match_ignore_case(llm_model_name, 'B')", True),
        ("re_match(llm_model_name, '^b$')", True),
        ("re_not_match(llm_model_name, '^b$')", False),
        (r"re_match(llm_model_name, '^[[:alpha:]]\p{L}?$')", True),
        ("re_match(llm_model_name, CAST(NULL AS TEXT))", None),
        ("arrcount(tags)", 2),
        ("arr_descending(tags)", '["y","x"]'),
        ("arrsort(arr_descending(tags))", '["x","y"]'),
        ("arrindex(tags, 1, 1)", '["y"]'),
        ("arrjoin(tags, ' | ')", "x | y"),
        ("arrzip(tags, tags, '-')", '["x-x","y-y"]'),
        ("array_length(cast_to_arr(tags))", 2),
        ("to_array_string(cast_to_arr(tags))", '["x","y"]'),
        ("spath('{\"a\": {\"b\": 23}}', 'a.b')", "23"),
        ("spath('no json', 'a')", None),
        ("arrcount(llm_model_name)", None),
        ("histogram(_timestamp, '30 seconds')", "2023-11-14T22:13:00"),
        ("histogram(_timestamp, '5m')", "2023-11-14T22:10:00"),
        ("histogram(_timestamp, '1h')", "2023-11-14T22:00:00"),
        ("histogram(_timestamp)", "2023-11-14T22:13:20"),
    ],
)
def test_functions(calls: Stream, expression: str, value: Any) -> None:
    """Each function behaves as OpenObserve's reference says."""
    query = f"SELECT {expression} AS v FROM \"default\" WHERE llm_model_name = 'b'"  # noqa: S608
    assert calls.sql(query) == [{"v": value}]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ('SELECT nobody FROM "default"', r"OpenObserve would refuse this query: .*No field named nobody"),
        ('SELECT 1 FROM "logs"', r"OpenObserve would refuse this query: .*logs"),
        ('SELECT nosuch(1) FROM "default"', r"OpenObserve would refuse this query: .*Invalid function 'nosuch'"),
        (
            'SELECT SUM(llm_token_count_prompt) FROM "default"',
            r"^OpenObserve would refuse this query: sum\(\) does not take Utf8; .*: use CAST\(\.\.\. AS INT\)$",
        ),
        (
            'SELECT nobody FROM "default"',
            r"^OpenObserve would refuse this query: Schema error: No field named nobody\.$",
        ),
        (
            'SELECT llm_model_nam FROM "default"',
            r": Schema error: No field named llm_model_nam\. Did you mean llm_model_name\?$",
        ),
        (
            'SELECT "default".LLM_Model_Nam FROM "default"',
            r': Schema error: No field named "?default"?\.llm_model_nam\. Did you mean llm_model_name\?$',
        ),
        (
            "SELECT re_match(llm_model_name, '(') FROM \"default\"",
            r"^OpenObserve would refuse this query: re_match\(\) cannot be computed: .* missing \): \($",
        ),
        (
            "SELECT re_match(llm_model_name, '(?<=a)b') FROM \"default\"",
            r"^OpenObserve would refuse this query: re_match\(\) cannot be computed: .* invalid perl operator: \(\?<=$",
        ),
        (
            'SELECT histogram(start_time) FROM "default"',
            (
                r"^OpenObserve would refuse this query: histogram\(\) cannot be computed: \d+ is not a time in "
                r"microseconds$"
            ),
        ),
        (
            "SELECT histogram(_timestamp, 'soon') FROM \"default\"",
            r"^OpenObserve would refuse this query: histogram\(\) cannot be computed: 'soon' is not an interval in ",
        ),
        (
            'SELECT arrindex(tags, 1) FROM "default"',
            r"^OpenObserve would refuse this query: arrindex\(\) does not take Utf8, Int64$",
        ),
        (
            "SELECT match_all('x') FROM \"default\"",
            r"^match_all\(\) is a function of OpenObserve that is not available here",
        ),
        (
            'SELECT gen_ai_usage_cost FROM "default"',
            r"^gen_ai_usage_cost is not reproducible on 3 of 4 spans: the server",
        ),
    ],
)
def test_what_cannot_be_answered(calls: Stream, query: str, error: str) -> None:
    """Missing columns and functions, text in place of numbers, and values that only a server knows are errors."""
    with pytest.raises(QueryError, match=error):
        calls.sql(query)


def test_columns_of_no_spans() -> None:
    """Without spans a count is 0, and asking for a column raises an error that says that no span was captured."""
    assert Stream([]).sql('SELECT COUNT(*) AS n FROM "default"') == [{"n": 0}]
    with pytest.raises(QueryError, match=r"No field named span_id\. No span was captured, so there are no columns\.$"):
        Stream([]).sql('SELECT span_id FROM "default"')


def test_what_is_no_query(calls: Stream) -> None:
    """A query that is not text is wrong use, not a failed query."""
    with pytest.raises(UsageError, match=r"^a query must be a string, not 3$"):
        calls.sql(3)  # type: ignore[arg-type]


def test_a_name_in_a_text_is_no_column(calls: Stream) -> None:
    """A name inside a string literal is neither a column nor a function."""
    assert calls.sql("SELECT 'gen_ai_usage_cost match_all(x)' AS v FROM \"default\" LIMIT 1") == [
        {"v": "gen_ai_usage_cost match_all(x)"}
    ]


def test_letters_beyond_ascii_are_part_of_a_name(store: Store) -> None:
    """A column name may contain letters beyond ASCII, since only their case changes."""
    assert Stream([store({"Größe": "9"})]).sql('SELECT "größe" FROM "default"') == [{"größe": "9"}]


@pytest.mark.parametrize("comment", ["-- it's\n", "/* it's\n */"])
def test_an_apostrophe_in_a_comment_begins_no_text(calls: Stream, comment: str) -> None:
    """Columns after a comment are found as they are without it."""
    query = "SELECT COUNT(*) AS n {} FROM \"default\" WHERE service_name = 'chat-api'"
    assert calls.sql(query.format(comment)) == [{"n": 4}]


def test_half_a_character_in_an_array_is_no_json(store: Store) -> None:
    """JSON with half a character, which the server does not parse either, has no value; other rows keep theirs."""
    records = [store({"said": '["\\ud800"]'}), store({"said": '["\\u00e9"]'})]
    query = "SELECT arrsort(said) AS a, arrjoin(said, ',') AS j, spath(said, 'x') AS s FROM \"default\" ORDER BY said"
    assert Stream(records).sql(query) == [{"a": '["é"]', "j": "é", "s": None}, {"a": None, "j": None, "s": None}]


def test_values_that_no_column_holds(store: Store) -> None:
    """Half a character is stored as the export writes it, and a number too long for Python's digits as hexadecimal."""
    records = [store({"said": "Sun \ud83d", "huge": 2**20_000}), store({"said": "Rain"})]
    assert Stream(records).sql('SELECT said, huge FROM "default" ORDER BY said') == [
        {"said": "Rain", "huge": None},
        {"said": "Sun ?", "huge": hex(2**20_000)},
    ]


@pytest.mark.parametrize(("profile", "is_typed"), [("0.90", False), ("0.91", True), ("0.92", True)])
def test_a_count_on_a_span_that_is_no_call(store: Store, profile: str, is_typed: bool) -> None:
    """From 0.91 on, an LLM span gives its stream types: the sum of a task that states its tokens is a number, too."""
    call = store({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}, profile)
    tasks = [store({"gen_ai.usage.input_tokens": value}, profile) for value in (4, "many")]
    query = 'SELECT SUM(gen_ai_usage_input_tokens) AS n FROM "default"'
    assert tasks[0]["gen_ai_usage_input_tokens"] == "4"
    if is_typed:
        assert Stream([call, *tasks]).sql(query) == [{"n": 7}]
    for records in [tasks] if is_typed else [tasks, [call, *tasks]]:
        with pytest.raises(QueryError, match="values that a client sends are text there"):
            Stream(records).sql(query)


def test_no_spans() -> None:
    """A stream without spans has no columns; OpenObserve does not know such a stream either."""
    with pytest.raises(QueryError):
        Stream(()).sql('SELECT operation_name FROM "default"')


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO '{file}'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{file}'",
        'INSERT INTO "default" VALUES (1)',
        'DROP TABLE "default"',
    ],
)
def test_a_query_only_reads_spans(calls: Stream, tmp_path: Path, statement: str) -> None:
    """A dashboard from elsewhere neither writes nor reads files; the server rejects such statements too."""
    file = tmp_path / "x.csv"
    with pytest.raises(QueryError, match=r"^OpenObserve would refuse this query: .* not supported: "):
        calls.sql(statement.format(file=file))
    assert not file.exists()
