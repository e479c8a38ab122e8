"""The application of the suites: one client, instrumented by OpenInference."""

from __future__ import annotations

import openai
from openinference.instrumentation.openai import OpenAIInstrumentor

from benchmarks._material import MODEL, messages

OpenAIInstrumentor().instrument()
client = openai.OpenAI(api_key="bench", max_retries=0)


def ask(number: int) -> str | None:
    """Make one call; return the text of its reply."""
    completion = client.chat.completions.create(model=MODEL, messages=messages(number), stream=False)
    return completion.choices[0].message.content
