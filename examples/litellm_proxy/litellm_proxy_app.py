"""Answer customers through a LiteLLM Proxy (`litellm --model gpt-4o-mini --drop_params`), traced in OpenObserve."""

import json
import os
from collections.abc import Iterator

from dotenv import load_dotenv
from openai import OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor
from openobserve import openobserve_init
from opentelemetry import trace

load_dotenv()
OpenAIInstrumentor().instrument()  # before the client is created
openobserve_init()  # the service's name comes from OTEL_SERVICE_NAME: there is no service_name argument

tracer = trace.get_tracer("support-bot")
client = OpenAI(
    api_key=os.environ.get("LITELLM_PROXY_API_KEY", "not-needed"),
    base_url=os.environ.get("LITELLM_PROXY_URL", "http://localhost:4000"),
)

MODEL = "gpt-4o-mini"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tell the weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def ask(prompt: str, model: str = MODEL) -> str:
    """Return the model's answer."""
    completion = client.chat.completions.create(
        model=model, max_tokens=200, messages=[{"role": "user", "content": prompt}]
    )
    return completion.choices[0].message.content or ""


def stream(prompt: str) -> Iterator[str]:
    """Yield the answer as it comes."""
    chunks = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in chunks:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def ask_with_tools(prompt: str) -> str:
    """Let the model look up the weather, then return its answer."""
    messages = [{"role": "user", "content": prompt}]
    with tracer.start_as_current_span("ask_with_tools"):
        while True:
            completion = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
            message = completion.choices[0].message
            if not message.tool_calls:
                return message.content or ""
            messages.append(message.model_dump(include={"role", "content", "tool_calls"}))
            for call in message.tool_calls:
                result = get_weather(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def get_weather(city: str) -> str:
    """Pretend to look up the weather."""
    return f"18 degrees and sunny in {city}"


def describe(image_url: str) -> str:
    """Describe an image."""
    content = [
        {"type": "text", "text": "What does this diagram show?"},
        {"type": "image_url", "image_url": {"url": image_url, "detail": "low"}},
    ]
    completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    return completion.choices[0].message.content or ""
