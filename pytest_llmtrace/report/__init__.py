"""Show people what the checks found: the report of a failing test, the totals of a run, and report files."""

from pytest_llmtrace.report.files import FORMATS, contribution
from pytest_llmtrace.report.text import account, render, totals

__all__ = ["FORMATS", "account", "contribution", "render", "totals"]
