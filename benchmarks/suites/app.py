"""The application of the suites: one client, instrumented by OpenInference."""

from __future__ import annotations

import openai
from openinference.instrumentation.openai import OpenAIInstrumentor

OpenAIInstrumentor().instrument()
client = openai.OpenAI(api_key="bench", max_retries=0)


SYSTEM = "You are a support agent of a company that sells telescopes. Answer in one sentence, and name no prices."


def ask(number: int) -> str | None:
    """Make one call; return the text of its reply."""
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Question{number:05}: what is a span?"},
    ]
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=False)
    return completion.choices[0].message.content
