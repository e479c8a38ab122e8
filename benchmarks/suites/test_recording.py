import app
import pytest
from hand_made import spans  # noqa: F401


@pytest.mark.vcr
def test_call(number, spans):  # noqa: F811
    assert app.ask(number).startswith("OpenTelemetry")
    [span] = spans.get_finished_spans()
    assert span.attributes["llm.model_name"].startswith("gpt-4o-mini")
