import app
import pytest
from hand_anew import client, replying, spans  # noqa: F401


@pytest.mark.usefixtures("replying")
def test_call(number, spans):  # noqa: F811
    assert app.ask(number).startswith("OpenTelemetry")
    [span] = spans.get_finished_spans()
    assert span.attributes["llm.model_name"].startswith("gpt-4o-mini")
