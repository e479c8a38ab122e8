"""Findings and spans for people."""

from pytest_llmtrace.report.files import FORMATS, contribution
from pytest_llmtrace.report.text import account, render, totals

__all__ = ["FORMATS", "account", "contribution", "render", "totals"]
