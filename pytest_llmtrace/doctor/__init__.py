"""`pytest-llmtrace doctor`: look for what keeps an app's spans from the place where they are to be seen."""

from pytest_llmtrace.doctor._command import run_doctor

__all__ = ["run_doctor"]
