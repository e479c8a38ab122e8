import app
import pytest

pytestmark = pytest.mark.llmtrace(verify=False)


def test_call(number, llmtrace):
    assert app.ask(number).startswith("OpenTelemetry")
    [span] = llmtrace.exporter.get_finished_spans()
    assert span.attributes["llm.model_name"].startswith("gpt-4o-mini")
