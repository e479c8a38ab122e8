"""`pytest-llmtrace doctor`: find out what keeps an app's spans from reaching the back end where they should be seen."""

from pytest_llmtrace.doctor._command import run_doctor

__all__ = ["run_doctor"]
