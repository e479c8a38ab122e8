import app
import pytest

pytestmark = pytest.mark.llmtrace(gateway="openai")


def test_call(number, llmtrace):
    assert app.ask(number)
    [span] = llmtrace.exporter.get_finished_spans()
    assert span.attributes["llm.model_name"].startswith("gpt-4o-mini")
