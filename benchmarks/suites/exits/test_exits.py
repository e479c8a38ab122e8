"""One streaming function, sync and async, under OpenInference, left in every way."""

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor

from pytest_llmtrace.exits import ASYNC_WAYS

OpenAIInstrumentor().instrument()
client = openai.OpenAI(api_key="bench", max_retries=0)
pytestmark = pytest.mark.llmtrace(gateway="openai", ignore={"wire/cut-stream": "OpenInference says OK of it"})
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "what is a span?"}], "stream": True}


def stream():
    yield from client.chat.completions.create(**ASKED)


async def astream():
    async with openai.AsyncOpenAI(api_key="bench", max_retries=0) as client:
        async for chunk in await client.chat.completions.create(**ASKED):
            yield chunk


def test_sync(llmtrace_exits):
    assert llmtrace_exits.run(stream)


@pytest.mark.parametrize("llmtrace_exits", ASYNC_WAYS, indirect=True)
def test_async(llmtrace_exits):
    assert llmtrace_exits.run(astream)
