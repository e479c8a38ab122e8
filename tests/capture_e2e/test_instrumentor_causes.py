"""If nothing was captured although an instrumentor is installed, the report says what the instrumentor did."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

RunPytest = Callable[..., Any]

REAL = find_spec("openinference") is not None

# A distribution beside the app, in the form of an installed package; its instrumentor requires an SDK that does not
# exist.
FAKE = {
    "acme_llm.py": """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class AcmeInstrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return {wants!r}
    def _instrument(self, **kwargs):
        raise RuntimeError("the patch does not fit")
    def _uninstrument(self, **kwargs):
        pass
""",
    "acme_llm-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-llm\nVersion: 1.0\n",
    "acme_llm-1.0.dist-info/entry_points.txt": "[opentelemetry_instrumentor]\nacme = acme_llm:AcmeInstrumentor\n",
}
SWITCHED_BY_THE_APP = "import acme_llm\nacme_llm.AcmeInstrumentor().instrument()\n"

TESTS = """
import app

def test_judged(llmtrace):
    llmtrace.gateway("openai").chat(text="hi")
    assert app.ask() == "hi"
"""

REPORT = """\
llmtrace: 1 finding in test_judged (1 exchange, 0 LLM spans, <n> checks)

error  capture/nothing  1 LLM call, no span: {cause}
       wire   POST /v1/chat/completions  (exchange 0)
       why    {why}
       next   {next}, or waive: @pytest.mark.llmtrace(ignore={{"capture/nothing": "reason"}})

POST /v1/chat/completions  200  (exchange 0)"""


def install(folder: Path, *wants: str) -> None:
    """Write the instrumentor beside the app; it requires some releases, and raises if they are installed."""
    for name, text in FAKE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.format(wants=wants))


FAILING = """
import pytest

def test_asked(llmtrace):
    pass

@pytest.mark.llmtrace
def test_marked():
    pass

@pytest.mark.llmtrace(cassette="builtin:openai/chat")
class TestWide:
    def test_wide(self):
        pass

def test_other():
    pass
"""


def test_an_instrumentor_that_raises(run_pytest: RunPytest, tmp_path: Path) -> None:
    """An instrumentor that raises when it is switched on fails each test that needs it at set-up; pytest goes on."""
    install(tmp_path)
    run = run_pytest(FAILING, LLMTRACE_INSTRUMENT="acme")
    assert run.text.splitlines()[-1].startswith("1 passed, 3 errors in ")
    assert "INTERNALERROR" not in run.text
    for test in ("test_asked", "test_marked", "TestWide.test_wide"):
        assert run.failure(f"ERROR at setup of {test}").endswith("E   RuntimeError: the patch does not fit")


@pytest.mark.parametrize(
    ("wants", "found"),
    [("openai >= 999", f"openai {version('openai')} is installed"), ("acme-sdk", "it is not installed")],
)
@pytest.mark.parametrize("by", ["app", "ini"])
def test_refused_version(wants: str, found: str, by: str, run_pytest: RunPytest, tmp_path: Path) -> None:
    """An instrumentor that does not know the SDK's release only logs that: the report names both releases.

    It does so whether the app or `llmtrace_instrument` has switched it on.
    """
    install(tmp_path, wants)
    by_ini = {"LLMTRACE_INSTRUMENT": "acme"} if by == "ini" else {}
    run = run_pytest(TESTS, conftest=SWITCHED_BY_THE_APP if by == "app" else "", **by_ini)
    assert run.failure("test_judged") == REPORT.format(
        cause="an instrumentor refused to be switched on",
        why=f"acme-llm supports {wants}, but {found}: its instrument() logs this and does nothing",
        next=f"install {wants}, or a release of acme-llm that supports yours",
    )


OPENINFERENCE = """
import app, contextlib, openai
from openinference.instrumentation import suppress_tracing
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider, sampling

OpenAIInstrumentor().instrument({arguments})

def ask():
    client = openai.OpenAI(api_key="test")
    completion = client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "hello"}}])
    return completion.choices[0].message.content

def quiet():
    with {block}:
        return ask()

app.ask = quiet
"""
SUPPRESSED = {
    "cause": "instrumentation is suppressed",
    "why": "the call was made in a context in which instrumentation is suppressed, as by suppress_tracing() or "
    "suppress_instrumentation()",
    "next": "make the call outside that block, or end the block first",
}
SAMPLED_OUT = {
    "cause": "the spans were sampled out",
    "why": "the sampler AlwaysOffSampler dropped them",
    "next": "give the provider sampler=opentelemetry.sdk.trace.sampling.ALWAYS_ON in tests",
}


@pytest.mark.parametrize(
    ("arguments", "block", "expected"),
    [
        pytest.param("", "suppress_tracing()", SUPPRESSED, id="suppress_tracing"),
        pytest.param("", "suppress_instrumentation()", SUPPRESSED, id="suppress_instrumentation"),
        pytest.param(
            "tracer_provider=TracerProvider(sampler=sampling.ALWAYS_OFF)",
            "contextlib.nullcontext()",
            SAMPLED_OUT,
            id="sampled-out",
        ),
    ][: None if REAL else 0],
)
def test_a_real_instrumentor(arguments: str, block: str, expected: dict[str, str], run_pytest: RunPytest) -> None:
    """The same causes are found if a real instrumentor is switched on, where one is installed."""
    run = run_pytest(TESTS, conftest=OPENINFERENCE.format(arguments=arguments, block=block))
    assert run.failure("test_judged") == REPORT.format(**expected)
