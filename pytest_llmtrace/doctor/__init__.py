"""`pytest-llmtrace doctor`: look at what stands between an app's spans and the place where they are to be seen."""

from pytest_llmtrace.doctor._command import run_doctor

__all__ = ["run_doctor"]
