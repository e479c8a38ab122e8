"""Findings and spans for people."""

from pytest_llmtrace.report.text import account, render, totals

__all__ = ["account", "render", "totals"]
